//! What it costs to know who calls: microseconds for each call.
//!
//! `cargo bench --bench tokens`. `remembered` is a token that was verified before, `first` one of each algorithm that was
//! not, `bound` one that is remembered and comes with a proof of its key, which is verified each time.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a program that measures"
)]

use std::hint::black_box;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, Uri};
use jiff::Timestamp;
use lictor::identity::mint::TokenMinter;
use lictor::identity::{
    Algorithm, Authenticator, Config, Identity, Jwt, KeySource, KeyStore, Kind, Presented,
    SecretSource, TenantFrom,
};
use lictor::model::IdentityName;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const NOW: i64 = 1_800_000_000;

/// One issuer with one key, and a room that has read it.
struct Stage {
    runtime: Runtime,
    config: Config,
    store: KeyStore,
    room: Authenticator,
    minter: TokenMinter,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new(algorithm: Algorithm) -> Self {
        let runtime = Runtime::new().unwrap();
        let minter = TokenMinter::generate(algorithm).unwrap();
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("keys");
        let keys = match minter.shared_key() {
            Some(key) => {
                // A line break, because one that the key ends with would not count.
                std::fs::write(&file, [key, b"\n"].concat()).unwrap();
                let place = SecretSource::File(file);
                KeySource::Shared { place, least: 32 }
            }
            None => {
                std::fs::write(&file, minter.jwks()).unwrap();
                KeySource::File(file)
            }
        };
        let config = Config {
            identities: vec![identity(algorithm, keys)],
            ..Config::default()
        };
        let store = KeyStore::new(runtime.handle().clone());
        let room = Authenticator::new(&config, &store);
        let stage = Self {
            runtime,
            config,
            store,
            room,
            minter,
            _folder: folder,
        };
        // The first call waits for the keys.
        stage.ask(&stage.room, &stage.head(&json!({})));
        stage
    }

    fn head(&self, changes: &Value) -> HeaderMap {
        let token = self.minter.mint(&claims(changes)).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
        headers
    }

    fn ask(&self, room: &Authenticator, headers: &HeaderMap) {
        let presented = Presented {
            headers,
            method: &Method::GET,
            uri: &Uri::from_static("https://agent.example/"),
            is_tls: true,
            host: None,
            has_content: false,
            client: None,
        };
        let now = Timestamp::from_second(NOW).unwrap();
        let caller = self.runtime.block_on(room.authenticate(presented, now));
        assert!(!black_box(caller).unwrap().principal.is_anonymous());
    }
}

fn identity(algorithm: Algorithm, keys: KeySource) -> Identity {
    Identity {
        name: IdentityName::new("corp").unwrap(),
        kind: Kind::Jwt(Jwt {
            header: None,
            issuer: "https://idp.example".to_owned(),
            audiences: vec!["quotes-agent".to_owned()],
            algorithms: vec![algorithm],
            keys,
            max_stale: Duration::from_hours(24),
            require_dpop: false,
            require_access_token: false,
            require_exp: true,
            max_age: None,
            leeway: Duration::from_secs(30),
        }),
        tenant: TenantFrom::Default,
        tenants: Vec::new(),
        groups: None,
    }
}

fn claims(changes: &Value) -> Value {
    let mut claims = json!({
        "iss": "https://idp.example", "sub": "ana@acme", "aud": "quotes-agent", "org_id": "acme",
        "groups": ["staff", "analysts"], "iat": NOW - 60, "exp": NOW + 600,
        "jti": "6a1c4a52-6d1e-4f8c-9d3b-1d7a6f5d2c11", "scope": "quotes:read quotes:write",
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn remembered(criterion: &mut Criterion) {
    let stage = Stage::new(Algorithm::Es256);
    let headers = stage.head(&json!({}));
    criterion.bench_function("remembered", |bencher| {
        bencher.iter(|| stage.ask(&stage.room, &headers));
    });
}

fn first(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("first");
    for algorithm in Algorithm::ALL {
        let stage = Stage::new(*algorithm);
        let headers = stage.head(&json!({}));
        group.bench_function(algorithm.as_str(), |bencher| {
            bencher.iter_batched(
                // With the keys, and without a memory of tokens.
                || Authenticator::new(&stage.config, &stage.store),
                |room| {
                    stage.ask(&room, &headers);
                    room
                },
                BatchSize::SmallInput,
            );
        });
    }
}

fn bound(criterion: &mut Criterion) {
    let stage = Stage::new(Algorithm::Es256);
    let caller = TokenMinter::generate(Algorithm::Es256).unwrap();
    let sha256 = |text: &str| URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()));
    let mut jwk = caller.jwk();
    for name in ["kid", "use", "alg"] {
        jwk.as_object_mut().unwrap().remove(name);
    }
    let bound = claims(&json!({"cnf": {"jkt": sha256(&jwk.to_string())}}));
    let token = stage.minter.mint(&bound).unwrap();
    let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk}).to_string();
    let mut number = 0_u64;
    criterion.bench_function("bound", |bencher| {
        bencher.iter_batched(
            || {
                number += 1;
                let claims = json!({
                    "jti": number.to_string(), "htm": "GET", "htu": "https://agent.example/", "iat": NOW,
                    "ath": sha256(&token),
                });
                let claims = claims.to_string();
                let proof = caller.sign(header.as_bytes(), claims.as_bytes()).unwrap();
                let mut headers = HeaderMap::new();
                headers.insert(AUTHORIZATION, format!("DPoP {token}").parse().unwrap());
                headers.insert("dpop", proof.parse().unwrap());
                headers
            },
            |headers| stage.ask(&stage.room, &headers),
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, remembered, first, bound);
criterion_main!(benches);
