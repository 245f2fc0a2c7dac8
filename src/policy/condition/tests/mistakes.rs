//! `tests/data/conditions/mistakes.txt`: one wrong condition on each line, and in `messages.txt` what is said
//! about each. After a wanted change of words, `LICTOR_BLESS=1 cargo test --lib condition` writes them anew.

use std::fmt::Write as _;
use std::path::Path;

use crate::policy::condition::{Condition, ConditionError, Phase};

#[test]
fn every_mistake_is_told_as_the_file_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/conditions");
    let mistakes = std::fs::read_to_string(folder.join("mistakes.txt")).unwrap();
    let mut told = String::new();
    let mut count = 0;
    for text in mistakes.lines().filter(|line| !line.starts_with('#')) {
        let text = text.replace("␤", "\n").replace("␀", "\u{1b}");
        count += 1;
        match Condition::parse(&text, Phase::Request) {
            Ok(condition) if condition.doubts().is_empty() => {
                panic!("nothing is wrong with {text}")
            }
            Ok(condition) => tell("warning", &text, condition.doubts(), &mut told),
            Err(errors) => tell("error", &text, &errors, &mut told),
        }
    }
    let file = folder.join("messages.txt");
    if std::env::var_os("LICTOR_BLESS").is_some() {
        std::fs::write(&file, &told).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(told, expected, "see the top of mistakes.rs");
    assert!(count > 100, "only {count} mistakes");
}

fn tell(level: &str, text: &str, errors: &[ConditionError], told: &mut String) {
    for error in errors {
        let part = |range: std::ops::Range<usize>| text.get(range).unwrap();
        let before = part(0..error.span.start);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = part(line_start..text.len())
            .lines()
            .next()
            .unwrap_or_default();
        let marked = part(error.span.clone()).lines().next().unwrap_or_default();
        let _ = writeln!(told, "{level}: {} [{:?}]", error.title, error.fault);
        let _ = writeln!(told, "  | {}", line.replace('\u{1b}', "␀"));
        let indent = part(line_start..error.span.start).chars().count();
        let carets = "^".repeat(marked.chars().count().max(1));
        let _ = writeln!(told, "  | {}{carets} {}", " ".repeat(indent), error.label);
        if let Some(help) = &error.help {
            let _ = writeln!(told, "  = help: {help}");
        }
    }
    told.push('\n');
}
