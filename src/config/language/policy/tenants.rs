//! `tenants` and `tiers`.

use crate::config::language::text::{NAME, UNTIL};
use crate::config::language::{Field, Key, Map, Record, Value};

/// A tenant, or `*`.
pub(super) static KEY: Key = Key {
    what: "tenant",
    pattern: Some(r"^(?=.*\S)[^\u0000-\u001f\u007f]+$"),
    examples: &["*"],
};

pub(in crate::config) static TENANT: Record = Record::new(
    "tenant",
    "A tenant that is served. The name alone (`acme: {}`) says so; `\"*\"` stands for all that are not named.",
    &[
        Field::new("tier", Value::Text(&NAME), "The tier whose numbers quotas take for this tenant.")
            .otherwise("quotas that ask for a number of its tier do not load")
            .examples(&["gold"]),
        Field::new(
            "until",
            Value::Text(&UNTIL),
            "From then on the tenant is refused: a date (its beginning in UTC) or an instant.",
        )
        .otherwise("it is served for ever")
        .examples(&["2027-01-31"]),
    ],
)
.hints(&[("expires", "until"), ("plan", "tier")])
.may_be_empty();

/// The numbers of a tier.
pub(super) static NUMBERS: Map = Map {
    key: &Key::text("number").examples(&["calls"]),
    value: Value::Rate,
};
