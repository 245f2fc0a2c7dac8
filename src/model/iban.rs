//! International bank account numbers (ISO 13616).

/// The whole length of a number of this country, from the SWIFT registry.
pub fn length(country: [u8; 2]) -> Option<u8> {
    LENGTHS
        .iter()
        .find(|(code, _)| code.as_bytes() == country)
        .map(|(_, length)| *length)
}

/// The remainder by 97 of a number in which letters stand for 10 to 35 (ISO 7064, MOD 97-10). Other bytes count
/// as nothing.
pub fn mod97(parts: impl Iterator<Item = u8>) -> u32 {
    parts.fold(0, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        b'A'..=b'Z' => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
        _ => rest,
    })
}

/// Whether a text is such a number, in one piece or in groups of four with a space between.
pub fn is_iban(text: &str) -> bool {
    let in_groups = text.bytes().skip(4).step_by(5).all(|byte| byte == b' ') && text.len() > 4;
    let compact: Vec<u8> = if in_groups {
        let bytes = text.bytes().enumerate();
        bytes
            .filter(|(at, _)| at % 5 != 4)
            .map(|(_, byte)| byte)
            .collect()
    } else {
        text.bytes().collect()
    };
    let (Some(country), Some(check)) = (compact.first_chunk::<2>(), compact.get(2..4)) else {
        return false;
    };
    let is_of_account = |byte: &u8| byte.is_ascii_digit() || byte.is_ascii_uppercase();
    let account = compact.get(4..).unwrap_or_default();
    length(*country).is_some_and(|length| usize::from(length) == compact.len())
        && check.iter().all(u8::is_ascii_digit)
        && account.iter().all(is_of_account)
        // The country and the check digits go to the end, and the remainder is 1.
        && mod97(account.iter().chain(country).chain(check).copied()) == 1
}

/// Country codes and lengths.
pub const LENGTHS: [(&str, u8); 82] = [
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DJ", 27),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FK", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MN", 20),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NI", 28),
    ("NL", 18),
    ("NO", 15),
    ("OM", 23),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("RU", 33),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("SO", 23),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_its_countrys_length_and_its_check_digits() {
        assert_eq!(mod97(b"WEST12345698765432GB82".iter().copied()), 1);
        // The examples of the registry.
        for good in [
            "GB33BUKB20201555555555",
            "GB33 BUKB 2020 1555 5555 55",
            "DE75512108001245126199",
            "NO9386011117947",
            "NO93 8601 1117 947",
            "MT84MALT011000012345MTLCAST001S",
        ] {
            assert!(is_iban(good), "{good}");
        }
        for bad in [
            "",
            "GB",
            "GB33",
            "GB33BUKB20201555555556",
            "GB33BUKB2020155555555",
            "GB33BUKB202015555555550",
            "gb33bukb20201555555555",
            "GB33  BUKB20201555555555",
            "GB33-BUKB-2020-1555-5555-55",
            "XX33BUKB20201555555555",
            " GB33BUKB20201555555555",
            "GB33BUKB20201555555555\n",
            "GB3\u{663}BUKB20201555555555",
            "G\u{e9}33BUKB20201555555555",
        ] {
            assert!(!is_iban(bad), "{bad}");
        }
    }
}
