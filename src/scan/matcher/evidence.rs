//! What speaks for or against a body that has the right shape: checksums, entropy, stop words.

/// Whether a body of the right alphabet and length could be a real secret rather than a placeholder.
/// `floor` is in hundredths of a bit per byte.
pub(in crate::scan) fn is_plausible(body: &[u8], floor: u16) -> bool {
    entropy(body) >= f32::from(floor) / 100.0 && !has_stop_word(body) && !has_pattern(body)
}

/// Whether a value next to the name of a password could be one: people choose bad ones, so this asks for little.
/// Letters, and a digit or a mark, and none of what documentation puts there.
pub(in crate::scan) fn is_password(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    (6..=128).contains(&value.len())
        && value.iter().any(u8::is_ascii_alphabetic)
        && (value.iter().any(u8::is_ascii_digit) || has_mark(value))
        && entropy(value) >= 2.0
        && !EXAMPLES.iter().any(|word| lower.starts_with(word))
        && !has_stop_word(value)
        && !has_pattern(value)
}

/// Whether it has a character that names and paths do not have.
pub(in crate::scan) fn has_mark(value: &[u8]) -> bool {
    value.iter().any(|byte| {
        byte.is_ascii_punctuation()
            && !matches!(byte, b'_' | b'-' | b'.' | b':' | b'/' | b'=' | b'+')
    })
}

/// How passwords begin that stand in documentation.
const EXAMPLES: [&[u8]; 10] = [
    b"password",
    b"passwd",
    b"your",
    b"my_",
    b"my-",
    b"test_",
    b"enter",
    b"insert",
    b"replace",
    b"must",
];

/// Whether a value points to another, or to a file, or is what stands in the place of one.
pub(in crate::scan) fn is_reference(value: &[u8]) -> bool {
    let starts: [&[u8]; 19] = [
        b"$", b"{", b"<", b"%", b"@", b"#", b"&", b"*", b"[", b"(", b"^", b"/", b"./", b"~/",
        b"../", b"!", b"?", b"|", b"+",
    ];
    let parts: [&[u8]; 15] = [
        b"://",
        b"::",
        b"${",
        b"{{",
        b"$(",
        b"%s",
        b"%(",
        b"getenv",
        b"environ",
        b"process.env",
        b"env.",
        b"***",
        b"...",
        b"arn:",
        b"xxxx",
    ];
    starts.iter().any(|start| value.starts_with(start))
        || value.iter().enumerate().any(|(at, byte)| {
            // Few bytes begin any of them.
            is_first(*byte)
                && parts.iter().any(|part| {
                    let here = value.get(at..at + part.len());
                    here.is_some_and(|here| here.eq_ignore_ascii_case(part))
                })
        })
        || value.windows(3).any(|window| window.starts_with(b":\\"))
}

/// Whether what points to another value may begin with a byte.
const fn is_first(byte: u8) -> bool {
    matches!(
        byte.to_ascii_lowercase(),
        b':' | b'$' | b'{' | b'%' | b'g' | b'e' | b'p' | b'*' | b'.' | b'a' | b'x'
    )
}

/// Whether it could be a name in code.
pub(in crate::scan) fn is_identifier(value: &[u8]) -> bool {
    value
        .first()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'$'))
        && value
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$'))
}

/// `settings.db.password1`
pub(in crate::scan) fn is_path_of_names(value: &[u8]) -> bool {
    value.contains(&b'.')
        && value
            .split(|byte| *byte == b'.')
            .all(|part| is_identifier(part) && part.len() > 1)
}

/// How often a letter or digit is followed by one of another kind, as a share of the value. A capital before small letters
/// begins a word and does not count. Random letters and digits come to 0.4 and more, words to less than 0.25.
pub(in crate::scan) fn changes(value: &[u8]) -> f32 {
    let kind = |byte: u8| match byte {
        b'0'..=b'9' => 1,
        b'A'..=b'Z' => 2,
        b'a'..=b'z' => 3,
        _ => 0,
    };
    let pairs = value
        .iter()
        .zip(value.iter().skip(1))
        .map(|(left, right)| (kind(*left), kind(*right)));
    let changes = pairs.filter(|(left, right)| {
        left != right && *left != 0 && *right != 0 && !(*left == 2 && *right == 3)
    });
    let count = u16::try_from(changes.count()).unwrap_or(u16::MAX);
    f32::from(count) / f32::from(u16::try_from(value.len()).unwrap_or(u16::MAX)).max(1.0)
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
    const DOUBLED: [u32; 10] = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];
    let (mut sum, mut doubles) = (0_u32, false);
    for byte in number.iter().rev().filter(|byte| byte.is_ascii_digit()) {
        let value = usize::from(byte - b'0');
        sum += match DOUBLED.get(value) {
            Some(doubled) if doubles => *doubled,
            _ => u32::from(byte - b'0'),
        };
        doubles = !doubles;
    }
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
    fn passwords_are_told_from_what_stands_in_their_place() {
        for value in [
            "hunter2",
            "S3cr3t!",
            "correct-horse-1",
            "Tr0ub4dor&3",
            "pa55w0rt",
        ] {
            assert!(
                is_password(value.as_bytes()) && !is_reference(value.as_bytes()),
                "{value}"
            );
        }
        for value in [
            "string",
            "required",
            "currentPassword",
            "your_password1",
            "123456",
            "abc1",
            "Example123!",
        ] {
            assert!(!is_password(value.as_bytes()), "{value}");
        }
        for value in [
            "${DB_PASS1}",
            "<password1>",
            "{{ pw1 }}",
            "/run/secrets/pw1",
            "os.environ['A1']",
            "https://a1.io",
        ] {
            assert!(is_reference(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn names_change_less_often_than_what_is_drawn() {
        for value in [
            "my-app-secret-v2",
            "getUserAccessToken2",
            "refresh_token_2024",
        ] {
            assert!(changes(value.as_bytes()) < 0.25, "{value}");
        }
        for value in ["q7Zt2Lw9Xc4Vb8Nm1Kj5Hg", "4f9c0e7b1a2d8f36"] {
            assert!(changes(value.as_bytes()) > 0.3, "{value}");
        }
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
