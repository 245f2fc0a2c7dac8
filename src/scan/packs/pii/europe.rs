//! Numbers that states of Europe give out, but for those of its north and east.

use super::super::super::matcher::kind::{Check, Kind, Left, Shape};
use super::super::super::matcher::number::check::{
    digits, ean, is_day, is_dmy, last_is, luhn, mod11_10, parts, value, weighted,
};
use super::super::super::matcher::number::{Asked, Number};
use super::{free, word};

numbers! {
    "gb-nino" High "National Insurance number of the United Kingdom"
    [free("[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?d{2} d{2} d{2} ?[A-D]"), word("[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]d{6}[A-D]"),
     word("[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]-d{2}-d{2}-d{2}-[A-D]")]
    ["nino" "national insurance" "national insurance number" "national insurance no" "ni number" "ni no" "ni" "nat ins" "insurance number"]
    "prefix that is given out" is_nino, not ["AB123456C" "AA123456A" "JG103759A"];

    "gb-nhs" High "number of a patient of the NHS"
    [free("d{3} d{3} d{4}"), word("d{3}-d{3}-d{4}"), word("d{10}")]
    ["nhs" "nhs number" "nhs no" "nhsnumber" "chi number"]
    "remainder by 11" is_nhs, not ["9434765919" "9434765870" "4010232137"];

    "de-steuer-id" High "tax identification number of Germany"
    [word("[1-9]d{10}"), word("[1-9]d~d{3}~d{3}~d{3}"), word("[1-9]d/d{3}/d{3}/d{3}")]
    ["steuer id" "steuerid" "steueridentifikationsnummer" "steuer identifikationsnummer" "steuerliche identifikationsnummer" "identifikationsnummer" "idnr" "id nr"
     "tin" "tax id" "steuernummer"]
    "MOD 11,10 (ISO 7064), one digit twice or thrice" is_steuer_id, not ["02476291358" "86095742719" "36574261809" "47036892816" "65929970489"];

    "fr-nir" High "social security number of France (NIR)"
    [free("[1-478] d{2} d{2} d[0-9AB] d{3} d{3} ?d{2}"), word("[1-478]d{5}[0-9AB]d{8}"), word("[1-478] d{2} d{2} d[0-9AB] d{3} d{3}/d{2}"),
     word("[1-478]-d{2}-d{2}-d[0-9AB]-d{3}-d{3}-d{2}"), word("[1-478].d{2}.d{2}.d[0-9AB].d{3}.d{3}.d{2}")]
    ["nir" "numéro de sécurité sociale" "sécurité sociale" "sécu" "securite sociale" "numéro de sécu" "n de sécurité sociale" "insee" "vitale"]
    "remainder by 97" is_nir, not ["255081416802538" "184127645108946" "269054958815780"];

    "es-dni" High "identity card of Spain (DNI)"
    [free("d{8}-?[A-HJ-NP-TV-Z]"), free("d{2}.d{3}.d{3}-?[A-HJ-NP-TV-Z]"), word("d{8} [A-HJ-NP-TV-Z]")]
    ["dni" "nif" "documento nacional de identidad"]
    "letter, by remainder by 23" is_dni, not ["12345678Z" "00000000T" "99999999R" "00000001R" "11111111H"];

    "es-nie" High "foreigner in Spain (NIE)"
    [free("[XYZ]-?d{7}-?[A-HJ-NP-TV-Z]")]
    ["nie" "número de identidad de extranjero"]
    "letter, by remainder by 23" is_nie, not ["X1234567L" "Z1234567R" "Y1234567X" "X0000000T"];

    "it-codice-fiscale" High "taxpayer of Italy (codice fiscale)"
    [free("u{6}d{2}[A-EHLMPR-T][0-9L-NP-V]{2}u[0-9L-NP-V]{3}u")]
    ["codice fiscale"]
    "its last letter" is_codice_fiscale, not ["RSSMRA85T10A562S" "RSSMRA80A01H501U" "MRTMTT25D09F205Z"];

    "pt-nif" High "taxpayer of Portugal (NIF)"
    [word("[1235689]d{8}"), word("[1235689]d{2}~d{3}~d{3}")]
    ["nif" "nipc" "contribuinte" "número de contribuinte" "número de identificação fiscal" "número fiscal"]
    "remainder by 11" is_pt_nif;

    "nl-bsn" High "citizen of the Netherlands (BSN)"
    [word("d{9}"), word("d{4}.d{2}.d{3}"), word("d{3} d{3} d{3}")]
    ["bsn" "bsns" "burgerservicenummer" "burger service nummer" "sofinummer" "sofi nummer" "citizen service number"]
    "remainder by 11" is_bsn, not ["111222333" "123456782"];

    "be-nrn" High "person in the register of Belgium"
    [free("d{2}.d{2}.d{2}-d{3}.d{2}"), word("d{11}"), word("d{6}-d{3}-d{2}"), word("d{6} d{3} d{2}")]
    ["rijksregisternummer" "rijksregister" "rrn" "insz" "niss" "nrn" "numéro national" "numéro de registre national" "registre national" "national register number"
     "national registration number" "nationaal nummer"]
    "remainder by 97" is_nrn, not ["85073003328" "93051822361"];

    "ch-ahv" High "social insurance number of Switzerland (AHV, AVS)"
    [free("756.d{4}.d{4}.d{2}"), free("756 d{4} d{4} d{2}"), free("756d{10}")]
    ["ahv" "avs" "ahv nummer" "sozialversicherungsnummer"]
    "check digit of EAN-13" ean, not ["7561234567897" "7569217076985"];

    "at-svnr" High "social insurance number of Austria"
    [word("[1-9]d{3} ?d{2}[01]d{3}"), word("[1-9]d{3}-d{2}[01]d{3}")]
    ["svnr" "sv nr" "sv nummer" "sozialversicherungsnummer" "versicherungsnummer" "vsnr" "sozialversicherung" "e card"]
    "remainder by 11" is_svnr, not ["1237010180"];

    "ie-pps" High "personal public service number of Ireland"
    [word("d{7}[A-W][A-IW]?")]
    ["pps" "ppsn" "pps number" "pps no" "personal public service"]
    "letter, by remainder by 23" is_pps, not ["1234567T" "1234567FA" "6433435F"];

    "gr-amka" High "social security number of Greece (AMKA)"
    [word("[0-3]d[01]d{8}")]
    ["amka" "αμκα" "ΑΜΚΑ"]
    "Luhn, date of birth" is_amka;

    "tr-tckn" High "citizen of Turkey"
    [word("[1-9]d{10}")]
    ["tckn" "tc kimlik" "t c kimlik" "tc kimlik no" "t c kimlik no" "kimlik" "kimlik no" "kimlik numarası" "kimlikno" "tc no" "national id" "vatandaşlık"]
    "its last two digits" is_tckn, not ["10000000146" "11111111110"];
}

fn is_nino(text: &[u8]) -> bool {
    !matches!(
        text.first_chunk(),
        Some(b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ")
    )
}

fn is_nhs(text: &[u8]) -> bool {
    last_is(text, |body| {
        match 11 - weighted(body, &[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11 {
            11 => 0,
            rest => rest,
        }
    })
}

fn is_steuer_id(text: &[u8]) -> bool {
    let mut counts = [0_u8; 10];
    for digit in digits(text).take(10) {
        if let Some(count) = counts.get_mut(digit as usize) {
            *count += 1;
        }
    }
    counts.sort_unstable();
    matches!(counts, [.., 0 | 1, 2 | 3]) && mod11_10(text)
}

/// In Corsica the department is of a digit and a letter, which count as 19 and 18.
fn is_nir(text: &[u8]) -> bool {
    let Some((body, key)) = text.split_at_checked(13) else {
        return false;
    };
    let department = match body.get(5..7) {
        Some(b"2A") => b"19",
        Some(b"2B") => b"18",
        Some([b'0'..=b'9', b'0'..=b'9']) => body.get(5..7).unwrap_or_default(),
        _ => return false,
    };
    let month = parts(body.get(3..5).unwrap_or_default(), [2]);
    let is_month = month.is_some_and(|[month]| matches!(month, 1..=12 | 20..=42 | 50..=99));
    let number = [
        body.get(..5).unwrap_or_default(),
        department,
        body.get(7..).unwrap_or_default(),
    ]
    .concat();
    is_month && 97 - value(&number) % 97 == value(key)
}

const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

fn is_dni(text: &[u8]) -> bool {
    let Some((letter, number)) = text.split_last() else {
        return false;
    };
    let place = usize::try_from(value(number) % 23).unwrap_or_default();
    LETTERS.get(place) == Some(letter)
}

fn is_nie(text: &[u8]) -> bool {
    let Some((first, rest)) = text.split_first() else {
        return false;
    };
    let first = match first {
        b'X' => b'0',
        b'Y' => b'1',
        _ => b'2',
    };
    is_dni(&[&[first], rest].concat())
}

fn is_codice_fiscale(text: &[u8]) -> bool {
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let Some((check, body)) = text.split_last() else {
        return false;
    };
    let value = |byte: u8| match byte {
        b'0'..=b'9' => byte - b'0',
        _ => byte.wrapping_sub(b'A'),
    };
    let sum: u32 = body
        .iter()
        .zip([true, false].into_iter().cycle())
        .map(|(byte, is_odd)| {
            let value = value(*byte);
            if is_odd {
                ODD.get(usize::from(value)).copied().unwrap_or_default()
            } else {
                u32::from(value)
            }
        })
        .sum();
    u32::from(check.wrapping_sub(b'A')) == sum % 26
}

fn is_pt_nif(text: &[u8]) -> bool {
    last_is(text, |body| {
        match weighted(body, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11 {
            0 | 1 => 0,
            rest => 11 - rest,
        }
    })
}

fn is_bsn(text: &[u8]) -> bool {
    last_is(text, |body| weighted(body, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11)
}

/// Of those who were born from 2000 on a 2 stands before it.
fn is_nrn(text: &[u8]) -> bool {
    let Some((body, check)) = text.split_at_checked(9) else {
        return false;
    };
    let (body, check) = (value(body), value(check));
    let fits = |number: u64| 97 - number % 97 == check;
    fits(body) || fits(body + 2_000_000_000)
}

fn is_svnr(text: &[u8]) -> bool {
    let day = parts(text.get(4..).unwrap_or_default(), [2, 2, 2]);
    // Where the days are used up, there are more months.
    let is_date = day.is_some_and(|[day, month, year]| is_day(year, month, day) || month > 12);
    let check = text.get(3).map(|digit| u32::from(digit.wrapping_sub(b'0')));
    is_date && check == Some(weighted(text, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11)
}

fn is_pps(text: &[u8]) -> bool {
    const LETTERS: &[u8; 23] = b"WABCDEFGHIJKLMNOPQRSTUV";
    let second = match text.get(8) {
        Some(b'W') | None => 0,
        Some(letter) => u32::from(letter.wrapping_sub(b'@')) * 9,
    };
    let sum = weighted(text, &[8, 7, 6, 5, 4, 3, 2]) + second;
    LETTERS.get((sum % 23) as usize) == text.get(7)
}

fn is_amka(text: &[u8]) -> bool {
    is_dmy(text) && luhn(text)
}

fn is_tckn(text: &[u8]) -> bool {
    let Some((_, first)) = text.split_last() else {
        return false;
    };
    last_is(first, |body| {
        let sum = |from: usize| digits(body).skip(from).step_by(2).sum::<u32>();
        (sum(0) * 7 + 90 - sum(1)) % 10
    }) && last_is(text, |body| digits(body).sum::<u32>() % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_match_published_numbers() {
        assert!(is_nino(b"QQ123456C") && !is_nino(b"GB123456C"));
        assert!(is_nhs(b"9434765919") && !is_nhs(b"9434765918"));
        assert!(is_steuer_id(b"86095742719") && is_steuer_id(b"65929970489"));
        assert!(!is_steuer_id(b"86095742718") && !is_steuer_id(b"12345678903"));
        assert!(is_nir(b"255081416802538") && !is_nir(b"255081416802539"));
        assert!(is_dni(b"12345678Z") && !is_dni(b"12345678A"));
        assert!(is_nie(b"X1234567L") && is_nie(b"Z1234567R") && !is_nie(b"Y1234567L"));
        assert!(is_codice_fiscale(b"RSSMRA85T10A562S") && !is_codice_fiscale(b"RSSMRA85T10A562T"));
        assert!(is_pt_nif(b"123456789") && !is_pt_nif(b"123456788"));
        assert!(is_bsn(b"111222333") && !is_bsn(b"111222334"));
        assert!(is_nrn(b"85073003328") && !is_nrn(b"85073003329"));
        assert!(ean(b"7569217076985"));
        assert!(is_svnr(b"1237010180") && !is_svnr(b"1236010180"));
        assert!(is_pps(b"1234567T") && is_pps(b"1234567FA") && !is_pps(b"1234567U"));
        assert!(is_tckn(b"10000000146") && !is_tckn(b"10000000147"));
    }
}
