use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::identity::signature::{
    Algorithm, Component, KeyKind, Message, Plan, SigningKey, SigningKeyError, SigningKeysError,
    VerifyingKeys,
};

use super::{NOW, Owned, lax, verify};

fn parse(keys: &Value, kind: KeyKind) -> Result<VerifyingKeys, SigningKeysError> {
    VerifyingKeys::parse(json!({ "keys": keys }).to_string().as_bytes(), kind)
}

fn jwk(algorithm: Algorithm) -> Value {
    Value::Object(
        SigningKey::generate(algorithm)
            .unwrap()
            .public_jwk()
            .unwrap(),
    )
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

/// RFC 8037, appendix A.3.
#[test]
fn a_key_without_a_name_is_called_by_its_thumbprint() {
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    let keys = parse(&json!([key]), KeyKind::Public).unwrap();
    let found = keys
        .find("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
        .unwrap();
    assert_eq!(found.id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    let named = parse(&json!([with(key, "kid", json!("k"))]), KeyKind::Public).unwrap();
    assert!(
        named
            .find("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")
            .is_some()
    );
    assert!(named.find("k").is_some() && named.find("K").is_none());
}

#[test]
fn an_entry_says_whose_key_it_is() {
    let entry = jwk(Algorithm::Ed25519);
    let entry = with(entry, "kid", json!("k"));
    let entry = with(entry, "sub", json!("ana@acme"));
    let entry = with(entry, "tenant", json!("acme"));
    let entry = with(entry, "groups", json!(["staff"]));
    let keys = parse(&json!([entry]), KeyKind::Public).unwrap();
    let holder = keys.find("k").unwrap().holder();
    assert_eq!(holder.subject.as_deref(), Some("ana@acme"));
    assert_eq!(holder.tenant.as_deref(), Some("acme"));
    assert_eq!(holder.groups, [Box::from("staff")]);
}

#[test]
fn sets_that_cannot_be_used_say_why() {
    let secret = |bytes: usize| URL_SAFE_NO_PAD.encode(vec![7; bytes]);
    let oct = |bytes: usize| json!({ "kty": "oct", "kid": "s", "k": secret(bytes) });
    let ed = jwk(Algorithm::Ed25519);
    let named = |name: &str| with(jwk(Algorithm::Ed25519), "kid", json!(name));
    let rsa = json!({ "kty": "RSA", "e": "AQAB", "n": URL_SAFE_NO_PAD.encode(vec![0xff; 128]) });
    let cases = [
        (json!([]), KeyKind::Public, "the key set holds no key"),
        (
            json!([oct(32)]),
            KeyKind::Public,
            "key 1 is a shared key among public ones",
        ),
        (
            json!([ed]),
            KeyKind::Shared,
            "key 1 is not a shared key (`oct`)",
        ),
        (
            json!([oct(31)]),
            KeyKind::Shared,
            "key 1 is shorter than 32 bytes",
        ),
        (
            json!([{ "kty": "oct", "k": secret(32) }]),
            KeyKind::Shared,
            "key 1 has no `kid`",
        ),
        (
            json!([named("a"), named("a")]),
            KeyKind::Public,
            "key 2 has the name of another",
        ),
        (
            json!([ed, ed]),
            KeyKind::Public,
            "key 2 has the name of another",
        ),
        (
            json!([with(ed.clone(), "d", json!("x"))]),
            KeyKind::Public,
            "key 1 is a private key, and should not be here",
        ),
        (
            json!([with(ed.clone(), "alg", json!("ES256"))]),
            KeyKind::Public,
            "key 1 has an `alg` that does not fit it",
        ),
        (
            json!([with(ed.clone(), "x", json!("AAAA"))]),
            KeyKind::Public,
            "key 1 is broken",
        ),
        (
            json!([with(ed.clone(), "x", json!("a+/="))]),
            KeyKind::Public,
            "key 1 has a member that is not base64url without padding",
        ),
        (
            json!([with(ed.clone(), "groups", json!("staff"))]),
            KeyKind::Public,
            "key 1 has `groups` that are not a list of texts",
        ),
        (
            json!([with(ed.clone(), "sub", json!(7))]),
            KeyKind::Public,
            "key 1 has a member that should be a text and is not",
        ),
        (
            json!([rsa]),
            KeyKind::Public,
            "key 1 is not an RSA key of 2048 bits or more",
        ),
        (json!([7]), KeyKind::Public, "key 1 is not an object"),
    ];
    for (keys, kind, expected) in cases {
        let error = parse(&keys, kind).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let skipped =
        json!([{ "kty": "OKP", "crv": "X25519", "x": "AAAA" }, with(ed, "use", json!("enc"))]);
    assert_eq!(
        parse(&skipped, KeyKind::Public).unwrap_err(),
        SigningKeysError::NoKey
    );
    assert!(VerifyingKeys::from_secret("desk", &[1; 31]).is_err());
    let lone = VerifyingKeys::from_secret("desk", &[&[b'x'; 32][..], b"\r\n"].concat()).unwrap();
    assert_eq!(
        lone.find("desk").unwrap().algorithm(),
        Algorithm::HmacSha256
    );
}

#[test]
fn every_kind_of_key_signs_what_its_public_half_verifies() {
    for algorithm in Algorithm::ALL {
        if *algorithm == Algorithm::HmacSha256 {
            continue;
        }
        let key = SigningKey::generate(*algorithm).unwrap();
        let entry = with(Value::Object(key.public_jwk().unwrap()), "kid", json!("k"));
        let keys = parse(&json!([entry]), KeyKind::Public).unwrap();
        let covers = [Component::parse("@method").unwrap()];
        let plan = Plan {
            label: "sig",
            covers: &covers,
            created: Some(NOW),
            key_id: Some("k"),
            algorithm: Some(algorithm.as_str()),
            ..Plan::default()
        };
        let mut message = Owned::post("/", b"");
        let signed = plan
            .sign(&Message::Request(message.request()), &key)
            .unwrap();
        message.field("signature-input", signed.input);
        message.field("signature", signed.signature);
        let message = Message::Request(message.request());
        let judged = verify(&message, &lax(), keys.find("k").unwrap(), None, NOW);
        assert!(judged.is_ok(), "{algorithm:?}: {judged:?}");
    }
}

#[test]
fn keys_to_sign_with_come_in_pem_as_jwk_or_as_they_are() {
    let pem = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519)
        .unwrap()
        .serialize_pem();
    let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384)
        .unwrap()
        .serialize_pem();
    let kind = |file: &[u8], wanted| SigningKey::parse(file, wanted).map(|key| key.algorithm());
    assert_eq!(kind(pem.as_bytes(), None), Ok(Algorithm::Ed25519));
    assert_eq!(kind(p384.as_bytes(), None), Ok(Algorithm::EcdsaP384Sha384));
    assert_eq!(kind(&[b'k'; 32], None), Ok(Algorithm::HmacSha256));
    assert_eq!(kind(&[b'k'; 31], None), Err(SigningKeyError::TooShort));
    let oct = json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode([1; 32]) }).to_string();
    assert_eq!(kind(oct.as_bytes(), None), Ok(Algorithm::HmacSha256));
    assert_eq!(
        kind(pem.as_bytes(), Some(Algorithm::HmacSha256)),
        Err(SigningKeyError::Algorithm("ed25519"))
    );
    assert_eq!(kind(b"{\"kty\":\"oct\"}", None), Err(SigningKeyError::Kind));
}
