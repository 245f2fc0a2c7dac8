//! What statements about tools promise.

use proptest::prelude::*;

use super::super::RequestFacts;
use super::super::pattern::Pattern;
use super::super::tests::{ana, ask, call as subject};
use super::*;
use crate::model::Facts;

fn rule(name: &str) -> Arc<RuleRef> {
    Arc::new(RuleRef {
        name: Arc::from(name),
        place: None,
    })
}

fn argument(path: &str, wanted: Wanted) -> Argument {
    Argument {
        path: path.split('.').map(Box::from).collect(),
        wanted,
        optional: false,
    }
}

fn optional(path: &str, wanted: Wanted) -> Argument {
    Argument {
        optional: true,
        ..argument(path, wanted)
    }
}

fn at_most(max: &str) -> Wanted {
    Wanted::Number {
        min: None,
        max: Decimal::parse(max),
        one_of: Vec::new(),
    }
}

fn one_of(values: &[&str]) -> Wanted {
    Wanted::Text {
        matches: None,
        is: None,
        one_of: values.iter().copied().map(Box::from).collect(),
    }
}

fn tool(name: &str, args: Vec<Argument>, closed: bool) -> Tool {
    Tool {
        rule: rule(name),
        mode: Mode::Enforce,
        args,
        closed,
        pin: None,
    }
}

fn wire(closed: bool) -> Tool {
    let args = vec![
        argument("amount", at_most("250000")),
        argument("currency", one_of(&["GBP", "EUR"])),
        optional(
            "reference",
            Wanted::Text {
                matches: Pattern::parse("[A-Z0-9]{1,8}").ok(),
                is: None,
                one_of: Vec::new(),
            },
        ),
        argument("note", Wanted::Anything),
        argument(
            "recipient.iban",
            Wanted::Text {
                matches: None,
                is: Some(TextKind::Iban),
                one_of: Vec::new(),
            },
        ),
    ];
    tool("wire_transfer", args, closed)
}

/// What is recorded, of a call with these arguments.
fn detail(tool: Tool, name: &str, args: &str) -> Option<String> {
    refused(tool, &ToolCall::new(name, Some(args.to_owned()))).map(|(detail, _)| detail)
}

/// What is recorded, and what the caller reads.
fn refused(tool: Tool, call: &ToolCall) -> Option<(String, String)> {
    let (principal, subject, facts) = (ana(), subject("GetTask", None), Facts::default());
    let ask = ask(&principal, &subject, &facts);
    let question = Question {
        request: RequestFacts {
            tool: Some(call),
            ..ask.request
        },
        ..ask
    };
    let refusal = Tools::new(vec![tool]).admit(&question).err()?;
    assert_eq!(refusal.reason, Reason::ArgumentDenied);
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Some((
        text(refusal.detail.as_deref()),
        text(refusal.say.as_deref()),
    ))
}

/// Arguments that are as they must be, but for these.
fn but(members: &str) -> String {
    let mut all = vec![
        ("amount", "\"amount\":10"),
        ("currency", "\"currency\":\"GBP\""),
        (
            "recipient",
            "\"recipient\":{\"iban\":\"GB33BUKB20201555555555\"}",
        ),
    ];
    all.retain(|(name, _)| !members.contains(&format!("\"{name}\":")));
    let mut all: Vec<_> = all.into_iter().map(|(_, member)| member).collect();
    if !members.is_empty() {
        all.push(members);
    }
    format!("{{{}}}", all.join(","))
}

#[test]
fn what_is_as_it_must_be_passes() {
    for members in [
        "",
        "\"amount\":250000",
        "\"amount\":250000.000",
        "\"amount\":2.5e5",
        "\"amount\":-1e400",
        "\"currency\":\"\\u0045UR\"",
        "\"reference\":\"AB1\"",
        "\"reference\":null",
        "\"note\":{\"any\":[\"thing\"]}",
        "\"note\":null",
    ] {
        assert_eq!(
            detail(wire(true), "wire_transfer", &but(members)),
            None,
            "{members}"
        );
    }
}

#[test]
fn what_is_not_is_refused_with_the_name_and_without_the_value() {
    for (members, expected) in [
        (
            "\"amount\":250000.00000000001",
            "the argument `amount` is above `max`",
        ),
        ("\"amount\":250001", "the argument `amount` is above `max`"),
        ("\"amount\":\"10\"", "the argument `amount` is not a number"),
        ("\"amount\":[10]", "the argument `amount` is not a number"),
        ("\"amount\":true", "the argument `amount` is not a number"),
        ("\"amount\":null", "the argument `amount` is missing"),
        (
            "\"currency\":\"gbp\"",
            "the argument `currency` is none of `oneOf`",
        ),
        (
            "\"currency\":\"GBP \"",
            "the argument `currency` is none of `oneOf`",
        ),
        ("\"currency\":7", "the argument `currency` is not a text"),
        (
            "\"currency\":\"\\ud800\"",
            "the argument `currency` is not a text",
        ),
        (
            "\"reference\":\"ab\"",
            "the argument `reference` does not match `matches`",
        ),
        (
            "\"reference\":\"AB\\n\"",
            "the argument `reference` does not match `matches`",
        ),
        (
            "\"recipient\":{}",
            "the argument `recipient.iban` is missing",
        ),
        (
            "\"recipient\":null",
            "the argument `recipient.iban` is missing",
        ),
        (
            "\"recipient\":[]",
            "the argument `recipient` is not an object",
        ),
        (
            "\"recipient\":{\"iban\":\"GB33BUKB20201555555556\"}",
            "the argument `recipient.iban` is not an IBAN",
        ),
        (
            "\"recipient\":{\"iban\":\"GB33BUKB20201555555555\",\"bic\":1}",
            "there is an argument that `args` does not name",
        ),
        (
            "\"recipient.iban\":1",
            "there is an argument that `args` does not name",
        ),
        (
            "\"fee\":1",
            "there is an argument that `args` does not name",
        ),
        // Some readers take these for the argument.
        (
            "\"Amount\":999999",
            "the argument `amount` is there under another spelling",
        ),
        (
            "\"a_mount\":1",
            "the argument `amount` is there under another spelling",
        ),
    ] {
        let found = detail(wire(true), "wire_transfer", &but(members));
        assert_eq!(found.as_deref(), Some(expected), "{members}");
    }
    let nothing = "the argument `amount` is missing".to_owned();
    assert_eq!(detail(wire(true), "wire_transfer", "{}"), Some(nothing));
}

#[test]
fn what_is_not_named_passes_where_nobody_minds() {
    for members in [
        "\"fee\":1",
        "\"Note\":2",
        "\"recipient\":{\"iban\":\"GB33BUKB20201555555555\",\"bic\":1}",
    ] {
        assert_eq!(
            detail(wire(false), "wire_transfer", &but(members)),
            None,
            "{members}"
        );
    }
    let found = detail(wire(false), "wire_transfer", &but("\"AMOUNT\":1")).unwrap();
    assert_eq!(
        found,
        "the argument `amount` is there under another spelling"
    );
}

#[test]
fn an_object_that_is_named_itself_holds_what_it_likes() {
    let args = || {
        vec![
            argument("to.place.city", one_of(&["Bath"])),
            argument("to", Wanted::Anything),
            optional("cc.mail", one_of(&["a"])),
        ]
    };
    let found = |json: &str| detail(tool("t", args(), true), "t", json);
    assert_eq!(
        found(r#"{"to":{"place":{"city":"Bath","x":1},"y":2}}"#),
        None
    );
    assert_eq!(found(r#"{"to":{"place":{"city":"Bath"}},"cc":{}}"#), None);
    assert!(found(r#"{"to":{"place":{"city":"Bath"}},"cc":{"x":1}}"#).is_some());
    assert!(found(r#"{"to":{"place":{"city":"York"}}}"#).is_some());
    assert!(found(r#"{"to":{"Place":{"city":"York"},"place":{"city":"Bath"}}}"#).is_some());
    // Who may leave an object out may leave its parts out.
    let args = vec![
        optional("to", Wanted::Anything),
        argument("to.city", one_of(&["Bath"])),
    ];
    assert_eq!(detail(tool("t", args.clone(), true), "t", "{}"), None);
    assert!(detail(tool("t", args, true), "t", r#"{"to":{}}"#).is_some());
}

#[test]
fn a_tool_is_meant_by_its_name_and_no_other_spelling_slips_by() {
    let bad = but("\"amount\":999999");
    assert_eq!(detail(wire(true), "search", &bad), None);
    assert_eq!(detail(wire(true), "wire_transfer2", &bad), None);
    for name in ["Wire_Transfer", "wiretransfer", "WIRE_TRANSFER"] {
        let found = detail(wire(true), name, &but(""));
        assert_eq!(
            found.as_deref(),
            Some("the tool is named in another spelling"),
            "{name}"
        );
    }
    let nameless = ToolCall {
        name: None,
        args: ToolArgs::Absent,
    };
    let (_, say) = refused(wire(true), &nameless).unwrap();
    assert_eq!(say, "The name of the tool cannot be read.");
}

#[test]
fn the_caller_reads_which_argument_and_not_what_would_pass() {
    let say = |args: &str| {
        let call = ToolCall::new("wire_transfer", Some(args.to_owned()));
        refused(wire(true), &call).unwrap().1
    };
    assert_eq!(
        say(&but("\"amount\":250001")),
        "The value of the argument `amount` is not allowed."
    );
    assert_eq!(say("{}"), "The argument `amount` is missing.");
    assert_eq!(say(&but("\"fee\":1")), "The argument `fee` is not known.");
    assert_eq!(say(&but("\"f\\u0000\":1")), "An argument is not known.");
    assert_eq!(
        say(&but("\"Amount\":1")),
        "The argument `amount` can be read in two ways."
    );
    assert_eq!(say("[]"), "The arguments of the tool cannot be read.");
    let unreadable = ToolCall {
        name: Some(Box::from("wire_transfer")),
        args: ToolArgs::Unreadable,
    };
    assert!(refused(wire(false), &unreadable).is_some());
}

#[test]
fn an_explanation_has_all_of_it_and_the_remedy() {
    let tools = Tools::new(vec![wire(true)]);
    let args = r#"{"amount":"7","fee":1,"recipient":{"iban":"x"},"reference":"?"}"#;
    let told = tools
        .explain(&ToolCall::new("wire_transfer", Some(args.to_owned())))
        .unwrap();
    let told: Vec<_> = told.wrong.iter().map(ToString::to_string).collect();
    let expected = [
        "`amount` is not a number: it must be a number of at most 250000",
        "`currency` is missing: it must be GBP or EUR",
        "`recipient.iban` is not an IBAN: it must be an IBAN",
        "`reference` does not match `matches`: it must be a text that matches [A-Z0-9]{1,8}",
        "`fee` is not one that `args` names: leave it out",
    ];
    assert_eq!(told, expected);
    assert!(tools.explain(&ToolCall::new("search", None)).is_none());
}

#[test]
fn more_than_anybody_reads_is_not_kept() {
    let many: Vec<_> = (0..1000).map(|number| format!("\"x{number}\":1")).collect();
    let tools = Tools::new(vec![wire(true)]);
    let call = ToolCall::new("wire_transfer", Some(but(&many.join(","))));
    assert_eq!(tools.explain(&call).unwrap().wrong.len(), 20);
}

proptest! {
    #[test]
    fn a_bound_is_kept_to_the_last_digit(whole in 0_u64.., fraction in 0_u32..1000, bound: u64) {
        let args = format!("{{\"amount\":{whole}.{fraction:03}}}");
        let args_of = vec![argument("amount", at_most(&bound.to_string()))];
        let passes = detail(tool("t", args_of, true), "t", &args).is_none();
        prop_assert_eq!(passes, whole < bound || (whole == bound && fraction == 0));
    }

    #[test]
    fn nothing_that_a_caller_writes_is_trouble(text in "\\PC*") {
        let json = serde_json::Value::from(text.as_str()).to_string();
        for args in [text.clone(), json.clone(), format!("{{{json}:1}}"), but(&format!("\"note\":{json}"))] {
            let call = ToolCall::new("wire_transfer", Some(args));
            refused(wire(true), &call);
        }
        refused(wire(true), &ToolCall::new(&text, None));
    }
}
