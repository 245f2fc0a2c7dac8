//! `tools`.

use crate::config::language::text::{PIN, REGEX};
use crate::config::language::{Field, Key, Map, Misplaced, Record, Value, Word};

pub(in crate::config) static TOOL: Record = Record::new(
    "tool",
    "What a call of a tool must look like. A call whose tool has another spelling of its name is refused too, in case the agent does not mind.",
    &[
        Field::new(
            "args",
            Value::Map(&Map {
                key: &Key::text("argument"),
                value: Value::Optional(&ARGUMENT),
            }),
            "Arguments by name, and what each must be. A dot leads into an argument that is an object: `recipient.iban`.",
        )
        .otherwise("arguments are what they like, or there are none where `unknownArgs` denies")
        .examples(&["{ amount: { max: 250000 }, currency: { oneOf: [GBP, EUR] }, note: {} }"]),
        Field::new(
            "unknownArgs",
            Value::Word(UNKNOWN),
            "What happens to a call with an argument that `args` does not name.",
        )
        .default("allow"),
        Field::new(
            "pin",
            Value::Text(&PIN),
            "The SHA-256 of the tool's entry in `tools/list`, as canonical JSON (RFC 8785); the first digits will do. An entry that differs is not shown, and calls of the tool are refused until it is listed as it was. The log tells what a pinned tool is listed as.",
        )
        .otherwise("it may change")
        .examples(&["sha256:0f5e2c7d"]),
    ],
)
.hints(&[
    ("additionalProperties", "unknownArgs"),
    ("arguments", "args"),
    ("params", "args"),
    ("parameters", "args"),
    ("properties", "args"),
    ("unknown", "unknownArgs"),
]);

pub(in crate::config) static UNKNOWN: &[Word] = &[
    Word::new("allow", "It passes."),
    Word::new(
        "deny",
        "It is refused. Inside of an object this holds where only parts of the object are named, and not the object itself.",
    ),
];

pub(in crate::config) static ARGUMENT: Record = Record::new(
    "argument",
    "What one argument must be. Every condition that is written must hold. With nothing written it may be anything, or left out.",
    &[
        Field::new(
            "max",
            Value::Decimal,
            "A number that is at most this. Numbers are compared exactly, whatever their size; a number in quotes is a text, and no number.",
        )
        .examples(&["250000"]),
        Field::new("min", Value::Decimal, "A number that is at least this.").examples(&["0.01"]),
        Field::new(
            "oneOf",
            Value::List(&Value::Any),
            "One of these values: all texts, all numbers, or all `true` and `false`. Texts are compared letter by letter.",
        )
        .examples(&["[GBP, EUR]"]),
        Field::new(
            "matches",
            Value::Text(&REGEX),
            "A text that matches this regular expression as a whole, of at most 16 KiB. `\\d` and `\\w` are of all of Unicode: write `[0-9]` for digits that a machine reads.",
        )
        .examples(&["'[A-Z]{3}'"]),
        Field::new("is", Value::Word(IS), "A text of this kind.").examples(&["iban"]),
        Field::new(
            "optional",
            Value::Boolean,
            "Whether a call may leave it out, or give `null`. An argument of which something is asked must be there otherwise: the tool would \
             choose a value in its place that nobody has judged.",
        )
        .default("false"),
    ],
)
.hints(&[
    ("enum", "oneOf"),
    ("format", "is"),
    ("maximum", "max"),
    ("minimum", "min"),
    ("pattern", "matches"),
    ("regex", "matches"),
    ("type", "is"),
    ("values", "oneOf"),
])
.misplaced(&[Misplaced {
    field: "required",
    title: "an argument of which something is asked is required anyway",
    help: "leave `required` out; write `optional: true` where the argument may be left out",
}])
.may_be_empty();

pub(in crate::config) static IS: &[Word] = &[
    Word::new(
        "iban",
        "A bank account (ISO 13616), with the length of its country and the right check digits, in one piece or in groups of four.",
    ),
    Word::new(
        "email",
        "An e-mail address, as forms on web pages take it, with a domain of two labels or more.",
    ),
    Word::new(
        "url",
        "An absolute `http` or `https` URL with a host, in ASCII, without the name of a user.",
    ),
    Word::new("uuid", "A UUID in five groups."),
];
