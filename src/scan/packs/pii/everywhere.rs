//! What people have in every country.

use super::super::super::matcher::kind::{Check, Kind, Left, Shape};
use super::super::super::matcher::number::check::{digits, is_day, parts};
use super::super::super::matcher::number::{
    Asked, Form, Needs, Number, Writing, is_international, is_national,
};
use super::{close, free, word};

numbers! {
    "phone" Medium "telephone number with the code of its country (E.164)"
    [Form(Writing::International, Needs::Nothing)] []
    "length of the country" is_international;

    "phone-national" Medium "telephone number without the code of its country"
    [free("[2-9]d{2}) ?[2-9]d{2}-d{4}"), Form(Writing::National, Needs::Close)]
    ["phone" "telephone" "tel" "mobile" "cell" "fax" "call me at" "call us at" "call me on" "reach me at" "phone number" "whatsapp"
     "telefon" "telefonnummer" "mobil" "mobilnummer" "handy" "handynummer" "rufnummer" "téléphone" "telephone" "portable" "teléfono" "telefono"
     "móvil" "celular" "telefone" "telemóvel" "cellulare" "telefoon" "telefonu" "puhelin" "тел" "телефон" "電話" "电话" "手机" "전화"]
    "length" is_national;

    "date-of-birth" Medium "date of birth"
    [close("[12][09]d{2}-[01]d-[0-3]d"), close("[12][09]d{2}-[01]d-[0-3]dTdd:dd:ddZ"), close("[12][09]d{2}-[01]d-[0-3]dTdd:dd:dd"),
     close("[12][09]d{2}[/.][01]d[/.][0-3]d"), close("[12][09]d{2}/[1-9][0-2]?/[1-9]d?"), close("[12][09]d{2}[01]d[0-3]d"),
     close("[0-3]d[./-][0-3]d[./-][12][09]d{2}"), close("[1-9][./-][0-3]d[./-][12][09]d{2}"), close("[0-3]d[./-][1-9][./-][12][09]d{2}"),
     close("[1-9][./-][1-9][./-][12][09]d{2}"), close("[0-3]d[./-][0-3]d[./-]d{2}"), close("[1-9][./-][0-3]d[./-]d{2}"),
     close("[0-3][1-9][.]? a{3}a?{6}[.,]? [12][09]d{2}"), close("[1-9][.]? a{3}a?{6}[.,]? [12][09]d{2}"),
     close("[0-3]d, [12][09]d{2}"), close("[1-9], [12][09]d{2}")]
    ["date of birth" "birth date" "birthdate" "birthday" "dob" "born" "born on" "birth" "d o b" "geburtsdatum" "geboren" "geburtstag" "geb"
     "date de naissance" "né le" "née le" "fecha de nacimiento" "nacido" "nacida" "nacimiento" "data di nascita" "nato il" "nata il"
     "data de nascimento" "nascimento" "geboortedatum" "födelsedatum" "fødselsdato" "syntymäaika" "data urodzenia" "datum narození"
     "дата рождения" "生年月日" "出生日期" "생년월일"]
    "day and month" is_birth;

    "passport" High "number of a passport"
    [close("[A-Z]?d{8}d?"), close("[A-Z][A-Z0-9]{7}[A-Z0-9]?"), close("dx{8}"), close("u{2}d{7}"), close("d{7}")]
    ["passport" "passport number" "passport no" "passports" "reisepass" "reisepassnummer" "passeport" "pasaporte" "passaporto" "passaporte"
     "paspoort" "paspoortnummer" "passnummer" "paszport" "paszportu" "pas" "паспорт" "護照" "护照" "パスポート" "旅券" "여권"]
    "form" has_digits;

    "driving-licence" High "number of a driving licence"
    [word("[A-Z9]{5}d{6}[A-Z9]{2}x{3}"), close("ud{7}d?{7}"), close("d{7}d?{3}"), close("u{2}d{6}d?"),
     close("[A-Z0-9]d{2}x{8}"), close("ux{10}"), close("ud{3}-d{3}-d{2}-d{3}-d"), close("ud{4}-d{5}-d{5}"), close("ud{3}-d{4}-d{4}")]
    ["driving licence" "driving license" "driver licence" "driver license" "driver's licence" "driver's license" "drivers licence" "drivers license"
     "dl number" "dl no" "führerschein" "führerscheinnummer" "permis de conduire" "carnet de conducir" "licencia de conducir"
     "permiso de conducir" "patente di guida" "carta de condução" "cnh" "rijbewijs" "rijbewijsnummer" "prawo jazdy" "körkort" "førerkort" "ajokortti"
     "運転免許" "驾照" "운전면허"]
    "form" has_digits;

    "bank-account" High "number of a bank account"
    [close("d{8}d?{9}"), close("d{3}d?~d{3}~d{3}"), close("d{2}~d{2}~d{2} d{8}"), close("d{4}~d{4}~d{4}")]
    ["account number" "account no" "account num" "bank account" "acct no" "acct number" "acct num" "acct" "accountnumber" "bank acct" "kontonummer" "konto nr" "kontonr"
     "numéro de compte" "número de cuenta" "numero de cuenta" "cuenta bancaria" "numero di conto" "conto corrente" "número da conta" "conta bancária"
     "rekeningnummer" "bankrekening" "numer konta" "číslo účtu" "kontonummer" "tilinumero" "口座番号" "账号" "계좌번호"]
    "form" has_digits;

    "medical-record" High "number of a medical record or a patient"
    [free("MRNd{6}d?{6}"), close("[A-Z]?[A-Z]?d{6}d?{6}"), close("d{3}-d{2}d?-d{3}d?")]
    ["mrn" "medical record" "medical record number" "medical record no" "patient id" "patient number" "patient no" "chart number" "hospital number"
     "patientennummer" "numéro de patient" "número de paciente" "número de historia clínica" "cartella clinica" "patiëntnummer"]
    "form" has_digits;

    "insurance-id" High "number of an insured person or of a policy"
    [close("u[A-Z]?[A-Z]?d{6}d?{6}"), close("d{9}d?{3}"), close("u{3}-d{6}d?{4}")]
    ["insurance id" "insurance number" "insurance no" "insurance policy" "member id" "member number" "policy number" "policy no" "subscriber id" "subscriber number"
     "health insurance" "health plan" "beneficiary" "versichertennummer" "versicherungsnummer" "krankenversicherungsnummer" "kvnr" "numéro d'assuré"
     "número de póliza" "número de afiliado" "numero di polizza" "polisnummer" "保険証番号"]
    "form" has_digits;

    "vin" Medium "identification number of a vehicle (ISO 3779)"
    [free("[1-5][A-HJ-NPR-Z0-9]{7}[0-9X][A-HJ-NPR-Z0-9]{3}d{5}"), word("[A-HJ-NPR-Z0-9]{17}")]
    ["vin" "vehicle identification number" "chassis number" "chassis" "vehicle id" "fahrgestellnummer" "fahrzeugidentifikationsnummer" "fin"
     "numéro de châssis" "número de chasis" "telaio" "chassi"]
    "remainder by 11, in North America" is_vehicle, not ["1M8GDM9AXKP042788" "1HGBH41JXMN109186" "5GZCZ43D13S812715"];
}

fn has_digits(text: &[u8]) -> bool {
    digits(text).count() >= 2
}

/// Digits whose order the separators told: one of the orders must be a day.
fn is_birth(text: &[u8]) -> bool {
    let text: Vec<u8> = text.iter().copied().filter(u8::is_ascii_digit).collect();
    let is_year = |year: u64| (1900..=2099).contains(&year);
    match text.len() {
        8 | 14 => {
            let first = parts(&text, [4, 2, 2])
                .is_some_and(|[year, month, day]| is_year(year) && is_day(year, month, day));
            let last = parts(&text, [2, 2, 4]).is_some_and(|[one, two, year]| {
                is_year(year) && (is_day(year, two, one) || is_day(year, one, two))
            });
            first || last
        }
        // A month in letters, or figures without their zeros.
        5..=7 => digits(&text).any(|digit| digit > 0),
        _ => false,
    }
}

/// Position 9 in numbers from North America; elsewhere it says nothing, but some digits there are.
fn is_vehicle(text: &[u8]) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    // A row of digits is the number of something else.
    if !(4..=15).contains(&digits(text).count()) {
        return false;
    }
    if !matches!(text.first(), Some(b'1'..=b'5')) {
        return true;
    }
    let sum: u32 = text
        .iter()
        .zip(WEIGHTS)
        .map(|(byte, weight)| transliterated(*byte) * weight)
        .sum();
    let expected =
        u8::try_from(sum % 11).map_or(b'X', |rest| if rest == 10 { b'X' } else { b'0' + rest });
    text.get(8) == Some(&expected)
}

const fn transliterated(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => (byte - b'0') as u32,
        b'A' | b'J' => 1,
        b'B' | b'K' | b'S' => 2,
        b'C' | b'L' | b'T' => 3,
        b'D' | b'M' | b'U' => 4,
        b'E' | b'N' | b'V' => 5,
        b'F' | b'W' => 6,
        b'G' | b'P' | b'X' => 7,
        b'H' | b'Y' => 8,
        _ => 9,
    }
}
