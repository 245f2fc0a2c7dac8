//! Credentials made at run time, so that no key-shaped text stands in the sources.

/// A GitHub token with a true checksum: the last six characters are the CRC-32 of the thirty before
/// them, in base 62.
pub(crate) fn github_token(seed: u64) -> String {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let digit = |value: u64| char::from(DIGITS[usize::try_from(value % 62).unwrap()]);
    let mut state = seed;
    let body: String = std::iter::repeat_with(|| {
        // Knuth's MMIX generator; its upper bits are random enough to look like a key.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        digit(state >> 33)
    })
    .take(30)
    .collect();
    let check = u64::from(crc32(body.as_bytes()));
    let check: String = (0..6)
        .rev()
        .map(|place| digit(check / 62_u64.pow(place)))
        .collect();
    format!("ghp_{body}{check}")
}

/// CRC-32 as in ISO 3309, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[test]
fn the_checksum_is_the_standard_one() {
    // The check value that catalogues of CRCs give for this polynomial.
    assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
}
