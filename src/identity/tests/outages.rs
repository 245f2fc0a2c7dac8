//! A server of keys that fails in every way, over HTTPS: what `docs/fail-modes.md` promises, row by row.

use rcgen::CertificateParams;

use crate::model::Reason;

use super::server::KeyServer;
use super::*;

const PAGE: &str = include_str!("../../../docs/fail-modes.md");

/// Asks again at once, so that tests need not wait.
fn hasty() -> Timing {
    Timing {
        cool_down: Duration::ZERO,
        fresh_least: Duration::from_millis(20),
        retry_first: Duration::from_millis(20),
        retry_most: Duration::from_millis(20),
        patience: Duration::from_millis(500),
        ..Timing::default()
    }
}

/// A server with the keys of an issuer, and a room that has read them.
struct Stage {
    server: KeyServer,
    store: KeyStore,
    room: Authenticator,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn new(change: impl FnOnce(&mut Identity)) -> Self {
        Self::before(KeyServer::https().await, change).await
    }

    async fn before(
        (server, certificate): (KeyServer, String),
        change: impl FnOnce(&mut Identity),
    ) -> Self {
        server.put("/jwks", "cache-control: max-age=0\r\n", &ED25519.jwks());
        let folder = tempfile::TempDir::new().unwrap();
        let ca = folder.path().join("ca.crt");
        std::fs::write(&ca, certificate).unwrap();
        let mut identity = identity(KeySource::Url {
            url: server.url("/jwks"),
            ca: Some(ca),
        });
        change(&mut identity);
        let store = KeyStore::with_timing(Handle::current(), hasty());
        let config = Config {
            identities: vec![identity],
            ..Config::default()
        };
        let room = Authenticator::new(&config, &store);
        Self {
            server,
            store,
            room,
            _folder: folder,
        }
    }

    /// What becomes of a token that was never seen, signed by this key.
    async fn ask(&self, minter: &TokenMinter) -> Result<Arc<Principal>, Refusal> {
        let id = uuid::Uuid::now_v7().to_string();
        let token = minter.mint(&claims_with(&json!({"jti": id}))).unwrap();
        let headers = bearer(&token);
        let caller = self.room.authenticate(presented(&headers), now()).await?;
        Ok(caller.principal)
    }

    async fn until(&self, what: &str, reached: impl Fn(&SourceState) -> bool) {
        for _ in 0..800 {
            if reached(&self.store.state()[0]) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{what}: {:?}", self.store.state());
    }

    /// Waits until the log and `/readyz` say why, in words that the page has too.
    async fn until_told(&self, words: &str) {
        assert!(PAGE.contains(words), "the page does not say `{words}`");
        let is_told = |state: &SourceState| {
            let error = state.error.as_deref();
            error.is_some_and(|error| error.contains(words))
        };
        self.until(words, is_told).await;
    }
}

fn whole(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn status(line: &str) -> String {
    format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\nlocation: /elsewhere\r\n\r\n")
}

#[tokio::test]
async fn whatever_the_server_answers_known_keys_go_on_and_unknown_ones_are_refused() {
    let fresh = minter(Algorithm::EdDsa);
    let cases = [
        (status("500 Internal Server Error"), "answered 500"),
        (status("503 Service Unavailable"), "answered 503"),
        (status("404 Not Found"), "answered 404"),
        (status("302 Found"), "answered 302"),
        ("\0\0garbage\r\n\r\n".to_owned(), "failed"),
        (
            whole("<html>"),
            "the key set is malformed: not a JSON object",
        ),
        (whole(r#"{"keys":[]}"#), "the key set holds no usable key"),
        (
            whole(&" ".repeat(10 * 1024 * 1024)),
            "is larger than 256 KiB",
        ),
        (
            format!(
                "HTTP/1.1 200 OK\r\ncontent-length: 9000\r\n\r\n{}",
                fresh.jwks()
            ),
            "failed",
        ),
    ];
    let stage = Stage::new(|_| {}).await;
    for (answer, words) in cases {
        stage
            .server
            .put("/jwks", "cache-control: max-age=0\r\n", &ED25519.jwks());
        stage.ask(&ED25519).await.unwrap();
        stage.until("good", |state| state.error.is_none()).await;
        stage.server.put_raw("/jwks", answer);
        stage.until_told(words).await;
        assert!(stage.store.state()[0].is_loaded(), "{words}");
        stage.ask(&ED25519).await.unwrap();
        let refusal = stage.ask(&fresh).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::CredentialInvalid, "{words}");
        assert!(refusal.detail.unwrap().ends_with("is not known"), "{words}");
    }
    // It is well again, and has a new key.
    stage.server.put("/jwks", "", &jwks(&[&ED25519, &fresh]));
    stage.ask(&fresh).await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_slow_holds_up_nobody_for_long() {
    let stage = Stage::new(|_| {}).await;
    stage.ask(&ED25519).await.unwrap();
    stage.server.delay(Duration::from_secs(60));
    let begun = tokio::time::Instant::now();
    let refusal = stage.ask(&minter(Algorithm::EdDsa)).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::CredentialInvalid);
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    // Those whose keys are known do not wait at all.
    let begun = tokio::time::Instant::now();
    stage.ask(&ED25519).await.unwrap();
    assert!(
        begun.elapsed() < Duration::from_millis(400),
        "{:?}",
        begun.elapsed()
    );
    stage.until_told("did not answer in time").await;
}

#[tokio::test]
async fn a_server_that_is_gone_is_one_whose_keys_stay_for_a_while() {
    let stage = Stage::new(|identity| jwt(identity).max_stale = Duration::from_secs(1)).await;
    stage.ask(&ED25519).await.unwrap();
    let Stage {
        server,
        store,
        room,
        _folder,
    } = stage;
    let base = server.base.clone();
    drop(server);
    let stage = Stage {
        server: KeyServer::http().await,
        store,
        room,
        _folder,
    };
    stage.until_told("cannot be reached").await;
    stage.ask(&ED25519).await.unwrap();
    stage.until("too old", |state| !state.is_loaded()).await;
    let refusal = stage.ask(&ED25519).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::KeysUnavailable);
    let words = "could not be read again for too long";
    assert!(PAGE.contains(words) && refusal.detail.unwrap().ends_with(words));
    assert!(stage.store.state()[0].source.starts_with(&*base));
}

#[tokio::test]
async fn without_keys_from_the_start_everybody_is_told_to_come_again() {
    let stage = Stage::new(|identity| {
        // A CA that did not vouch for the server.
        let stranger = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        if let KeySource::Url { ca: Some(ca), .. } = &jwt(identity).keys {
            std::fs::write(ca, stranger.cert.pem()).unwrap();
        }
    })
    .await;
    let refusal = stage.ask(&ED25519).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::KeysUnavailable);
    assert!(refusal.retry_after.is_some());
    let words = "are not loaded";
    assert!(PAGE.contains(words) && refusal.detail.unwrap().ends_with(words));
    stage.until_told("cannot be reached").await;
    stage.until_told("invalid peer certificate").await;
    assert!(!stage.store.state()[0].is_loaded());
    assert_eq!(stage.server.requests(), 0);
}

#[tokio::test]
async fn a_server_whose_certificate_is_over_or_of_another_is_told_nothing() {
    let params = |name: &str| CertificateParams::new(vec![name.to_owned()]).unwrap();
    let mut over = params("127.0.0.1");
    over.not_before = rcgen::date_time_ymd(2020, 1, 1);
    over.not_after = rcgen::date_time_ymd(2021, 1, 1);
    for (params, why) in [
        (over, "xpired"),
        (params("idp.example"), "not valid for name"),
    ] {
        let server = KeyServer::https_with(&params).await;
        let stage = Stage::before(server, |_| {}).await;
        let refusal = stage.ask(&ED25519).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::KeysUnavailable, "{why}");
        stage.until_told("cannot be reached").await;
        stage.until_told("invalid peer certificate").await;
        let error = stage.store.state()[0].error.clone().unwrap();
        assert!(error.contains(why), "{error}");
        assert!(!stage.store.state()[0].is_loaded(), "{why}");
        assert_eq!(stage.server.requests(), 0, "{why}");
    }
}

#[tokio::test]
async fn a_clock_that_is_five_minutes_off_refuses_rather_than_believes() {
    let fixture = Fixture::new(|_| {});
    let at = |seconds: i64| Timestamp::from_second(NOW + seconds).unwrap();
    let fresh = mint(&json!({"iat": NOW, "nbf": NOW, "exp": NOW + 240}));
    let plain = mint(&json!({"iat": null, "exp": NOW + 240}));
    let ask = async |token: &str, seconds: i64| {
        let headers = bearer(token);
        let outcome = fixture
            .room
            .authenticate(presented(&headers), at(seconds))
            .await;
        outcome
            .err()
            .map(|refusal| refusal.detail.unwrap().to_string())
    };
    for (token, seconds, words) in [
        (&fresh, -300, "token is not valid for another"),
        (&mint(&json!({"iat": NOW})), -300, "in the future"),
        (&fresh, 300, "token expired"),
        (&plain, 300, "token expired"),
    ] {
        assert!(PAGE.contains(words), "{words}");
        assert!(
            ask(token, seconds).await.unwrap().contains(words),
            "{words}"
        );
    }
    // What says no dates but its end is good by a clock that is slow.
    assert_eq!(ask(&plain, -300).await, None);
    // Half a minute is allowed for.
    for seconds in [-29, 29] {
        assert_eq!(ask(&fresh, seconds).await, None);
    }
}
