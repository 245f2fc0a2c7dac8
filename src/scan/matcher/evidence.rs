//! What speaks for or against a body that has the right shape: checksums, entropy, stop words.

/// Whether a body of the right alphabet and length could be a real secret rather than a placeholder.
/// `floor` is in hundredths of a bit per byte.
pub(in crate::scan) fn is_plausible(body: &[u8], floor: u16) -> bool {
    entropy(body) >= f32::from(floor) / 100.0 && !has_stop_word(body) && !has_pattern(body)
}

/// Shannon entropy in bits per byte.
pub(in crate::scan) fn entropy(body: &[u8]) -> f32 {
    let mut counts = [0_u16; 256];
    for byte in body {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count = count.saturating_add(1);
        }
    }
    let total = f32::from(u16::try_from(body.len()).unwrap_or(u16::MAX)).max(1.0);
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f32::from(*count) / total;
            -share * share.log2()
        })
        .sum()
}

/// Words that documentation puts into its examples. Five letters at least: four would be hit by chance
/// once in some ten thousand real keys.
const STOP_WORDS: [&[u8]; 9] = [
    b"example",
    b"placeholder",
    b"changeme",
    b"redacted",
    b"dummy",
    b"your_",
    b"your-",
    b"insert_",
    b"notreal",
];

fn has_stop_word(body: &[u8]) -> bool {
    STOP_WORDS.iter().any(|word| {
        body.windows(word.len())
            .any(|part| part.eq_ignore_ascii_case(word))
    })
}

/// Eight equal bytes in a row, or eight that count up (`12345678`, `abcdefgh`): typed, not drawn.
fn has_pattern(body: &[u8]) -> bool {
    let mut equal = 1;
    let mut rising = 1;
    for (left, right) in body.iter().zip(body.iter().skip(1)) {
        equal = if left == right { equal + 1 } else { 1 };
        let follows = left.checked_add(1) == Some(*right) || (*left == b'9' && *right == b'0');
        rising = if follows { rising + 1 } else { 1 };
        if equal >= 8 || rising >= 8 {
            return true;
        }
    }
    false
}

/// The check of ISO/IEC 7812-1, annex B, over ASCII digits; other bytes are passed over.
pub(in crate::scan) fn luhn(number: &[u8]) -> bool {
    let digits = number.iter().rev().filter(|byte| byte.is_ascii_digit());
    let sum: u32 = digits
        .zip([false, true].into_iter().cycle())
        .map(|(byte, double)| match u32::from(byte - b'0') {
            value if !double => value,
            value if value > 4 => value * 2 - 9,
            value => value * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_match_published_vectors() {
        assert!(luhn(b"79927398713"));
        assert!(!luhn(b"79927398710"));
    }

    #[test]
    fn placeholders_are_implausible() {
        assert!(!is_plausible(b"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 0));
        assert!(!is_plausible(b"IOSFODNN7EXAMPLE", 0));
        assert!(!is_plausible(b"0123456789abcdef0123456789abcdef", 0));
        assert!(!is_plausible(b"abababababababababababab", 250));
        assert!(is_plausible(b"q7Zt2Lw9Xc4Vb8Nm1Kj5Hg", 300));
    }
}
