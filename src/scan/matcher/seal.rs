//! What vendors put into their tokens to tell them from others: checksums and marks.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::kind::Seal;

/// The letters of bech32 (BIP 173), by value.
pub(in crate::scan) const BECH32: &[u8; 32] = b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";

impl Seal {
    /// Whether a body behind its anchor bears the seal.
    pub(in crate::scan) fn is_whole(self, anchor: &str, body: &[u8]) -> bool {
        match self {
            Self::Bech32 => bech32(anchor, body) == Some(1),
            Self::Crc32Base36 => body
                .split_last_chunk::<7>()
                .is_some_and(|(payload, crc)| crc32_base36(anchor, payload) == *crc),
            Self::Crc32Base62 => body
                .split_last_chunk::<6>()
                .is_some_and(|(payload, crc)| crc32_base62(payload) == *crc),
            Self::Crc32Hex => body
                .split_last_chunk::<8>()
                .and_then(|(payload, crc)| Some((payload.strip_suffix(b"_")?, crc)))
                .is_some_and(|(payload, crc)| crc32_hex(anchor, payload).eq_ignore_ascii_case(crc)),
            Self::Holds(mark) => holds(body, mark),
        }
    }
}

/// Whether these bytes stand somewhere in the body.
pub(super) fn holds(body: &[u8], part: &str) -> bool {
    memchr::memmem::find(body, part.as_bytes()).is_some()
}

/// How many bytes the body decodes to, if it is base64 with its padding, perhaps percent-encoded.
pub(super) fn decoded_length(body: &[u8]) -> Option<usize> {
    let mut plain = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        plain.push(match (byte, after.split_first_chunk::<2>()) {
            (b'%', Some((hex, after))) => {
                rest = after;
                u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()?
            }
            _ => *byte,
        });
    }
    STANDARD.decode(plain).ok().map(|bytes| bytes.len())
}

/// Whether the anchor and the body up to its first dot encode the number of an account.
pub(super) fn is_snowflake(anchor: &str, body: &[u8]) -> bool {
    let head = body.split(|byte| *byte == b'.').next().unwrap_or_default();
    STANDARD_NO_PAD
        .decode([anchor.as_bytes(), head].concat())
        .is_ok_and(|id| (17..=19).contains(&id.len()) && id.iter().all(u8::is_ascii_digit))
}

/// The remainder of bech32 over the human-readable part (the anchor without its last `1`) and the body. Nothing
/// if a byte of the body is none of its letters. A whole string leaves 1.
pub(in crate::scan) fn bech32(anchor: &str, body: &[u8]) -> Option<u32> {
    let name = anchor.strip_suffix('1')?.as_bytes();
    let name = || name.iter().map(u8::to_ascii_lowercase);
    let letters = body.iter().map(|byte| {
        let place = BECH32.iter().position(|letter| letter == byte);
        place.and_then(|place| u8::try_from(place).ok())
    });
    let values = name()
        .map(|byte| byte >> 5)
        .chain([0])
        .chain(name().map(|byte| byte & 31))
        .map(Some)
        .chain(letters);
    values.into_iter().try_fold(1_u32, |sum, value| {
        let top = sum >> 25;
        let mixed = (sum & 0x1FF_FFFF) << 5 ^ u32::from(value?);
        let generators = [
            0x3B6A_57B2,
            0x2650_8E6D,
            0x1EA1_19FA,
            0x3D42_33DD,
            0x2A14_62B3,
        ];
        Some((0..).zip(generators).fold(mixed, |sum, (bit, generator)| {
            if top >> bit & 1 == 1 {
                sum ^ generator
            } else {
                sum
            }
        }))
    })
}

/// The CRC-32 of the anchor and the payload in hex, its bytes in the order of their weight.
pub(in crate::scan) fn crc32_hex(anchor: &str, payload: &[u8]) -> [u8; 8] {
    let crc = crc32(&[anchor.as_bytes(), payload].concat());
    let nibbles = crc.to_le_bytes().map(|byte| [byte >> 4, byte & 15]);
    let mut hex = [b'0'; 8];
    for (digit, nibble) in hex.iter_mut().zip(nibbles.as_flattened()) {
        *digit = digit_of(u32::from(*nibble)).to_ascii_lowercase();
    }
    hex
}

/// The CRC-32 of the anchor and the payload as seven base36 digits.
pub(in crate::scan) fn crc32_base36(anchor: &str, payload: &[u8]) -> [u8; 7] {
    let mut rest = crc32(&[anchor.as_bytes(), payload].concat());
    let mut digits = [b'0'; 7];
    for digit in digits.iter_mut().rev() {
        *digit = digit_of(rest % 36).to_ascii_lowercase();
        rest /= 36;
    }
    digits
}

/// The IEEE CRC-32 of `body` as six base62 digits (`0-9A-Za-z`), which end the tokens of two vendors.
pub(in crate::scan) fn crc32_base62(body: &[u8]) -> [u8; 6] {
    let mut rest = crc32(body);
    let mut digits = [b'0'; 6];
    for digit in digits.iter_mut().rev() {
        *digit = digit_of(rest % 62);
        rest /= 62;
    }
    digits
}

/// `0-9A-Za-z`.
fn digit_of(value: u32) -> u8 {
    match u8::try_from(value).unwrap_or_default() {
        value @ 0..=9 => b'0' + value,
        value @ 10..=35 => b'A' + value - 10,
        value => b'a' + (value - 36) % 26,
    }
}

/// Bit by bit: it runs once for each confirmed token, so a table would only cost memory.
pub(in crate::scan) fn crc32(body: &[u8]) -> u32 {
    !body.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_match_published_vectors() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(&crc32_base62(b""), b"000000");
        assert_eq!(&crc32_base36("", b"123456789"), b"1kl8mjq");
        assert_eq!(&crc32_hex("", b"123456789"), b"2639f4cb");
        // BIP 173 gives this as a valid string.
        assert_eq!(bech32("A1", b"2UEL5L"), Some(1));
        assert_eq!(bech32("A1", b"2UEL5Q").filter(|rest| *rest == 1), None);
        assert_eq!(bech32("A1", b"2UELBL"), None);
    }

    #[test]
    fn lengths_are_those_of_the_decoded_bytes() {
        assert_eq!(decoded_length(b"YWJj"), Some(3));
        assert_eq!(decoded_length(b"YWI%3D"), Some(2));
        assert_eq!(decoded_length(b"YWI"), None);
        assert_eq!(decoded_length(b"YWI%"), None);
    }

    #[test]
    fn a_snowflake_is_a_number_of_many_digits() {
        use base64::engine::general_purpose::STANDARD_NO_PAD;
        let id = STANDARD_NO_PAD.encode("1029384756102938475");
        let (anchor, rest) = id.split_at(3);
        assert!(is_snowflake(anchor, format!("{rest}.x.y").as_bytes()));
        assert!(!is_snowflake(anchor, b"AAAA.x.y"));
    }
}
