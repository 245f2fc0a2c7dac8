//! `leaks`.

use super::{LEAK_ACTIONS, mode};
use crate::config::language::text::{NAME, PATH, REGEX, TEXT};
use crate::config::language::{Choice, Field, Key, Map, Record, Value, Word};

pub(in crate::config) static LEAKS: Record = Record::new(
    "leaks",
    "What is looked for in answers, or in requests, and what is done with it.",
    &[
        Field::new(
            "packs",
            Value::Record(&PACKS),
            "What is done with findings, by pack or by detector. A named detector overrides its pack; of several findings on the \
             same bytes the strongest action wins.",
        )
        .otherwise("nothing is looked for")
        .examples(&["{ credentials: block, private-keys: block, pii: redact, pii.email: flag, cards: redact }"]),
        Field::new(
            "hold",
            Value::Record(&HOLD),
            "How much of a stream may wait until it is known whether it is a secret.",
        )
        .otherwise("the defaults of each field"),
        Field::new(
            "buffer",
            Value::Size,
            "Answers of known length up to this are judged before their head leaves, at most `64MiB`. Longer ones and streams are \
             judged while they run.",
        )
        .default("1MiB"),
        Field::new(
            "direction",
            Value::OneOrMore(&Value::Word(DIRECTION)),
            "Which way is scanned.",
        )
        .default("response"),
        Field::new(
            "detectors",
            Value::Map(&Map {
                key: &Key::name("detector"),
                value: Value::Record(&DETECTOR),
            }),
            "Detectors of your own.",
        )
        .otherwise("none")
        .examples(&["{ employee-id: { pattern: 'EMP-\\d{6}', action: redact } }"]),
        Field::new(
            "import",
            Value::Record(&IMPORT),
            "Rules of other scanners.",
        )
        .otherwise("none")
        .examples(&["{ gitleaks: { file: gitleaks.toml, action: block } }"]),
        Field::new(
            "allow",
            Value::Map(&Map {
                key: &Key::name("exception"),
                value: Value::Record(&EXCEPTION),
            }),
            "Findings that are none, by a name of your own.",
        )
        .otherwise("none")
        .examples(&["{ docs: { detector: credentials, on: \"mcp:resources/read file:///docs/**\" } }"]),
    ],
)
.hints(&[("actions", "packs"), ("detect", "packs"), ("rules", "packs")]);

const fn pack(name: &'static str, doc: &'static str) -> Field {
    Field::new(name, Value::Word(LEAK_ACTIONS), doc).otherwise("not looked for")
}

pub(in crate::config) static PACKS: Record = Record::new(
    "packs",
    "Packs, or single detectors as `pack.detector`.",
    &[
        pack("credentials", "Keys and tokens of clouds, registries, model makers and other services, JWTs, passwords in URLs."),
        pack("private-keys", "PEM and OpenSSH private keys, also encoded."),
        pack("pii", "E-mail addresses, telephone and bank account numbers, dates of birth, and what states number people with."),
        pack("network", "Public addresses of machines: IPv4, IPv6, and of network cards. No other pack finds them."),
        pack("cards", "Numbers of payment cards, checked by issuer, length and check digit."),
    ],
)
.others(&Map {
    key: &Key::text("detector").examples(&["pii.email", "pii.iban"]),
    value: Value::Word(LEAK_ACTIONS),
});

pub(in crate::config) static DIRECTION: &[Word] = &[
    Word::new("response", "What the agent answers."),
    Word::new(
        "request",
        "What callers send in bodies, which are then read whole before they go on, and in calls of a WebSocket, which may then hold \
         nothing else.",
    ),
];

pub(in crate::config) static HOLD: Record = Record::new(
    "hold",
    "How much may wait, and for how long.",
    &[
        Field::new(
            "bytes",
            Value::Size,
            "How many bytes may wait for a candidate to finish, at most `1MiB`.",
        )
        .default("4KiB"),
        Field::new("time", Value::Duration, "How long they may wait.").default("10s"),
        Field::new(
            "atBound",
            Value::Word(AT_BOUND),
            "What happens to a candidate that is not finished by then.",
        )
        .default("block"),
    ],
)
.may_be_empty();

pub(in crate::config) static AT_BOUND: &[Word] = &[
    Word::new("block", "It counts as a secret."),
    Word::new("release", "It leaves."),
];

pub(in crate::config) static DETECTOR: Record = Record::new(
    "detector",
    "What is looked for, and what is done with it: a pattern or a dictionary.",
    &[
        Field::new(
            "pattern",
            Value::Text(&REGEX),
            "A regular expression in the syntax of RE2, as bytes: `\\w`, `\\d` and `\\b` are of ASCII. All of a match is secret, unless a \
             group is called so: `order (?P<secret>\\d{6})`. What may still become a match waits.",
        )
        .examples(&["'EMP-\\d{6}'"]),
        Field::new(
            "dictionary",
            Value::Record(&DICTIONARY),
            "Exact values, hashed with `lictor keys dictionary`: a value is found as whole words, whatever their case and whatever blanks and marks \
             stand between them.",
        )
        .examples(&["{ file: dict/clients.edm }"]),
        Field::new(
            "near",
            Value::OneOrMore(&Value::Text(&TEXT)),
            "Words of which one must stand within 64 bytes before or after. A word begins where one does, or a part of a name \
             (`staff_id`); what follows it does not matter.",
        )
        .otherwise("anywhere")
        .examples(&["[employee, staff]"]),
        Field::new(
            "check",
            Value::Text(&TEXT),
            "What a match must pass: `luhn`, `iban`, `aba`, `verhoeff`, or `entropy>3.5`.",
        )
        .otherwise("nothing")
        .examples(&["luhn"]),
        Field::new(
            "action",
            Value::Word(LEAK_ACTIONS),
            "What is done with a finding.",
        )
        .required()
        .examples(&["redact"]),
        Field::new("severity", Value::Word(SEVERITY), "How bad a finding is.")
            .default("medium"),
        Field::new(
            "samples",
            Value::Record(&SAMPLES),
            "Texts that the detector must find, and must not. They are tried before each reload.",
        )
        .otherwise("none")
        .examples(&["{ match: [\"staff EMP-123455\"], noMatch: [EMP-12] }"]),
        mode(),
    ],
)
.one_of(&[
    Choice {
        title: "pattern",
        field: "pattern",
    },
    Choice {
        title: "dictionary",
        field: "dictionary",
    },
]);

pub(in crate::config) static DICTIONARY: Record = Record::new(
    "dictionary",
    "Exact values to look for.",
    &[Field::new(
        "file",
        Value::Text(&PATH),
        "A dictionary of hashes, relative to this policy file. Its key lies beside it, as FILE.key. When it changes, the policy is loaded anew.",
    )
    .required()
    .examples(&["dict/clients.edm"])],
);

pub(in crate::config) static SEVERITY: &[Word] = &[
    Word::new("low", "Worth a look."),
    Word::new("medium", "Somebody should see it today."),
    Word::new("high", "Somebody should see it now."),
];

pub(in crate::config) static SAMPLES: Record = Record::new(
    "samples",
    "What a detector is tried on.",
    &[
        Field::new(
            "match",
            Value::OneOrMore(&Value::Text(&TEXT)),
            "Texts with a finding.",
        )
        .otherwise("none")
        .examples(&["[staff EMP-123455]"]),
        Field::new(
            "noMatch",
            Value::OneOrMore(&Value::Text(&TEXT)),
            "Texts without one.",
        )
        .otherwise("none")
        .examples(&["[EMP-12]"]),
    ],
);

pub(in crate::config) static IMPORT: Record = Record::new(
    "import",
    "Rules of other scanners.",
    &[Field::new(
        "gitleaks",
        Value::Record(&GITLEAKS),
        "Rules in the format of gitleaks.",
    )
    .required()
    .examples(&["{ file: gitleaks.toml, action: block }"])],
);

pub(in crate::config) static GITLEAKS: Record = Record::new(
    "gitleaks",
    "A file of gitleaks rules, each a detector called `gitleaks.ID`. `lictor check` names each that cannot be taken, and why.",
    &[
        Field::new(
            "file",
            Value::Text(&PATH),
            "The file, relative to this policy file.",
        )
        .required()
        .examples(&["gitleaks.toml"]),
        Field::new(
            "action",
            Value::Word(LEAK_ACTIONS),
            "What is done with their findings.",
        )
        .required()
        .examples(&["block"]),
        Field::new(
            "skip",
            Value::OneOrMore(&Value::Text(&NAME)),
            "Rules that are left out, by id.",
        )
        .otherwise("none")
        .examples(&["[generic-api-key]"]),
    ],
);

pub(in crate::config) static EXCEPTION: Record = Record::new(
    "exception",
    "Findings of a detector that are none, which are recorded and change nothing. Of `values` and `on` there is at least one; where both are written both must hold.",
    &[
        Field::new("detector", Value::Text(&NAME), "The pack or detector.")
            .required()
            .examples(&["cards"]),
        Field::new(
            "values",
            Value::Secret,
            "The values that are no secret, one to a line, at least 4 bytes each. They are compared without blanks and dashes, and a token with its \
             prefix or without. A line with `#` first is none.",
        )
        .otherwise("any")
        .examples(&["{ file: secrets/test-cards.txt }"]),
        Field::new(
            "on",
            Value::OneOrMore(&Value::Action),
            "In answers to these actions. Requests are searched before it is known what they ask, so that it does not hold there.",
        )
        .otherwise("in all")
        .examples(&["\"mcp:resources/read file:///docs/**\""]),
    ],
);
