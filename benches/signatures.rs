//! What it costs to verify a signed request with 1 KiB of content: microseconds.
//!
//! `cargo bench --bench signatures`. All of it: fields, choice, coverage, base, signature, nonce, digest of the content.
//! The message is what `lictor sign` makes. For HMAC the budget is 15 µs.

#![expect(clippy::unwrap_used, reason = "a program that measures")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use http::HeaderMap;
use lictor::identity::replay::{OwnMemory, ReplayError};
use lictor::identity::signature::{
    Acceptance, Algorithm, Component, Fields, KeyKind, Message, Plan, Profile, Request, Signatures,
    SigningKey, VerifyingKeys, choose, content_digest,
};

const NOW: i64 = 1_780_000_000;

fn keys(algorithm: Algorithm) -> (SigningKey, VerifyingKeys) {
    if algorithm == Algorithm::HmacSha256 {
        let secret = [7; 32];
        let keys = VerifyingKeys::from_secret("desk", &secret).unwrap();
        return (SigningKey::from_secret(&secret).unwrap(), keys);
    }
    let key = SigningKey::generate(algorithm).unwrap();
    let mut jwk = key.public_jwk().unwrap();
    jwk.insert("kid".to_owned(), "desk".into());
    let set = serde_json::json!({ "keys": [jwk] }).to_string();
    let keys = VerifyingKeys::parse(set.as_bytes(), KeyKind::Public).unwrap();
    (key, keys)
}

const fn request(headers: &HeaderMap) -> Request<'_> {
    Request {
        method: "POST",
        scheme: "https",
        authority: "agent.example",
        path: "/a2a/v1",
        query: None,
        target: None,
        headers,
    }
}

fn verify(criterion: &mut Criterion) {
    let body = vec![b'x'; 1024];
    let covers: Vec<_> = [
        "@method",
        "@authority",
        "@path",
        "@query",
        "content-type",
        "content-digest",
    ]
    .iter()
    .map(|name| Component::parse(name).unwrap())
    .collect();
    let requirements = Profile::Lictor.requirements();
    let mut group = criterion.benchmark_group("verify a request with 1 KiB");
    group.throughput(Throughput::Elements(1));
    group.measurement_time(Duration::from_secs(3));
    for algorithm in Algorithm::ALL {
        let (signing, keys) = keys(*algorithm);
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", "agent.example"),
            ("user-agent", "a client"),
            ("content-type", "application/json"),
            ("content-digest", &content_digest(&body)),
        ] {
            let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.insert(name, value.parse().unwrap());
        }
        let plan = Plan {
            label: "sig",
            covers: &covers,
            created: Some(NOW),
            expires: Some(NOW + 60),
            nonce: Some("b3k2pp5k7z50gnwpyemd"),
            key_id: Some("desk"),
            tag: Some("lictor"),
            ..Plan::default()
        };
        let signed = plan
            .sign(&Message::Request(request(&headers)), &signing)
            .unwrap();
        headers.insert("signature-input", signed.input.parse().unwrap());
        headers.insert("signature", signed.signature.parse().unwrap());
        let identities = [Acceptance {
            identity: "desk",
            tag: Some("lictor"),
            requirements: &requirements,
            bound_for: None,
            algorithm: None,
            keys: &keys,
        }];
        let store = OwnMemory::default();
        group.bench_function(BenchmarkId::from_parameter(algorithm.as_str()), |bencher| {
            bencher.iter(|| {
                let headers = black_box(&headers);
                let fields = Fields::of(headers).unwrap().unwrap();
                let signatures = Signatures::parse(&fields).unwrap();
                let message = Message::Request(request(headers));
                let accepted = choose(&signatures, &identities)
                    .and_then(|chosen| chosen.verify(&message, true, NOW))
                    .unwrap();
                // The same nonce again and again: what is measured is the looking.
                let taken = store.take(accepted.nonce.unwrap(), NOW * 1000);
                assert_ne!(taken, Err(ReplayError::Full));
                accepted.digest.unwrap().check(black_box(&body)).unwrap();
            });
        });
    }
    group.finish();
}

criterion_group!(benches, verify);
criterion_main!(benches);
