//! What each kind of mistake looks like, and what to do about it.

use super::diagnostic::Code;

/// Something that brings a mistake about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Example {
    /// A policy file.
    Policy(&'static str),
    /// A `lictor.yaml`.
    Operator(&'static str),
    /// Nothing that stands in a file.
    Outside(&'static str),
}

struct Entry {
    remedy: &'static str,
    example: Example,
}

impl Code {
    /// What to do about it, in a sentence.
    pub const fn remedy(self) -> &'static str {
        entry(self).remedy
    }

    /// The smallest file with this mistake.
    pub const fn example(self) -> Example {
        entry(self).example
    }
}

const fn policy(example: &'static str, remedy: &'static str) -> Entry {
    Entry {
        remedy,
        example: Example::Policy(example),
    }
}

/// No wildcard: a new code must be explained.
const fn entry(code: Code) -> Entry {
    match code {
        Code::Unreadable => Entry {
            remedy: "Name a file or folder that exists and that the process may read; it is UTF-8 and at most 4 MiB.",
            example: Example::Outside("lictor check no-such-folder/"),
        },
        Code::Syntax => policy(
            "lictor: v1\nroles: [\n",
            "Repair the YAML. Quote what begins with `*`, `&`, `!` or `%`; write one document without tags.",
        ),
        Code::DuplicateKey => policy(
            "lictor: v1\nlimits:\n  default: { time: 5s, time: 9s }\n",
            "Keep one of them: in YAML neither of two equal keys wins.",
        ),
        Code::UnknownField => policy(
            "lictor: v1\nrules:\n  no-exports: { deny: a2a:SendMessage export-*, form: { tenants: [acme] } }\n",
            "Write the field as it is suggested; the reference pages list all.",
        ),
        Code::NotEnforced => policy(
            "lictor: v1\ndelegation: { maxDepth: 3 }\n",
            "Take it out until a version enforces it. A policy that looks as if it acted would be worse than none.",
        ),
        Code::WrongType => policy(
            "lictor: v1\nroles: [reader]\n",
            "Write the kind of value that is asked for.",
        ),
        Code::MissingField => policy(
            "lictor: v1\nquotas:\n  q: { rate: 60/min }\n",
            "Add the field.",
        ),
        Code::BadValue => policy(
            "lictor: v1\nlimits:\n  default: { time: 30 }\n",
            "Write a value of that kind; units are always written out.",
        ),
        Code::Empty => policy(
            "lictor: v1\nroles: {}\n",
            "Fill it, or leave it out: \"none of these\" and \"any\" are too easily confused.",
        ),
        Code::Version => policy(
            "roles:\n  reader: { allow: a2a:GetTask, to: { tenants: [acme] } }\n",
            "Let the file begin with `lictor: v1`.",
        ),
        Code::Budget => policy(
            "lictor: v1\nx-a: &a 1\nx-b: [*a, *a, \u{2026}]\n",
            "Write what aliases stand for, or split the file: it may have 1,000,000 values, 64 levels and 1,000 aliases.",
        ),
        Code::DefinedTwice => policy(
            "lictor: v1\nhttp: { cors: { origins: [\"https://a.example\", \"https://a.example\"] } }\n",
            "Rename one, or delete one: files add up, and nothing overrides.",
        ),
        Code::UnknownAction => policy(
            "lictor: v1\nrules:\n  r: { deny: a2a:SendMesage }\n",
            "Write the action as it is suggested; `lictor schema` lists all.",
        ),
        Code::UnknownRole => policy(
            "lictor: v1\nroles:\n  reader: { allow: a2a:GetTask, to: { tenants: [acme] } }\n  analyst: { inherits: raeder, to: { tenants: [acme] } }\n",
            "Name a role that stands under `roles`, in any file.",
        ),
        Code::InheritCycle => policy(
            "lictor: v1\nroles:\n  a: { inherits: b, to: { tenants: [acme] } }\n  b: { inherits: a, to: { tenants: [acme] } }\n",
            "Break the circle.",
        ),
        Code::UnknownIdentity => policy(
            "lictor: v1\nroles:\n  reader: { allow: a2a:GetTask, to: { groups: [staff] } }\n",
            "Declare who vouches for these callers under `identities`, or correct the name.",
        ),
        Code::IdentityRequired => policy(
            "lictor: v1\nidentities:\n  a: { jwt: { issuer: \"https://a.example\", audience: x } }\n  b: { jwt: { issuer: \"https://b.example\", audience: x } }\nroles:\n  reader: { allow: a2a:GetTask, to: { groups: [staff] } }\n",
            "Say whose group or id is meant: another issuer's caller of the same name is somebody else.",
        ),
        Code::FailingSample => policy(
            "lictor: v1\nleaks:\n  detectors:\n    employee-id:\n      pattern: 'EMP-\\d{6}'\n      action: redact\n      samples: { match: EMP-1234 }\n",
            "Mend the pattern, or the sample: one of them is not what was meant.",
        ),
        Code::CostlyDetector => policy(
            "lictor: v1\nleaks:\n  detectors:\n    falcon:\n      pattern: '\\w+ Falcon'\n      action: redact\n",
            "Begin the pattern with what is rare, or name the part of it that is secret: `order (?P<secret>\\d{6})`.",
        ),
        Code::UnknownDetector => policy(
            "lictor: v1\nleaks: { packs: { credential: block } }\n",
            "Name a pack or a detector that exists; docs/leaks.md lists them.",
        ),
        Code::LimitConflict => policy(
            "lictor: v1\nlimits:\n  \"a2a:Send*\": { time: 5s }\n  \"a2a:*Send\": { time: 9s }\n",
            "Let both say the same, or make one more specific.",
        ),
        Code::Contradiction => policy(
            "lictor: v1\nrules:\n  both: { allow: a2a:GetTask, deny: a2a:GetTask }\n",
            "Decide for one of the two.",
        ),
        Code::UnknownTier => policy(
            "lictor: v1\ntenants:\n  acme: { tier: gold }\n",
            "Declare the tier under `tiers`, or correct the name.",
        ),
        Code::MissingNumber => policy(
            "lictor: v1\nquotas:\n  q: { rate: tier.calls, per: tenant }\n",
            "Give the tier that number, or every tenant a tier that has it.",
        ),
        Code::UnknownTenant => policy(
            "lictor: v1\ntenants: { acme: {} }\nrules:\n  r: { deny: a2a:GetTask, from: { tenants: [acne] } }\n",
            "Correct the name, or declare the tenant; with `\"*\"` under `tenants` any name may be one.",
        ),
        Code::OutsideScope => policy(
            "lictor: v1\nscope: { tenants: [acme] }\nrules:\n  r: { deny: a2a:GetTask, from: { tenants: [globex] } }\n",
            "Move it to a file without `scope`, or widen the scope: a file with one affects nobody else.",
        ),
        Code::BadCondition => policy(
            "lictor: v1\nrules:\n  r: { deny: a2a:GetTask, when: \"caller.groups.exists(g, g == 'staff')\" }\n",
            "Write it with what conditions have; [conditions.md](conditions.md) lists it.",
        ),
        Code::ConditionType => policy(
            "lictor: v1\nrules:\n  r: { deny: a2a:GetTask, when: \"caller.rank > '3'\" }\n",
            "Compare numbers with numbers and texts with texts.",
        ),
        Code::UnknownAttribute => policy(
            "lictor: v1\nrules:\n  r: { deny: a2a:GetTask, when: caller.tennant == 'acme' }\n",
            "Correct the name; [conditions.md](conditions.md) says what there is and when.",
        ),
        Code::DoubtfulCondition => policy(
            "lictor: v1\nrules:\n  r: { deny: a2a:GetTask, when: \"args.amount == 10000 || args.amount == '10000'\" }\n",
            "Look at it again: it reads otherwise than it works.",
        ),
        Code::UnknownPerson => policy(
            "lictor: v1\ntests:\n  ana may ask: { as: anna, do: a2a:GetTask, expect: allow }\n",
            "Declare them under `people`, or write the caller out: `as: { id: ana, groups: [analysts] }`. `anonymous` is the caller without a credential.",
        ),
        Code::UnknownStatement => policy(
            "lictor: v1\ntests:\n  nobody exports:\n    as: anonymous\n    do: a2a:SendMessage export-all\n    expect: { deny: no-export }\n",
            "Name a role or an allowing rule after `allow`, a denying rule or a reason such as `default-deny` after `deny`, a quota after `throttle`.",
        ),
        Code::SecretLiteral => Entry {
            remedy: "Put the secret into a file or the environment and name that; then change the secret, because it was in a file \
                     that people read.",
            example: Example::Operator(
                "lictor: v1\nupstream: { url: \"http://127.0.0.1:9000\" }\nadmin: { token: correct-horse }\n",
            ),
        },
        Code::Unheld => policy(
            "lictor: v1\nroles:\n  reader: { allow: a2a:GetTask }\n",
            "Say who holds it, let another role inherit it, or delete it.",
        ),
        Code::NeverMatches => policy(
            "lictor: v1\nrules:\n  r: { deny: \"http:get /v1\" }\n",
            "Write what it should match: it looks as if it acted, and does not.",
        ),
        Code::Expired => policy(
            "lictor: v1\ntenants:\n  acme: { until: 2020-01-31 }\n",
            "Delete the tenant, or give it more time.",
        ),
        Code::ShadowedAllow => policy(
            "lictor: v1\nrules:\n  exports: { allow: a2a:SendMessage export-* }\n  no-exports: { deny: a2a:SendMessage export-* }\n",
            "Delete the allow, or narrow the deny; a deny beats every allow.",
        ),
        Code::IdleQuota => policy(
            "lictor: v1\nquotas:\n  q: { rate: 1/s, per: tenant, on: a2a:GetTask }\n",
            "Correct the action, or allow it somewhere.",
        ),
        Code::IdleTool => policy(
            "lictor: v1\ntools:\n  wire_transfer: { args: { amount: { max: 250000 } } }\n",
            "Allow the tool by its name, `mcp:tools/call wire_transfer`, or the `http:POST` that carries it; or delete the statement.",
        ),
        Code::Lax => policy(
            "lictor: v1\nidentities:\n  corp: { jwt: { issuer: \"https://idp.example\", audience: a, require: { exp: false } } }\n",
            "Close it, or accept it knowingly: with `--deny-warnings` it fails.",
        ),
    }
}
