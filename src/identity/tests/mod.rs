//! The whole room, with real keys and real key servers on loopback.

mod callers;
mod key_urls;
mod outages;
mod proofs;
#[path = "../../../tests/support/recipes.rs"]
#[expect(
    dead_code,
    reason = "where else than in fields a token stands is for tests of the program"
)]
mod recipes;
mod recipes_run;
mod server;
mod sources;
mod tokens;
#[path = "../../../tests/support/workloads.rs"]
mod workloads;
mod workloads_run;

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::model::IdentityName;

use super::jwt::{Carried, Place};
use super::mint::TokenMinter;
use super::sources::Timing;
use super::*;

/// With what the recipes make tokens.
mod minting {
    pub(crate) use crate::identity::Algorithm;
    pub(crate) use crate::identity::mint::TokenMinter;
}

/// With what workloads sign.
mod signing {
    pub(crate) use crate::identity::signature::{Algorithm, SigningKey, content_digest};
}

const ISSUER: &str = "https://idp.example";

/// One key of each kind for all tests: an RSA key takes a moment to make.
static ED25519: LazyLock<TokenMinter> = LazyLock::new(|| minter(Algorithm::EdDsa));
static P256: LazyLock<TokenMinter> = LazyLock::new(|| minter(Algorithm::Es256));
static RSA: LazyLock<TokenMinter> = LazyLock::new(|| minter(Algorithm::Rs256));

/// A good token, with these claims instead.
fn mint(changes: &Value) -> String {
    ED25519.mint(&claims_with(changes)).unwrap()
}

fn minter(algorithm: Algorithm) -> TokenMinter {
    TokenMinter::generate(algorithm).unwrap()
}

/// 2027-01-15T08:00:00Z.
fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

const NOW: i64 = 1_800_000_000;

fn identity(keys: KeySource) -> Identity {
    Identity {
        name: IdentityName::new("corp").unwrap(),
        kind: Kind::Jwt(Jwt {
            header: None,
            issuer: ISSUER.to_owned(),
            audiences: vec!["quotes-agent".to_owned()],
            algorithms: Algorithm::ALL
                .iter()
                .copied()
                .filter(|algorithm| !algorithm.is_shared())
                .collect(),
            keys,
            max_stale: Duration::from_hours(24),
            require_dpop: false,
            require_access_token: false,
            require_exp: true,
            max_age: None,
            leeway: Duration::from_secs(30),
        }),
        tenant: TenantFrom::Claim(ClaimPath(vec![Box::from("org_id")])),
        tenants: Vec::new(),
        groups: Some(ClaimPath(vec![Box::from("groups")])),
    }
}

/// How the tokens of an identity are verified.
fn jwt(identity: &mut Identity) -> &mut Jwt {
    let Kind::Jwt(jwt) = &mut identity.kind else {
        panic!("not of tokens")
    };
    jwt
}

/// `GET https://agent.example/` with this head.
fn presented(headers: &HeaderMap) -> Presented<'_> {
    static AGENT: LazyLock<Uri> = LazyLock::new(|| Uri::from_static("https://agent.example/"));
    Presented {
        headers,
        method: &Method::GET,
        uri: &AGENT,
        is_tls: true,
        host: None,
        has_content: false,
        client: None,
    }
}

fn of_caller(caller: Caller) -> Arc<Principal> {
    caller.principal
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "ana", "aud": "quotes-agent", "org_id": "acme",
        "groups": ["analysts", "staff"], "iat": NOW - 60, "exp": NOW + 600,
    })
}

/// The standard claims with some others; `null` takes one away.
fn claims_with(changes: &Value) -> Value {
    let mut claims = claims();
    let map = claims.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => map.remove(name),
            value => map.insert(name.clone(), value.clone()),
        };
    }
    claims
}

fn jwks(minters: &[&TokenMinter]) -> String {
    let keys: Vec<_> = minters.iter().map(|minter| minter.jwk()).collect();
    json!({ "keys": keys }).to_string()
}

fn head(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(AUTHORIZATION, value.parse().unwrap());
    }
    headers
}

fn bearer(token: &str) -> HeaderMap {
    head(&[&format!("Bearer {token}")])
}

/// A room whose keys lie in a file.
struct Fixture {
    folder: tempfile::TempDir,
    store: KeyStore,
    room: Authenticator,
}

impl Fixture {
    fn new(change: impl FnOnce(&mut Identity)) -> Self {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("jwks.json");
        std::fs::write(&file, jwks(&[&ED25519, &P256, &RSA])).unwrap();
        let mut identity = identity(KeySource::File(file));
        change(&mut identity);
        let timing = Timing {
            file_poll: Duration::from_millis(50),
            ..Timing::default()
        };
        let store = KeyStore::with_timing(Handle::current(), timing);
        let room = Authenticator::new(
            &Config {
                claims: Vec::new(),
                answers: None,
                identities: vec![identity],
            },
            &store,
        );
        Self {
            folder,
            store,
            room,
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("jwks.json")
    }

    async fn verify(&self, token: &str) -> Result<Arc<Principal>, CredentialError> {
        let carried = Carried {
            text: token,
            place: Place::Bearer,
        };
        let entry = self.room.tokens.verify(carried, now()).await?;
        Ok(entry.principal)
    }
}
