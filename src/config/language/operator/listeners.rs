//! `listeners`.

use crate::config::language::text::{ADDRESS, NETWORK, PATH};
use crate::config::language::{Field, Key, Map, Record, Value, Word};

pub(in crate::config) static LISTENERS: Record = Record::new(
    "listeners",
    "Where callers connect.",
    &[
        Field::new("public", Value::Record(&PUBLIC), "The data port.").otherwise("127.0.0.1:8443, plain"),
        Field::new(
            "redirect",
            Value::Record(&REDIRECT),
            "A plain port that answers every request with 308 to the TLS of `public`, and serves nothing. It leads only to names \
             that the certificates have.",
        )
        .otherwise("none")
        .examples(&["{ address: \"0.0.0.0:8080\" }"]),
    ],
)
.others(&Map {
    key: &Key::name("listener").examples(&["internal", "mesh"]),
    value: Value::Record(&LISTENER),
})
.may_be_empty();

pub(in crate::config) static PUBLIC: Record =
    Record::new("public", "The data port.", &PUBLIC_FIELDS).may_be_empty();

pub(in crate::config) static LISTENER: Record = Record::new(
    "listener",
    "A further port where callers are served, under a name of your own: the same agent and the same policies, with TLS, caps and \
     deadlines of its own. At most 15.",
    &LISTENER_FIELDS,
);

static PUBLIC_FIELDS: [Field; 9] = serving(ADDRESS_FIELD.default("127.0.0.1:8443"));

static LISTENER_FIELDS: [Field; 9] = serving(ADDRESS_FIELD.required());

const ADDRESS_FIELD: Field = Field::new(
    "address",
    Value::Text(&ADDRESS),
    "Where it listens. Without `tls` it may be loopback only, unless `dangerousPlainHttp` says otherwise.",
)
.examples(&["\"0.0.0.0:8443\""]);

static VERSION: Value = Value::Word(VERSIONS);

static PEER: Value = Value::Text(&NETWORK);

const fn serving(address: Field) -> [Field; 9] {
    [
        address,
        Field::new("tls", Value::Record(&TLS), "Its TLS.")
            .otherwise("it is plain")
            .examples(&["{ certificates: [{ cert: tls/tls.crt, key: tls/tls.key }] }"]),
        Field::new(
            "versions",
            Value::OneOrMore(&VERSION),
            "What is spoken: by ALPN over TLS; in the clear the first bytes tell (HTTP/2 with prior knowledge).",
        )
        .default("[h1, h2]"),
        Field::new(
            "trustedPeers",
            Value::OneOrMore(&PEER),
            "Networks of the proxies in front of lictor, whose PROXY protocol and forwarded fields count. Their connections are \
             not held to `perSource`.",
        )
        .otherwise("nobody is believed")
        .examples(&["[10.0.0.0/8]"]),
        Field::new(
            "proxyProtocol",
            Value::Word(PROXY_PROTOCOL),
            "Whether connections begin with a header that says for whom they are (PROXY protocol, versions 1 and 2).",
        )
        .default("off"),
        Field::new(
            "transparent",
            Value::Word(TRANSPARENT),
            "Whether the kernel brings connections that were for a port of an agent. The port chooses the agent (`upstream.ports`); \
             what is for another port, or was redirected by nobody, is closed.",
        )
        .default("off"),
        Field::new("limits", Value::Record(&LIMITS), "How much one listener holds.").otherwise("the defaults of each field"),
        Field::new("deadlines", Value::Record(&DEADLINES), "How long each step may take.")
            .otherwise("the defaults of each field"),
        Field::new(
            "dangerousPlainHttp",
            Value::Boolean,
            "Accepts that tokens and answers cross a network in the clear.",
        )
        .default("false"),
    ]
}

pub(in crate::config) static VERSIONS: &[Word] =
    &[Word::new("h1", "HTTP/1.1."), Word::new("h2", "HTTP/2.")];

pub(in crate::config) static PROXY_PROTOCOL: &[Word] = &[
    Word::new("off", "It is not spoken."),
    Word::new(
        "optional",
        "Trusted peers may begin with it; others are callers.",
    ),
    Word::new(
        "required",
        "Only trusted peers may connect, and each connection begins with it.",
    ),
];

pub(in crate::config) static TRANSPARENT: &[Word] = &[
    Word::new("off", "It brings none."),
    Word::new(
        "redirect",
        "By REDIRECT rules of iptables or nftables; needs no right.",
    ),
    Word::new(
        "tproxy",
        "By TPROXY rules; needs CAP_NET_ADMIN, and routes for what they mark.",
    ),
];

pub(in crate::config) static REDIRECT: Record = Record::new(
    "redirect",
    "A plain port that leads to TLS.",
    &[
        Field::new("address", Value::Text(&ADDRESS), "Where it listens.")
            .required()
            .examples(&["\"0.0.0.0:8080\""]),
        Field::new(
            "port",
            Value::Number {
                least: 1,
                most: 65_535,
            },
            "The port of `https`, as callers see it.",
        )
        .default("443"),
        Field::new("limits", Value::Record(&LIMITS), "How much it holds.")
            .otherwise("the defaults of each field"),
        Field::new(
            "deadlines",
            Value::Record(&DEADLINES),
            "How long each step may take.",
        )
        .otherwise("the defaults of each field"),
    ],
);

pub(in crate::config) static TLS: Record = Record::new(
    "tls",
    "TLS with callers. Files are looked at every 5 s and read again when they change; a wrong one is logged and not taken over.",
    &[
        Field::new(
            "certificates",
            Value::List(&CERTIFICATE_OR_SVID),
            "Chains and keys. Of several the server name chooses, and the first is for names that none has.",
        )
        .required()
        .examples(&["[{ cert: tls/tls.crt, key: tls/tls.key }]", "[workloadApi]"]),
        Field::new("minVersion", Value::Word(MIN_VERSION), "The oldest version that is spoken.")
            .default("\"1.3\""),
        Field::new(
            "clientCertificates",
            Value::Record(&CLIENT_CERTIFICATES),
            "Certificates of callers.",
        )
        .otherwise("nobody is asked")
        .examples(&["{ ca: tls/clients.crt, mode: required }"]),
    ],
);

static CERTIFICATE_OR_SVID: Value =
    Value::Either(&[Value::Word(SVID), Value::Record(&CERTIFICATE)]);

/// Our certificate and its key, in place of files.
pub(in crate::config) static SVID: &[Word] = &[Word::new(
    "workloadApi",
    "Our SVID and its key, from the Workload API.",
)];

/// Authorities, in place of a file.
pub(in crate::config) static BUNDLE: &[Word] = &[Word::new(
    "workloadApi",
    "The bundle of our own trust domain, from the Workload API. Only SVIDs of that domain are believed then.",
)];

pub(in crate::config) static MIN_VERSION: &[Word] = &[
    Word::new("1.3", "TLS 1.3 only."),
    Word::new("1.2", "Also TLS 1.2, for clients that know no better."),
];

pub(in crate::config) static CERTIFICATE: Record = Record::new(
    "certificate",
    "A chain and its key.",
    &[
        Field::new(
            "cert",
            Value::Text(&PATH),
            "The certificate and its chain, PEM.",
        )
        .required()
        .examples(&["tls/tls.crt"]),
        Field::new("key", Value::Text(&PATH), "Its private key, PEM.")
            .required()
            .examples(&["tls/tls.key"]),
    ],
)
.hints(&[("certificate", "cert"), ("privateKey", "key")]);

pub(in crate::config) static CLIENT_CERTIFICATES: Record = Record::new(
    "clientCertificates",
    "Certificates of callers. A bad one is always refused.",
    &[
        Field::new(
            "ca",
            Value::Either(&[Value::Word(BUNDLE), Value::Text(&PATH)]),
            "The authorities that vouch for callers: a file, PEM, or the Workload API.",
        )
        .required()
        .examples(&["tls/clients.crt", "workloadApi"]),
        Field::new(
            "mode",
            Value::Word(CLIENT_MODE),
            "Whether a caller must have one.",
        )
        .default("required"),
    ],
);

pub(in crate::config) static CLIENT_MODE: &[Word] = &[
    Word::new("optional", "Callers without one are served too."),
    Word::new("required", "They are not."),
];

const MANY: u64 = 1_000_000;

const fn count(name: &'static str, most: u64, default: &'static str, doc: &'static str) -> Field {
    Field::new(name, Value::Number { least: 1, most }, doc).default(default)
}

pub(in crate::config) static LIMITS: Record = Record::new(
    "listener-limits",
    "How much one listener holds. Past a bound somebody gets an answer, a counter moves, and everybody else is served.",
    &[
        count("connections", MANY, "10000", "Connections at the same time. Past it: 503, or closed."),
        count("perSource", MANY, "500", "Connections at the same time from one address."),
        count(
            "handshakes",
            MANY,
            "512",
            "TLS handshakes at the same time, about 40 KiB each. One more waits within `deadlines.handshake`.",
        ),
        count("headers", 10_000, "100", "Header fields of one request. Past it: 431."),
        count("calls", MANY, "10000", "Calls in flight, over all connections of all listeners. Past it: 503."),
        count("streams", 10_000, "100", "Streams at the same time on one HTTP/2 connection."),
        count(
            "resets",
            MANY,
            "200",
            "Streams of an HTTP/2 connection that are reset within ten seconds. Past it the connection ends.",
        ),
        count(
            "controlFrames",
            MANY,
            "1000",
            "Frames of an HTTP/2 connection within ten seconds that carry neither a request nor a body. Past it the connection ends.",
        ),
        Field::new("headerBytes", Value::Size, "Bytes of one request head, at most `1MiB`. Past it: 431.").default("32KiB"),
        Field::new(
            "streamWindow",
            Value::Size,
            "Bytes of a body that one HTTP/2 stream may send ahead of who reads them, `16KiB` to `16MiB`.",
        )
        .default("64KiB"),
        Field::new(
            "connectionWindow",
            Value::Size,
            "The same over all streams of an HTTP/2 connection, `64KiB` to `256MiB`.",
        )
        .default("1MiB"),
        Field::new(
            "sendBuffer",
            Value::Size,
            "Bytes of an answer that wait in one HTTP/2 stream before no more are taken from the agent, `16KiB` to `16MiB`.",
        )
        .default("64KiB"),
    ],
)
.may_be_empty();

const fn deadline(name: &'static str, default: &'static str, doc: &'static str) -> Field {
    Field::new(name, Value::Duration, doc).default(default)
}

pub(in crate::config) static DEADLINES: Record = Record::new(
    "deadlines",
    "How long each step of a connection may take.",
    &[
        deadline(
            "handshake",
            "5s",
            "From the first byte of a TLS connection to the end of its handshake; a PROXY protocol header has as long before it.",
        ),
        deadline("header", "10s", "A request's head, and a new connection until its first. Past it: 408."),
        deadline("bodyIdle", "30s", "Between two pieces of a request's body. Past it: 408."),
        deadline("keepAlive", "75s", "Between two requests of a connection."),
        deadline("writeStall", "30s", "A caller that takes nothing. Past it the connection is cut."),
        deadline("drain", "30s", "Work in flight when the process is asked to stop. What is left then is cut."),
    ],
)
.may_be_empty();
