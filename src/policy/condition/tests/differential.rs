//! Beside another implementation of CEL: the same expression of the same call has the same value, or an error in
//! both. The differences that are meant stand below, each with its reason.

use std::collections::HashMap;

use cel::Value as CelValue;
use proptest::prelude::*;
use serde_json::Value as Json;

use super::call::Call;
use super::generate::Dice;
use crate::policy::condition::{Condition, Fault, Phase};

/// Ours, or `None` where the text is refused because a part of it never has a value: CEL finds that out at run
/// time only.
fn ours(text: &str, call: &Json) -> Option<Result<bool, ()>> {
    match Condition::parse(text, Phase::Request) {
        Ok(condition) => Some(condition.evaluate(&Call::of(call.clone())).map_err(drop)),
        Err(errors) => {
            let never = errors.iter().all(|error| error.fault == Fault::Value);
            assert!(never, "{text}: {errors:#?}");
            None
        }
    }
}

fn theirs(text: &str, call: &Json) -> Result<bool, ()> {
    let program = cel::Program::compile(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut context = cel::Context::default();
    let mut groups: HashMap<String, HashMap<String, CelValue>> = HashMap::new();
    for group in ["caller", "actor", "request", "task"] {
        groups.insert(group.to_owned(), HashMap::new());
    }
    for (name, value) in call.as_object().unwrap() {
        let value = match (name.as_str(), value) {
            ("time", Json::String(time)) => CelValue::Timestamp(time.parse().unwrap()),
            (_, value) => to_cel(value),
        };
        match name.split_once('.') {
            Some((group, member)) => {
                groups
                    .get_mut(group)
                    .unwrap()
                    .insert(member.to_owned(), value);
            }
            None => context.add_variable_from_value(name.as_str(), value),
        }
    }
    for (group, members) in groups {
        context.add_variable_from_value(group, members);
    }
    match program.execute(&context) {
        Ok(CelValue::Bool(value)) => Ok(value),
        Ok(_) | Err(_) => Err(()),
    }
}

fn to_cel(json: &Json) -> CelValue {
    match json {
        Json::Null => CelValue::Null,
        Json::Bool(value) => CelValue::Bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => CelValue::Int(whole),
            (None, Some(whole)) => CelValue::UInt(whole),
            (None, None) => CelValue::Float(number.as_f64().unwrap()),
        },
        Json::String(text) => CelValue::from(text.as_str()),
        Json::Array(values) => values.iter().map(to_cel).collect::<Vec<_>>().into(),
        Json::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| (name.clone(), to_cel(value)));
            members.collect::<HashMap<_, _>>().into()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn conditions_are_what_cel_says(bytes in proptest::collection::vec(any::<u8>(), 0..160)) {
        let mut dice = Dice::new(&bytes);
        let call = dice.call();
        let text = dice.condition(3);
        if let Some(ours) = ours(&text, &call) {
            prop_assert_eq!(ours, theirs(&text, &call), "{} of {}", text, call);
        }
    }
}

/// What is meant to differ: text, call, ours, theirs.
#[test]
fn the_differences_are_these() {
    let call: Json = serde_json::from_str(
        r#"{"args": {"n": 7, "f": 2.5, "zero": 0.0, "odd": 9007199254740993, "wide": 1e308, "b": true, "c": false,
            "list": [1], "other": [1], "t": "abc", "max": 9223372036854775807},
            "time": "2025-11-24T16:30:15.250Z", "name": "abc"}"#,
    )
    .unwrap();
    for (reason, text, expected, cel) in [
        (
            "an author asks for the end of a path and means the whole way",
            "has(args.gone.deeper)",
            Ok(false),
            Err(()),
        ),
        (
            "a text has no fields, and that is an answer to the question",
            "has(args.t.deeper)",
            Ok(false),
            Err(()),
        ),
        (
            "JSON does not tell 7 from 7.0, so whole numbers and doubles calculate together",
            "args.n * args.f == 17.5",
            Ok(true),
            Err(()),
        ),
        (
            "a large whole number is not rounded before it is compared",
            "args.odd == 9007199254740992.0",
            Ok(false),
            Ok(true),
        ),
        (
            "infinity would be above every bound without being anything",
            "args.f / args.zero > 1.0",
            Err(()),
            Ok(true),
        ),
        (
            "and so would be a product that is too large",
            "args.wide * args.wide > 1.0",
            Err(()),
            Ok(true),
        ),
        (
            "true and false have no order that an author could mean",
            "args.b > args.c",
            Err(()),
            Ok(true),
        ),
        (
            "lists of any length are not compared",
            "args.list == args.other",
            Err(()),
            Ok(true),
        ),
    ] {
        assert_eq!(ours(text, &call), Some(expected), "{reason}: {text}");
        assert_eq!(theirs(text, &call), cel, "{reason}: {text}");
    }
}
