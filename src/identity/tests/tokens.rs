//! Every way in which a token can be wrong.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::model::Reason;

use super::*;
use crate::identity::jwt::Unverified;

fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// A properly signed token with this header; the key's name is filled in.
fn with_header(header: &str) -> String {
    let header = header.replace("KID", ED25519.key_id());
    let payload = claims().to_string();
    ED25519.sign(header.as_bytes(), payload.as_bytes()).unwrap()
}

fn with_payload(payload: &str) -> String {
    let header = json!({"alg": "EdDSA", "kid": ED25519.key_id()}).to_string();
    ED25519.sign(header.as_bytes(), payload.as_bytes()).unwrap()
}

#[tokio::test]
async fn every_fault_of_a_token_is_refused_and_told_apart() {
    let fixture = Fixture::new(|identity| jwt(identity).max_age = Some(Duration::from_hours(1)));
    let good = mint(&json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let unsigned = encode(r#"{"alg":"none"}"#);
    let confused = encode(&format!(
        r#"{{"alg":"HS256","kid":"{}"}}"#,
        ED25519.key_id()
    ));
    let other = minter(Algorithm::EdDsa);
    let forged = other
        .sign(
            json!({"alg": "EdDSA", "kid": ED25519.key_id()})
                .to_string()
                .as_bytes(),
            claims().to_string().as_bytes(),
        )
        .unwrap();
    // The last character of a 64-byte signature carries four bits that mean nothing and must be zero.
    let trailing = |text: &str| {
        let (kept, last) = text.split_at(text.len() - 1);
        let next = match last {
            "A" => "B",
            "Q" => "R",
            "g" => "h",
            _ => "x",
        };
        format!("{kept}{next}")
    };
    let standard = format!(
        "{header}.{}.{signature}",
        STANDARD.encode(claims().to_string() + " ")
    );
    let tampered = format!(
        "{header}.{}.{signature}",
        encode(&claims_with(&json!({"org_id": "globex"})).to_string())
    );
    let cases: Vec<(&str, String, &str)> = vec![
        (
            "two parts",
            format!("{header}.{payload}"),
            "the token's form is malformed",
        ),
        (
            "one part",
            header.to_owned(),
            "the token's form is malformed",
        ),
        (
            "five parts",
            format!("{good}.x.y"),
            "the token's form is malformed",
        ),
        (
            "header not JSON",
            format!("{}.{payload}.{signature}", encode("x")),
            "the token's header is malformed",
        ),
        (
            "payload not an object",
            with_payload("[]"),
            "the token's payload is malformed",
        ),
        (
            "payload with a tail",
            with_payload(&format!("{} {{}}", claims())),
            "the token's payload is malformed",
        ),
        (
            "empty payload",
            format!("{header}..{signature}"),
            "the token's payload is malformed",
        ),
        (
            "padding",
            format!("{good}=="),
            "the token's signature is not canonical base64url",
        ),
        (
            "trailing bits",
            format!("{signed}.{}", trailing(signature)),
            "the token's signature is not canonical base64url",
        ),
        (
            "other alphabet",
            standard.replace('=', "/"),
            "the token's payload is not canonical base64url",
        ),
        (
            "none",
            format!("{unsigned}.{payload}."),
            "the token is not signed",
        ),
        (
            "None",
            format!("{}.{payload}.", encode(r#"{"alg":"NoNe"}"#)),
            "the token is not signed",
        ),
        (
            "no algorithm",
            format!("{}.{payload}.{signature}", encode("{}")),
            "the token's header is malformed",
        ),
        (
            "algorithm not a text",
            with_header(r#"{"alg":["EdDSA"]}"#),
            "the token's header is malformed",
        ),
        (
            "HMAC with the public key",
            format!("{confused}.{payload}.{signature}"),
            "algorithm `HS256` is not allowed",
        ),
        (
            "algorithm of another key",
            with_header(r#"{"alg":"ES256","kid":"KID"}"#),
            "the key is not for the token's algorithm `ES256`",
        ),
        (
            "crit",
            with_header(r#"{"alg":"EdDSA","kid":"KID","crit":["exp"],"exp":1}"#),
            "the token demands an extension (`crit`) that is not understood",
        ),
        (
            "header key twice",
            with_header(r#"{"alg":"EdDSA","kid":"KID","kid":"KID"}"#),
            "the token's header names `kid` twice",
        ),
        (
            "payload key twice",
            with_payload(r#"{"sub":"a","s\u0075b":"b"}"#),
            "the token's payload names `sub` twice",
        ),
        (
            "kid not a text",
            with_header(r#"{"alg":"EdDSA","kid":7}"#),
            "the token's header is malformed",
        ),
        (
            "unknown kid",
            with_header(r#"{"alg":"EdDSA","kid":"else"}"#),
            "key `else` is not known",
        ),
        (
            "kid with line breaks",
            with_header(r#"{"alg":"EdDSA","kid":"a\r\nb"}"#),
            r"key `a\r\nb` is not known",
        ),
        (
            "wrong type",
            with_header(r#"{"alg":"EdDSA","kid":"KID","typ":"dpop+jwt"}"#),
            "a token of type `dpop+jwt` is not an access token",
        ),
        (
            "type not a text",
            with_header(r#"{"alg":"EdDSA","kid":"KID","typ":null}"#),
            "the token's header is malformed",
        ),
        ("foreign signature", forged, "the signature does not verify"),
        (
            "tampered payload",
            tampered,
            "the signature does not verify",
        ),
        (
            "no signature",
            format!("{signed}."),
            "the signature does not verify",
        ),
        (
            "too large",
            mint(&json!({"x": "y".repeat(16 * 1024)})),
            "the token is longer than 16 KiB",
        ),
        (
            "expired",
            mint(&json!({"exp": NOW - 40})),
            "token expired 10s ago",
        ),
        (
            "expired at this very instant",
            mint(&json!({"exp": NOW - 30})),
            "token expired 0ns ago",
        ),
        (
            "no exp",
            mint(&json!({"exp": null})),
            "claim `exp` is missing",
        ),
        (
            "exp as text",
            mint(&json!({"exp": "2030"})),
            "claim `exp` is not a time in seconds",
        ),
        (
            "exp in milliseconds",
            mint(&json!({"exp": NOW * 1000})),
            "claim `exp` is not a time in seconds",
        ),
        (
            "exp negative",
            mint(&json!({"exp": -1})),
            "claim `exp` is not a time in seconds",
        ),
        (
            "nbf ahead",
            mint(&json!({"nbf": NOW + 31})),
            "token is not valid for another 1s",
        ),
        (
            "nbf as text",
            mint(&json!({"nbf": "0"})),
            "claim `nbf` is not a time in seconds",
        ),
        (
            "iat ahead",
            mint(&json!({"iat": NOW + 40})),
            "token is issued 10s in the future",
        ),
        (
            "iat as bool",
            mint(&json!({"iat": true})),
            "claim `iat` is not a time in seconds",
        ),
        (
            "too old",
            mint(&json!({"iat": NOW - 3631})),
            "token is 1s older than allowed",
        ),
        (
            "no iat",
            mint(&json!({"iat": null})),
            "claim `iat` is missing",
        ),
        (
            "unknown issuer",
            mint(&json!({"iss": "https://evil.example"})),
            "issuer `https://evil.example` is not known",
        ),
        (
            "issuer with a slash",
            mint(&json!({"iss": "https://idp.example/"})),
            "issuer `https://idp.example/` is not known",
        ),
        (
            "no issuer",
            mint(&json!({"iss": null})),
            "claim `iss` is missing",
        ),
        (
            "issuer as list",
            mint(&json!({"iss": [ISSUER]})),
            "claim `iss` is not a text",
        ),
        (
            "wrong audience",
            mint(&json!({"aud": ["a", "b"]})),
            "audience `a b` is not ours",
        ),
        (
            "no audience",
            mint(&json!({"aud": null})),
            "claim `aud` is missing",
        ),
        (
            "audience of mixed types",
            mint(&json!({"aud": ["quotes-agent", 1]})),
            "claim `aud` is not a text or an array of texts",
        ),
        (
            "no subject",
            mint(&json!({"sub": null})),
            "claim `sub` is missing",
        ),
        (
            "subject as number",
            mint(&json!({"sub": 7})),
            "claim `sub` is not a text",
        ),
        (
            "empty subject",
            mint(&json!({"sub": ""})),
            "claim `sub`: must not be empty",
        ),
        (
            "subject with line breaks",
            mint(&json!({"sub": "a\r\nb"})),
            "claim `sub`: control characters are not allowed",
        ),
        (
            "tenant as number",
            mint(&json!({"org_id": 7})),
            "claim `org_id` is not a text",
        ),
        (
            "tenant too long",
            mint(&json!({"org_id": "x".repeat(600)})),
            "claim `tenant`: longer than 512 bytes",
        ),
        (
            "groups of mixed types",
            mint(&json!({"groups": ["a", null]})),
            "claim `groups` is not an array of texts, or one text",
        ),
    ];
    assert!(
        fixture.verify(&good).await.is_ok(),
        "all else is measured by this one"
    );
    for (case, token, expected) in cases {
        let refusal = fixture
            .room
            .authenticate(presented(&bearer(&token)), now())
            .await
            .map(of_caller)
            .unwrap_err();
        assert_eq!(refusal.detail.as_deref(), Some(expected), "{case}");
        assert_eq!(refusal.reason, Reason::CredentialInvalid, "{case}");
    }
    assert_eq!(
        fixture.room.tokens.cached(),
        0,
        "a refusal is not remembered"
    );
}

#[tokio::test]
async fn the_clock_skew_is_allowed_and_dates_may_have_fractions() {
    let fixture = Fixture::new(|_| {});
    let cases = [
        json!({"exp": NOW - 29}),
        json!({"exp": NOW as f64 - 29.5}),
        json!({"nbf": NOW + 30}),
        json!({"iat": NOW + 30}),
        json!({"iat": null}),
        json!({"aud": ["x", "quotes-agent"]}),
    ];
    for changes in cases {
        assert!(fixture.verify(&mint(&changes)).await.is_ok(), "{changes}");
    }
    let lenient = Fixture::new(|identity| jwt(identity).require_exp = false);
    assert!(lenient.verify(&mint(&json!({"exp": null}))).await.is_ok());
}

#[tokio::test]
async fn a_header_never_brings_its_own_key() {
    let fixture = Fixture::new(|_| {});
    let thief = minter(Algorithm::EdDsa);
    let header = json!({
        "alg": "EdDSA", "kid": "mine", "jwk": thief.jwk(),
        "jku": "http://127.0.0.1:1/jwks", "x5u": "http://127.0.0.1:1/x5u", "x5c": ["AAAA"],
    });
    let token = thief
        .sign(
            header.to_string().as_bytes(),
            claims().to_string().as_bytes(),
        )
        .unwrap();
    assert_eq!(
        fixture.verify(&token).await.unwrap_err(),
        CredentialError::UnknownKey(Excerpt::new("mine"))
    );
}

#[tokio::test]
async fn types_of_access_tokens_and_both_names_of_ed25519_are_accepted() {
    let fixture = Fixture::new(|_| {});
    let headers = [
        r#"{"alg":"EdDSA","kid":"KID","typ":"JWT"}"#,
        r#"{"alg":"EdDSA","kid":"KID","typ":"application/AT+jwt"}"#,
        r#"{"alg":"Ed25519","kid":"KID"}"#,
        r#"{"alg":"EdDSA"}"#,
    ];
    for header in headers {
        assert!(
            fixture.verify(&with_header(header)).await.is_ok(),
            "{header}"
        );
    }
}

#[tokio::test]
async fn only_the_algorithms_of_the_issuer_are_tried() {
    let fixture = Fixture::new(|identity| jwt(identity).algorithms = vec![Algorithm::Es256]);
    assert!(fixture.verify(&P256.mint(&claims()).unwrap()).await.is_ok());
    assert_eq!(
        fixture
            .verify(&RSA.mint(&claims()).unwrap())
            .await
            .unwrap_err(),
        CredentialError::AlgorithmNotAllowed(Excerpt::new("RS256"))
    );
}

#[tokio::test]
async fn a_token_changed_at_any_one_place_is_refused() {
    let fixture = Fixture::new(|_| {});
    let good = mint(&json!({}));
    assert!(fixture.verify(&good).await.is_ok());
    for at in 0..good.len() {
        for other in ["A", "_", ".", "=", "\u{e9}", ""] {
            let (before, after) = good.split_at(at);
            let changed = format!("{before}{other}{}", after.split_at(1).1);
            if changed != good {
                assert!(fixture.verify(&changed).await.is_err(), "{at} {other}");
            }
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[A-Za-z0-9_.=-]{0,200}|[ey.J\\PC]{0,60}") {
        assert!(Unverified::parse(&text).is_err());
    }

    #[test]
    fn no_header_and_payload_make_the_reader_panic(header in "\\PC{0,40}", payload in "\\PC{0,40}") {
        let token = format!("{}.{}.AAAA", encode(&header), encode(&payload));
        assert!(Unverified::parse(&token).is_err());
    }
}
