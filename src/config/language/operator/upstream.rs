//! `upstream`.

use super::listeners::{BUNDLE, SVID};
use crate::config::language::text::{AGENT_URL, HTTP_PATH, PATH, SPIFFE_ID, TEXT};
use crate::config::language::{Field, Record, Value, Word};

pub(in crate::config) static UPSTREAM: Record = Record::new(
    "upstream",
    "Where the agent is, and how it is spoken to.",
    &[
        Field::new(
            "url",
            Value::Text(&AGENT_URL),
            "The agent: `http://` (HTTP/1.1), `h2c://` (HTTP/2 in the clear), `https://` (either, as the agent chooses), or \
             `unix:/path` (HTTP/1.1 over a socket). A host and perhaps a port, and no path. A name is resolved again for each connection.",
        )
        .required()
        .examples(&["\"http://127.0.0.1:9000\"", "\"https://agent.example\"", "\"unix:/run/agent.sock\""]),
        Field::new(
            "ports",
            Value::OneOrMore(&Value::Number { least: 1, most: 65_535 }),
            "Ports of its host that transparent listeners may reach, at most 32: that of `url` and others. Each is an agent of its \
             own, with a pool, an ejection and probes of its own.",
        )
        .otherwise("that of `url`")
        .examples(&["[9000, 8081]"]),
        Field::new("tls", Value::Record(&UPSTREAM_TLS), "TLS with the agent, for `https://` only.")
            .otherwise("the system's authorities, and no certificate of ours")
            .examples(&["{ ca: tls/agent-ca.crt }"]),
        Field::new("pool", Value::Record(&POOL), "Connections to the agent.").otherwise("the defaults of each field"),
        Field::new(
            "retry",
            Value::Word(RETRY),
            "What is sent once more when a connection that was used before breaks without an answer. What the agent cannot have \
             begun on is sent again in either case.",
        )
        .default("never"),
        Field::new(
            "ejection",
            Value::Either(&[Value::Word(OFF), Value::Record(&EJECTION)]),
            "When the agent is not asked for a while, because it does not answer.",
        )
        .otherwise("the defaults of each field"),
        Field::new("health", Value::Record(&HEALTH), "How the agent is probed, on a connection of its own.")
            .otherwise("not at all")
            .examples(&["{ path: /health, every: 5s }"]),
    ],
);

static OFF: &[Word] = &[Word::new("off", "Never.")];

pub(in crate::config) static RETRY: &[Word] = &[
    Word::new("never", "Nothing else."),
    Word::new(
        "safe",
        "Also a request of a safe method without a body (RFC 9110, section 9.2.2).",
    ),
];

pub(in crate::config) static UPSTREAM_TLS: Record = Record::new(
    "upstream-tls",
    "TLS with the agent. Files are looked at every 5 s and read again when they change; open connections keep what they began with.",
    &[
        Field::new(
            "ca",
            Value::Either(&[Value::Word(BUNDLE), Value::Text(&PATH)]),
            "The authorities that may vouch for the agent: a file, PEM, or the Workload API. Nobody else is believed then.",
        )
        .otherwise("the system's")
        .examples(&["tls/agent-ca.crt", "workloadApi"]),
        Field::new(
            "cert",
            Value::Either(&[Value::Word(SVID), Value::Text(&PATH)]),
            "Who lictor says it is when the agent asks: a file with a certificate and its chain, PEM, or the Workload API.",
        )
        .otherwise("nobody")
        .examples(&["tls/lictor.crt", "workloadApi"]),
        Field::new("key", Value::Text(&PATH), "Its private key, PEM. Beside a `cert` in a file only.")
            .otherwise("none")
            .examples(&["tls/lictor.key"]),
        Field::new(
            "serverName",
            Value::Text(&TEXT),
            "The name that the agent is asked for (SNI) and that its certificate must have.",
        )
        .otherwise("the host of `url`")
        .examples(&["agent.internal"]),
        Field::new(
            "spiffeId",
            Value::Text(&SPIFFE_ID),
            "The name that the agent's certificate must have as a workload. Which host it names does not matter then. With \
             `ca: workloadApi` only.",
        )
        .otherwise("any workload of our trust domain whose certificate has the name of the host")
        .examples(&["\"spiffe://prod.example/ns/agents/sa/quotes\""]),
    ],
)
.may_be_empty();

const fn count(name: &'static str, most: u64, default: &'static str, doc: &'static str) -> Field {
    Field::new(name, Value::Number { least: 1, most }, doc).default(default)
}

pub(in crate::config) static POOL: Record = Record::new(
    "pool",
    "Connections to the agent.",
    &[
        count(
            "idle",
            10_000,
            "128",
            "Idle HTTP/1.1 connections that each worker keeps, for 60 s at most.",
        ),
        count(
            "streams",
            10_000,
            "100",
            "Exchanges that share one HTTP/2 connection, unless the agent allows fewer.",
        ),
        count(
            "exchanges",
            1_000_000,
            "10000",
            "Exchanges that may be with the agent at once, over all workers.",
        ),
        count(
            "pending",
            1_000_000,
            "1024",
            "Calls that may wait for one of those to end, for `connect` at most. Past either: 503.",
        ),
        Field::new(
            "connect",
            Value::Duration,
            "How long a connection may take to open, name resolution and handshake included. Past it: 503.",
        )
        .default("2s"),
        Field::new(
            "firstByte",
            Value::Duration,
            "From the last byte of the request to the first of the answer. Past it: 504.",
        )
        .default("60s"),
    ],
)
.may_be_empty();

pub(in crate::config) static EJECTION: Record = Record::new(
    "ejection",
    "When the agent is not asked for a while. Any answer ends a row of failures.",
    &[
        count("connectFailures", 1_000_000, "3", "Connections in a row that could not be opened."),
        count(
            "exchangeFailures",
            1_000_000,
            "20",
            "Exchanges in a row without an answer. Callers can bring these about, so they should be many.",
        ),
        Field::new("time", Value::Duration, "How long it is not asked; then one call tries it.").default("2s"),
    ],
)
.may_be_empty();

pub(in crate::config) static HEALTH: Record = Record::new(
    "health",
    "How the agent is probed. While it is unhealthy it is not asked.",
    &[
        Field::new(
            "path",
            Value::Text(&HTTP_PATH),
            "What a GET must answer with 2xx or 3xx.",
        )
        .otherwise("a probe only opens a connection")
        .examples(&["/health"]),
        Field::new("every", Value::Duration, "From one probe to the next.").default("5s"),
        Field::new("timeout", Value::Duration, "How long one may take.").default("2s"),
        count(
            "healthy",
            1000,
            "1",
            "Successes in a row until it is asked again.",
        ),
        count(
            "unhealthy",
            1000,
            "3",
            "Failures in a row until it is not asked.",
        ),
    ],
)
.may_be_empty();
