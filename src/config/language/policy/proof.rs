//! `people` and `tests`.

use super::TENANT_NAME;
use crate::config::language::text::{ADDRESS_ALONE, NAME, ONE_ACTION, TEXT, TIME};
use crate::config::language::{Choice, Field, Record, Value, Word};

pub(in crate::config) static PERSON: Record = Record::new(
    "person",
    "A caller of tests, under a name.",
    &[
        IDENTITY,
        Field::new("id", Value::Text(&TEXT), "Their id.")
            .otherwise("the name under `people`")
            .examples(&["ana@acme"]),
        TENANT,
        GROUPS,
        CLAIMS,
    ],
);

pub(in crate::config) static CALLER: Record = Record::new(
    "caller",
    "A caller, written out.",
    &[
        IDENTITY,
        Field::new("id", Value::Text(&TEXT), "Their id.")
            .required()
            .examples(&["ana@acme"]),
        TENANT,
        GROUPS,
        CLAIMS,
    ],
);

const IDENTITY: Field = Field::new(
    "identity",
    Value::Text(&NAME),
    "Who vouches for them: a name under `identities`.",
)
.otherwise("the only one")
.examples(&["corp"]);

const TENANT: Field = Field::new("tenant", Value::Text(&TENANT_NAME), "Their tenant.")
    .otherwise("`default` where the identity has no `tenant`; required where it has")
    .examples(&["acme"]);

static GROUP: Value = Value::Text(&TEXT);

const GROUPS: Field = Field::new("groups", Value::OneOrMore(&GROUP), "Their groups.")
    .otherwise("none")
    .examples(&["[analysts, staff]"]);

const CLAIMS: Field = Field::new(
    "claims",
    Value::Any,
    "Further claims of their token, for conditions.",
)
.otherwise("none")
.examples(&["{ level: 3 }"]);

pub(in crate::config) static TEST: Record = Record::new(
    "test",
    "A call, and what must become of it.",
    &[
        Field::new(
            "as",
            Value::Either(&[Value::Text(&TEXT), Value::Record(&CALLER)]),
            "Who calls: a name under `people`, `anonymous`, or a caller written out.",
        )
        .required()
        .examples(&["ana"]),
        Field::new("do", Value::Text(&ONE_ACTION), "The action that they ask for: one, without `*`; plain HTTP with its path.")
            .required()
            .examples(&["a2a:SendMessage quote-equity", "http:GET /healthz"]),
        Field::new(
            "args",
            Value::Any,
            "The arguments of the call: what a tool is given, or else `params` of JSON-RPC.",
        )
        .otherwise("none")
        .examples(&["{ amount: 10, currency: GBP }"]),
        Field::new(
            "tool",
            Value::Text(&TEXT),
            "The tool that is called, by a request `tools/call` in a POST that the policy judges as plain HTTP. With `do: mcp:tools/call NAME` it is named there. Conditions then read `params` as \
             they stand in the request: `args.name`, and `args.arguments` with what stands under `args` here.",
        )
        .otherwise("no tool")
        .examples(&["wire_transfer"]),
        Field::new(
            "from",
            Value::Text(&ADDRESS_ALONE),
            "The address that they call from.",
        )
        .otherwise("127.0.0.1"),
        Field::new("agent", Value::Text(&TEXT), "The agent that they ask, by the name that its operator gives it.")
            .otherwise("the agent that the policy runs before; `agent` where the operator gives it no name")
            .examples(&["treasury-agent"]),
        Field::new("at", Value::Text(&TIME), "When they call.")
            .default("2026-01-01T12:00:00Z"),
        Field::new(
            "owner",
            Value::Text(&TEXT),
            "Who owns the task that the call names: a name under `people`. For everybody else it is not there.",
        )
        .otherwise("the caller")
        .examples(&["bob"]),
        Field::new(
            "times",
            Value::Number {
                least: 1,
                most: 100_000,
            },
            "How often they call, at that one instant.",
        )
        .default("1"),
        Field::new(
            "response",
            Value::Record(&RESPONSE),
            "What the agent answers.",
        )
        .otherwise("nothing that is looked for")
        .examples(&["{ sample: aws-access-key }"]),
        Field::new(
            "expect",
            Value::Either(&[Value::Word(EXPECT), Value::Record(&OUTCOME)]),
            "What must become of it.",
        )
        .required()
        .examples(&["allow", "{ deny: no-wires-at-night }"]),
    ],
);

pub(in crate::config) static EXPECT: &[Word] = &[
    Word::new("allow", "It passes."),
    Word::new("deny", "The policy refuses it, whatever statement does."),
];

pub(in crate::config) static OUTCOME: Record = Record::new(
    "outcome",
    "What must become of a call, and what must have decided so.",
    &[
        Field::new(
            "allow",
            Value::Text(&NAME),
            "Allowed, by the role or rule in which the `allow` stands: of what a role inherits, the one that it inherits.",
        )
        .examples(&["analyst"]),
        Field::new(
            "deny",
            Value::Text(&NAME),
            "Denied, by this rule, or for an argument of this tool; `default-deny` where nothing allows it. The other reasons of a policy are `credential-missing` (nothing \
             allows it to callers without a credential), `argument-denied` (by whatever tool), `tenant-unknown`, `tenant-expired`, `seniority-too-low`, `task-not-found` and \
             `operation-unsupported`.",
        )
        .examples(&["no-wires-at-night"]),
        Field::new("throttle", Value::Text(&NAME), "Refused by this quota.")
            .examples(&["per-caller"]),
        Field::new(
            "after",
            Value::Number {
                least: 0,
                most: 100_000,
            },
            "After how many calls that pass.",
        )
        .otherwise("however many pass")
        .examples(&["10"]),
        Field::new(
            "block",
            Value::Text(&NAME),
            "The answer is blocked, by this pack or detector.",
        )
        .examples(&["credentials"]),
        Field::new(
            "redact",
            Value::Text(&NAME),
            "The answer is redacted, by this pack or detector.",
        )
        .examples(&["pii"]),
        Field::new(
            "flag",
            Value::Text(&NAME),
            "The answer passes as it is, and this pack or detector is counted.",
        )
        .examples(&["pii.email"]),
    ],
)
.one_of(&[
    Choice { title: "allow", field: "allow" },
    Choice { title: "deny", field: "deny" },
    Choice { title: "throttle", field: "throttle" },
    Choice { title: "block", field: "block" },
    Choice { title: "redact", field: "redact" },
    Choice { title: "flag", field: "flag" },
]);

pub(in crate::config) static RESPONSE: Record = Record::new(
    "response",
    "An answer of the agent.",
    &[
        Field::new(
            "sample",
            Value::Text(&NAME),
            "Something that a detector finds, by the name of the detector with or without its pack. It is made when the test runs, so \
             that nothing that looks like a key lies in the policy.",
        )
        .otherwise("nothing")
        .examples(&["aws-access-key"]),
        Field::new("text", Value::Text(&TEXT), "The text itself. A sample stands behind it.")
            .otherwise("only the sample"),
        Field::new("json", Value::Any, "The answer as JSON.")
            .otherwise("a text")
            .planned(),
        Field::new("chunks", Value::Text(&TEXT), "Into how large pieces the answer is cut; those of a stream come each in an event of its own.")
            .otherwise("one piece")
            .examples(&["1 byte"]),
    ],
);
