//! `audit` and `telemetry`.

use crate::config::language::text::{PATH, PERCENT, TEXT};
use crate::config::language::{Field, Record, Value, Word};

pub(in crate::config) static AUDIT: Record = Record::new(
    "operator-audit",
    "Where audit records go.",
    &[
        Field::new("spool", Value::Record(&SPOOL), "Records on their way.")
            .otherwise("the defaults of each field"),
        Field::new("sinks", Value::Record(&SINKS), "Where records end.").otherwise("the file"),
    ],
)
.may_be_empty();

pub(in crate::config) static SPOOL: Record = Record::new(
    "spool",
    "Records on their way: at most 8192 wait.",
    &[
        Field::new(
            "onFull",
            Value::Word(ON_FULL),
            "What happens to a call when a record more would wait.",
        )
        .default("deny"),
        Field::new(
            "fsync",
            Value::Word(FSYNC),
            "Which records are on the disk before their outcome leaves.",
        )
        .default("denials")
        .planned(),
        Field::new(
            "maxSize",
            Value::Size,
            "How much may wait for sinks that do not answer.",
        )
        .default("1GiB")
        .planned(),
    ],
)
.may_be_empty();

pub(in crate::config) static ON_FULL: &[Word] = &[
    Word::new(
        "deny",
        "It is refused: nothing happens that is not recorded.",
    ),
    Word::new("drop", "It goes on, and its record is lost and counted."),
    Word::new("block", "It waits.").planned(),
];

static FSYNC: &[Word] = &[
    Word::new("always", "All."),
    Word::new("denials", "Those of refusals."),
    Word::new("never", "None."),
];

pub(in crate::config) static SINKS: Record = Record::new(
    "sinks",
    "Where records end.",
    &[
        Field::new("file", Value::Record(&FILE), "A file of JSON lines.")
            .otherwise("`audit.jsonl` below `stateDir`"),
        Field::new("stdout", Value::Boolean, "Standard output.")
            .default("false")
            .planned(),
        Field::new(
            "postgres",
            Value::Record(&POSTGRES),
            "Tables of a PostgreSQL.",
        )
        .otherwise("none")
        .planned(),
        Field::new(
            "otlp",
            Value::Text(&TEXT),
            "An OpenTelemetry collector, by URL.",
        )
        .otherwise("none")
        .examples(&["\"http://127.0.0.1:4318\""])
        .planned(),
    ],
)
.may_be_empty();

pub(in crate::config) static FILE: Record = Record::new(
    "audit-file",
    "A file of JSON lines.",
    &[
        Field::new(
            "path",
            Value::Text(&PATH),
            "The file, below `stateDir`; `-` is standard output.",
        )
        .default("audit.jsonl"),
        Field::new(
            "rotate",
            Value::Size,
            "How large it may become before another is begun.",
        )
        .otherwise("it is not rotated")
        .examples(&["100MiB"])
        .planned(),
        Field::new("keep", Value::Duration, "How long files are kept.")
            .otherwise("for ever")
            .examples(&["30d"])
            .planned(),
    ],
)
.may_be_empty();

static POSTGRES: Record = Record::new(
    "postgres",
    "A PostgreSQL.",
    &[
        Field::new("url", Value::Secret, "Its address, with user and password.")
            .required()
            .examples(&["{ env: DATABASE_URL }"])
            .planned(),
    ],
);

pub(in crate::config) static TELEMETRY: Record = Record::new(
    "telemetry",
    "Logs and traces.",
    &[
        Field::new("logs", Value::Record(&LOGS), "Logs, to standard error.")
            .otherwise("the defaults of each field"),
        Field::new("traces", Value::Record(&TRACES), "Spans of calls.")
            .otherwise("none")
            .planned(),
    ],
)
.may_be_empty();

pub(in crate::config) static LOGS: Record = Record::new(
    "logs",
    "What is logged, and how. The environment variable `LICTOR_LOG` narrows it down to modules.",
    &[
        Field::new("format", Value::Word(LOG_FORMAT), "How a line looks.").default("json"),
        Field::new(
            "level",
            Value::Word(LOG_LEVEL),
            "From which level on lines are logged.",
        )
        .default("info"),
    ],
)
.may_be_empty();

pub(in crate::config) static LOG_FORMAT: &[Word] = &[
    Word::new("json", "One JSON object to a line."),
    Word::new("pretty", "For a terminal."),
];

pub(in crate::config) static LOG_LEVEL: &[Word] = &[
    Word::new("trace", "Everything."),
    Word::new("debug", "What helps to find a bug; one line for each call."),
    Word::new("info", "What happens."),
    Word::new("warn", "What an operator can act on."),
    Word::new("error", "What does not work."),
];

static TRACES: Record = Record::new(
    "traces",
    "Where spans of calls go.",
    &[
        Field::new(
            "otlp",
            Value::Text(&TEXT),
            "An OpenTelemetry collector, by URL.",
        )
        .required()
        .examples(&["\"http://127.0.0.1:4318\""])
        .planned(),
        Field::new(
            "sample",
            Value::Text(&PERCENT),
            "How many calls that begin a trace are sampled.",
        )
        .default("100%")
        .examples(&["10%"])
        .planned(),
    ],
);
