//! `limits`.

use crate::config::language::{Field, Key, Map, Record, Value};

pub(in crate::config) static LIMITS: Record = Record::new(
    "limits",
    "Limits of all actions (`default`), and of those that a pattern covers.",
    &[Field::new(
        "default",
        Value::Record(&LIMIT),
        "For every action. What a more specific pattern sets is taken from there, field by field.",
    )
    .otherwise("the defaults of each field")
    .examples(&["{ request: 1MiB, time: 30s }"])],
)
.others(&Map {
    key: &Key::ACTION,
    value: Value::Record(&LIMIT),
});

pub(in crate::config) static LIMIT: Record = Record::new(
    "limit",
    "How large and how slow a call may be.",
    &[
        Field::new(
            "request",
            Value::Size,
            "The body of a request, at most `64MiB`; a message of a caller in a WebSocket. Past it: 413.",
        )
        .default("1MiB"),
        Field::new(
            "response",
            Value::Size,
            "The body of an answer, at most `1024GiB`. Past it: 502, or the answer is cut.",
        )
        .default("16MiB")
        .examples(&["256MiB"]),
        Field::new(
            "time",
            Value::Duration,
            "The whole call, from its head to the last byte of the answer, at most `7d`. An event stream or a WebSocket has \
             `30m` and may send `256MiB` where no pattern says otherwise.",
        )
        .default("30s"),
        Field::new(
            "idle",
            Value::Duration,
            "Between two pieces of an answer, at most `7d`.",
        )
        .default("60s"),
        Field::new(
            "jsonDepth",
            Value::Number { least: 1, most: 128 },
            "How deeply the JSON of a request may be nested.",
        )
        .default("64"),
        Field::new(
            "decompressRatio",
            Value::Number { least: 1, most: 10_000 },
            "How many times its size the compressed body of an answer may become where lictor reads it, but for the first \
             64 KiB; `response` then bounds what it becomes. Past it: 502, or the answer is cut.",
        )
        .default("100"),
    ],
)
.hints(&[
    ("body", "request"),
    ("depth", "jsonDepth"),
    ("size", "request"),
    ("timeout", "time"),
])
.consequence("without it a wider default would hold");
