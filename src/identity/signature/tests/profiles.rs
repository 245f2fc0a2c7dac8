//! What each convention demands.

use super::{NOW, Owned, components};
use crate::identity::signature::{
    Acceptance, Algorithm, Fields, KeyKind, Message, Plan, Profile, SignatureError, Signatures,
    SigningKey, VerifyingKeys, choose,
};

fn judge(
    profile: Profile,
    algorithm: Algorithm,
    fields: &[(&str, &str)],
    covers: &[&str],
) -> Result<(), SignatureError> {
    let key = SigningKey::generate(algorithm).unwrap();
    let thumbprint = key.thumbprint().unwrap();
    let set = serde_json::json!({ "keys": [key.public_jwk().unwrap()] }).to_string();
    let keys = VerifyingKeys::parse(set.as_bytes(), KeyKind::Public).unwrap();
    let mut message = Owned::post("/a2a?x=1", b"");
    for (name, value) in fields {
        message.field(name, value);
    }
    let covers = components(covers);
    let plan = Plan {
        label: "sig1",
        covers: &covers,
        created: Some(NOW),
        expires: Some(NOW + 60),
        nonce: Some("n"),
        key_id: Some(&thumbprint),
        tag: profile.tag(),
        ..Plan::default()
    };
    let signed = plan
        .sign(&Message::Request(message.request()), &key)
        .unwrap();
    message.field("signature-input", signed.input);
    message.field("signature", signed.signature);
    let requirements = profile.requirements();
    let acceptance = Acceptance {
        identity: "desk",
        tag: profile.tag(),
        requirements: &requirements,
        bound_for: None,
        algorithm: profile.algorithm(),
        keys: &keys,
    };
    let fields = Fields::of(&message.headers).unwrap().unwrap();
    let signatures = Signatures::parse(&fields).unwrap();
    let request = Message::Request(message.request());
    choose(&signatures, &[acceptance])?
        .verify(&request, false, NOW)
        .map(|_| ())
}

#[test]
fn an_agent_signs_with_ed25519_alone() {
    let covers = ["@method", "@path"];
    assert_eq!(
        judge(Profile::A2a, Algorithm::Ed25519, &[], &covers),
        Ok(())
    );
    let judged = judge(Profile::A2a, Algorithm::EcdsaP256Sha256, &[], &covers);
    assert_eq!(
        judged,
        Err(SignatureError::AlgorithmNotAllowed("ecdsa-p256-sha256"))
    );
}

#[test]
fn a_bot_signs_where_it_says_who_it_is() {
    let dictionary = [(
        "signature-agent",
        "sig1=\"https://bot.example\", x=\"https://other.example\"",
    )];
    let text = [("signature-agent", "\"https://bot.example\"")];
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);
    let good: [Case<'_>; 5] = [
        (&[], &["@authority"]),
        (&[], &["@target-uri"]),
        (&dictionary, &["@authority", "signature-agent;key=\"sig1\""]),
        (&dictionary, &["@authority", "signature-agent"]),
        (&text, &["@authority", "signature-agent"]),
    ];
    for (fields, covers) in good {
        let judged = judge(Profile::WebBotAuth, Algorithm::Ed25519, fields, covers);
        assert_eq!(judged, Ok(()), "{covers:?}");
    }
    let bad: [&[&str]; 3] = [
        &["@authority"],
        &["@authority", "signature-agent;key=\"x\""],
        &["@method", "signature-agent"],
    ];
    for covers in bad {
        let judged = judge(Profile::WebBotAuth, Algorithm::Ed25519, &dictionary, covers);
        assert!(
            matches!(judged, Err(SignatureError::NotCovered(_))),
            "{covers:?}: {judged:?}"
        );
    }
}
