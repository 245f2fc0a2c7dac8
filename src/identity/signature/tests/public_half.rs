//! What everybody may know of a key file, and which files give nothing.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256};
use serde_json::{Map, Value, json};

use crate::identity::signature::{Algorithm, PublicHalfError, public_halves};

fn one(file: &str, rsa: Option<Algorithm>) -> Map<String, Value> {
    let mut keys = public_halves(file.as_bytes(), rsa).unwrap();
    assert_eq!(keys.len(), 1);
    keys.remove(0)
}

#[test]
fn both_halves_of_a_key_give_the_same_and_nothing_secret() {
    for (kind, alg, members) in [
        (
            &PKCS_ED25519,
            "EdDSA",
            &["alg", "crv", "kid", "kty", "use", "x"][..],
        ),
        (
            &PKCS_ECDSA_P256_SHA256,
            "ES256",
            &["alg", "crv", "kid", "kty", "use", "x", "y"],
        ),
        (
            &PKCS_ECDSA_P384_SHA384,
            "ES384",
            &["alg", "crv", "kid", "kty", "use", "x", "y"],
        ),
        (
            &PKCS_RSA_SHA256,
            "PS512",
            &["alg", "e", "kid", "kty", "n", "use"],
        ),
    ] {
        let pair = rcgen::KeyPair::generate_for(kind).unwrap();
        let private = one(&pair.serialize_pem(), None);
        assert_eq!(one(&pair.public_key_pem(), None), private);
        assert_eq!(private["alg"], alg);
        let names: Vec<_> = private.keys().collect();
        assert_eq!(names, members);
        // And again of what was printed, as a key and as a set.
        let text = Value::Object(private.clone()).to_string();
        assert_eq!(one(&text, None), private);
        assert_eq!(
            one(&json!({ "keys": [private] }).to_string(), None),
            private
        );
    }
}

#[test]
fn of_a_jwk_only_the_public_members_are_told() {
    let mut jwk = json!({
        "kty": "OKP", "crv": "Ed25519", "kid": "desk", "tenant": "acme", "sub": "desk-7",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    assert_eq!(
        one(&jwk.to_string(), None),
        *json!({
            "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            "kid": "desk", "use": "sig", "alg": "EdDSA",
        })
        .as_object()
        .unwrap()
    );
    // Halves that do not belong together.
    jwk["x"] = json!(URL_SAFE_NO_PAD.encode([9; 32]));
    public_halves(jwk.to_string().as_bytes(), None).unwrap_err();
}

#[test]
fn rsa_signs_as_its_file_says_or_as_one_asks() {
    let pair = rcgen::KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let asked = one(&pair.serialize_pem(), Some(Algorithm::RsaV15Sha256));
    assert_eq!(asked["alg"], "RS256");
    let said = Value::Object(asked).to_string();
    assert_eq!(one(&said, Some(Algorithm::RsaPssSha512))["alg"], "RS256");
}

#[test]
fn files_that_give_no_key_say_why() {
    let pem = |label: &str, der: &[u8]| {
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            STANDARD.encode(der)
        )
    };
    let curve = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
    let mut off_the_curve = one(&rcgen::KeyPair::generate().unwrap().public_key_pem(), None);
    off_the_curve["x"] = off_the_curve["y"].clone();
    let off_the_curve = Value::Object(off_the_curve).to_string();
    for (file, why) in [
        (String::new(), "holds no private or public key"),
        ("x".repeat(40), "holds no private or public key"),
        (pem("CERTIFICATE", b"x"), "holds no private or public key"),
        (pem("PUBLIC KEY", b"x"), "the public key is not Ed25519"),
        (curve.public_key_pem(), "the public key is not Ed25519"),
        (curve.serialize_pem(), "the private key is not Ed25519"),
        (off_the_curve, "key 1 is broken"),
        (
            r#"{"kty":"oct","k":"AAAA"}"#.to_owned(),
            "a shared key has no public half",
        ),
        (
            r#"{"kty":"oct","kty":"EC"}"#.to_owned(),
            "holds no private or public key",
        ),
        (r#"{"keys":[1]}"#.to_owned(), "a key is not an object"),
        (
            r#"{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"#.to_owned(),
            "key 1 is broken",
        ),
        (
            r#"{"kty":"OKP","crv":"X25519","x":"AAAA"}"#.to_owned(),
            "the key set holds no key",
        ),
        (
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned(),
            "2048 bits",
        ),
        (r#"{"kid":"a"}"#.to_owned(), "has no `kty`"),
    ] {
        let error: PublicHalfError = public_halves(file.as_bytes(), None).unwrap_err();
        assert!(error.to_string().contains(why), "{file}: {error}");
    }
}
