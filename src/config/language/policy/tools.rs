//! `tools`.

use crate::config::language::text::{PIN, REGEX};
use crate::config::language::{Field, Key, Map, Record, Value, Word};

pub(super) static TOOL: Record = Record::new(
    "tool",
    "What a call of a tool must look like.",
    &[
        Field::new(
            "args",
            Value::Map(&Map {
                key: &Key::text("argument"),
                value: Value::Record(&ARGUMENT),
            }),
            "Arguments by name, and what each must be.",
        )
        .otherwise("any")
        .examples(&["{ amount: { max: 250000 }, currency: { oneOf: [GBP, EUR] } }"])
        .planned(),
        Field::new(
            "unknownArgs",
            Value::Word(UNKNOWN),
            "What happens to a call with an argument that `args` does not name.",
        )
        .default("allow")
        .planned(),
        Field::new(
            "pin",
            Value::Text(&PIN),
            "The hash of the tool's description. Calls are refused when the description that the agent lists has changed.",
        )
        .otherwise("it may change")
        .examples(&["sha256:0f5e2c7d"])
        .planned(),
    ],
);

static UNKNOWN: &[Word] = &[
    Word::new("allow", "It passes."),
    Word::new("deny", "It is refused."),
];

static ARGUMENT: Record = Record::new(
    "argument",
    "What one argument must be. Every condition that is written must hold.",
    &[
        Field::new("max", Value::Any, "A number that is at most this.")
            .examples(&["250000"])
            .planned(),
        Field::new("min", Value::Any, "A number that is at least this.")
            .examples(&["1"])
            .planned(),
        Field::new("oneOf", Value::List(&Value::Any), "One of these values.")
            .examples(&["[GBP, EUR]"])
            .planned(),
        Field::new(
            "matches",
            Value::Text(&REGEX),
            "A text that matches this regular expression as a whole.",
        )
        .examples(&["'[A-Z]{3}'"])
        .planned(),
        Field::new("is", Value::Word(IS), "A text of this kind.")
            .examples(&["iban"])
            .planned(),
    ],
);

static IS: &[Word] = &[
    Word::new(
        "iban",
        "A bank account (ISO 13616), with the right check digits.",
    ),
    Word::new("email", "An e-mail address."),
    Word::new("url", "An absolute URL."),
    Word::new("uuid", "A UUID."),
];
