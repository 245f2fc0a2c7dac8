//! Numbers that states of Asia, Africa and Oceania give out.

use super::super::super::matcher::kind::{Check, Kind, Left, Shape};
use super::super::super::matcher::number::check::{
    is_day, is_ymd, last_is, luhn, parts, value, verhoeff, weighted,
};
use super::super::super::matcher::number::{Asked, Number};
use super::{free, word};

numbers! {
    "in-aadhaar" High "resident of India (Aadhaar)"
    [free("[2-9]d{3}~d{4}~d{4}"), word("[2-9]d{11}")]
    ["aadhaar" "aadhar" "aadhaar number" "aadhaar no" "adhaar" "uid" "uidai" "आधार"]
    "Verhoeff" verhoeff, not ["999999990019" "234123412346" "499118665246"];

    "in-pan" High "taxpayer of India (PAN)"
    [word("u{3}[ABCFGHJLPT]ud{4}u")]
    ["pan" "pan number" "pan no" "pan card" "permanent account number" "permanent account" "income tax"]
    "letter for who it is" is_anything, not ["ABCPE1234F" "AAAPL1234C" "ABCDE1234F" "AAAPA1234A"];

    "au-tfn" High "tax file number of Australia"
    [word("d{3}~d{3}~d{3}"), word("d{8}d?"), word("d{3}~d{3}~d{2}")]
    ["tfn" "tfns" "tax file number" "tax file no"]
    "remainder by 11" is_tfn, not ["123456782" "459599230"];

    "au-medicare" High "Medicare card of Australia"
    [word("[2-6]d{3}~d{5}~d"), word("[2-6]d{9}d?")]
    ["medicare" "medicare card" "medicare number" "medicare no" "medicare card number"]
    "its ninth digit" is_medicare, not ["2123456701" "2428778132"];

    "au-abn" Medium "business of Australia (ABN)"
    [word("d{2} d{3} d{3} d{3}"), word("d{11}")]
    ["abn" "australian business number"]
    "remainder by 89" is_abn, not ["51824753556" "53004085616"];

    "nz-ird" High "taxpayer of New Zealand (IRD)"
    [word("d{2}d?-d{3}-d{3}"), word("d{8}d?")]
    ["ird" "ird number" "ird no" "inland revenue"]
    "remainder by 11" is_ird, not ["49091850" "35901981" "49098576" "136410132"];

    "za-id" High "person of South Africa"
    [word("d{2}[01]d[0-3]d{5}[012]d{2}"), word("d{6} d{4} [012]d{2}")]
    ["sa id" "rsa id" "south african id" "id number" "identity number" "identity no" "id no" "national id"]
    "Luhn, date of birth" is_south_african, not ["8001015009087" "9202204720082"];

    "kr-rrn" High "resident of Korea"
    [free("d{2}[01]d[0-3]d-[1-8]d{6}"), word("d{2}[01]d[0-3]d[1-8]d{6}")]
    ["rrn" "resident registration" "resident registration number" "주민등록번호" "외국인등록번호"]
    "remainder by 11, date of birth" is_rrn;

    "cn-id" High "person of China"
    [free("[1-8]d{5}[12]d{3}[01]d[0-3]d{4}[0-9Xx]")]
    ["身份证" "身份证号"]
    "MOD 11-2 (ISO 7064), date of birth" is_chinese, not ["11010519491231002X" "440524188001010014"];

    "jp-my-number" High "person of Japan (My Number)"
    [word("d{12}"), word("d{4}~d{4}~d{4}")]
    ["my number" "mynumber" "individual number" "マイナンバー" "個人番号"]
    "remainder by 11" is_my_number, not ["123456789018"];

    "sg-nric" High "person of Singapore (NRIC, FIN)"
    [free("[STFG]d{7}[A-Z]")]
    ["nric" "fin"]
    "its last letter" is_nric, not ["S1234567D" "S0000001I" "F1234567N" "T1234567J" "G1234567X"];

    "hk-id" High "identity card of Hong Kong"
    [free("[A-Z][A-Z]?d{6}([0-9A])"), word("[A-Z][A-Z]?d{6}[0-9A]")]
    ["hkid" "hkid number" "hong kong id" "hong kong identity" "香港身份證"]
    "remainder by 11" is_hkid, not ["A1234563" "C1234569" "AB9876543"];

    "th-id" High "person of Thailand"
    [word("[1-8]d{12}"), word("[1-8]-d{4}-d{5}-d{2}-d"), word("[1-8] d{4} d{5} d{2} d")]
    ["thai id" "thai national id" "national id" "citizen id" "id card" "เลขประจำตัวประชาชน" "บัตรประชาชน"]
    "remainder by 11" is_thai;

    "tw-id" High "person of Taiwan"
    [word("[A-Z][1289]d{8}")]
    ["taiwan id" "national id" "id number" "identity number" "arc number" "身分證字號" "身份證字號" "身分證" "統一證號"]
    "its last digit" is_taiwanese, not ["A123456789" "A234567893"];

    "id-nik" High "person of Indonesia (NIK)"
    [word("[1-9]d{5}[0-7]d[01]d{3}d{4}")]
    ["nik" "ktp" "nomor induk kependudukan" "no ktp" "nomor ktp"]
    "date of birth" is_nik;

    "my-nric" High "person of Malaysia (MyKad)"
    [word("d{2}[01]d[0-3]d-d{2}-d{4}"), word("d{2}[01]d[0-3]d{7}")]
    ["mykad" "nric" "ic number" "ic no" "no kad pengenalan" "kad pengenalan"]
    "date of birth" is_ymd;
}

const fn is_anything(_: &[u8]) -> bool {
    true
}

fn is_tfn(text: &[u8]) -> bool {
    let weights: &[u32] = match text.len() {
        8 => &[10, 7, 8, 4, 6, 3, 5, 1],
        _ => &[1, 4, 3, 7, 5, 8, 6, 9, 10],
    };
    weighted(text, weights).is_multiple_of(11)
}

fn is_medicare(text: &[u8]) -> bool {
    let number = text.get(..9).unwrap_or_default();
    last_is(number, |body| {
        weighted(body, &[1, 3, 7, 9, 1, 3, 7, 9]) % 10
    })
}

/// The first digit counts one less.
fn is_abn(text: &[u8]) -> bool {
    const WEIGHTS: [u32; 11] = [10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19];
    let sum = weighted(text, &WEIGHTS).checked_sub(10);
    !text.starts_with(b"0") && sum.is_some_and(|sum| sum.is_multiple_of(89))
}

fn is_ird(text: &[u8]) -> bool {
    let padded = [
        b"0".repeat(9_usize.saturating_sub(text.len())).as_slice(),
        text,
    ]
    .concat();
    let rest = |body: &[u8], weights: &[u32]| (11 - weighted(body, weights) % 11) % 11;
    (10_000_000..=150_000_000).contains(&value(text))
        && last_is(&padded, |body| {
            match rest(body, &[3, 2, 7, 6, 5, 4, 3, 2]) {
                10 => rest(body, &[7, 4, 3, 2, 5, 2, 7, 6]),
                rest => rest,
            }
        })
}

fn is_south_african(text: &[u8]) -> bool {
    is_ymd(text) && luhn(text)
}

/// Numbers from October 2020 on have no check digit.
fn is_rrn(text: &[u8]) -> bool {
    let Some([year]) = parts(text, [2]) else {
        return false;
    };
    let is_recent = matches!(text.get(6), Some(b'3' | b'4' | b'7' | b'8')) && year >= 20;
    let sum = weighted(text, &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]);
    let is_checked =
        last_is(text, |_| (11 - sum % 11) % 10) || last_is(text, |_| (13 - sum % 11) % 10);
    is_ymd(text) && (is_recent || is_checked)
}

fn is_chinese(text: &[u8]) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let born = parts(text.get(6..).unwrap_or_default(), [4, 2, 2]);
    let is_date = born
        .is_some_and(|[year, month, day]| (1900..2100).contains(&year) && is_day(year, month, day));
    let Some((check, body)) = text.split_last() else {
        return false;
    };
    let expected = b"10X98765432".get((weighted(body, &WEIGHTS) % 11) as usize);
    is_date && expected == Some(&check.to_ascii_uppercase())
}

fn is_my_number(text: &[u8]) -> bool {
    last_is(text, |body| {
        match weighted(body, &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
            0 | 1 => 0,
            rest => 11 - rest,
        }
    })
}

fn is_nric(text: &[u8]) -> bool {
    let (Some(first), Some(last)) = (text.first(), text.last()) else {
        return false;
    };
    let later = if matches!(first, b'T' | b'G') { 4 } else { 0 };
    let place = (weighted(text, &[2, 7, 6, 5, 4, 3, 2]) + later) % 11;
    let letters: &[u8; 11] = if matches!(first, b'S' | b'T') {
        b"JZIHGFEDCBA"
    } else {
        b"XWUTRQPNMLK"
    };
    letters.get(place as usize) == Some(last)
}

/// A letter counts from 10 on, and none before the only one as 36.
fn is_hkid(text: &[u8]) -> bool {
    let Some((check, body)) = text.split_last() else {
        return false;
    };
    let values = body.iter().map(|byte| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        _ => u32::from(byte.wrapping_sub(b'A')) + 10,
    });
    let first = if body.len() == 7 { 36 * 9 } else { 0 };
    let sum: u32 = first
        + values
            .rev()
            .zip(2..)
            .map(|(value, weight)| value * weight)
            .sum::<u32>();
    let expected = match (11 - sum % 11) % 11 {
        10 => Some(b'A'),
        rest => u8::try_from(rest).ok().map(|rest| b'0' + rest),
    };
    expected == Some(*check)
}

fn is_thai(text: &[u8]) -> bool {
    last_is(text, |body| {
        (11 - weighted(body, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11) % 10
    })
}

/// A letter counts as the number of its region, tens and ones by weights of their own.
fn is_taiwanese(text: &[u8]) -> bool {
    const REGIONS: &[u8; 26] = b"ABCDEFGHJKLMNPQRSTUVXYWZIO";
    let region = text
        .first()
        .and_then(|first| REGIONS.iter().position(|region| region == first))
        .and_then(|place| u32::try_from(place).ok());
    let Some(region) = region.map(|place| place + 10) else {
        return false;
    };
    let rest = weighted(
        text.get(1..).unwrap_or_default(),
        &[8, 7, 6, 5, 4, 3, 2, 1, 1],
    );
    (region / 10 + region % 10 * 9 + rest).is_multiple_of(10)
}

/// The day of women has 40 added.
fn is_nik(text: &[u8]) -> bool {
    parts(text, [6, 2, 2, 2]).is_some_and(|[_, day, month, year]| {
        is_day(year, month, if day > 40 { day - 40 } else { day })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_match_published_numbers() {
        assert!(verhoeff(b"999999990019"));
        assert!(is_tfn(b"123456782") && !is_tfn(b"123456783"));
        assert!(is_medicare(b"2123456701") && !is_medicare(b"2123456711"));
        assert!(is_abn(b"51824753556") && !is_abn(b"51824753557"));
        assert!(is_ird(b"49091850") && is_ird(b"136410132") && !is_ird(b"136410133"));
        assert!(is_south_african(b"8001015009087") && !is_south_african(b"8001015009088"));
        assert!(is_chinese(b"11010519491231002X") && !is_chinese(b"110105194912310021"));
        assert!(is_my_number(b"123456789018") && !is_my_number(b"123456789019"));
        assert!(is_nric(b"S1234567D") && is_nric(b"G1234567X") && !is_nric(b"S1234567A"));
        assert!(is_hkid(b"A1234563") && is_hkid(b"AB9876543") && !is_hkid(b"A1234564"));
        assert!(is_taiwanese(b"A123456789") && !is_taiwanese(b"A123456788"));
    }
}
