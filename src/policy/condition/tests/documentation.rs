//! Every example of `docs/conditions.md` does what the page says.

use super::call::Call;
use crate::policy::condition::{Condition, Phase};

const PAGE: &str = include_str!("../../../../docs/conditions.md");

#[test]
fn examples_do_what_the_page_says() {
    let call = Call::parse(blocks("json").next().expect("a call"));
    let mut count = 0;
    for line in blocks("cel").flat_map(str::lines) {
        // A comment at the end says what comes out; it is a comment of the language as well.
        let (text, outcome) = line.split_once(" // ").unwrap_or((line, "read"));
        let outcome = outcome.split(':').next().unwrap().trim();
        let phase = if text.contains("finding.") {
            Phase::Finding
        } else {
            Phase::Request
        };
        let found = match Condition::parse(line, phase) {
            Err(_) => "refused",
            Ok(condition) if !condition.doubts().is_empty() => "doubtful",
            Ok(_) if outcome == "read" => "read",
            Ok(condition) => match condition.evaluate(&call) {
                Ok(true) => "true",
                Ok(false) => "false",
                Err(_) => "error",
            },
        };
        assert_eq!(found, outcome, "{text}");
        count += 1;
    }
    assert!(count > 35, "only {count} examples");
}

/// What stands in the fences of one kind.
fn blocks(kind: &str) -> impl Iterator<Item = &'static str> {
    let mut parts = PAGE.split("```");
    parts.next();
    let mut fenced = Vec::new();
    while let (Some(block), _) = (parts.next(), parts.next()) {
        fenced.extend(block.split_once('\n').filter(|(name, _)| *name == kind));
    }
    fenced.into_iter().map(|(_, text)| text)
}
