//! Which words speak for a number.

use super::*;

fn speaks(text: &str, word: &str) -> bool {
    let words = Words::new(std::iter::once((3, word))).unwrap();
    let view = View::new(text.as_bytes(), 0, 0, true);
    Context::default().speaks_for(&words, &view, text.len() as u64, 3, false)
}

#[test]
fn words_are_compared_whole_however_they_are_put_together() {
    for text in [
        "her date of birth is ",
        "\"dateOfBirth\": \"",
        "DATE_OF_BIRTH=",
        "<dt>Date of birth</dt>\n<dd>",
        "userDateOfBirth: ",
        "x\\ndate-of-birth ",
    ] {
        assert!(speaks(text, "date of birth"), "{text}");
    }
    assert!(speaks("the SSNNumber=", "ssn"));
    assert!(speaks("driver's license ", "driver's license"));
    assert!(speaks("私のマイナンバーは", "マイナンバー"));
    for text in ["public ", "duplicate ", "policy ", "lics "] {
        assert!(!speaks(text, "lic"), "{text}");
    }
}

#[test]
fn marks_and_what_stands_too_far_say_nothing() {
    assert!(!speaks("[redacted:pii.ssn] ", "ssn"));
    assert!(!speaks("acted:pii.ssn] ", "ssn"));
    assert!(speaks("[a] ssn] ", "ssn"));
    assert!(!speaks("ssn\n\n", "ssn"));
    assert!(speaks("ssn\n", "ssn"));
    assert!(!speaks(&format!("ssn{}", " ".repeat(96)), "ssn"));
    assert!(speaks(&format!("ssn{}", " ".repeat(93)), "ssn"));
}

/// What stands before a number as one text, read anew for each: what [`Context`] says in less time.
mod anew {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::*;

    fn speaks(text: &[u8], start: usize, word: &str, most: u64) -> bool {
        let (near, most) = (most == NEAR, usize::try_from(most).unwrap());
        let from = start.saturating_sub(most);
        let before = &text[from..start];
        let is_cut = before.len() == most && from > 0 && is_of_word(text[from - 1]);
        let before = hide_marks(before);
        let mut lines = memchr::memrchr_iter(b'\n', &before);
        let line = lines.nth(1).map_or(0, |end| end + 1);
        let words = normal(&before[line..], is_cut && line == 0);
        let words = if near {
            behind_last_number(&words)
        } else {
            &words
        };
        let is_unspaced = word.as_bytes()[0] >= 0xE0;
        let pattern = match is_unspaced {
            true => word.as_bytes().to_vec(),
            false => normal(word.as_bytes(), false),
        };
        words.windows(pattern.len()).any(|window| window == pattern)
    }

    fn hide_marks(raw: &[u8]) -> Cow<'_, [u8]> {
        let mut raw = raw.to_vec();
        let mut from = None;
        // The beginning of the first mark may be out of sight.
        let mut is_cut = true;
        for at in 0..raw.len() {
            let byte = raw[at];
            if raw[at..].starts_with(b"[redacted:") {
                from = Some(at);
            } else if byte == b']' {
                let start = from.take().or_else(|| is_cut.then_some(0));
                if let Some(start) = start {
                    raw[start..at].fill(b' ');
                }
            }
            is_cut &= is_of_mark(byte);
        }
        Cow::Owned(raw)
    }

    fn normal(text: &[u8], is_cut: bool) -> Vec<u8> {
        let mut words = vec![b' '];
        let mut skips = is_cut;
        let mut last = 0_u8;
        for (at, byte) in text.iter().copied().enumerate() {
            let next = text.get(at + 1).copied();
            let is_escape = last == b'\\' && matches!(byte, b'n' | b'r' | b't');
            let begins = byte.is_ascii_uppercase()
                && (last.is_ascii_lowercase()
                    || (last.is_ascii_uppercase()
                        && next.is_some_and(|next| next.is_ascii_lowercase())));
            let is_apart = !is_of_word(byte) || is_escape;
            skips &= !is_apart;
            if (is_apart || begins) && words.last() != Some(&b' ') {
                words.push(b' ');
            }
            if !is_apart && !skips {
                words.push(byte.to_ascii_lowercase());
            }
            last = byte;
        }
        if words.last() != Some(&b' ') {
            words.push(b' ');
        }
        words
    }

    fn behind_last_number(words: &[u8]) -> &[u8] {
        let (mut from, mut at) = (0, 0);
        for word in words.split(|byte| *byte == b' ') {
            at += word.len() + 1;
            if word.len() >= 4 && word.iter().all(u8::is_ascii_digit) {
                from = at - 1;
            }
        }
        &words[from..]
    }

    const WORDS: [&str; 7] = [
        "ssn",
        "date of birth",
        "d n i",
        "nif",
        "番号",
        "個人番号",
        "of",
    ];
    const PIECES: [&str; 30] = [
        "ssn",
        "date",
        "of",
        "birth",
        "Birth",
        "dateOfBirth",
        "DNI",
        "d",
        "n",
        "i",
        "nif",
        "番号",
        "個人",
        "é",
        " ",
        "-",
        "_",
        "\n",
        "\\n",
        "\\",
        "[redacted:",
        "redacted:",
        ":",
        "[",
        "]",
        ".",
        "1",
        "1234",
        "SSNNumber",
        "x",
    ];

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_else_is_told_of_a_place(
            pieces in prop::collection::vec(0..PIECES.len(), 1..60),
            steps in prop::collection::vec(1..9_usize, 1..60),
        ) {
            let text: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
            let text = text.as_bytes();
            let words = Words::new((0..).zip(WORDS)).unwrap();
            let view = View::new(text, 0, 0, true);
            let mut context = Context::default();
            let mut start = 0;
            for step in steps {
                start += step;
                // Now and then one before is asked for again.
                for start in [start, start.saturating_sub(step + 3)] {
                    // An escape that is cut in two is known for what it is.
                    let cuts = |most| {
                        let before = (start as u64).checked_sub(most + 1);
                        let before = before.and_then(|at| usize::try_from(at).ok());
                        before.and_then(|at| text.get(at)) == Some(&b'\\')
                    };
                    if start > text.len() || cuts(WIDE) || cuts(NEAR) {
                        continue;
                    }
                    for (number, word) in (0..).zip(WORDS) {
                        for (is_near, most) in [(false, WIDE), (true, NEAR)] {
                            let told = context.speaks_for(&words, &view, start as u64, number, is_near);
                            prop_assert_eq!(
                                told,
                                speaks(text, start, word, most),
                                "{} {} {}", word, start, most
                            );
                        }
                    }
                }
            }
        }
    }
}
