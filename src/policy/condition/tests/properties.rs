//! Whatever is written is read or refused, and whatever is read can be judged and explained.

use proptest::prelude::*;

use super::call::Call;
use super::generate::Dice;
use crate::policy::condition::{Condition, MAX_BYTES, MAX_EXPLANATION, Phase, fuzz_condition};

/// What conditions are made of, to be put together in any order.
const PIECES: &[&str] = &[
    "args",
    ".",
    "a",
    "['k']",
    "[0]",
    "[",
    "]",
    "(",
    ")",
    "&&",
    "||",
    "!",
    "-",
    "==",
    "<",
    ">=",
    "in",
    "1",
    "2.5",
    "'x'",
    "r'\\'",
    "'\\n'",
    "null",
    "true",
    "has(",
    "size(",
    "claims.x",
    "caller.id",
    "time",
    "source.ip",
    ",",
    "between(time, '07:00', '19:00', 'UTC')",
    "cidr(source.ip, '10.0.0.0/8')",
    ".matches('a+')",
    ".lowerAscii()",
    "duration('1h')",
    "timestamp(",
    "?",
    ":",
    "+",
    "*",
    "/",
    "%",
    "//",
    "\n",
    " ",
    "'",
    "\"",
    "{",
    "é",
    "\u{202e}",
    "9223372036854775807",
    "1e999",
    "0x",
    "finding.path",
    ".getHours('Europe/London')",
    "'''",
    "b'",
    "\\",
    "`",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        fuzz_condition(format!("\u{1f}{text}").as_bytes());
    }

    #[test]
    fn any_pieces_are_read_or_refused(
        picks in proptest::collection::vec(0..PIECES.len(), 0..60),
        known in any::<u8>(),
        json in prop_oneof![Just("{}"), Just("{\"a\":{\"k\":[1]}}"), Just("null"), Just("{\"a\":1e300}")],
    ) {
        let text: String = picks.iter().map(|pick| PIECES[*pick]).collect();
        let mut data = vec![known];
        data.extend(text.as_bytes());
        data.push(0);
        data.extend(json.as_bytes());
        fuzz_condition(&data);
    }

    #[test]
    fn a_long_text_of_one_piece_is_refused_in_time(pick in 0..PIECES.len()) {
        let piece = PIECES[pick];
        let mut data = vec![0xff];
        data.extend(piece.repeat(MAX_BYTES / piece.len()).as_bytes());
        fuzz_condition(&data);
    }

    #[test]
    fn an_explanation_tells_what_the_evaluation_did(
        bytes in proptest::collection::vec(any::<u8>(), 0..120),
    ) {
        let mut dice = Dice::new(&bytes);
        let call = Call::of(dice.call());
        let text = dice.condition(3);
        if let Ok(condition) = Condition::parse(&text, Phase::Request) {
            let outcome = condition.evaluate(&call);
            let line = condition.explain(&call);
            prop_assert!(!line.is_empty() && line.chars().count() <= MAX_EXPLANATION, "{line}");
            // What is told of an error is not told of an answer, and the other way round.
            if outcome.is_ok() {
                prop_assert!(!line.contains(", not "), "{text}: {line}");
            } else {
                let troubles = ["missing", ", not ", ": a ", " is "];
                prop_assert!(troubles.iter().any(|word| line.contains(word)), "{text}: {line}");
            }
            // The same text read again is the same condition.
            let again = Condition::parse(condition.text(), Phase::Request).unwrap();
            prop_assert_eq!(again.evaluate(&call), outcome);
        }
    }

    #[test]
    fn and_and_or_commute(
        bytes in proptest::collection::vec(any::<u8>(), 0..120),
        operator in prop_oneof![Just("&&"), Just("||")],
    ) {
        let mut dice = Dice::new(&bytes);
        let call = Call::of(dice.call());
        let (left, right) = (dice.condition(2), dice.condition(2));
        let judge = |text: String| {
            let condition = Condition::parse(&text, Phase::Request).ok()?;
            // Which of two errors is told may differ.
            Some(condition.evaluate(&call).ok())
        };
        let one = judge(format!("({left}) {operator} ({right})"));
        let other = judge(format!("({right}) {operator} ({left})"));
        prop_assert_eq!(one, other, "{} and {}", left, right);
    }
}
