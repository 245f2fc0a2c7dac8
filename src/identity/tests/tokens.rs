//! Every way in which a token can be wrong.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::model::Reason;

use super::*;

fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

fn mint(changes: &Value) -> String {
    ED25519.mint(&claims_with(changes)).unwrap()
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
async fn a_good_token_of_each_algorithm_becomes_a_principal() {
    let fixture = Fixture::new(|_| {});
    for minter in [&*ED25519, &*P256, &*RSA] {
        let token = minter.mint(&claims()).unwrap();
        let headers = bearer(&token);
        let principal = fixture.room.authenticate(&headers, now()).await.unwrap();
        assert_eq!(principal.identity.as_str(), "corp");
        assert_eq!(principal.id.as_str(), "ana");
        assert_eq!(principal.tenant.as_str(), "acme");
        assert_eq!(
            principal.groups,
            [Box::from("analysts"), Box::from("staff")]
        );
    }
}

#[tokio::test]
async fn every_fault_of_a_token_is_refused_and_told_apart() {
    let fixture = Fixture::new(|identity| identity.max_age = Some(Duration::from_hours(1)));
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
        (
            "bound to a key",
            mint(&json!({"cnf": {"jkt": "x"}})),
            "the token is bound to a key (`cnf`) and was presented without a proof",
        ),
    ];
    assert!(
        fixture.verify(&good).await.is_ok(),
        "all else is measured by this one"
    );
    for (case, token, expected) in cases {
        let refusal = fixture
            .room
            .authenticate(&bearer(&token), now())
            .await
            .unwrap_err();
        assert_eq!(refusal.detail.as_deref(), Some(expected), "{case}");
        assert_eq!(refusal.reason, Reason::CredentialInvalid, "{case}");
    }
    assert_eq!(fixture.room.cache.len(), 0, "a refusal is not remembered");
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
    let lenient = Fixture::new(|identity| identity.require_exp = false);
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
        TokenError::UnknownKey(Excerpt::new("mine"))
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
    let fixture = Fixture::new(|identity| identity.algorithms = vec![Algorithm::Es256]);
    assert!(fixture.verify(&P256.mint(&claims()).unwrap()).await.is_ok());
    assert_eq!(
        fixture
            .verify(&RSA.mint(&claims()).unwrap())
            .await
            .unwrap_err(),
        TokenError::AlgorithmNotAllowed(Excerpt::new("RS256"))
    );
}

#[tokio::test]
async fn the_tenant_must_be_named_and_be_the_issuers_to_name() {
    let fixture = Fixture::new(|identity| {
        identity.tenant = Some(ClaimPath(vec![Box::from("realm"), Box::from("org")]));
        identity.tenants = vec![TenantId::new("acme").unwrap()];
    });
    let cases = [
        (json!({"realm": {"org": "acme"}}), None),
        (
            json!({"realm": {"org": "globex"}}),
            Some(Reason::TenantUnknown),
        ),
        (json!({"realm": {}}), Some(Reason::TenantUnknown)),
        (json!({}), Some(Reason::TenantUnknown)),
        (json!({"realm": "acme"}), Some(Reason::CredentialInvalid)),
        (
            json!({"realm": {"org": ["acme"]}}),
            Some(Reason::CredentialInvalid),
        ),
    ];
    for (changes, expected) in cases {
        let outcome = fixture
            .room
            .authenticate(&bearer(&mint(&changes)), now())
            .await;
        assert_eq!(
            outcome.err().map(|refusal| refusal.reason),
            expected,
            "{changes}"
        );
    }
}

#[tokio::test]
async fn no_issuer_speaks_for_the_anonymous_tenant_and_without_a_claim_it_is_default() {
    let fixture = Fixture::new(|_| {});
    assert_eq!(
        fixture
            .verify(&mint(&json!({"org_id": "anonymous"})))
            .await
            .unwrap_err(),
        TokenError::TenantNotAllowed(Excerpt::new("anonymous"))
    );
    let single = Fixture::new(|identity| identity.tenant = None);
    let principal = single.verify(&mint(&json!({}))).await.unwrap();
    assert_eq!(principal.tenant.as_str(), "default");
}

#[tokio::test]
async fn groups_are_a_list_or_words_or_absent() {
    let fixture = Fixture::new(|_| {});
    let cases = [
        (json!({"groups": "a  b"}), vec!["a", "b"]),
        (json!({"groups": []}), vec![]),
        (json!({"groups": null}), vec![]),
    ];
    for (changes, expected) in cases {
        let principal = fixture.verify(&mint(&changes)).await.unwrap();
        let groups: Vec<_> = principal.groups.iter().map(|group| &**group).collect();
        assert_eq!(groups, expected);
    }
}

#[tokio::test]
async fn the_head_decides_what_is_a_bearer_token() {
    let fixture = Fixture::new(|_| {});
    let good = mint(&json!({}));
    let with = |scheme: &str| format!("{scheme}{good}");
    let anonymous = [
        vec![],
        vec!["Basic YTpi".to_owned()],
        vec!["Digest x".to_owned()],
    ];
    let accepted = [with("Bearer "), with("bEaReR  ")];
    let refused = [
        vec![String::new()],
        vec!["Bearer".to_owned()],
        vec!["Bearer ".to_owned()],
        vec![with("Bearer\t")],
        vec![with("Bearer:")],
        vec![with("Bearer,")],
        vec![with("\"Bearer\" ")],
        vec![format!("Bearer {good} {good}")],
        vec![format!("Bearer {good}, Basic YTpi")],
        vec![with("Bearer "), with("Bearer ")],
        vec!["Basic YTpi".to_owned(), with("Bearer ")],
    ];
    let ask = async |values: &[String]| {
        let values: Vec<_> = values.iter().map(String::as_str).collect();
        fixture.room.authenticate(&head(&values), now()).await
    };
    for values in anonymous {
        assert!(ask(&values).await.unwrap().is_anonymous(), "{values:?}");
    }
    for value in accepted {
        assert!(
            !ask(std::slice::from_ref(&value))
                .await
                .unwrap()
                .is_anonymous(),
            "{value}"
        );
    }
    for values in refused {
        let reason = ask(&values).await.unwrap_err().reason;
        assert_eq!(reason, Reason::CredentialInvalid, "{values:?}");
    }
    let mut headers = HeaderMap::new();
    headers.insert(
        AUTHORIZATION,
        http::HeaderValue::from_bytes(b"Bearer \xff").unwrap(),
    );
    assert!(fixture.room.authenticate(&headers, now()).await.is_err());
}

#[tokio::test]
async fn without_an_identity_for_it_a_token_is_ignored_but_two_are_refused() {
    let store = KeyStore::new(Handle::current());
    let room = Authenticator::new(&Config::default(), &store);
    let principal = room.authenticate(&bearer("x"), now()).await.unwrap();
    assert!(principal.is_anonymous());
    assert!(
        room.authenticate(&head(&["Bearer x", "Bearer y"]), now())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_verified_token_is_remembered_until_it_ends() {
    let fixture = Fixture::new(|_| {});
    let headers = bearer(&mint(&json!({"nbf": NOW})));
    let ask = async |seconds: i64| {
        let at = Timestamp::from_second(NOW + seconds).unwrap();
        fixture.room.authenticate(&headers, at).await
    };
    let first = ask(0).await.unwrap();
    let second = ask(629).await.unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(fixture.room.cache.len(), 1);

    let refusal = ask(630).await.unwrap_err();
    assert_eq!(refusal.detail.as_deref(), Some("token expired 0ns ago"));
    assert_eq!(fixture.room.cache.len(), 0);

    ask(0).await.unwrap();
    let refusal = ask(-31).await.unwrap_err();
    assert_eq!(
        refusal.detail.as_deref(),
        Some("token is not valid for another 1s")
    );
}

#[test]
fn the_memory_of_tokens_is_bounded() {
    let cache = TokenCache::default();
    let mut claims = Claims::new(claims().as_object().unwrap().clone()).unwrap();
    let entry = |claims: &mut Claims| Entry {
        principal: Principal::anonymous(),
        issuer: 0,
        generation: 0,
        validity: claims
            .check_time(&identity(KeySource::File(PathBuf::new())), now())
            .unwrap(),
    };
    for number in 0..10_000 {
        let digest = Digest::of(&number.to_string());
        cache.insert(digest, entry(&mut claims));
        assert!(
            cache.get(&digest, |_| true).is_some(),
            "the newest is always kept"
        );
    }
    assert!((3_000..=4_096).contains(&cache.len()), "{}", cache.len());
}

#[tokio::test]
async fn two_identities_of_one_issuer_are_told_apart_by_audience() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, jwks(&[&ED25519])).unwrap();
    let first = identity(KeySource::File(file.clone()));
    let second = JwtIdentity {
        name: IdentityName::new("batch").unwrap(),
        audiences: vec!["batch-agent".to_owned()],
        ..first.clone()
    };
    let store = KeyStore::new(Handle::current());
    let room = Authenticator::new(
        &Config {
            claims: Vec::new(),
            jwt: vec![first, second],
        },
        &store,
    );
    for (audience, name) in [("quotes-agent", "corp"), ("batch-agent", "batch")] {
        let token = mint(&json!({"aud": audience}));
        let principal = room.authenticate(&bearer(&token), now()).await.unwrap();
        assert_eq!(principal.identity.as_str(), name);
    }
    assert_eq!(store.state().len(), 1, "one source for both");
}

#[tokio::test]
async fn a_token_is_verified_with_the_keys_of_its_own_issuer_only() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = |name: &str, minter: &TokenMinter| {
        let path = folder.path().join(name);
        std::fs::write(&path, minter.jwks()).unwrap();
        KeySource::File(path)
    };
    let other = minter(Algorithm::EdDsa);
    let ours = identity(file("ours", &ED25519));
    let theirs = JwtIdentity {
        name: IdentityName::new("partner").unwrap(),
        issuer: "https://partner.example".to_owned(),
        ..identity(file("theirs", &other))
    };
    let store = KeyStore::new(Handle::current());
    let room = Authenticator::new(
        &Config {
            claims: Vec::new(),
            jwt: vec![ours, theirs],
        },
        &store,
    );
    let lie = other.mint(&claims()).unwrap();
    let refusal = room.authenticate(&bearer(&lie), now()).await.unwrap_err();
    assert!(
        refusal.detail.unwrap().starts_with("key `"),
        "known to the other issuer only"
    );
    let truth = other
        .mint(&claims_with(&json!({"iss": "https://partner.example"})))
        .unwrap();
    assert_eq!(
        room.authenticate(&bearer(&truth), now())
            .await
            .unwrap()
            .identity
            .as_str(),
        "partner"
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
