//! Numbers that states of America give out.

use super::super::super::matcher::kind::{Check, Kind, Left, Shape};
use super::super::super::matcher::number::check::{digits, is_ymd, last_is, luhn, parts, weighted};
use super::super::super::matcher::number::{Asked, Number};
use super::{free, word};

numbers! {
    "us-ssn" High "social security number of the United States"
    [free("d{3}-d{2}-d{4}"), word("d{9}"), word("d{3} d{2} d{4}")]
    ["ssn" "ssns" "social security" "social security number" "social security no" "soc sec" "ss number" "ss no" "socialsecuritynumber"]
    "area, group and serial number that are given out" is_ssn, not ["078051120" "219099999" "457555462"];

    "us-itin" High "taxpayer identification number of the United States"
    [word("9d{2}~d{2}~d{4}"), word("9d{8}")]
    ["itin" "itins" "taxpayer identification number" "taxpayer id" "individual taxpayer" "tax id" "tin"]
    "group that is given out" is_itin;

    "us-mbi" High "Medicare beneficiary identifier of the United States"
    [free("[1-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]d-[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]d-[AC-HJKMNP-RT-Y]{2}d{2}"),
     word("[1-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]d[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]d[AC-HJKMNP-RT-Y]{2}d{2}")]
    ["mbi" "medicare" "medicare beneficiary" "beneficiary id" "beneficiary identifier" "hicn"]
    "form" is_anything, not ["1EG4TE5MK73" "1EG4TE5MK72"];

    "us-npi" Medium "number of a provider of health care in the United States"
    [word("[12]d{9}")]
    ["npi" "npis" "national provider identifier" "national provider id" "provider number" "provider id" "provider identifier"]
    "Luhn" is_npi, not ["1234567893"];

    "us-dea" High "registration with the Drug Enforcement Administration"
    [word("[A-HJ-NPR-UX][A-Z9]d{7}")]
    ["dea" "dea number" "dea no" "dea registration"]
    "sum of its digits" is_dea, not ["AB1234563"];

    "us-aba" Medium "routing number of a bank in the United States"
    [word("[01236-8]d{8}")]
    ["aba" "routing number" "routing no" "routing" "rtn" "routing transit" "transit number" "aba number" "fedwire"]
    "3, 7, 1" is_aba;

    "ca-sin" High "social insurance number of Canada"
    [word("[1-79]d{2}~d{3}~d{3}"), word("[1-79]d{8}")]
    ["sin" "social insurance" "social insurance number" "social insurance no" "numéro d'assurance sociale" "assurance sociale" "nas"]
    "Luhn" luhn;

    "br-cpf" High "taxpayer of Brazil (CPF)"
    [free("d{3}.d{3}.d{3}-d{2}"), word("d{11}"), word("d{9}-d{2}")]
    ["cpf" "cpfs" "cadastro de pessoas físicas" "cadastro de pessoa física"]
    "two remainders by 11" is_cpf, not ["12345678909" "11144477735"];

    "br-cnpj" Medium "company of Brazil (CNPJ)"
    [free("dx.x{3}.x{3}/x{4}-d{2}"), word("dx{11}d{2}"), word("dx{7}/x{4}-d{2}")]
    ["cnpj" "cnpjs" "cadastro nacional da pessoa jurídica"]
    "two remainders by 11" is_cnpj, not ["11222333000181" "11444777000161"];

    "mx-curp" High "person of Mexico (CURP)"
    [free("[A-Z][AEIOUX][A-Z]{2}d{2}[01]d[0-3]d[HMX][A-Z]{2}[B-DF-HJ-NP-TV-Z]{3}xd")]
    ["curp" "clave única de registro"]
    "its last digit" is_curp, not ["HEGG560427MVZRRL04" "BOXW310820HNERXN09"];

    "cl-rut" High "person or company of Chile (RUT)"
    [word("dd?.d{3}.d{3}-[0-9Kk]"), word("d{7}d?-[0-9Kk]"), word("d{7}[0-9Kk]"), word("d{8}[0-9Kk]")]
    ["rut" "run" "rol único tributario" "rol único nacional" "cédula de identidad"]
    "remainder by 11" is_rut, not ["123456785"];

    "co-nit" Medium "taxpayer of Colombia (NIT)"
    [word("d{9}-d"), word("d{3}.d{3}.d{3}-d"), word("d{10}")]
    ["nit" "número de identificación tributaria" "rut"]
    "remainder by 11" is_nit;

    "ar-cuit" High "taxpayer of Argentina (CUIT, CUIL)"
    [word("[23]d-d{8}-d"), word("[23]d{10}")]
    ["cuit" "cuil" "cuit cuil" "clave única de identificación tributaria"]
    "remainder by 11" is_cuit;
}

const fn is_anything(_: &[u8]) -> bool {
    true
}

fn is_ssn(text: &[u8]) -> bool {
    parts(text, [3, 2, 4]).is_some_and(|[area, group, serial]| {
        (1..900).contains(&area) && area != 666 && group > 0 && serial > 0
    })
}

fn is_itin(text: &[u8]) -> bool {
    parts(text, [3, 2, 4])
        .is_some_and(|[_, group, _]| matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99))
}

/// The prefix of the United States among cards stands before it.
fn is_npi(text: &[u8]) -> bool {
    luhn(&[b"80840", text].concat())
}

fn is_dea(text: &[u8]) -> bool {
    let digits: Vec<u32> = digits(text.get(2..).unwrap_or_default()).collect();
    match digits.as_slice() {
        [a, b, c, d, e, f, check] => (a + c + e + 2 * (b + d + f)) % 10 == *check,
        _ => false,
    }
}

fn is_aba(text: &[u8]) -> bool {
    let is_district = parts(text, [2])
        .is_some_and(|[district]| matches!(district, 1..=12 | 21..=32 | 61..=72 | 80));
    is_district && weighted(text, &[3, 7, 1, 3, 7, 1, 3, 7, 1]).is_multiple_of(10)
}

/// 11 less the remainder, and 0 for what is no digit.
const fn rest_of_11(sum: u32) -> u32 {
    match sum % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    }
}

fn is_cpf(text: &[u8]) -> bool {
    let Some((_, first)) = text.split_last() else {
        return false;
    };
    last_is(first, |body| {
        rest_of_11(weighted(body, &[10, 9, 8, 7, 6, 5, 4, 3, 2]))
    }) && last_is(text, |body| {
        rest_of_11(weighted(body, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]))
    })
}

/// Letters count by their place in ASCII behind the `0`.
fn is_cnpj(text: &[u8]) -> bool {
    const WEIGHTS: [u32; 13] = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];
    let sum = |body: &[u8], weights: &[u32]| {
        let values = body.iter().map(|byte| u32::from(byte.wrapping_sub(b'0')));
        values
            .zip(weights)
            .map(|(value, weight)| value * weight)
            .sum()
    };
    let Some((_, first)) = text.split_last() else {
        return false;
    };
    let (_, shorter) = WEIGHTS.split_at(1);
    last_is(first, |body| rest_of_11(sum(body, shorter)))
        && last_is(text, |body| rest_of_11(sum(body, &WEIGHTS)))
}

fn is_curp(text: &[u8]) -> bool {
    let is_date = text.get(4..10).is_some_and(is_ymd);
    is_date
        && last_is(text, |body| {
            let sum: u32 = body
                .iter()
                .zip((2..=18).rev())
                .map(|(byte, weight)| curp_value(*byte) * weight)
                .sum();
            (10 - sum % 10) % 10
        })
}

/// A letter that stands behind Ñ counts one more.
const fn curp_value(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => (byte - b'0') as u32,
        b'A'..=b'N' => (byte - b'A') as u32 + 10,
        b'O'..=b'Z' => (byte - b'A') as u32 + 11,
        _ => 0,
    }
}

fn is_rut(text: &[u8]) -> bool {
    let Some((check, body)) = text.split_last() else {
        return false;
    };
    let sum: u32 = digits(body)
        .rev()
        .zip((2..=7).cycle())
        .map(|(digit, weight)| digit * weight)
        .sum();
    match 11 - sum % 11 {
        11 => *check == b'0',
        10 => check.eq_ignore_ascii_case(&b'K'),
        rest => u32::from(check.wrapping_sub(b'0')) == rest,
    }
}

fn is_nit(text: &[u8]) -> bool {
    last_is(text, |body| {
        let sum: u32 = digits(body)
            .rev()
            .zip([3, 7, 13, 17, 19, 23, 29, 37, 41])
            .map(|(digit, weight)| digit * weight)
            .sum();
        match sum % 11 {
            rest @ (0 | 1) => rest,
            rest => 11 - rest,
        }
    })
}

fn is_cuit(text: &[u8]) -> bool {
    let is_type = matches!(
        text.first_chunk(),
        Some(b"20" | b"23" | b"24" | b"27" | b"30" | b"33" | b"34")
    );
    is_type
        && last_is(text, |body| {
            match weighted(body, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11 {
                0 => 0,
                1 => 9,
                rest => 11 - rest,
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_match_published_numbers() {
        assert!(is_npi(b"1234567893") && !is_npi(b"1234567894"));
        assert!(is_dea(b"AB1234563") && !is_dea(b"AB1234564"));
        assert!(is_aba(b"021000021") && !is_aba(b"021000022") && !is_aba(b"500000005"));
        assert!(luhn(b"046454286"));
        assert!(is_cpf(b"11144477735") && !is_cpf(b"11144477736"));
        assert!(is_cnpj(b"11222333000181") && !is_cnpj(b"11222333000182"));
        // From the announcement of numbers with letters.
        assert!(is_cnpj(b"12ABC34501DE35"));
        assert!(is_curp(b"HEGG560427MVZRRL04") && !is_curp(b"HEGG560427MVZRRL05"));
        assert!(is_rut(b"123456785") && !is_rut(b"123456784"));
        assert!(is_rut(b"10000013K") && !is_rut(b"100000130"));
        assert!(is_nit(b"8001972684") && !is_nit(b"8001972683"));
        assert!(is_cuit(b"20123456786") && !is_cuit(b"20123456787"));
        assert!(!is_ssn(b"666123456") && !is_ssn(b"000123456") && is_ssn(b"536221234"));
        assert!(is_itin(b"912701234") && !is_itin(b"912671234"));
    }
}
