//! The shape of a policy.

mod a2a_tenant;
mod actions;
mod agent_card;
mod audit;
mod delegation;
mod http;
mod identities;
mod leaks;
mod limits;
mod proof;
mod push;
mod quotas;
mod roles;
mod tenants;
mod tools;

pub(in crate::config) use self::http::{
    AGENT_ERRORS, CORS, HTTP, JSON_RPC_STATUS, PATHS, PROTECTED_RESOURCE, RATE_LIMIT_FIELDS,
    SECURITY_HEADERS, SERVER, SIGN_RESPONSES, TRACE_CONTEXT,
};
pub(in crate::config) use a2a_tenant::{A2A_TENANT, NAMED_TENANT};
pub(in crate::config) use actions::LEAK_ACTIONS;
pub(in crate::config) use agent_card::{AGENT_CARD, CARD_KEYS, SIGN_CARD, UNSIGNED, VERIFY_CARD};
pub(in crate::config) use audit::{AUDIT, CAPTURE, DECISIONS, REVOCATION};
#[cfg(test)]
pub(in crate::config) use identities::ALGORITHMS;
pub(in crate::config) use identities::{
    API_KEY, HMAC, IDENTITY, INTROSPECTION, JWKS, JWT, KEY_FILE, KEY_URLS, MTLS, NONCE, PROFILES,
    REQUIRE, SIGNATURE, SIGNATURE_KEYS, TYPES, WORKLOAD_PROOFS, WORKLOADS,
};
pub(in crate::config) use leaks::{
    AT_BOUND, DETECTOR, DICTIONARY, DIRECTION, EXCEPTION, GITLEAKS, HOLD, IMPORT, LEAKS, PACKS,
    SAMPLES, SEVERITY,
};
pub(in crate::config) use limits::{LIMIT, LIMITS};
pub(in crate::config) use proof::{CALLER, EXPECT, OUTCOME, PERSON, RESPONSE, TEST};
pub(in crate::config) use push::{DELIVER, PRIVATE_ADDRESSES, PUSH, REFUSE, SCHEMES};
pub(in crate::config) use quotas::{PER, QUEUE, QUOTA};
pub(in crate::config) use roles::{FROM, MAX_RANK, RANK, ROLE, RULE, SENIORITY, TO};
pub(in crate::config) use tenants::TENANT;
pub(in crate::config) use tools::{ARGUMENT, IS, TOOL, UNKNOWN};

use super::text::TENANT as TENANT_NAME;
use super::{Field, Key, Map, Record, VERSION, VERSION_DOC, Value, Word};

/// A policy file.
pub(in crate::config) static POLICY: Record = Record::new(
    "policy",
    "A policy is a folder of YAML files, or one file. Files add up and never override: any section may stand in any file, and \
     the same name in two places is an error. Whatever is not allowed is refused, and a deny beats every allow. Keys that begin with \
     `x-` hold anchors and say nothing.",
    &[
        Field::new("lictor", Value::Word(VERSION), VERSION_DOC).required(),
        Field::new(
            "mode",
            Value::Word(MODE),
            "Whether the rules, quotas and detectors of this file act, or are only watched. Identities, tenants and framing are \
             always enforced.",
        )
        .default("enforce"),
        Field::new(
            "scope",
            Value::Record(&SCOPE),
            "A fence around this file: nothing in it affects anybody else. It grants nothing by itself.",
        )
        .otherwise("the file is about everybody"),
        Field::new(
            "identities",
            Value::Map(&Map { key: &Key::name("identity"), value: Value::Record(&IDENTITY) }),
            "Who vouches for callers, by a name of your own. A caller is the pair of identity and id: what one issuer says never \
             grants what another issuer's callers hold. A credential that is present and wrong is always a 401.",
        )
        .otherwise("every caller is `anonymous`"),
        Field::new(
            "tenants",
            Value::Map(&Map { key: &tenants::KEY, value: Value::Optional(&TENANT) }),
            "The tenants that are served. Where this is written, any other is refused with 403; `\"*\"` stands for all others.",
        )
        .otherwise("every tenant that an identity vouches for is served")
        .examples(&["{ acme: { tier: gold }, globex: {} }"]),
        Field::new(
            "tiers",
            Value::Map(&Map { key: &Key::name("tier"), value: Value::Map(&tenants::NUMBERS) }),
            "Names for numbers that quotas refer to as `tier.NUMBER`, so that one quota gives each tenant its own rate.",
        )
        .otherwise("quotas name their rates themselves")
        .examples(&["{ gold: { calls: 600/min }, trial: { calls: 30/min } }"]),
        Field::new(
            "roles",
            Value::Map(&Map { key: &Key::name("role"), value: Value::Record(&ROLE) }),
            "What may be done, and by whom. Roles only allow; exceptions stand in `rules`.",
        )
        .otherwise("nothing is allowed but what `rules` allow")
        .examples(&["{ analyst: { allow: [a2a:SendMessage, a2a:GetTask], to: { groups: [analysts] } } }"]),
        Field::new(
            "seniority",
            Value::Record(&SENIORITY),
            "Which rank a caller needs to instruct an agent. A caller's rank is the highest `rank` of its roles, and 0 without one.",
        )
        .otherwise("every caller that holds the right may"),
        Field::new(
            "delegation",
            Value::Record(&delegation::DELEGATION),
            "Calls that one agent makes on behalf of another or of a person, hop by hop (RFC 8693, `act`).",
        )
        .otherwise("chains are not read")
        .planned(),
        Field::new(
            "rules",
            Value::Map(&Map { key: &Key::name("rule"), value: Value::Record(&RULE) }),
            "Exceptions to roles: each allows or denies some actions. A deny beats every allow, in any file.",
        )
        .otherwise("roles alone decide")
        .examples(&["{ no-exports: { deny: a2a:SendMessage export-*, say: Exports run at night. } }"]),
        Field::new(
            "tools",
            Value::Map(&Map { key: &Key::text("tool"), value: Value::Record(&TOOL) }),
            "What calls of a tool must look like, by the tool's name just as its agent lists it. A tool is called by a JSON-RPC request \
             `tools/call` (MCP) in a POST; each such request that names the tool is checked, whatever allowed it and on whatever path it comes, \
             before quotas count it and before the agent sees it. It only ever refuses, with 403 and the name of the argument.",
        )
        .otherwise("arguments are not looked at")
        .examples(&["{ wire_transfer: { args: { amount: { max: 250000 }, iban: { is: iban } }, unknownArgs: deny } }"]),
        Field::new(
            "quotas",
            Value::Map(&Map { key: &Key::name("quota"), value: Value::Record(&QUOTA) }),
            "How much callers may use. Every quota that matches a call must pass; the one that refuses is named in the answer, \
             and a refused call uses up none of the others.",
        )
        .otherwise("nothing is metered")
        .examples(&["{ fair-share: { rate: 60/min, per: tenant } }"]),
        Field::new(
            "limits",
            Value::Record(&LIMITS),
            "How large and how slow a call may be. `default` is for all actions; another key is an action pattern, and the most \
             specific pattern wins field by field.",
        )
        .otherwise("the defaults of each field")
        .examples(&["{ default: { request: 1MiB, time: 30s } }"]),
        Field::new(
            "http",
            Value::Record(&HTTP),
            "Which header fields travel, and which web pages may call.",
        )
        .otherwise("the defaults of each field"),
        Field::new(
            "leaks",
            Value::Record(&LEAKS),
            "What must not leave. Answers are scanned while they stream; no byte of a secret leaves, however it was cut into pieces.",
        )
        .otherwise("nothing is looked for")
        .examples(&["{ packs: { credentials: block, pii: redact } }"]),
        Field::new(
            "audit",
            Value::Record(&AUDIT),
            "What audit records hold besides what they always hold.",
        )
        .otherwise("one record for each call, without anything of its body")
        .examples(&["{ capture: decision }"]),
        Field::new(
            "revoke",
            Value::Map(&Map { key: &Key::name("revocation"), value: Value::Record(&REVOCATION) }),
            "Who and what must not go on. It takes effect as soon as its own file parses, whatever else is wrong and whatever the \
             tests say, and ends what is running. Tests are played without it.",
        )
        .otherwise("nobody is revoked")
        .examples(&["{ lost-laptop: { principal: \"ana@acme\", since: 2026-11-20T10:00:00Z } }"]),
        Field::new(
            "people",
            Value::Map(&Map { key: &Key::name("person"), value: Value::Record(&PERSON) }),
            "Callers for `tests`, by name.",
        )
        .otherwise("tests say who calls themselves")
        .examples(&["{ ana: { tenant: acme, groups: [analysts] } }"]),
        Field::new(
            "tests",
            Value::Map(&Map { key: &Key::text("test"), value: Value::Record(&TEST) }),
            "What this policy must decide. Tests run before each reload, and a policy that fails one is not taken over. They run at \
             2026-01-01T12:00:00Z unless they say `at`, with empty counters, and never against the wall clock.",
        )
        .otherwise("the policy is taken over as it compiles")
        .examples(&["{ ana may ask: { as: ana, do: a2a:SendMessage quote-equity, expect: allow } }"]),
    ],
)
.hints(&[
    ("auth", "identities"),
    ("authentication", "identities"),
    ("authorization", "rules"),
    ("budget", "quotas"),
    ("budgets", "quotas"),
    ("cors", "http"),
    ("customers", "tenants"),
    ("dlp", "leaks"),
    ("headers", "http"),
    ("limit", "quotas"),
    ("ratelimit", "quotas"),
    ("rateLimit", "quotas"),
    ("rbac", "roles"),
    ("scan", "leaks"),
    ("timeouts", "limits"),
]);

/// What `mode` says, of a file or of one statement.
pub(in crate::config) static MODE: &[Word] = &[
    Word::new("enforce", "It acts."),
    Word::new(
        "shadow",
        "It is decided, counted and logged, and never acts: an allow grants nothing, a deny stops nothing, a quota throttles nobody.",
    ),
];

/// `mode` of one statement.
const fn mode() -> Field {
    Field::new(
        "mode",
        Value::Word(MODE),
        "Whether this acts, or is only watched.",
    )
    .otherwise("the `mode` of the file")
}

pub(in crate::config) static SCOPE: Record = Record::new(
    "scope",
    "A fence. A file with a scope may hold roles, rules, quotas, people and tests; nothing else.",
    &[Field::new(
        "tenants",
        Value::OneOrMore(&Value::Text(&TENANT_NAME)),
        "The tenants that this file is about.",
    )
    .required()
    .examples(&["[acme, globex]"])],
);
