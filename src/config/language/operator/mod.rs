//! The shape of `lictor.yaml`.

mod listeners;
mod records;
mod upstream;

pub(in crate::config) use listeners::{
    CERTIFICATE, CLIENT_CERTIFICATES, CLIENT_MODE, DEADLINES, LIMITS, LISTENER, LISTENERS,
    MIN_VERSION, PROXY_PROTOCOL, PUBLIC, REDIRECT, SVID, TLS, TRANSPARENT, VERSIONS,
};
pub(in crate::config) use records::{
    AUDIT, FILE, LOG_FORMAT, LOG_LEVEL, LOGS, ON_FULL, SINKS, SPOOL, TELEMETRY,
};
pub(in crate::config) use upstream::{EJECTION, HEALTH, POOL, RETRY, UPSTREAM, UPSTREAM_TLS};

use super::text::{ADDRESS, FIELD_NAME, FOLDER, NAME, PATH, PREFIX, SOCKET, TEXT};
use super::{Field, Record, VERSION, VERSION_DOC, Value, Word};

/// The operator's file.
pub(in crate::config) static OPERATOR: Record = Record::new(
    "operator",
    "`lictor.yaml` is the operator's file, read once at start. Everything but `upstream` has a default. Paths are relative to the \
     file. The common settings are also flags and environment variables (`lictor run --help`); flags win. Keys that begin with `x-` \
     hold anchors and say nothing.",
    &[
        Field::new("lictor", Value::Word(VERSION), VERSION_DOC).required(),
        Field::new("agent", Value::Record(&AGENT), "The agent that lictor stands beside.")
            .otherwise("`{ name: agent }`")
            .examples(&["{ name: quotes-agent }"]),
        Field::new(
            "stateDir",
            Value::Text(&FOLDER),
            "Where state lies: audit records, who owns which task, what was revoked by hand, and the key of fingerprints. Never in a volume that is read-only.",
        )
        .default("/var/lib/lictor"),
        Field::new(
            "listeners",
            Value::Record(&LISTENERS),
            "Where callers connect.",
        )
        .otherwise("`public` on 127.0.0.1:8443, plain"),
        Field::new("upstream", Value::Record(&UPSTREAM), "Where the agent is, and how it is spoken to.")
            .required()
            .examples(&["{ url: \"http://127.0.0.1:9000\" }"]),
        Field::new(
            "workloadApi",
            Value::Record(&WORKLOAD_API),
            "The SPIFFE Workload API that hands out certificates where a listener or `upstream.tls` says `workloadApi`.",
        )
        .otherwise("the defaults of each field")
        .examples(&["{ socket: \"unix:///run/spire/agent.sock\" }"]),
        Field::new("policies", Value::Record(&POLICIES), "Where the policies lie.")
            .otherwise("the folder `policies` beside this file")
            .examples(&["{ path: policies/ }"]),
        Field::new(
            "admin",
            Value::Record(&ADMIN),
            "Where probes and metrics are answered. Never on the data port.",
        )
        .otherwise("on 127.0.0.1:9901"),
        Field::new(
            "identityHeaders",
            Value::Record(&IDENTITY_HEADERS),
            "In which header fields the agent reads what was verified. Whatever a caller sends in them is removed.",
        )
        .otherwise("the defaults of each field"),
        Field::new("audit", Value::Record(&AUDIT), "Where audit records go. There is one for each call.")
            .otherwise("to `audit.jsonl` below `stateDir`"),
        Field::new("telemetry", Value::Record(&TELEMETRY), "Logs and traces.")
            .otherwise("JSON logs to standard error, from `info` on"),
        Field::new("runtime", Value::Record(&RUNTIME), "How the process uses the machine.")
            .otherwise("one worker for each processor"),
        Field::new("stores", Value::Record(&STORES), "What instances share.")
            .otherwise("each instance remembers for itself")
            .examples(&["{ redis: { url: { env: REDIS_URL } } }"]),
        Field::new(
            "dangerousShadowAll",
            Value::Boolean,
            "Lets everything through, whatever the policies say, and logs loudly what they would have refused: for the days in \
             which lictor is being adopted.",
        )
        .default("false")
        .planned(),
    ],
)
.hints(&[
    ("agentUrl", "upstream"),
    ("backend", "upstream"),
    ("identities", "policies"),
    ("listener", "listeners"),
    ("logging", "telemetry"),
    ("logs", "telemetry"),
    ("roles", "policies"),
    ("rules", "policies"),
    ("spiffe", "workloadApi"),
    ("spire", "workloadApi"),
]);

pub(in crate::config) static AGENT: Record = Record::new(
    "agent",
    "The agent that lictor stands beside.",
    &[
        Field::new("name", Value::Text(&NAME), "What audit records call it.")
            .default("agent")
            .examples(&["quotes-agent"]),
    ],
)
.may_be_empty();

pub(in crate::config) static WORKLOAD_API: Record = Record::new(
    "workloadApi",
    "The SPIFFE Workload API, as SPIRE and others have it. What it hands out is kept in memory only and taken over within 5 s whenever \
     it is renewed; open connections keep what they began with. While it cannot be asked the last SVID stays until it ends.",
    &[
        Field::new("socket", Value::Text(&SOCKET), "Where its socket is.")
            .otherwise("where the variable `SPIFFE_ENDPOINT_SOCKET` says")
            .examples(&["\"unix:///run/spire/agent.sock\""]),
        Field::new(
            "wait",
            Value::Duration,
            "How long the start waits for the first SVID. Without one by then lictor does not start.",
        )
        .default("30s"),
    ],
)
.may_be_empty();

pub(in crate::config) static POLICIES: Record = Record::new(
    "policies",
    "Where the policies lie, and how changes are noticed.",
    &[
        Field::new(
            "path",
            Value::Text(&FOLDER),
            "A policy file, or a folder of which all `*.yaml` and `*.yml` are read; names that begin with a dot are skipped.",
        )
        .default("policies"),
        Field::new(
            "poll",
            Value::Duration,
            "How often the files are compared with what is loaded, whether or not a change was noticed.",
        )
        .default("10s"),
    ],
)
.may_be_empty();

/// What [`Value::Secret`] is to the reader.
pub(in crate::config) static SECRET: Record = Record::new(
    "secret",
    "Where a secret lies.",
    &[
        Field::new("file", Value::Text(&PATH), "In a file.").otherwise("it lies elsewhere"),
        Field::new("env", Value::Text(&NAME), "In an environment variable.")
            .otherwise("it lies elsewhere"),
    ],
);

pub(in crate::config) static ADMIN: Record = Record::new(
    "admin",
    "The port of probes and metrics.",
    &[
        Field::new("address", Value::Text(&ADDRESS), "Where it listens.").default("127.0.0.1:9901"),
        Field::new(
            "token",
            Value::Secret,
            "What opens `/v1/` on the port: which policies are in force, reloads, revocations. Whoever asks sends it as a bearer \
             token. At least 16 bytes; a file is read again whenever the token is needed.",
        )
        .otherwise("`/v1/` is closed to everybody")
        .examples(&["{ file: secrets/admin-token }"]),
    ],
)
.may_be_empty();

pub(in crate::config) static IDENTITY_HEADERS: Record = Record::new(
    "identityHeaders",
    "Names of header fields. Each fact has its own.",
    &[
        Field::new("tenant", Value::Text(&FIELD_NAME), "The tenant.").default("x-customer-id"),
        Field::new("principal", Value::Text(&FIELD_NAME), "The caller's id.").default("x-user-id"),
        Field::new(
            "requestId",
            Value::Text(&FIELD_NAME),
            "The id of the exchange: the caller's if it is a plain one, else one of ours.",
        )
        .default("x-request-id"),
        Field::new(
            "passCredentials",
            Value::OneOrMore(&Value::Text(&FIELD_NAME)),
            "Fields with credentials that the agent gets although it need not: it could be made to tell them.",
        )
        .otherwise("none: tokens, keys and proofs are taken off")
        .examples(&["[authorization]"]),
        Field::new(
            "assertion",
            Value::Either(&[Value::Word(OFF_ALONE), Value::Record(&ASSERTION)]),
            "A signed token that says who calls, for agents that do not trust header fields alone.",
        )
        .default("off")
        .examples(&["{ audience: quotes-agent }"]),
    ],
)
.may_be_empty();

pub(in crate::config) static OFF_ALONE: &[Word] = &[Word::new("off", "Never.")];

pub(in crate::config) static ASSERTION: Record = Record::new(
    "assertion",
    "A JSON Web Token by lictor with `sub`, `tenant`, `identity` and `groups` of the caller. Callers without a credential have \
     none. Its keys are at `/jwks.json` of the admin port.",
    &[
        Field::new(
            "audience",
            Value::Text(&TEXT),
            "For whom it is made out: `aud`.",
        )
        .required()
        .examples(&["quotes-agent"]),
        Field::new(
            "header",
            Value::Text(&FIELD_NAME),
            "The field that carries it.",
        )
        .default("x-lictor-assertion"),
        Field::new("issuer", Value::Text(&TEXT), "Who says it: `iss`.").default("lictor"),
        Field::new(
            "key",
            Value::Secret,
            "The private key that signs it: Ed25519 (`EdDSA`), P-256 (`ES256`), P-384 (`ES384`) or RSA (`PS512`), in PEM or as a JWK. \
             Instances and restarts that use one key are one issuer. The file is read again when it changes; the key before stays at \
             `/jwks.json` until nothing counts that it signed.",
        )
        .otherwise("each process makes its own when it starts (`ES256`)")
        .examples(&["{ file: secrets/assertion.pem }"]),
        Field::new(
            "lifetime",
            Value::Duration,
            "How long it counts, from 10s to 1h. One is used for half of it.",
        )
        .default("60s"),
    ],
);

pub(in crate::config) static RUNTIME: Record = Record::new(
    "runtime",
    "How the process uses the machine.",
    &[Field::new(
        "workers",
        Value::Either(&[
            Value::Word(AUTO),
            Value::Number {
                least: 1,
                most: 1024,
            },
        ]),
        "Threads that serve calls.",
    )
    .default("auto")
    .examples(&["2"])],
)
.may_be_empty();

static AUTO: &[Word] = &[Word::new("auto", "One for each processor.")];

pub(in crate::config) static STORES: Record = Record::new(
    "stores",
    "What instances share.",
    &[Field::new(
        "redis",
        Value::Record(&REDIS),
        "A Redis or Valkey, which remembers what counts once: nonces of signed requests and DPoP proofs. What one instance \
         accepted, no other does, nor the same one after a restart. Without an answer within 250 ms such calls are refused.",
    )
    .otherwise("each instance remembers what it accepted itself, and refuses what was made before it started")],
)
.may_be_empty();

pub(in crate::config) static REDIS: Record = Record::new(
    "redis",
    "A Redis or Valkey.",
    &[
        Field::new(
            "url",
            Value::Secret,
            "Where its address lies, with user and password: `rediss://user:password@redis.example:6379/0`, or `redis://` without \
             TLS. Read again for each connection, so that a new password in a file needs no restart.",
        )
        .required()
        .examples(&["{ env: REDIS_URL }", "{ file: secrets/redis-url }"]),
        Field::new(
            "prefix",
            Value::Text(&PREFIX),
            "What its keys begin with. Instances of one installation have the same.",
        )
        .default("lictor"),
        Field::new(
            "ca",
            Value::Text(&PATH),
            "The authorities of its certificate, PEM, for `rediss://`. Read again for each connection.",
        )
        .otherwise("those of the system")
        .examples(&["certs/redis-ca.crt"]),
    ],
);
