//! `audit` and `revoke`.

use super::TENANT_NAME;
use crate::config::language::text::{LINE, NAME, SAMPLE, TEXT, TIME};
use crate::config::language::{Field, Record, Value, Word};

pub(in crate::config) static AUDIT: Record = Record::new(
    "audit",
    "What audit records hold, and of which calls there are any.",
    &[
        Field::new(
            "decisions",
            Value::Either(&[Value::Word(DECISIONS), Value::Text(&SAMPLE)]),
            "Which calls have a record: all, those that are not plain, or those and a share of the plain ones. What is left out can neither be explained nor \
             replayed later; `lictor_audit_left_out_total` counts it.",
        )
        .default("all")
        .examples(&["denied-and-changed", "sample 1%"]),
        Field::new(
            "capture",
            Value::Word(CAPTURE),
            "Whether the values that conditions read of a call are recorded, so that the decision can be explained and made again: \
             claims, arguments, header fields, each up to 2 KiB, and 8 KiB together. Nothing that no condition reads is.",
        )
        .default("off"),
        Field::new(
            "include",
            Value::OneOrMore(&Value::Text(&TEXT)),
            "Attributes of a call that are recorded besides, under `captured`: spelt as in conditions, and bounded like what `capture` records. \
             Nothing of a body is recorded that is not named here or read by a condition.",
        )
        .otherwise("none")
        .examples(&["[claims.sub, args.amount]"]),
    ],
);

pub(in crate::config) static DECISIONS: &[Word] = &[
    Word::new("all", "All of them."),
    Word::new(
        "denied-and-changed",
        "Those that were refused or did not come to their end, in which something was found or written anew, or which a statement in shadow mode or \
         a candidate would have decided otherwise.",
    ),
];

pub(in crate::config) static CAPTURE: &[Word] = &[
    Word::new("off", "They are not."),
    Word::new("decision", "They are, under `captured`."),
];

pub(in crate::config) static REVOCATION: Record = Record::new(
    "revocation",
    "Whose calls are refused from now on. Every condition that is written must hold.",
    &[
        Field::new("principal", Value::Text(&LINE), "The id of a caller.")
            .otherwise("any")
            .examples(&["\"ana@acme\""]),
        Field::new("identity", Value::Text(&NAME), "Who vouches for them: a name under `identities`.")
            .otherwise("any")
            .examples(&["corp"]),
        Field::new("tenant", Value::Text(&TENANT_NAME), "A whole tenant.")
            .otherwise("any")
            .examples(&["acme"]),
        Field::new(
            "key",
            Value::Text(&LINE),
            "The id (`kid`) of the key that signed the credential.",
        )
        .otherwise("any")
        .examples(&["k-2026-03"]),
        Field::new(
            "agent",
            Value::Text(&NAME),
            "The agent that is called: alone, it refuses every call to that agent.",
        )
        .otherwise("any")
        .examples(&["quotes-agent"]),
        Field::new(
            "task",
            Value::Text(&LINE),
            "One task: calls that name it, and the stream of the call that it was made for.",
        )
        .otherwise("any")
        .examples(&["task-7f3a"]),
        Field::new(
            "since",
            Value::Text(&TIME),
            "Credentials that were issued before this are refused, and those that do not say when; later ones are not.",
        )
        .otherwise("all are")
        .examples(&["2026-11-20T10:00:00Z"]),
    ],
);
