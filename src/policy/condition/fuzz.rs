//! What the fuzzer calls: any text is a condition or is refused, and any condition judges any call.

use jiff::Timestamp;

use super::attribute::{Attribute, Attributes, Path, Phase};
use super::value::Value;
use super::{Condition, MAX_EXPLANATION};

/// The first byte says how much is known of the call; up to a NUL follows the text of a condition, and then the
/// JSON that arguments and claims are.
pub fn fuzz_condition(data: &[u8]) {
    let Some((known, rest)) = data.split_first() else {
        return;
    };
    let mut halves = rest.splitn(2, |byte| *byte == 0);
    let Some(Ok(text)) = halves.next().map(std::str::from_utf8) else {
        return;
    };
    let document = halves
        .next()
        .and_then(|json| serde_json::from_slice(json).ok());
    let call = Fuzzed {
        known: *known,
        document: document.unwrap_or_default(),
    };
    for phase in [Phase::Request, Phase::Finding] {
        match Condition::parse(text, phase) {
            Ok(condition) => judge(&condition, &call),
            Err(errors) => {
                assert!(!errors.is_empty(), "refused without a reason");
                for error in errors {
                    assert!(text.get(error.span.clone()).is_some(), "{error:?}");
                    assert!(!error.title.contains(char::is_control), "{error:?}");
                    assert!(!error.label.contains(char::is_control), "{error:?}");
                }
            }
        }
    }
}

fn judge(condition: &Condition, call: &Fuzzed) {
    let outcome = condition.evaluate(call);
    if let Some(constant) = condition.constant() {
        assert_eq!(outcome, Ok(constant));
    }
    let line = condition.explain(call);
    assert!(line.chars().count() <= MAX_EXPLANATION, "{line}");
    assert!(!line.contains(char::is_control), "{line}");
}

struct Fuzzed {
    known: u8,
    document: serde_json::Value,
}

impl Attributes for Fuzzed {
    fn attribute(&self, path: &Path) -> Option<Value<'_>> {
        let flag = |bit: u8| (self.known >> bit & 1 == 1).then_some(());
        match path.attribute() {
            Attribute::Args => path.walk(&self.document),
            Attribute::Claims => flag(0).and_then(|()| path.walk(&self.document)),
            Attribute::Time => flag(1).map(|()| Value::Time(Timestamp::UNIX_EPOCH)),
            Attribute::SourceIp => flag(2).map(|()| Value::Ip([10, 1, 2, 3].into())),
            Attribute::CallerRank => flag(3).map(|()| Value::Int(i64::from(self.known))),
            Attribute::RequestSize => flag(3).map(|()| Value::Int(i64::MAX)),
            // A value of a kind that it should not be is an error, not a panic.
            Attribute::CallerGroups => flag(4).map(|()| Value::Text("staff")),
            _ => flag(5).map(|()| Value::Text("café\u{202e}\n'")),
        }
    }
}
