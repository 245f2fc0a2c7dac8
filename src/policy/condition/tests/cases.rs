//! `tests/data/conditions/cases.txt`: a call, and conditions with what they are of it and why.

use std::fmt::Write as _;
use std::path::Path;

use super::call::Call;
use crate::policy::condition::{Condition, EvalError, Phase};

/// Lines of the file: `# a comment`, `call {…}`, or `condition ⇒ outcome: explanation`. The outcome is `true`,
/// `false`, or the error. After a wanted change of words, `LICTOR_BLESS=1 cargo test --lib condition` writes the
/// outcomes anew.
#[test]
fn conditions_are_what_the_cases_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/conditions/cases.txt");
    let cases = std::fs::read_to_string(&file).unwrap();
    let mut call = Call::default();
    let mut count = 0;
    let mut found = String::new();
    for line in cases.lines() {
        if let Some(json) = line.strip_prefix("call ") {
            call = Call::parse(json);
        }
        match line.split_once(" ⇒") {
            Some((text, _)) => {
                count += 1;
                let _ = writeln!(found, "{text} ⇒ {}", judged(text, &call));
            }
            None => {
                let _ = writeln!(found, "{line}");
            }
        }
    }
    if std::env::var_os("LICTOR_BLESS").is_some() {
        std::fs::write(&file, &found).unwrap();
    }
    for (found, expected) in found.lines().zip(cases.lines()) {
        assert_eq!(found, expected, "see the top of cases.rs");
    }
    assert!(count > 150, "only {count} cases ran");
}

fn judged(text: &str, call: &Call) -> String {
    let phase = if text.contains("finding.") {
        Phase::Finding
    } else {
        Phase::Request
    };
    let condition =
        Condition::parse(text, phase).unwrap_or_else(|errors| panic!("{text}: {errors:#?}"));
    let outcome = match condition.evaluate(call) {
        Ok(value) => value.to_string(),
        Err(EvalError::DivisionByZero) => "divided by zero".to_owned(),
        Err(EvalError::Kind) => "kind".to_owned(),
        Err(EvalError::Missing) => "missing".to_owned(),
        Err(EvalError::Overflow) => "overflow".to_owned(),
        Err(EvalError::TooLong) => "too long".to_owned(),
    };
    format!("{outcome}: {}", condition.explain(call))
}
