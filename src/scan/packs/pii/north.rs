//! Numbers that states of the north and the east of Europe give out. Most hold the date of birth.

use super::super::super::matcher::kind::{Check, Kind, Left, Shape};
use super::super::super::matcher::number::check::{
    digits, is_day, is_dmy, last_is, luhn, parts, value, weighted,
};
use super::super::super::matcher::number::{Asked, Number};
use super::{free, word};

numbers! {
    "pl-pesel" High "person of Poland (PESEL)"
    [word("d{11}")]
    ["pesel" "numer pesel" "nr pesel"]
    "1, 3, 7, 9, date of birth" is_pesel, not ["44051401359" "44051401458" "02070803628"];

    "se-personnummer" High "personal number of Sweden"
    [word("d{6}[+]?-?d{4}"), word("[12]d{7}-?d{4}")]
    ["personnummer" "personnr" "person nr" "pnr" "personal identity number" "personal number" "samordningsnummer" "svenskt personnummer"]
    "Luhn, date of birth" is_personnummer, not ["8112189876" "196408233234" "6408233234"];

    "no-fodselsnummer" High "birth number of Norway"
    [word("d{6} ?d{5}")]
    ["fødselsnummer" "fodselsnummer" "fødselsnr" "fodselsnr" "fnr" "personnummer" "d nummer" "birth number"]
    "two remainders by 11, date of birth" is_fodselsnummer, not ["01010750160"];

    "dk-cpr" High "person of Denmark (CPR)"
    [word("[0-3]d[01]d{3}-?d{4}"), word("[0-3]d[01]d{3} d{4}")]
    ["cpr" "cpr nummer" "cpr nr" "cpr number" "cprnr" "cprnummer" "personnummer"]
    "date of birth" is_dmy, not ["0707614285" "2512484916"];

    "fi-hetu" High "personal identity code of Finland"
    [free("[0-3]d[01]d{3}-d{3}[0-9A-FHJ-NPR-Y]"), free("[0-3]d[01]d{3}[+A-FU-Y]d{3}[0-9A-FHJ-NPR-Y]")]
    ["hetu" "henkilötunnus" "personbeteckning"]
    "remainder by 31, date of birth" is_hetu, not ["131052308T" "131052A308T" "010101123N"];

    "cz-rodne-cislo" High "birth number of Czechia and Slovakia"
    [word("d{6}/d{3}d?"), word("d{9}d?")]
    ["rodné číslo" "rodne cislo" "rc" "rč" "RČ" "r č" "birth number" "rodného čísla" "rodneho cisla" "rodnecislo"]
    "remainder by 11, date of birth" is_rodne_cislo, not ["7801233540" "1111111111"];

    "ro-cnp" High "person of Romania (CNP)"
    [word("[1-9]d{12}")]
    ["cnp" "cod numeric personal" "codul numeric personal"]
    "remainder by 11, date of birth" is_cnp, not ["1800101221144" "1630615123457"];

    "bg-egn" High "citizen of Bulgaria (EGN)"
    [word("d{10}")]
    ["egn" "егн" "ЕГН" "единен граждански номер"]
    "remainder by 11, date of birth" is_egn, not ["7523169263" "8032056031"];

    "ee-isikukood" High "personal code of Estonia and Lithuania"
    [word("[1-8]d{10}")]
    ["isikukood" "isikukoodi" "asmens kodas" "asmens kodo" "personal code" "personal identification code"]
    "remainder by 11, date of birth" is_isikukood, not ["37605030299" "38703181745"];

    "ua-rnokpp" High "taxpayer of Ukraine"
    [word("d{10}")]
    ["рнокпп" "РНОКПП" "іпн" "ІПН" "rnokpp" "ідентифікаційний код"]
    "remainder by 11" is_rnokpp;
}

/// The century is told by what is added to the month.
fn is_date(text: &[u8], months: &[u64]) -> bool {
    parts(text, [2, 2, 2]).is_some_and(|[year, month, day]| {
        months.iter().any(|added| {
            month
                .checked_sub(*added)
                .is_some_and(|month| is_day(year, month, day))
        })
    })
}

fn is_pesel(text: &[u8]) -> bool {
    is_date(text, &[0, 20, 40, 60, 80])
        && weighted(text, &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]).is_multiple_of(10)
}

fn is_personnummer(text: &[u8]) -> bool {
    let Some(short) = text.len().checked_sub(10).and_then(|at| text.get(at..)) else {
        return false;
    };
    // Those who are no residents have 60 added to the day.
    let is_date = parts(short, [2, 2, 2]).is_some_and(|[year, month, day]| {
        is_day(year, month, if day > 60 { day - 60 } else { day })
    });
    let is_century = text.len() == 10 || matches!(text.first_chunk(), Some(b"18" | b"19" | b"20"));
    is_date && is_century && luhn(short)
}

fn is_fodselsnummer(text: &[u8]) -> bool {
    let is_date = parts(text, [2, 2, 2]).is_some_and(|[day, month, year]| {
        let day = if day > 40 { day - 40 } else { day };
        let month = if month > 40 { month - 40 } else { month };
        is_day(year, month, day)
    });
    is_date
        && weighted(text, &[3, 7, 6, 1, 8, 9, 4, 5, 2, 1]).is_multiple_of(11)
        && weighted(text, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

fn is_hetu(text: &[u8]) -> bool {
    const LETTERS: &[u8; 31] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let Some((check, body)) = text.split_last() else {
        return false;
    };
    let place = usize::try_from(value(body) % 31).unwrap_or_default();
    is_dmy(text) && LETTERS.get(place) == Some(check)
}

/// Before 1954 they had nine digits and no check.
fn is_rodne_cislo(text: &[u8]) -> bool {
    let rest = match text.split_last() {
        Some((last, body)) if text.len() == 10 => {
            let rest = value(body) % 11;
            u64::from(last.wrapping_sub(b'0')) == rest % 10
        }
        _ => parts(text, [2]).is_some_and(|[year]| year < 54),
    };
    rest && is_date(text, &[0, 20, 50, 70])
}

fn is_cnp(text: &[u8]) -> bool {
    let date = text.get(1..).unwrap_or_default();
    is_date(date, &[0])
        && last_is(text, |body| {
            match weighted(body, &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11 {
                10 => 1,
                rest => rest,
            }
        })
}

fn is_egn(text: &[u8]) -> bool {
    is_date(text, &[0, 20, 40])
        && last_is(text, |body| {
            weighted(body, &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10
        })
}

fn is_isikukood(text: &[u8]) -> bool {
    let date = text.get(1..).unwrap_or_default();
    is_date(date, &[0])
        && last_is(text, |body| {
            match weighted(body, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11 {
                10 => weighted(body, &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10,
                rest => rest,
            }
        })
}

fn is_rnokpp(text: &[u8]) -> bool {
    const WEIGHTS: [i64; 9] = [-1, 5, 7, 9, 4, 6, 10, 5, 7];
    let sum: i64 = digits(text)
        .zip(WEIGHTS)
        .map(|(digit, weight)| i64::from(digit) * weight)
        .sum();
    let check = digits(text).next_back().map(i64::from);
    check == Some(sum.rem_euclid(11) % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_match_published_numbers() {
        assert!(is_pesel(b"44051401359") && !is_pesel(b"44051401358"));
        assert!(is_personnummer(b"8112189876") && is_personnummer(b"196408233234"));
        assert!(!is_personnummer(b"8112189875"));
        assert!(is_fodselsnummer(b"01010750160") && !is_fodselsnummer(b"01010750161"));
        assert!(is_dmy(b"0707614285"));
        assert!(is_hetu(b"131052308T") && is_hetu(b"131052A308T") && !is_hetu(b"131052308U"));
        assert!(is_rodne_cislo(b"7801233540") && !is_rodne_cislo(b"7801233541"));
        assert!(is_rodne_cislo(b"401231001") && !is_rodne_cislo(b"781231001"));
        assert!(is_cnp(b"1800101221144") && !is_cnp(b"1800101221145"));
        assert!(is_egn(b"7523169263") && !is_egn(b"7523169264"));
        assert!(is_isikukood(b"37605030299") && !is_isikukood(b"37605030298"));
    }
}
