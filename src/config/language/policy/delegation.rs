//! `delegation`.

use super::JWKS;
use crate::config::language::{Field, Record, Value, Word};

pub(super) static DELEGATION: Record = Record::new(
    "delegation",
    "How a chain of delegates is judged: the `act` claim of a token (RFC 8693, section 4.1), or an on-behalf-of field that an \
     identity signed.",
    &[
        Field::new(
            "maxDepth",
            Value::Number { least: 1, most: 64 },
            "How many delegates a chain may have.",
        )
        .default("5")
        .planned(),
        Field::new(
            "issuers",
            Value::Record(&ISSUERS),
            "Who may vouch for a delegation.",
        )
        .otherwise("the identities of this policy")
        .planned(),
        Field::new(
            "uncorrelated",
            Value::Word(UNCORRELATED),
            "What a call is that names no chain though its agent is in one.",
        )
        .default("self")
        .planned(),
        Field::new("rights", Value::Word(RIGHTS), "Whose rights count.")
            .default("intersection")
            .planned(),
        Field::new(
            "denyLoops",
            Value::Boolean,
            "Whether a chain in which an actor stands twice is refused.",
        )
        .default("true")
        .planned(),
    ],
);

static ISSUERS: Record = Record::new(
    "delegation-issuers",
    "Keys that vouch for delegations.",
    &[
        Field::new("jwks", Value::Record(&JWKS), "Where the keys come from.")
            .required()
            .examples(&["{ file: keys/delegation-jwks.json }"])
            .planned(),
    ],
);

static UNCORRELATED: &[Word] = &[
    Word::new("self", "The agent's own call."),
    Word::new("deny", "Refused."),
];

static RIGHTS: &[Word] = &[Word::new(
    "intersection",
    "Every actor of the chain must hold the right itself.",
)];
