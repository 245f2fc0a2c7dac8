//! `http.a2aTenant`.

use crate::config::language::text::HTTP_PATH;
use crate::config::language::{Field, Record, Value, Word};

pub(super) const WORD_OR_TENANT: Value =
    Value::Either(&[Value::Word(A2A_TENANT), Value::Record(&NAMED_TENANT)]);

pub(in crate::config) static A2A_TENANT: &[Word] = &[
    Word::new("pass", "Any, or none: it is the agent's to judge."),
    Word::new(
        "match",
        "The caller's own, or none. Another is refused with 403.",
    ),
    Word::new(
        "require",
        "The caller's own. Another, or none, is refused with 403.",
    ),
];

pub(in crate::config) static NAMED_TENANT: Record = Record::new(
    "a2aTenant",
    "Which tenant a call of A2A may name: as `tenant` of its parameters, of its query, of a push configuration, or as the segment of the path before an \
     operation of REST.",
    &[
        Field::new("may", Value::Word(A2A_TENANT), "Which.").default("match"),
        Field::new(
            "basePath",
            Value::Text(&HTTP_PATH),
            "Where the agent's operations over REST begin. One segment behind it is a tenant, and more are refused.",
        )
        .default("/"),
    ],
)
.hints(&[("base", "basePath"), ("mode", "may"), ("path", "basePath")]);
