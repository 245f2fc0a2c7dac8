//! `people` and `tests`.

use super::TENANT_NAME;
use crate::config::language::text::{ADDRESS_ALONE, NAME, TEXT, TIME};
use crate::config::language::{Field, Record, Value, Word};

pub(super) static PERSON: Record = Record::new(
    "person",
    "A caller of tests.",
    &[
        Field::new(
            "identity",
            Value::Text(&NAME),
            "Who vouches for them: a name under `identities`.",
        )
        .otherwise("the only one")
        .examples(&["corp"])
        .planned(),
        Field::new("id", Value::Text(&TEXT), "Their id.")
            .otherwise("the name under `people`")
            .examples(&["ana@acme"])
            .planned(),
        Field::new("tenant", Value::Text(&TENANT_NAME), "Their tenant.")
            .default("default")
            .examples(&["acme"])
            .planned(),
        Field::new(
            "groups",
            Value::OneOrMore(&Value::Text(&TEXT)),
            "Their groups.",
        )
        .otherwise("none")
        .examples(&["[analysts, staff]"])
        .planned(),
        Field::new("claims", Value::Any, "Further claims of their token.")
            .otherwise("none")
            .planned(),
    ],
);

pub(super) static TEST: Record = Record::new(
    "test",
    "A call, and what must become of it.",
    &[
        Field::new(
            "as",
            Value::Either(&[Value::Text(&TEXT), Value::Record(&PERSON)]),
            "Who calls: a name under `people`, `anonymous`, or a caller written out.",
        )
        .required()
        .examples(&["ana"])
        .planned(),
        Field::new("do", Value::Action, "The action that they ask for.")
            .required()
            .examples(&["a2a:SendMessage quote-equity"])
            .planned(),
        Field::new("args", Value::Any, "The arguments of the call.")
            .otherwise("none")
            .examples(&["{ amount: 10, currency: GBP }"])
            .planned(),
        Field::new(
            "from",
            Value::Text(&ADDRESS_ALONE),
            "The address that they call from.",
        )
        .otherwise("127.0.0.1")
        .planned(),
        Field::new("at", Value::Text(&TIME), "When they call.")
            .default("2026-01-01T12:00:00Z")
            .planned(),
        Field::new(
            "owner",
            Value::Text(&TEXT),
            "Who owns the task or context that the call names.",
        )
        .otherwise("the caller")
        .planned(),
        Field::new(
            "times",
            Value::Number {
                least: 1,
                most: 100_000,
            },
            "How often they call, at that one instant.",
        )
        .default("1")
        .planned(),
        Field::new(
            "response",
            Value::Record(&RESPONSE),
            "What the agent answers.",
        )
        .otherwise("nothing that is looked for")
        .examples(&["{ sample: aws-access-key }"])
        .planned(),
        Field::new(
            "expect",
            Value::Either(&[Value::Word(EXPECT), Value::Record(&OUTCOME)]),
            "What must become of it.",
        )
        .required()
        .examples(&["allow", "{ deny: no-wires-at-night }"])
        .planned(),
    ],
);

static EXPECT: &[Word] = &[
    Word::new("allow", "It passes."),
    Word::new("deny", "It is refused, whatever refuses it."),
];

static OUTCOME: Record = Record::new(
    "outcome",
    "What must become of a call, and what must have decided so.",
    &[
        Field::new(
            "allow",
            Value::Text(&NAME),
            "Allowed, by this role or rule.",
        )
        .examples(&["analyst"])
        .planned(),
        Field::new(
            "deny",
            Value::Text(&NAME),
            "Denied, by this rule; `default-deny` where nothing allows it.",
        )
        .examples(&["no-wires-at-night"])
        .planned(),
        Field::new("throttle", Value::Text(&NAME), "Refused by this quota.")
            .examples(&["per-caller"])
            .planned(),
        Field::new(
            "after",
            Value::Number {
                least: 0,
                most: 100_000,
            },
            "After how many calls that pass.",
        )
        .otherwise("at the first")
        .examples(&["10"])
        .planned(),
        Field::new(
            "block",
            Value::Text(&NAME),
            "The answer is blocked, by this pack or detector.",
        )
        .examples(&["credentials"])
        .planned(),
        Field::new(
            "redact",
            Value::Text(&NAME),
            "The answer is redacted, by this pack or detector.",
        )
        .examples(&["pii"])
        .planned(),
    ],
);

static RESPONSE: Record = Record::new(
    "response",
    "An answer of the agent.",
    &[
        Field::new(
            "sample",
            Value::Text(&NAME),
            "Something that a detector finds, made when the test runs, so that nothing that looks like a key lies in the policy.",
        )
        .otherwise("nothing")
        .examples(&["aws-access-key"])
        .planned(),
        Field::new("text", Value::Text(&TEXT), "The text itself.")
            .otherwise("only the sample")
            .planned(),
        Field::new("json", Value::Any, "The answer as JSON.")
            .otherwise("a text")
            .planned(),
        Field::new("chunks", Value::Text(&TEXT), "Into how large pieces the answer is cut.")
            .otherwise("one piece")
            .examples(&["1 byte"])
            .planned(),
    ],
);
