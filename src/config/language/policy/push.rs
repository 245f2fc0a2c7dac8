//! `http.push`.

use crate::config::language::text::HOST_PATTERN;
use crate::config::language::{Field, Record, Value, Word};

pub(super) const PUSH_OR_REFUSE: Value =
    Value::Either(&[Value::Word(REFUSE), Value::Record(&PUSH)]);

pub(in crate::config) static REFUSE: &[Word] = &[Word::new(
    "refuse",
    "Registrations are refused with `PushNotificationNotSupported`.",
)];

pub(in crate::config) static PUSH: Record = Record::new(
    "push",
    "What an address must be like that a caller of A2A wants news of a task pushed to. Link-local addresses, those where clouds tell \
     credentials, multicast and reserved ones are never let through, in whatever form they are written.",
    &[
        Field::new(
            "schemes",
            Value::OneOrMore(&Value::Word(SCHEMES)),
            "How news may travel.",
        )
        .default("[https]"),
        Field::new(
            "hosts",
            Value::OneOrMore(&Value::Text(&HOST_PATTERN)),
            "To whom: names, all names below one (`*.`), and addresses.",
        )
        .otherwise("to everybody")
        .examples(&["[hooks.acme.example, \"*.globex.example\"]"]),
        Field::new(
            "ports",
            Value::OneOrMore(&Value::Number {
                least: 1,
                most: 65535,
            }),
            "To which ports.",
        )
        .otherwise("to all")
        .examples(&["[443, 8443]"]),
        Field::new(
            "privateAddresses",
            Value::Word(PRIVATE_ADDRESSES),
            "Addresses of private networks and of this machine: written out, and as what a name resolves to. To let them through, list `hosts`.",
        )
        .default("deny"),
        Field::new("deliver", Value::Word(DELIVER), "Who posts the news.").default("agent"),
    ],
)
.may_be_empty()
.hints(&[
    ("allow", "hosts"),
    ("allowedHosts", "hosts"),
    ("allowlist", "hosts"),
    ("delivery", "deliver"),
    ("host", "hosts"),
    ("port", "ports"),
    ("private", "privateAddresses"),
    ("scheme", "schemes"),
]);

pub(in crate::config) static SCHEMES: &[Word] = &[
    Word::new("https", "Over TLS."),
    Word::new("http", "In the clear."),
];

pub(in crate::config) static PRIVATE_ADDRESSES: &[Word] = &[
    Word::new("deny", "They are refused."),
    Word::new("allow", "They pass, where `hosts` lists who has them."),
];

pub(in crate::config) static DELIVER: &[Word] = &[
    Word::new("agent", "The agent, to the address that was checked."),
    Word::new(
        "lictor",
        "The agent tells lictor, and that posts it, to the very address that it checks.",
    )
    .planned(),
];
