//! `http`.

use super::a2a_tenant::WORD_OR_TENANT;
use super::agent_card::AGENT_CARD;
use super::push::PUSH_OR_REFUSE;
use crate::config::language::text::{FIELD_NAME, FIELD_PATTERN, METHOD, ORIGIN, PATH, TEXT, URL};
use crate::config::language::{Field, Record, Value, Word};

/// Whole origins, or any.
const ORIGINS: Value = Value::Either(&[Value::Word(ANY), Value::OneOrMore(&Value::Text(&ORIGIN))]);

static ANY: &[Word] = &[Word::new("*", "Any.")];

pub(in crate::config) static HTTP: Record = Record::new(
    "http",
    "Header fields, and web pages. Lists of removed fields add up over all files; each of the other settings may be written once.",
    &[
        Field::new(
            "a2aTenant",
            WORD_OR_TENANT,
            "Which tenant a call of A2A may name, in whatever version and binding: where an agent serves several by that name, it must be the caller's own.",
        )
        .default("pass")
        .examples(&["match", "{ may: require, basePath: /agents/quotes }"]),
        Field::new(
            "agentCard",
            Value::Record(&AGENT_CARD),
            "Callers get the A2A card of lictor instead of the agent's: with public addresses, the credentials that this policy asks for, and \
             on the extended card the skills that the caller may use; verified and signed as said here.",
        )
        .otherwise("the agent's card passes as it is")
        .examples(&["{ publicUrl: \"https://agents.example/quotes\" }"]),
        Field::new(
            "agentErrors",
            Value::Word(AGENT_ERRORS),
            "What becomes of the agent's own errors, which tell of its code, its files, its hosts and its databases.",
        )
        .default("scrub"),
        Field::new(
            "cors",
            Value::Record(&CORS),
            "Which pages of other origins may call and read answers (Fetch, section 3.2). Where it is written, lictor speaks for the \
             agent: preflights are answered here, and the agent's own `Access-Control-*` fields are removed.",
        )
        .otherwise("CORS is left to the agent")
        .examples(&["{ origins: [\"https://desk.example\"], methods: [POST] }"]),
        Field::new(
            "origins",
            Value::OneOrMore(&Value::Text(&ORIGIN)),
            "Which pages may call at all: a request with another `Origin` is refused with 403, whatever its credential. It guards \
             against pages whose name resolves to our address (DNS rebinding), as MCP asks of servers.",
        )
        .otherwise("any")
        .examples(&["[\"https://desk.example\"]"]),
        Field::new(
            "protectedResource",
            Value::Record(&PROTECTED_RESOURCE),
            "Tells clients who issues tokens for this agent: as metadata that anybody may read (RFC 9728), and with every 401, as MCP asks \
             of servers.",
        )
        .otherwise("clients have to know")
        .examples(&["{ resource: \"https://agent.example/mcp\" }"]),
        Field::new(
            "push",
            PUSH_OR_REFUSE,
            "Where callers of A2A may have news of their tasks pushed to, by the configuration of a message and by registering.",
        )
        .otherwise("to any address that is one")
        .examples(&["{ hosts: [\"*.acme.example\"] }"]),
        Field::new(
            "signResponses",
            Value::Record(&SIGN_RESPONSES),
            "Answers are signed (RFC 9421): status, type, method, path and query of the request, and its signature where it has one; with a \
             digest of the content (RFC 9530) where that is known before the answer leaves, and else the head alone.",
        )
        .otherwise("they are not")
        .examples(&["{ key: { file: secrets/answers.pem } }"]),
        Field::new(
            "securityHeaders",
            Value::Word(SECURITY_HEADERS),
            "Fields that tell browsers how to treat answers.",
        )
        .default("basic"),
        Field::new(
            "removeRequestHeaders",
            Value::OneOrMore(&Value::Text(&FIELD_PATTERN)),
            "Fields of requests that the agent does not get: names, or patterns with `*`. Case says nothing, and `x_a` counts as `x-a`.",
        )
        .otherwise("none besides those that only lictor may set")
        .examples(&["[x-internal-*]"]),
        Field::new(
            "removeResponseHeaders",
            Value::OneOrMore(&Value::Text(&FIELD_PATTERN)),
            "Fields of answers that the caller does not get.",
        )
        .otherwise("none besides those of `server: hide`")
        .examples(&["[x-debug-*]"]),
        Field::new(
            "server",
            Value::Word(SERVER),
            "Whether fields that tell what the agent is made of reach the caller.",
        )
        .default("hide"),
        Field::new(
            "paths",
            Value::Word(PATHS),
            "What is done with a path that servers read in different ways.",
        )
        .default("refuse"),
        Field::new(
            "jsonRpcStatus",
            Value::Word(JSON_RPC_STATUS),
            "The HTTP status of refusals to callers of JSON-RPC (A2A, MCP).",
        )
        .default("http"),
        Field::new(
            "rateLimitFields",
            Value::Word(RATE_LIMIT_FIELDS),
            "In which fields callers are told how much is left of their quotas, with answers and with refusals.",
        )
        .default("standard"),
        Field::new(
            "traceContext",
            Value::Word(TRACE_CONTEXT),
            "Whose word the id of a trace is (W3C Trace Context).",
        )
        .default("continue"),
    ],
)
.hints(&[
    ("allowedOrigins", "origins"),
    ("card", "agentCard"),
    ("errors", "agentErrors"),
    ("hsts", "securityHeaders"),
    ("path", "paths"),
    ("pushNotifications", "push"),
    ("rateLimit", "rateLimitFields"),
    ("rateLimitHeaders", "rateLimitFields"),
    ("rpcStatus", "jsonRpcStatus"),
    ("removeHeaders", "removeResponseHeaders"),
    ("security", "securityHeaders"),
    ("tenant", "a2aTenant"),
    ("tracing", "traceContext"),
    ("webhooks", "push"),
]);

pub(in crate::config) static SIGN_RESPONSES: Record = Record::new(
    "signResponses",
    "With what answers are signed. Signatures are called `lictor` and have `tag=\"lictor\"`; those of the agent are removed.",
    &[
        Field::new(
            "key",
            Value::Secret,
            "The private key in PEM or as a JWK, or a shared key of at least 32 bytes. A file is read again when it changes.",
        )
        .required()
        .examples(&["{ file: secrets/answers.pem }"]),
        Field::new("keyid", Value::Text(&TEXT), "What callers know the key by.")
            .otherwise("the `kid` of a JWK, or the thumbprint of the public half (RFC 7638)")
            .examples(&["agent-2026"]),
        Field::new(
            "workloadToken",
            Value::Text(&PATH),
            "A workload identity token whose key (`cnf.jwk`) is this one. By it answers to workloads that sign are signed as they expect \
             (the profile `wimse`). The file is read again when it changes.",
        )
        .otherwise("they are signed like all others")
        .examples(&["secrets/agent.wit"]),
    ],
);

pub(in crate::config) static CORS: Record = Record::new(
    "cors",
    "Which pages of other origins may call and read answers.",
    &[
        Field::new(
            "origins",
            ORIGINS,
            "Whole origins, as browsers write them, or `\"*\"`. There are no patterns.",
        )
        .required()
        .examples(&["[\"https://desk.example\"]"]),
        Field::new(
            "methods",
            Value::OneOrMore(&Value::Text(&METHOD)),
            "Methods that a page may call by.",
        )
        .default("[GET, HEAD, POST]"),
        Field::new(
            "headers",
            Value::OneOrMore(&Value::Text(&FIELD_NAME)),
            "Fields that a page may send. `\"*\"` covers every one but `authorization`.",
        )
        .otherwise(
            "those of A2A and MCP, `authorization`, `content-type`, `last-event-id`, `traceparent`, `tracestate`, `x-request-id`",
        )
        .examples(&["[authorization, content-type]"]),
        Field::new(
            "exposeHeaders",
            Value::OneOrMore(&Value::Text(&FIELD_NAME)),
            "Fields of the answer that a page may read, besides those that lictor sets.",
        )
        .otherwise("those that lictor sets")
        .examples(&["[x-total]"]),
        Field::new(
            "credentials",
            Value::Boolean,
            "Whether browsers may send cookies and client certificates of their own accord. Not beside `*`.",
        )
        .default("false"),
        Field::new(
            "maxAge",
            Value::Duration,
            "How long a browser may remember a preflight, at most `1d`.",
        )
        .otherwise("5 s, by custom of browsers")
        .examples(&["10m"]),
    ],
)
.hints(&[
    ("allowCredentials", "credentials"),
    ("allowHeaders", "headers"),
    ("allowMethods", "methods"),
    ("allowOrigins", "origins"),
    ("exposedHeaders", "exposeHeaders"),
    ("origin", "origins"),
]);

pub(in crate::config) static SECURITY_HEADERS: &[Word] = &[
    Word::new(
        "strict",
        "For agents that serve data: nothing is framed, cached, sniffed or loaded by other origins.",
    ),
    Word::new(
        "basic",
        "What breaks no page: `X-Content-Type-Options`, and over TLS `Strict-Transport-Security`.",
    ),
    Word::new("off", "The agent's own fields alone."),
];

pub(in crate::config) static SERVER: &[Word] = &[
    Word::new(
        "hide",
        "`Server`, `Via`, `X-Powered-By` and their like are removed.",
    ),
    Word::new("pass", "They stay."),
];

pub(in crate::config) static PATHS: &[Word] = &[
    Word::new("refuse", "The request is refused with 400."),
    Word::new(
        "normalise",
        "It is put into its normal form, and that is judged and forwarded. What has none is refused.",
    ),
];

pub(in crate::config) static AGENT_ERRORS: &[Word] = &[
    Word::new(
        "scrub",
        "Of what is the agent's own fault the caller learns that it happened, and under which decision it is recorded. What is the caller's \
         stays, unless it shows a stack trace or the like.",
    ),
    Word::new("pass", "They leave as they are."),
];

pub(in crate::config) static JSON_RPC_STATUS: &[Word] = &[
    Word::new("http", "The one that says what happened: 403, 429, 503, …"),
    Word::new(
        "ok",
        "200, for clients that read errors only then; but 401, which asks for a credential.",
    ),
];

pub(in crate::config) static RATE_LIMIT_FIELDS: &[Word] = &[
    Word::new(
        "standard",
        "`RateLimit-Policy` and `RateLimit`, with an item for each quota (draft-ietf-httpapi-ratelimit-headers).",
    ),
    Word::new(
        "both",
        "These, and `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset` (seconds from now) of the quota of which least is left, \
         for clients that know nothing else.",
    ),
];

pub(in crate::config) static TRACE_CONTEXT: &[Word] = &[
    Word::new("continue", "The caller's trace goes on."),
    Word::new(
        "restart",
        "Each call begins a trace: for callers who must not choose the ids under which your traces are found.",
    ),
];

pub(in crate::config) static PROTECTED_RESOURCE: Record = Record::new(
    "protectedResource",
    "What clients are told at `/.well-known/oauth-protected-resource`, followed by the path of the resource. A deny rule on that path \
     hides it.",
    &[
        Field::new(
            "resource",
            Value::Text(&URL),
            "The address of the agent as clients know it, in its one spelling. Tokens are made out for it: name it as `audience` of an \
             identity too.",
        )
        .required()
        .examples(&["\"https://agent.example/mcp\""]),
        Field::new(
            "authorizationServers",
            Value::OneOrMore(&Value::Text(&URL)),
            "Who issues tokens for it.",
        )
        .otherwise("the issuers of all identities with `jwt`")
        .examples(&["\"https://idp.example\""]),
        Field::new(
            "scopes",
            Value::OneOrMore(&Value::Text(&TEXT)),
            "Which scopes there are.",
        )
        .otherwise("the groups that roles are given to, where an identity has `groups: claims.scope` or `claims.scp`")
        .examples(&["[\"quotes.read\", \"quotes.write\"]"]),
    ],
);
