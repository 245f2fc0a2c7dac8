//! Keys that callers name by their address: fetched where the policy allows it, and nowhere else.

use std::path::Path;

use crate::identity::signature::{
    Algorithm, KeyKind, KeyUrlPattern, Message, Plan, Profile, Request, SigningKey,
};
use crate::identity::sources::{Manner, Reach};
use crate::model::Reason;

use super::server::KeyServer;
use super::*;

struct Stage {
    server: KeyServer,
    ca: PathBuf,
    key: SigningKey,
    store: KeyStore,
    room: Authenticator,
    _folder: tempfile::TempDir,
}

/// Each attempt at once, and little patience.
fn hasty() -> Timing {
    Timing {
        cool_down: Duration::ZERO,
        patience: Duration::from_millis(700),
        ..Timing::default()
    }
}

impl Stage {
    async fn new(timing: Timing, change: impl FnOnce(&mut KeyUrls)) -> Self {
        let (server, certificate) = KeyServer::https().await;
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        std::fs::write(&ca, certificate).unwrap();
        let store =
            KeyStore::with_timing(Handle::current(), timing).remembering(replay::Memory::since(0));
        let mut urls = KeyUrls {
            allow: vec![KeyUrlPattern::parse(&server.url("/keys/*")).unwrap()],
            ca: Some(ca.clone()),
            dangerous_private_addresses: true,
            tenant: Some(TenantId::new("acme").unwrap()),
            groups: vec!["agents".into()],
        };
        change(&mut urls);
        let profile = Profile::A2a;
        let identity = Identity {
            name: IdentityName::new("agents").unwrap(),
            kind: Kind::Signature(SignedRequests {
                kind: KeyKind::Public,
                keys: SecretSource::File(PathBuf::new()),
                tag: None,
                requirements: profile.requirements(),
                algorithm: profile.algorithm(),
                key_urls: Some(urls),
                workloads: None,
                authority: None,
            }),
            tenant: TenantFrom::Default,
            tenants: Vec::new(),
            groups: None,
        };
        let config = Config {
            identities: vec![identity],
            ..Config::default()
        };
        let key = SigningKey::generate(Algorithm::Ed25519).unwrap();
        server.put("/keys/a", "", &document(&key));
        Self {
            room: Authenticator::new(&config, &store),
            server,
            ca,
            key,
            store,
            _folder: folder,
        }
    }

    /// A call that is signed with the key which lies there.
    async fn ask(&self, key_id: &str) -> Result<Arc<Principal>, Refusal> {
        self.ask_covering(key_id, &["@method", "@path"]).await
    }

    async fn ask_covering(&self, key_id: &str, covers: &[&str]) -> Result<Arc<Principal>, Refusal> {
        let nonce = uuid::Uuid::now_v7().to_string();
        let covers = covers
            .iter()
            .map(|text| signature::Component::parse(text).unwrap());
        let covers: Vec<_> = covers.collect();
        let plan = Plan {
            label: "sig",
            covers: &covers,
            created: Some(NOW),
            nonce: Some(&nonce),
            key_id: Some(key_id),
            ..Plan::default()
        };
        let mut headers = HeaderMap::new();
        let request = Request {
            method: "GET",
            scheme: "http",
            authority: "",
            path: "/x",
            query: None,
            target: None,
            headers: &HeaderMap::new(),
        };
        let signed = plan.sign(&Message::Request(request), &self.key).unwrap();
        headers.insert("signature-input", signed.input.parse().unwrap());
        headers.insert("signature", signed.signature.parse().unwrap());
        let uri = Uri::from_static("/x");
        let presented = Presented {
            headers: &headers,
            method: &Method::GET,
            uri: &uri,
            is_tls: false,
            host: None,
            has_content: false,
            client: None,
        };
        let caller = self.room.authenticate(presented, now()).await?;
        Ok(caller.principal)
    }

    /// Why a call with this key is refused.
    async fn refusal(&self, path: &str) -> (Reason, String) {
        let refusal = self.ask(&self.server.url(path)).await.unwrap_err();
        (
            refusal.reason,
            refusal.detail.unwrap_or_default().to_string(),
        )
    }
}

fn document(key: &SigningKey) -> String {
    let mut jwk = key.public_jwk().unwrap();
    // What whoever answers would like to be.
    jwk.insert("tenant".to_owned(), json!("globex"));
    jwk.insert("groups".to_owned(), json!(["admins"]));
    Value::Object(jwk).to_string()
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn a_key_is_fetched_once_and_its_address_is_the_caller() {
    let stage = Stage::new(Timing::default(), |_| {}).await;
    let url = stage.server.url("/keys/a");
    stage.server.delay(Duration::from_millis(100));
    let all = (0..20).map(|_| stage.ask(&url));
    for principal in futures_all(all).await {
        let principal = principal.unwrap();
        assert_eq!(
            (principal.id.as_str(), principal.tenant.as_str()),
            (&*url, "acme")
        );
        assert_eq!(principal.groups, [Box::from("agents")]);
    }
    assert_eq!(stage.server.requests(), 1, "one fetch for all who wait");
    // A new snapshot goes on with what is known.
    assert!(stage.ask(&url).await.is_ok());
    assert_eq!(stage.server.requests(), 1);
}

/// All of them at the same time, on this thread.
async fn futures_all<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = all.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(move |cx| {
        for (future, done) in running.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(output) = future.as_mut().poll(cx)
            {
                *done = Some(output);
            }
        }
        match done.iter().all(Option::is_some) {
            true => {
                std::task::Poll::Ready(done.iter_mut().map(|done| done.take().unwrap()).collect())
            }
            false => std::task::Poll::Pending,
        }
    })
    .await
}

#[tokio::test]
async fn nobody_is_asked_whom_the_policy_does_not_list() {
    let stage = Stage::new(hasty(), |_| {}).await;
    let other = stage.server.base.replace("127.0.0.1", "localhost");
    let refused = [
        stage.server.url("/a"),
        stage.server.url("/keys/a/b"),
        stage.server.url("/keys/a?b"),
        stage.server.url("/keys/../a"),
        stage.server.url("/keys/%61"),
        stage.server.url("/keys/a").replace("https", "http"),
        format!("{other}/keys/a"),
        "https://evil.example/keys/a".to_owned(),
    ];
    for url in &refused {
        let refusal = stage.ask(url).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::CredentialInvalid, "{url}");
        let detail = refusal.detail.unwrap_or_default();
        assert!(detail.ends_with("is not known"), "{url}: {detail}");
    }
    // Nor for a signature that would not count with any key.
    let refusal = stage
        .ask_covering(&stage.server.url("/keys/a"), &["@method"])
        .await;
    let detail = refusal.unwrap_err().detail.unwrap_or_default();
    assert_eq!(&*detail, "`@path` is not covered");
    assert_eq!(stage.server.requests(), 0);
}

#[tokio::test]
async fn an_address_of_a_private_network_is_not_asked_unless_it_may_be() {
    let stage = Stage::new(hasty(), |urls| urls.dangerous_private_addresses = false).await;
    let (reason, detail) = stage.refusal("/keys/a").await;
    assert_eq!(reason, Reason::KeysUnavailable);
    assert!(
        detail.contains("the address is not a public one"),
        "{detail}"
    );
    assert_eq!(stage.server.requests(), 0);
}

#[tokio::test]
async fn answers_that_are_no_key_are_not_followed_or_read_on() {
    let stage = Stage::new(hasty(), |_| {}).await;
    let location = format!("location: {}\r\n", stage.server.url("/keys/a"));
    let large = "x".repeat(10 * 1024 * 1024);
    for (name, sent, reason, said) in [
        (
            "e500",
            answer("500 Oops", "", ""),
            Reason::KeysUnavailable,
            "answered 500",
        ),
        (
            "e302",
            answer("302 Found", &location, ""),
            Reason::KeysUnavailable,
            "answered 302",
        ),
        (
            "e404",
            answer("404 Not Found", "", ""),
            Reason::CredentialInvalid,
            "is not known",
        ),
        (
            "e410",
            answer("410 Gone", "", ""),
            Reason::CredentialInvalid,
            "is not known",
        ),
        (
            "huge",
            answer("200 OK", "", &large),
            Reason::KeysUnavailable,
            "larger than 256 KiB",
        ),
        (
            "text",
            answer("200 OK", "", "<html>"),
            Reason::KeysUnavailable,
            "malformed",
        ),
        (
            "none",
            answer("200 OK", "", r#"{"keys":[]}"#),
            Reason::KeysUnavailable,
            "no usable key",
        ),
        (
            "rest",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_owned(),
            Reason::KeysUnavailable,
            "failed",
        ),
    ] {
        let path = format!("/keys/{name}");
        stage.server.put_raw(&path, sent);
        let before = stage.server.requests();
        let refused = stage.refusal(&path).await;
        assert_eq!(refused.0, reason, "{name}: {}", refused.1);
        assert!(refused.1.contains(said), "{name}: {}", refused.1);
        assert_eq!(stage.server.requests(), before + 1, "{name}");
    }
    // One that is slow holds up nobody for long.
    stage.server.delay(Duration::from_secs(3));
    let began = crate::clock::now();
    let (reason, detail) = stage.refusal("/keys/slow").await;
    assert_eq!(reason, Reason::KeysUnavailable);
    assert!(detail.contains("did not answer in time"), "{detail}");
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn what_failed_is_not_asked_again_at_once_and_what_was_good_stays() {
    let stage = Stage::new(Timing::default(), |_| {}).await;
    stage.server.put_raw("/keys/b", answer("500 Oops", "", ""));
    for _ in 0..5 {
        assert_eq!(stage.refusal("/keys/b").await.0, Reason::KeysUnavailable);
    }
    assert_eq!(stage.server.requests(), 1);
    // A forged signature makes us look once for a new key, and leaves the old one.
    let url = stage.server.url("/keys/a");
    stage.ask(&url).await.unwrap();
    stage.server.put_raw("/keys/a", answer("500 Oops", "", ""));
    stage.ask(&url).await.unwrap();
    assert_eq!(stage.server.requests(), 2);
}

#[tokio::test]
async fn a_new_key_at_an_old_address_is_found_and_one_that_is_withdrawn_ends() {
    let mut stage = Stage::new(hasty(), |_| {}).await;
    let url = stage.server.url("/keys/a");
    stage.ask(&url).await.unwrap();
    stage.key = SigningKey::generate(Algorithm::Ed25519).unwrap();
    assert_eq!(
        stage.refusal("/keys/a").await.1,
        "the signature does not verify"
    );
    stage.server.put("/keys/a", "", &document(&stage.key));
    stage.ask(&url).await.unwrap();
    stage
        .server
        .put_raw("/keys/a", answer("404 Not Found", "", ""));
    stage.key = SigningKey::generate(Algorithm::Ed25519).unwrap();
    assert!(stage.refusal("/keys/a").await.1.ends_with("is not known"));
}

#[tokio::test]
async fn addresses_are_remembered_within_bounds_and_the_good_ones_longest() {
    let stage = Stage::new(Timing::default(), |_| {}).await;
    let url = stage.server.url("/keys/a");
    stage.ask(&url).await.unwrap();
    for number in 0..300 {
        let path = format!("/keys/none-{number}");
        stage.server.put_raw(&path, answer("404 Not Found", "", ""));
        stage.refusal(&path).await;
    }
    let manner = Manner {
        ca: Some(stage.ca.clone()),
        reach: Reach::Anywhere,
    };
    assert_eq!(stage.store.on_demand(manner).len(), 256);
    let asked = stage.server.requests();
    stage.ask(&url).await.unwrap();
    assert_eq!(stage.server.requests(), asked);
    assert!(Path::new(&stage.ca).exists());
}
