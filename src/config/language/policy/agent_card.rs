//! `http.agentCard`.

use crate::config::language::text::{ANY_URL, PATH, TEXT};
use crate::config::language::{Field, Record, Value, Word};

pub(in crate::config) static AGENT_CARD: Record = Record::new(
    "agentCard",
    "What callers are told of the agent. Where it is written, a card that two readers may read in two ways, or of which no interface leads \
     to the agent, is refused with 502.",
    &[
        Field::new(
            "publicUrl",
            Value::Text(&ANY_URL),
            "Where callers find the agent. Interfaces of the card get this in the place of the agent's own address, with the path below it; \
             those of gRPC get its host and port, and go where it has a path. Interfaces that lead elsewhere go: they bypass lictor.",
        )
        .required()
        .examples(&["\"https://agents.example/quotes\""]),
        Field::new(
            "agentUrl",
            Value::OneOrMore(&Value::Text(&ANY_URL)),
            "How the agent calls itself in its card, where that is not how lictor reaches it.",
        )
        .otherwise("the address of `upstream`; all names of this machine are one")
        .examples(&["\"http://quotes.agents.svc:8000\""]),
        Field::new(
            "verify",
            Value::Record(&VERIFY_CARD),
            "The agent's card must be signed by one of these keys; else it is refused with 502.",
        )
        .otherwise("its signatures are not looked at")
        .examples(&["{ keys: { file: keys/agent-card.json } }"]),
        Field::new(
            "sign",
            Value::Record(&SIGN_CARD),
            "Lictor signs what it tells. Signatures of the agent go with the first change of its card in any case.",
        )
        .otherwise("what was changed is not signed")
        .examples(&["{ key: { file: secrets/card.pem } }"]),
    ],
)
.hints(&[
    ("baseUrl", "publicUrl"),
    ("key", "sign"),
    ("keys", "verify"),
    ("rewrite", "publicUrl"),
    ("signing", "sign"),
    ("url", "publicUrl"),
]);

pub(in crate::config) static VERIFY_CARD: Record = Record::new(
    "verifyCard",
    "How the agent's card is verified (RFC 7515 over RFC 8785).",
    &[
        Field::new(
            "keys",
            Value::Record(&CARD_KEYS),
            "The keys of the agent. What a signature says of where its key lies (`jku`) is not followed.",
        )
        .required()
        .examples(&["{ file: keys/agent-card.json }"]),
        Field::new(
            "unsigned",
            Value::Word(UNSIGNED),
            "What is done with a card without any signature.",
        )
        .default("refuse"),
    ],
);

pub(in crate::config) static CARD_KEYS: Record = Record::new(
    "cardKeys",
    "Public keys of the agent.",
    &[Field::new(
        "file",
        Value::Text(&PATH),
        "A JSON Web Key Set (RFC 7517): Ed25519, P-256, P-384, P-521, and RSA of 2048 bits or more. Relative to this policy file; read again \
         when it changes.",
    )
    .required()
    .examples(&["keys/agent-card.json"])],
);

pub(in crate::config) static SIGN_CARD: Record = Record::new(
    "signCard",
    "With what lictor signs cards. Its public half is at `/jwks.json` of the admin port.",
    &[
        Field::new(
            "key",
            Value::Secret,
            "The private key in PEM or as a JWK: P-256, P-384, Ed25519, or RSA of 2048 bits or more. A file is read again when it changes.",
        )
        .required()
        .examples(&["{ file: secrets/card.pem }"]),
        Field::new("keyid", Value::Text(&TEXT), "What callers know the key by.")
            .otherwise("the `kid` of a JWK, or the thumbprint of the public half (RFC 7638)")
            .examples(&["agents-2026"]),
    ],
);

pub(in crate::config) static UNSIGNED: &[Word] = &[
    Word::new("refuse", "It is refused with 502."),
    Word::new("accept", "It passes: until the agent signs."),
];
