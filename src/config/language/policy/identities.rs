//! `identities`.

use super::TENANT_NAME;
use crate::config::language::text::{
    CLAIM, CLAIM_OR_PART, FIELD_NAME, KEY_URL, PATH, SPIFFE, TEXT, URL, WORKLOAD,
};
use crate::config::language::{Choice, Field, Record, Value, Word};

pub(in crate::config) static IDENTITY: Record = Record::new(
    "identity",
    "Somebody who vouches for callers, and what is read from the credential. It has exactly one kind of credential.",
    &[
        Field::new(
            "jwt",
            Value::Record(&JWT),
            "Callers send a JSON Web Token as `Authorization: Bearer …` (RFC 6750), or as `Authorization: DPoP …` with a proof that \
             they hold the key that it is bound to (RFC 9449); or a proxy before lictor sends one in a field of its own.",
        )
        .examples(&["{ issuer: \"https://idp.example\", audience: quotes-agent }"]),
        Field::new(
            "introspection",
            Value::Record(&INTROSPECTION),
            "Callers send a token that only its issuer can read, and the issuer is asked about it (RFC 7662). Tokens of an identity with `jwt` \
             are still verified here.",
        )
        .examples(&[
            "{ url: \"https://idp.example/introspect\", clientId: lictor, clientSecret: { file: secrets/idp }, audience: quotes-agent }",
        ]),
        Field::new(
            "apiKey",
            Value::Record(&API_KEY),
            "Callers send a key in a header field. Its tenant and groups stand beside its hash.",
        )
        .examples(&["{ header: x-api-key, keys: { file: secrets/partner-keys.json } }"]),
        Field::new(
            "mtls",
            Value::Record(&MTLS),
            "Callers show a client certificate. The listener asks for them (`tls.clientCertificates` of lictor.yaml).",
        )
        .examples(&["{ spiffe: \"spiffe://prod.example/ns/*/sa/*\" }"]),
        Field::new(
            "signature",
            Value::Record(&SIGNATURE),
            "Callers sign their requests with a key of their own (RFC 9421). Tenant and groups stand beside the key.",
        )
        .examples(&["{ keys: { file: keys/desk-jwks.json } }"]),
        Field::new(
            "hmac",
            Value::Record(&HMAC),
            "Callers sign their requests with a key that they share with lictor (RFC 9421). Tenant and groups stand beside the key.",
        )
        .examples(&["{ keys: { file: secrets/desk-key } }"]),
        Field::new(
            "tenant",
            Value::Text(&CLAIM_OR_PART),
            "Where the tenant of a caller stands: in a claim of a token, or in a segment of a SPIFFE ID (`spiffe.ns`). A caller \
             without it gets 403.",
        )
        .otherwise("everybody belongs to the tenant `default`")
        .examples(&["claims.org_id"]),
        Field::new(
            "tenants",
            Value::OneOrMore(&Value::Text(&TENANT_NAME)),
            "For which tenants this identity may speak; any other is 403.",
        )
        .otherwise("for all")
        .examples(&["[acme, globex]"]),
        Field::new(
            "groups",
            Value::Text(&CLAIM),
            "Where the groups of a caller stand: an array of texts, or one text with spaces.",
        )
        .default("claims.groups"),
    ],
)
.one_of(&[
    Choice { title: "JSON Web Token", field: "jwt" },
    Choice { title: "token that its issuer is asked about", field: "introspection" },
    Choice { title: "API key", field: "apiKey" },
    Choice { title: "client certificate", field: "mtls" },
    Choice { title: "signed request", field: "signature" },
    Choice { title: "request signed with a shared key", field: "hmac" },
])
.hints(&[
    ("apikey", "apiKey"),
    ("bearer", "jwt"),
    ("oauth", "jwt"),
    ("oidc", "jwt"),
    ("token", "jwt"),
]);

pub(in crate::config) static JWT: Record = Record::new(
    "jwt",
    "How tokens of an issuer are verified. Tokens are never passed on to the agent. A token that is bound to a key or to a client \
     certificate (`cnf`) is good only with a proof of that key (RFC 9449), or on a connection with that certificate (RFC 8705).",
    &[
        Field::new(
            "issuer",
            Value::Text(&TEXT),
            "The issuer: what `iss` of a token must be, letter for letter. Without `jwks` its keys are found by OpenID Connect \
             discovery below this address, which must be https (http on loopback).",
        )
        .required()
        .examples(&["\"https://idp.example\""]),
        Field::new(
            "audience",
            Value::OneOrMore(&Value::Text(&TEXT)),
            "For whom tokens are made out: `aud` of a token must hold one of these. Name this agent, not the company, or tokens \
             for other services work here too.",
        )
        .required()
        .examples(&["quotes-agent"]),
        Field::new(
            "algorithms",
            Value::OneOrMore(&Value::Word(ALGORITHMS)),
            "By which algorithms tokens may be signed. Those with a shared key (`HS256`, `HS384`, `HS512`) need `sharedKey`, and \
             there are no others with it. `none` is never accepted.",
        )
        .otherwise("`[ES256, EdDSA, RS256]`; with `sharedKey` those that the key is long enough for"),
        Field::new(
            "jwks",
            Value::Record(&JWKS),
            "Where the issuer's keys come from.",
        )
        .otherwise("OpenID Connect discovery below `issuer`")
        .examples(&["{ file: keys/jwks.json }"]),
        Field::new(
            "sharedKey",
            Value::Secret,
            "A key that lictor shares with the issuer, in place of `jwks`: at least 32 bytes for `HS256`, 48 for `HS384`, 64 for \
             `HS512` (RFC 7518, section 3.2). A line break at its end is no part of it. Whoever can verify with it can also \
             sign, so prefer keys of the issuer's own.",
        )
        .otherwise("none is shared")
        .examples(&["{ file: secrets/token-key }"]),
        Field::new(
            "header",
            Value::Text(&FIELD_NAME),
            "The header field that holds the token and nothing else, where a proxy before lictor vouches for the caller, such as a \
             cloud's. It may stand there once, and the agent does not get it.",
        )
        .otherwise("`authorization`, behind `Bearer` or `DPoP`")
        .examples(&["x-goog-iap-jwt-assertion"]),
        Field::new(
            "require",
            Value::Record(&REQUIRE),
            "What a token must say besides. Half a minute is allowed between the issuer's clock and ours.",
        )
        .otherwise("`exp`"),
    ],
)
.hints(&[
    ("aud", "audience"),
    ("audiences", "audience"),
    ("iss", "issuer"),
    ("keys", "jwks"),
]);

/// In the order in which messages offer them.
pub(in crate::config) static ALGORITHMS: &[Word] = &[
    Word::new("ES256", "ECDSA over P-256 with SHA-256."),
    Word::new("EdDSA", "Ed25519."),
    Word::new(
        "RS256",
        "RSA with SHA-256. RSA keys have 2048 bits or more.",
    ),
    Word::new("ES384", "ECDSA over P-384 with SHA-384."),
    Word::new("ES512", "ECDSA over P-521 with SHA-512."),
    Word::new("PS256", "RSASSA-PSS with SHA-256."),
    Word::new("PS384", "RSASSA-PSS with SHA-384."),
    Word::new("PS512", "RSASSA-PSS with SHA-512."),
    Word::new("RS384", "RSA with SHA-384."),
    Word::new("RS512", "RSA with SHA-512."),
    Word::new("HS256", "HMAC with SHA-256 and `sharedKey`."),
    Word::new("HS384", "HMAC with SHA-384 and `sharedKey`."),
    Word::new("HS512", "HMAC with SHA-512 and `sharedKey`."),
];

pub(in crate::config) static JWKS: Record = Record::new(
    "jwks",
    "Where keys come from: `file` or `url`. Without both they are discovered below `issuer`.",
    &[
        Field::new(
            "file",
            Value::Text(&PATH),
            "A JSON Web Key Set (RFC 7517), relative to this policy file. It is read again when it changes.",
        )
        .examples(&["keys/jwks.json"]),
        Field::new(
            "url",
            Value::Text(&URL),
            "Where the key set is fetched: https, or http on loopback.",
        )
        .examples(&["\"https://idp.example/keys\""]),
        Field::new(
            "ca",
            Value::Text(&PATH),
            "The authorities that may vouch for the TLS of the issuer or of `url`, PEM.",
        )
        .otherwise("the system's")
        .examples(&["idp-ca.pem"]),
        Field::new(
            "maxStale",
            Value::Duration,
            "For how long keys stay in use when they cannot be read anew. Then tokens of this issuer are answered with 503 until \
             they can.",
        )
        .default("24h"),
    ],
)
.hints(&[("path", "file"), ("uri", "url")]);

pub(in crate::config) static REQUIRE: Record = Record::new(
    "require",
    "What a token must say.",
    &[
        Field::new(
            "exp",
            Value::Boolean,
            "Whether a token must say until when it is valid. One that says so is held to it in either case.",
        )
        .default("true"),
        Field::new(
            "maxAge",
            Value::Duration,
            "How long ago a token may have been issued (`iat`), whatever its `exp` says.",
        )
        .otherwise("`exp` alone")
        .examples(&["1h"]),
        Field::new(
            "dpop",
            Value::Boolean,
            "Whether a token must be bound to a key of the caller, which then proves with each request that it holds it \
             (RFC 9449). One that is bound needs its proof in either case.",
        )
        .default("false"),
        Field::new(
            "typ",
            Value::Word(TYPES),
            "What the token must say that it is. A token that says to be something else than a token is refused in either case.",
        )
        .otherwise("`at+jwt`, `JWT` or nothing"),
    ],
)
.may_be_empty();

/// What `typ` of a token may be made to say.
pub(in crate::config) static TYPES: &[Word] = &[Word::new(
    "at+jwt",
    "An access token as RFC 9068 has it, and not for example an ID token.",
)];

pub(in crate::config) static INTROSPECTION: Record = Record::new(
    "introspection",
    "How an issuer is asked about a token (RFC 7662). What it says counts like the claims of a token: `sub` (or else `client_id`) is the \
     caller, and `exp`, `nbf`, `aud` and `cnf` hold. While it cannot be asked, calls get 503.",
    &[
        Field::new("url", Value::Text(&URL), "Where it is asked: https, or http on loopback.")
            .required()
            .examples(&["\"https://idp.example/introspect\""]),
        Field::new("clientId", Value::Text(&TEXT), "The name of lictor with the issuer.")
            .required()
            .examples(&["lictor"]),
        Field::new("clientSecret", Value::Secret, "What proves it.")
            .required()
            .examples(&["{ file: secrets/idp }"]),
        Field::new(
            "audience",
            Value::OneOrMore(&Value::Text(&TEXT)),
            "For whom tokens have to be made out: `aud` must hold one of these.",
        )
        .otherwise("any token of the issuer counts, and `check` warns")
        .examples(&["quotes-agent"]),
        Field::new("issuer", Value::Text(&TEXT), "What `iss` has to be, where the answer has one.")
            .otherwise("anything")
            .examples(&["\"https://idp.example\""]),
        Field::new(
            "cache",
            Value::Duration,
            "For how long an answer counts, unless the token ends before: as long as one that was taken back still opens. At most 1h.",
        )
        .default("60s"),
        Field::new("ca", Value::Text(&PATH), "The authorities that may vouch for the TLS of `url`, PEM.")
            .otherwise("the system's")
            .examples(&["idp-ca.pem"]),
    ],
);

pub(in crate::config) static API_KEY: Record = Record::new(
    "apiKey",
    "Keys that callers send. The file holds their SHA-256 only, with tenant and groups of each. `lictor keys new` makes them.",
    &[
        Field::new(
            "header",
            Value::Text(&FIELD_NAME),
            "The header field that holds the key. In `authorization` it follows `Bearer`.",
        )
        .required()
        .examples(&["x-api-key"]),
        Field::new(
            "keys",
            Value::Record(&KEY_FILE),
            "Where the hashes of the keys stand.",
        )
        .required()
        .examples(&["{ file: secrets/partner-keys.json }"]),
    ],
);

pub(in crate::config) static KEY_FILE: Record = Record::new(
    "keys",
    "A file of keys. It is read again when it changes.",
    &[Field::new(
        "file",
        Value::Text(&PATH),
        "JSON: `{ \"keys\": [ { \"id\": …, \"sha256\": …, \"tenant\": …, \"groups\": […], \"notBefore\": …, \"notAfter\": … } ] }`. \
         Several entries may have one `id`, so that an old key and its successor count side by side. Relative to this policy file.",
    )
    .required()
    .examples(&["secrets/partner-keys.json"])],
);

pub(in crate::config) static MTLS: Record = Record::new(
    "mtls",
    "Client certificates whose name is a SPIFFE ID (X.509-SVID).",
    &[
        Field::new(
            "spiffe",
            Value::OneOrMore(&Value::Text(&SPIFFE)),
            "The SPIFFE IDs that are accepted. `*` is one segment of the path, `**` at the end any number of them; `spiffe.ns` and \
             `spiffe.sa` name the segments behind `ns` and `sa`. A certificate that no identity accepts counts for nothing.",
        )
        .required()
        .examples(&["\"spiffe://prod.example/ns/*/sa/*\""]),
    ],
);

pub(in crate::config) static SIGNATURE: Record = Record::new(
    "signature",
    "Requests that callers sign with a key of their own (RFC 9421). `docs/signatures.md` is the guide.",
    &[
        Field::new(
            "keys",
            Value::Record(&SIGNATURE_KEYS),
            "Where the public keys stand that signatures are verified with. Every profile but `wimse` needs it, or `keyUrls`.",
        )
        .otherwise("keys are fetched (`keyUrls`), or stand in a token (`wimse`)")
        .examples(&["{ file: keys/desk-jwks.json }"]),
        Field::new(
            "keyUrls",
            Value::Record(&KEY_URLS),
            "Which addresses may be asked for a key that a signature names by its address (`keyid=\"https://…\"`). Nothing else is ever asked.",
        )
        .otherwise("keys are not fetched")
        .examples(&["{ allow: \"https://agents.example/keys/*\", tenant: acme }"]),
        Field::new(
            "workloads",
            Value::Record(&WORKLOADS),
            "Which workloads are callers, and who vouches for their keys; with the profile `wimse`, which needs it.",
        )
        .otherwise("nobody does")
        .examples(&["{ ids: \"spiffe://prod.example/ns/*/sa/*\", jwks: { file: keys/wit-jwks.json } }"]),
        Field::new(
            "audience",
            Value::OneOrMore(&Value::Text(&TEXT)),
            "For whom a signature or a proof must be: `wimse-aud` or `aud` must be one of these; with the profile `wimse`, which needs it.",
        )
        .otherwise("signatures need not say")
        .examples(&["\"https://agents.example\""]),
        PROFILE,
        COVERS,
        SIGNED_MAX_AGE,
        SIGNED_NONCE,
        TAG,
        AUTHORITY,
    ],
)
.hints(SIGNED_HINTS);

pub(in crate::config) static HMAC: Record = Record::new(
    "hmac",
    "Requests that callers sign with a key that they share with lictor (RFC 9421, `hmac-sha256`).",
    &[
        Field::new(
            "keys",
            Value::Secret,
            "The shared keys: a JSON Web Key Set with keys of kind `oct`, which may say of each `kid`, `sub`, `tenant` and `groups`; or \
             one key of at least 32 bytes as it is, which signatures call by the name of this identity. A file is read again when it changes.",
        )
        .required()
        .examples(&["{ file: secrets/desk-key }"]),
        PROFILE,
        COVERS,
        SIGNED_MAX_AGE,
        SIGNED_NONCE,
        TAG,
        AUTHORITY,
    ],
)
.hints(SIGNED_HINTS);

const SIGNED_HINTS: &[(&str, &str)] = &[
    ("age", "maxAge"),
    ("jwks", "keys"),
    ("key", "keys"),
    ("components", "covers"),
];

pub(in crate::config) static SIGNATURE_KEYS: Record = Record::new(
    "signatureKeys",
    "Public keys of those who sign.",
    &[Field::new(
        "file",
        Value::Text(&PATH),
        "A JSON Web Key Set (RFC 7517): Ed25519, P-256, P-384, and RSA of 2048 bits or more (`alg` PS512, or RS256). The key decides the \
         algorithm. Each key may say whose it is: `kid`, `sub` (the id of the caller, else the `kid`), `tenant`, `groups`. \
         Relative to this policy file; read again when it changes.",
    )
    .required()
    .examples(&["keys/desk-jwks.json"])],
);

pub(in crate::config) static KEY_URLS: Record = Record::new(
    "keyUrls",
    "Keys that are fetched where signatures say that they lie: a JWK, or of a JWKS the one whose `kid` is the address or its fragment (or the only \
     one). The address is the caller's id.",
    &[
        Field::new(
            "allow",
            Value::OneOrMore(&Value::Text(&KEY_URL)),
            "The addresses: `https`, the host written out; `*` is one segment of the path, `**` at the end any number of them. \
             Whoever can publish at one of them can be a caller.",
        )
        .required()
        .examples(&["\"https://agents.example/keys/*\""]),
        Field::new("tenant", Value::Text(&TENANT_NAME), "Whose all callers with such keys are.")
            .default("default")
            .examples(&["acme"]),
        Field::new(
            "groups",
            Value::OneOrMore(&Value::Text(&TEXT)),
            "The groups of all callers with such keys.",
        )
        .otherwise("none")
        .examples(&["[agents]"]),
        Field::new(
            "ca",
            Value::Text(&PATH),
            "The authorities that may vouch for the TLS of the addresses, PEM.",
        )
        .otherwise("the system's")
        .examples(&["agents-ca.pem"]),
        Field::new(
            "dangerousPrivateAddresses",
            Value::Boolean,
            "Whether hosts may have addresses of this machine or a private network. Else whoever answers for such a name could have \
             lictor ask there.",
        )
        .default("false"),
    ],
);

pub(in crate::config) static WORKLOADS: Record = Record::new(
    "workloads",
    "Workloads that bring their key in a token (`Workload-Identity-Token`: a JWT of the type `wit+jwt` with `sub`, `exp` and `cnf.jwk`).",
    &[
        Field::new(
            "ids",
            Value::OneOrMore(&Value::Text(&WORKLOAD)),
            "The workloads that are accepted, by `sub`: SPIFFE IDs, or WIMSE URIs (`wimse://…`). `*` is one segment of the path, `**` at the \
             end any number of them; `tenant: spiffe.ns` is the segment behind `ns`.",
        )
        .required()
        .examples(&["\"spiffe://prod.example/ns/*/sa/*\""]),
        Field::new(
            "jwks",
            Value::Record(&JWKS),
            "The keys of those who issue the tokens.",
        )
        .required()
        .examples(&["{ file: keys/wit-jwks.json }"]),
        Field::new("issuer", Value::Text(&TEXT), "What `iss` of a token has to be.")
            .otherwise("anything: whoever has one of the keys is the issuer")
            .examples(&["\"https://wimse.example\""]),
        Field::new(
            "proof",
            Value::Word(WORKLOAD_PROOFS),
            "How a workload shows that it holds the key of its token.",
        )
        .default("signature"),
    ],
);

pub(in crate::config) static WORKLOAD_PROOFS: &[Word] = &[
    Word::new("signature", "By a signature of each request."),
    Word::new(
        "token",
        "By a token of its own making (`Workload-Proof-Token` or `Authorization: WPT …`: a JWT of the type `wpt+jwt`), whose `aud` is one of \
         `audience`, or the target of the request at one of them. It says nothing of the content.",
    ),
    Word::new("any", "By one of them, or both."),
];

const PROFILE: Field = Field::new(
    "profile",
    Value::Word(PROFILES),
    "The convention that callers follow: what a signature covers and says unless the fields below say otherwise.",
)
.default("lictor");

static COMPONENT: Value = Value::Text(&TEXT);

const COVERS: Field = Field::new(
    "covers",
    Value::OneOrMore(&COMPONENT),
    "What a signature must cover at least, in place of what the profile says: names of header fields, and `@method`, `@target-uri` and the \
     like (RFC 9421, section 2.2). One with `?` behind it must be covered where it is there. Content must be covered by \
     `content-digest` in any case.",
)
.otherwise("what the profile says")
.examples(&["[\"@method\", \"@target-uri\", x-request-time, \"x-customer-id?\"]"]);

const SIGNED_MAX_AGE: Field = Field::new(
    "maxAge",
    Value::Duration,
    "How long ago a request may have been signed, at most 24h. Half a minute is allowed between the caller's clock and ours.",
)
.otherwise("60s; 24h with the profile `web-bot-auth`")
.examples(&["60s"]);

const SIGNED_NONCE: Field = Field::new(
    "nonce",
    Value::Word(NONCE),
    "Whether a signature must have a nonce, which is accepted once.",
)
.otherwise("`required`; `optional` with the profile `web-bot-auth`");

const TAG: Field = Field::new(
    "tag",
    Value::Text(&TEXT),
    "The purpose that a signature must name (`tag`). Signatures with another one are not for us.",
)
.otherwise("what the profile says: `lictor`, `web-bot-auth`, `wimse-workload-to-workload`, or with `a2a` none")
.examples(&["lictor-desk"]);

const AUTHORITY: Field = Field::new(
    "authority",
    Value::Text(&TEXT),
    "The host, and perhaps the port, that callers ask over TLS, where another hop ends that TLS and asks lictor by another name.",
)
.otherwise("what the request says")
.examples(&["agents.example"]);

pub(in crate::config) static PROFILES: &[Word] = &[
    Word::new(
        "lictor",
        "Covers `@method`, `@authority`, `@path`, `@query`, and where they are there `content-type`, `content-digest`, `authorization` and \
         `x-customer-id`; says `created`, `expires`, `nonce`, `keyid` and `tag=\"lictor\"`.",
    ),
    Word::new(
        "a2a",
        "The proposal for A2A: covers `@method`, `@path` and `content-digest`; says `created`, `nonce` and `keyid`; Ed25519 only.",
    ),
    Word::new(
        "web-bot-auth",
        "Web Bot Auth: covers `@authority` or `@target-uri`, and `signature-agent` where it is there; says `created`, `expires`, `keyid` (the \
         thumbprint of the key) and `tag=\"web-bot-auth\"`.",
    ),
    Word::new(
        "wimse",
        "WIMSE: the key stands in a workload identity token. Covers `@method`, `@path`, `@query`, `workload-identity-token`, and where they are there \
         `content-type`, `content-digest`, `authorization` and `txn-token`; says `created`, `expires`, `nonce`, `wimse-aud` and \
         `tag=\"wimse-workload-to-workload\"`, and neither `keyid` nor `alg`.",
    ),
];

pub(in crate::config) static NONCE: &[Word] = &[
    Word::new("required", "It must have one."),
    Word::new(
        "optional",
        "Without one it can be replayed within `maxAge`.",
    ),
];
