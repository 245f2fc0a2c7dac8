//! Whatever is signed verifies, and after any change of what is covered it does not.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::{NOW, Owned, lax, verify};
use crate::identity::signature::{
    Algorithm, Component, KeyKind, Message, Plan, SigningKey, VerifyingKeys, content_digest,
};

static KEY: LazyLock<(SigningKey, VerifyingKeys)> = LazyLock::new(|| {
    let key = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let mut jwk = key.public_jwk().unwrap();
    jwk.insert("kid".to_owned(), "k".into());
    let set = serde_json::json!({ "keys": [jwk] }).to_string();
    (
        key,
        VerifyingKeys::parse(set.as_bytes(), KeyKind::Public).unwrap(),
    )
});

fn message() -> impl Strategy<Value = Owned> {
    let part = "[a-z0-9%+._~-]{0,12}";
    let value = "[ -~]{0,40}";
    (
        "(GET|POST|DELETE|M-SEARCH)",
        proptest::collection::vec(part, 0..4),
        proptest::option::of(proptest::collection::vec((part, part), 0..4)),
        proptest::collection::vec(("x-[a-z]{1,6}", value), 0..6),
        proptest::collection::vec(any::<u8>(), 0..300),
    )
        .prop_map(|(method, path, query, fields, body)| {
            let mut message = Owned::post(&format!("/{}", path.join("/")), &body);
            message.method = method;
            message.query = query.map(|pairs| {
                let pairs: Vec<_> = pairs.iter().map(|(a, b)| format!("{a}={b}")).collect();
                pairs.join("&")
            });
            for (name, value) in fields {
                message.field(&name, value);
            }
            message.field("content-digest", content_digest(&body));
            message
        })
}

/// Covers some of what there is, the digest always.
fn covers(message: &Owned, choice: u32) -> Vec<Component<'static>> {
    let mut all = vec![
        "@method",
        "@authority",
        "@path",
        "@query",
        "@scheme",
        "@target-uri",
        "@request-target",
    ]
    .into_iter()
    .map(str::to_owned)
    .collect::<Vec<_>>();
    for name in message.headers.keys() {
        all.push(if choice & 1 == 1 {
            format!("{name};bs")
        } else {
            name.to_string()
        });
    }
    let chosen = all.into_iter().enumerate().filter(|(index, name)| {
        name.starts_with("content-digest") || choice >> (index + 1) & 1 == 1
    });
    chosen
        .map(|(_, text)| Component::parse(&text).unwrap())
        .collect()
}

fn signed(mut message: Owned, covers: &[Component<'_>], nonce: &str) -> Owned {
    let plan = Plan {
        label: "sig",
        covers,
        created: Some(NOW),
        expires: Some(NOW + 60),
        nonce: Some(nonce),
        key_id: Some("k"),
        tag: Some("t"),
        ..Plan::default()
    };
    let fields = plan
        .sign(&Message::Request(message.request()), &KEY.0)
        .unwrap();
    message.field("signature-input", fields.input);
    message.field("signature", fields.signature);
    message
}

fn judge(message: &Owned) -> Result<String, crate::identity::signature::SignatureError> {
    let key = KEY.1.find("k").unwrap();
    let request = Message::Request(message.request());
    verify(&request, &lax(), key, Some(&message.body), NOW)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_was_signed_verifies(message in message(), choice: u32, nonce in "[ -~]{0,40}") {
        let covers = covers(&message, choice);
        let signed = signed(message, &covers, &nonce);
        let judged = judge(&signed);
        prop_assert!(judged.is_ok(), "{:?}", judged);
    }

    #[test]
    fn a_changed_bit_of_the_base_or_the_body_is_noticed(
        message in message(), choice: u32, at: proptest::sample::Index, bit in 0..8_u32, part in 0..6_u8,
    ) {
        let covers = covers(&message, choice);
        let mut changed = signed(message, &covers, "n");
        let before = judge(&changed).unwrap();
        let flip = |bytes: &mut [u8]| {
            if bytes.is_empty() {
                return false;
            }
            let index = at.index(bytes.len());
            bytes[index] ^= 1 << bit;
            true
        };
        let flip_text = |text: &mut String| {
            let mut bytes = std::mem::take(text).into_bytes();
            let flipped = flip(&mut bytes);
            match String::from_utf8(bytes) {
                Ok(changed) => { *text = changed; flipped }
                Err(_) => false,
            }
        };
        let happened = match part {
            0 => flip(&mut changed.body),
            1 => flip_text(&mut changed.method),
            2 => flip_text(&mut changed.path),
            3 => changed.query.as_mut().is_some_and(flip_text),
            _ => {
                let name = if part == 4 { "signature" } else { "signature-input" };
                let mut bytes = changed.headers[name].as_bytes().to_vec();
                let flipped = flip(&mut bytes);
                match http::HeaderValue::from_bytes(&bytes) {
                    Ok(value) => { changed.headers.insert(name, value); flipped }
                    Err(_) => false,
                }
            }
        };
        prop_assume!(happened);
        // What is not covered may change, and white space between things is nobody's.
        if let Ok(after) = judge(&changed) {
            prop_assert_eq!(after, before);
        }
    }
}
