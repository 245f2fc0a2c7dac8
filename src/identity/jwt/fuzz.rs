//! What the fuzzer calls: any text as a token, any bytes as a key set.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use jiff::Timestamp;
use serde_json::Value;

use crate::identity::config::{Algorithm, Jwt, KeySource};
use crate::identity::json;
use crate::identity::sources::Contents as _;
use crate::identity::{ClaimPath, Presented};

use super::claims::Times;
use super::token::{Parts, Unverified};
use super::{KeySet, SharedKey, bearer, proof};

/// A token as it comes, or its three parts behind 0xff before they are encoded, which leads further inside.
///
/// # Panics
/// When a token that is read has a second spelling, or a proof is believed.
#[doc(hidden)]
pub fn fuzz_token(data: &[u8]) {
    let parts: Vec<_> = data.split(|byte| *byte == 0xff).collect();
    let text = match parts.as_slice() {
        [header, payload, signature] => {
            let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
            format!(
                "{}.{}.{}",
                encode(header),
                encode(payload),
                encode(signature)
            )
        }
        _ => String::from_utf8_lossy(data).into_owned(),
    };
    read(&text);
    present(&text);
}

/// Reads a token, and whatever its claims are asked for.
fn read(text: &str) {
    let Ok(token) = Unverified::parse(text) else {
        return;
    };
    // One spelling: what was read leads back to the very text.
    if let Ok(parts) = Parts::split(text, usize::MAX) {
        assert_eq!(
            URL_SAFE_NO_PAD.encode(&token.signature),
            parts.signature,
            "a signature with two spellings"
        );
        for part in [parts.header, parts.payload] {
            let bytes = URL_SAFE_NO_PAD.decode(part);
            assert_eq!(
                bytes.map(|bytes| URL_SAFE_NO_PAD.encode(bytes)).as_deref(),
                Ok(part),
                "a part with two spellings"
            );
        }
    }
    let rules = Jwt {
        header: None,
        issuer: token.claims.issuer.clone(),
        audiences: vec!["quotes-agent".to_owned()],
        algorithms: Algorithm::ALL.to_vec(),
        keys: KeySource::Discovery { ca: None },
        max_stale: std::time::Duration::MAX,
        require_dpop: false,
        require_access_token: false,
        require_exp: true,
        max_age: Some(std::time::Duration::from_secs(60)),
        leeway: std::time::Duration::from_secs(30),
    };
    let path = ClaimPath(vec![Box::from("realm"), Box::from("org")]);
    let _judged = (
        token.claims.check_audience(&rules),
        token
            .claims
            .check_time(&Times::of(&rules), Timestamp::UNIX_EPOCH),
        token.claims.subject().map(str::len),
        token.claims.issued(),
        token.claims.text_at(&path),
        token.claims.list_at(&path),
        token.claims.keep(&path.0),
    );
}

/// Finds the text in a head, as a token and as a proof.
fn present(text: &str) {
    let Ok(value) = HeaderValue::from_str(text) else {
        return;
    };
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, value.clone());
    headers.insert(&proof::FIELD, value);
    let own = HeaderName::from_static("x-token");
    let _found = (
        bearer::authorization(&headers, true),
        bearer::assertion(&headers, &own),
    );
    let wanted = proof::Wanted {
        presented: Presented {
            headers: &headers,
            method: &Method::GET,
            uri: &Uri::from_static("https://agent.example/"),
            is_tls: true,
            host: None,
            has_content: false,
            client: None,
        },
        token: "token",
        key: [0; 32],
        leeway: std::time::Duration::from_secs(30),
    };
    let believed = proof::check(&wanted, Timestamp::UNIX_EPOCH);
    assert!(believed.is_err(), "a proof with a key that nobody has");
}

/// Any bytes as a key set, as a shared key and as JSON.
///
/// # Panics
/// When JSON is read otherwise than by everybody, or a key verifies what nobody signed.
#[doc(hidden)]
pub fn fuzz_jwks(data: &[u8]) {
    let _short_or_not = SharedKey::parse(data).is_ok();
    if let Ok(object) = json::object(data) {
        let other: Result<Value, _> = serde_json::from_slice(data);
        assert_eq!(other.ok(), Some(Value::Object(object)), "two readings");
    }
    let Ok(set) = KeySet::parse(data) else {
        return;
    };
    assert!(set.keys() > 0, "a set without keys");
    let payload = URL_SAFE_NO_PAD.encode(br#"{"iss":"https://idp.example"}"#);
    let signature = URL_SAFE_NO_PAD.encode([0; 64]);
    for algorithm in Algorithm::ALL {
        let header = format!(r#"{{"alg":"{}"}}"#, algorithm.as_str());
        let text = format!("{}.{payload}.{signature}", URL_SAFE_NO_PAD.encode(header));
        if let Ok(token) = Unverified::parse(&text) {
            let verified = set.verify(&token).is_ok();
            assert!(!verified || is_weak(data), "nobody signed this");
        }
    }
}

/// Whether a set holds an Edwards point of small order: by such a key everybody signs (RFC 8032, section 5.1.7). It is
/// the issuer's own to publish.
fn is_weak(data: &[u8]) -> bool {
    String::from_utf8_lossy(data).contains("Ed25519")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_is_a_token_or_none(header in "\\PC{0,40}", payload in "\\PC{0,40}", signature in "\\PC{0,8}") {
            let parts = [header.as_bytes(), payload.as_bytes(), signature.as_bytes()];
            fuzz_token(&parts.join(&0xff));
            fuzz_token(header.as_bytes());
        }

        #[test]
        fn any_bytes_are_a_key_set_or_none(bytes in "\\PC{0,60}") {
            fuzz_jwks(bytes.as_bytes());
        }
    }

    #[test]
    fn what_reaches_the_inside_is_read() {
        let header = br#"{"alg":"EdDSA","kid":"a","typ":"at+jwt"}"#.as_slice();
        let payload = br#"{"iss":"https://idp.example","exp":9,"realm":{"org":["a"]}}"#.as_slice();
        fuzz_token(&[header, payload, b"x"].join(&0xff));
        fuzz_jwks(br#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}"#);
    }
}
