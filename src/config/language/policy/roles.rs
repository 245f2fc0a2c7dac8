//! `roles`, `rules` and `seniority`.

use super::{TENANT_NAME, mode};
use crate::config::language::text::{CONDITION, ID, LINE, NAME, NETWORK, TEXT};
use crate::config::language::{Choice, Field, Key, Map, Misplaced, Record, Value};

pub(in crate::config) static ROLE: Record = Record::new(
    "role",
    "Some actions, and who may do them.",
    &[
        Field::new(
            "allow",
            Value::OneOrMore(&Value::Action),
            "What may be done: one action pattern or several, e.g. `a2a:SendMessage quote-*`.",
        )
        .otherwise("what it inherits")
        .examples(&["[a2a:GetTask, a2a:SendMessage quote-*]"]),
        Field::new(
            "inherits",
            Value::OneOrMore(&Value::Text(&NAME)),
            "Roles whose actions this one may do too. Rank is not inherited.",
        )
        .otherwise("none")
        .examples(&["reader"]),
        Field::new(
            "to",
            Value::Record(&TO),
            "Who holds the role. Every condition that is written must hold; within one, any of its values.",
        )
        .otherwise("nobody; the role is there to be inherited")
        .examples(&["{ groups: [analysts] }"]),
        mode(),
        Field::new(
            "rank",
            Value::Number { least: 0, most: MAX_RANK },
            "How senior its holders are; see `seniority`.",
        )
        .default("0"),
    ],
)
.misplaced(&[Misplaced {
    field: "deny",
    title: "roles only allow",
    help: "write the deny as a rule of its own under `rules`",
}])
.hints(&[
    ("can", "allow"),
    ("extends", "inherits"),
    ("members", "to"),
    ("permissions", "allow"),
])
.consequence("without it this role would grant less than it says");

pub(in crate::config) static TO: Record = Record::new(
    "to",
    "Who holds a role. At least one condition must be written.",
    &[IDENTITY, GROUPS, IDS, TENANTS],
)
.misplaced(&[Misplaced {
    field: "anonymous",
    title: "nobody without a credential holds a role",
    help: "grant to them with a rule: from: { anonymous: true }",
}])
.hints(&[
    ("customers", "tenants"),
    ("group", "groups"),
    ("id", "ids"),
    ("issuer", "identity"),
    ("subjects", "ids"),
    ("tenant", "tenants"),
    ("users", "ids"),
]);

pub(in crate::config) static FROM: Record = Record::new(
    "from",
    "Which callers a rule is about. Every condition that is written must hold; within one, any of its values.",
    &[
        IDENTITY, GROUPS, IDS, TENANTS,
        Field::new(
            "cidrs",
            Value::OneOrMore(&Value::Text(&NETWORK)),
            "The networks that they call from, or single addresses. Behind a load balancer this needs `trustedPeers` in `lictor.yaml`.",
        )
        .otherwise("from anywhere")
        .examples(&["[10.0.0.0/8]"]),
        Field::new(
            "anonymous",
            Value::Boolean,
            "Whether an allow is about callers without a credential, and only about them. A deny that names nobody covers them \
             anyway.",
        )
        .default("false"),
    ],
)
.hints(&[
    ("cidr", "cidrs"),
    ("customers", "tenants"),
    ("group", "groups"),
    ("id", "ids"),
    ("ips", "cidrs"),
    ("issuer", "identity"),
    ("subjects", "ids"),
    ("tenant", "tenants"),
    ("users", "ids"),
]);

static GROUP: Value = Value::Text(&TEXT);
static ID_PATTERN: Value = Value::Text(&ID);
static A_TENANT: Value = Value::Text(&TENANT_NAME);

const IDENTITY: Field = Field::new(
    "identity",
    Value::Text(&NAME),
    "Who vouches for them: a name under `identities`.",
)
.otherwise(
    "the only one; must be written where several are declared and a group or an id is granted to",
)
.examples(&["corp"]);

const GROUPS: Field = Field::new(
    "groups",
    Value::OneOrMore(&GROUP),
    "They are in one of these groups.",
)
.otherwise("in any or none")
.examples(&["[analysts]"]);

const IDS: Field = Field::new(
        "ids",
        Value::OneOrMore(&ID_PATTERN),
        "Their id (`sub` of a token) is one of these; `*` stands for any text within a segment, `**` across `/`.",
    )
    .otherwise("anybody")
    .examples(&["[ana@acme]"]);

const TENANTS: Field = Field::new(
    "tenants",
    Value::OneOrMore(&A_TENANT),
    "They belong to one of these tenants.",
)
.otherwise("to any")
.examples(&["[acme]"]);

pub(in crate::config) static RULE: Record = Record::new(
    "rule",
    "An exception: some actions that some callers may do, or may not. A deny beats every allow.",
    &[
        Field::new(
            "allow",
            Value::OneOrMore(&Value::Action),
            "What may be done: one action pattern or several.",
        )
        .examples(&["\"http:GET /healthz\""]),
        Field::new(
            "deny",
            Value::OneOrMore(&Value::Action),
            "What may not be done, whatever else allows it. A pattern with a name also covers calls that do not tell their name.",
        )
        .examples(&["a2a:SendMessage export-*"]),
        Field::new("from", Value::Record(&FROM), "Which callers it is about.")
            .otherwise("an allow is about all that have a credential, a deny about everybody")
            .examples(&["{ tenants: [globex] }"]),
        Field::new(
            "when",
            Value::Text(&CONDITION),
            "A condition in the spelling of CEL, checked when the policy loads. What a call does not tell makes an allow not match \
             and a deny match.",
        )
        .otherwise("always")
        .examples(&["args.amount > 10000 && !has(claims.second_approver)"]),
        Field::new(
            "say",
            Value::Text(&LINE),
            "What the caller reads when a deny stops the call: one line of at most 500 bytes. Nobody ever reads the rule itself.",
        )
        .otherwise("a general sentence")
        .examples(&["Exports run at night."]),
        mode(),
    ],
)
.one_of(&[
    Choice { title: "allow", field: "allow" },
    Choice { title: "deny", field: "deny" },
])
.hints(&[("if", "when"), ("message", "say"), ("to", "from")])
.consequence("without it this rule would mean something else");

/// The highest rank.
pub(in crate::config) const MAX_RANK: u64 = 1000;

pub(in crate::config) static SENIORITY: Record = Record::new(
    "seniority",
    "Which rank it takes to instruct an agent: `default`, and agents by name.",
    &[Field::new(
        "default",
        Value::Record(&RANK),
        "For every agent that is not named.",
    )
    .otherwise("any rank")],
)
.others(&Map {
    key: &Key::name("agent"),
    value: Value::Record(&RANK),
});

pub(in crate::config) static RANK: Record = Record::new(
    "rank",
    "Who may instruct an agent.",
    &[Field::new(
        "callerAtLeast",
        Value::Number {
            least: 0,
            most: MAX_RANK,
        },
        "The rank that a caller needs.",
    )
    .required()
    .examples(&["3"])],
);
