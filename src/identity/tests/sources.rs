//! Where keys come from, how they change, and what an outage does.

use crate::model::Reason;

use super::server::KeyServer;
use super::*;
use crate::identity::jwt::KeySet;
use crate::identity::sources::Contents as _;

/// Refreshes at once and is asked again at once, so that tests need not wait.
fn hasty() -> Timing {
    Timing {
        file_poll: Duration::from_millis(20),
        cool_down: Duration::ZERO,
        file_cool_down: Duration::ZERO,
        fresh_least: Duration::from_hours(1),
        retry_first: Duration::from_millis(20),
        retry_most: Duration::from_millis(20),
        ..Timing::default()
    }
}

fn url(server: &KeyServer, ca: Option<PathBuf>) -> KeySource {
    KeySource::Url {
        url: server.url("/jwks"),
        ca,
    }
}

fn room(store: &KeyStore, identity: Identity) -> Authenticator {
    Authenticator::new(
        &Config {
            claims: Vec::new(),
            answers: None,
            identities: vec![identity],
        },
        store,
    )
}

async fn ask(room: &Authenticator, minter: &TokenMinter) -> Result<Arc<Principal>, Refusal> {
    let token = minter.mint(&claims()).unwrap();
    room.authenticate(presented(&bearer(&token)), now())
        .await
        .map(of_caller)
}

fn error_of(store: &KeyStore) -> String {
    let state = store.state();
    state[0].error.as_deref().unwrap_or_default().to_owned()
}

/// Waits for a state of the only source, for at most five seconds.
async fn until(store: &KeyStore, reached: impl Fn(&SourceState) -> bool) {
    for _ in 0..500 {
        if reached(&store.state()[0]) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?}", store.state());
}

#[tokio::test]
async fn keys_come_from_a_url_and_are_fetched_once_for_all_who_wait() {
    let server = KeyServer::http().await;
    server.put("/jwks", "", &ED25519.jwks());
    server.delay(Duration::from_millis(50));
    let store = KeyStore::new(Handle::current());
    let room = room(&store, identity(url(&server, None)));
    let (a, b, c) = tokio::join!(
        ask(&room, &ED25519),
        ask(&room, &ED25519),
        ask(&room, &ED25519)
    );
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(server.requests(), 1);
    let state = &store.state()[0];
    assert!(state.is_loaded() && state.loaded_at.is_some() && state.stale_since.is_none());
    assert_eq!((state.keys, state.attempts), (1, 1));
}

#[tokio::test]
async fn https_is_verified_with_the_named_ca() {
    let (server, certificate) = KeyServer::https().await;
    server.put("/jwks", "", &ED25519.jwks());
    let folder = tempfile::TempDir::new().unwrap();
    let write = |name: &str, pem: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path
    };
    let trusted = KeyStore::new(Handle::current());
    let right = room(
        &trusted,
        identity(url(&server, Some(write("ca", &certificate)))),
    );
    assert!(ask(&right, &ED25519).await.is_ok());

    let stranger = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let distrusted = KeyStore::new(Handle::current());
    let wrong = room(
        &distrusted,
        identity(url(&server, Some(write("other", &stranger.cert.pem())))),
    );
    let refusal = ask(&wrong, &ED25519).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::KeysUnavailable);
    assert!(refusal.retry_after.is_some());
    assert!(
        error_of(&distrusted).contains("cannot be reached"),
        "{}",
        error_of(&distrusted)
    );
    assert_eq!(server.requests(), 1);

    let empty = KeyStore::new(Handle::current());
    let none = room(&empty, identity(url(&server, Some(write("empty", "")))));
    assert!(ask(&none, &ED25519).await.is_err());
    assert!(error_of(&empty).contains("holds no certificate"));
}

#[tokio::test]
async fn discovery_leads_to_the_keys_of_the_issuer_that_it_names() {
    let server = KeyServer::http().await;
    let document =
        |issuer: &str, keys: &str| json!({"issuer": issuer, "jwks_uri": keys}).to_string();
    let well_known = "/.well-known/openid-configuration";
    server.put("/jwks", "", &ED25519.jwks());
    let ask_issuer = async || {
        let store = KeyStore::new(Handle::current());
        let mut identity = identity(KeySource::Discovery { ca: None });
        jwt(&mut identity).issuer.clone_from(&server.base);
        let room = room(&store, identity);
        let token = ED25519
            .mint(&claims_with(&json!({"iss": server.base})))
            .unwrap();
        let outcome = room
            .authenticate(presented(&bearer(&token)), now())
            .await
            .map(of_caller);
        (outcome.map_err(|refusal| refusal.reason), error_of(&store))
    };
    server.put(
        well_known,
        "",
        &document(&server.base, &server.url("/jwks")),
    );
    assert!(ask_issuer().await.0.is_ok());

    let cases = [
        (
            document("https://evil.example", &server.url("/jwks")),
            "discovery names the issuer `https://evil.example`",
        ),
        (
            document(&server.base, "file:///etc/passwd"),
            "is not an https URL",
        ),
        (
            document(&server.base, "http://192.0.2.1/jwks"),
            "http is for loopback only",
        ),
        (json!({"issuer": server.base}).to_string(), "no `jwks_uri`"),
        ("[]".to_owned(), "not a JSON object"),
    ];
    for (document, expected) in cases {
        server.put(well_known, "", &document);
        let (outcome, error) = ask_issuer().await;
        assert_eq!(outcome.unwrap_err(), Reason::KeysUnavailable);
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn discovery_over_https_never_leads_back_into_this_machine() {
    let (server, certificate) = KeyServer::https().await;
    let inner = KeyServer::http().await;
    inner.put("/jwks", "", &ED25519.jwks());
    let document = json!({"issuer": server.base, "jwks_uri": inner.url("/jwks")});
    server.put(
        "/.well-known/openid-configuration",
        "",
        &document.to_string(),
    );
    let folder = tempfile::TempDir::new().unwrap();
    let ca = folder.path().join("ca.crt");
    std::fs::write(&ca, certificate).unwrap();
    let mut identity = identity(KeySource::Discovery { ca: Some(ca) });
    jwt(&mut identity).issuer.clone_from(&server.base);
    let store = KeyStore::new(Handle::current());
    let room = room(&store, identity);
    let token = ED25519
        .mint(&claims_with(&json!({"iss": server.base})))
        .unwrap();
    let refusal = room
        .authenticate(presented(&bearer(&token)), now())
        .await
        .map(of_caller)
        .unwrap_err();
    assert_eq!(refusal.reason, Reason::KeysUnavailable);
    assert!(error_of(&store).contains("is not an https URL"));
    assert_eq!((server.requests(), inner.requests()), (1, 0));
}

#[tokio::test]
async fn bad_answers_are_not_keys() {
    let server = KeyServer::http().await;
    let elsewhere = "HTTP/1.1 302 Found\r\nlocation: /real\r\ncontent-length: 0\r\n\r\n";
    server.put("/real", "", &ED25519.jwks());
    let whole = |body: &str| {
        format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let cases = [
        (elsewhere.to_owned(), "answered 302"),
        (whole(&"x".repeat(300 * 1024)), "larger than 256 KiB"),
        (
            format!(
                "HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n{}",
                ED25519.jwks()
            ),
            "failed",
        ),
        (
            whole("nonsense"),
            "the key set is malformed: not a JSON object",
        ),
        (whole(r#"{"keys":{}}"#), "no array `keys`"),
        (whole(r#"{"keys":[],"keys":[]}"#), "key `keys` twice"),
        (whole(r#"{"keys":[]}"#), "holds no usable key"),
        ("garbage\r\n\r\n".to_owned(), "failed"),
    ];
    for (answer, expected) in cases {
        server.put_raw("/jwks", answer);
        let store = KeyStore::new(Handle::current());
        let room = room(&store, identity(url(&server, None)));
        assert_eq!(
            ask(&room, &ED25519).await.unwrap_err().reason,
            Reason::KeysUnavailable
        );
        assert!(
            error_of(&store).contains(expected),
            "{expected}: {}",
            error_of(&store)
        );
    }
}

#[tokio::test]
async fn urls_that_could_be_spoofed_are_never_asked() {
    for address in [
        "http://192.0.2.1/jwks",
        "ftp://127.0.0.1/",
        "http://u@127.0.0.1/",
        "nonsense",
        "file:///x",
    ] {
        let store = KeyStore::new(Handle::current());
        let keys = KeySource::Url {
            url: address.to_owned(),
            ca: None,
        };
        let room = room(&store, identity(keys));
        assert!(ask(&room, &ED25519).await.is_err());
        let error = error_of(&store);
        assert!(error.contains("loopback"), "{error}");
    }
}

#[tokio::test]
async fn an_unknown_key_asks_the_issuer_once_for_all_who_wait() {
    let server = KeyServer::http().await;
    server.put("/jwks", "", &ED25519.jwks());
    let store = KeyStore::with_timing(
        Handle::current(),
        Timing {
            cool_down: Duration::from_secs(1),
            ..hasty()
        },
    );
    let room = Arc::new(room(&store, identity(url(&server, None))));
    ask(&room, &ED25519).await.unwrap();
    assert_eq!(server.requests(), 1);
    tokio::time::sleep(Duration::from_millis(1050)).await;

    // The issuer rotates; twenty callers come with the new key at the same time.
    let fresh = Arc::new(minter(Algorithm::EdDsa));
    server.put("/jwks", "", &jwks(&[&ED25519, &fresh]));
    server.delay(Duration::from_millis(100));
    let callers: Vec<_> = (0..20)
        .map(|_| {
            let (room, fresh) = (Arc::clone(&room), Arc::clone(&fresh));
            tokio::spawn(async move { ask(&room, &fresh).await })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap().unwrap();
    }
    assert_eq!(server.requests(), 2);

    // Forged names within the cool-down cost the issuer nothing, and the caller waits for nothing.
    let forgers: Vec<_> = (0..20).map(|_| minter(Algorithm::EdDsa)).collect();
    for forger in &forgers {
        let refusal = ask(&room, forger).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::CredentialInvalid);
    }
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn a_key_that_the_issuer_withdrew_ends_the_memory_of_its_tokens() {
    let server = KeyServer::http().await;
    server.put("/jwks", "", &ED25519.jwks());
    let store = KeyStore::with_timing(Handle::current(), hasty());
    let room = room(&store, identity(url(&server, None)));
    let token = bearer(&ED25519.mint(&claims()).unwrap());
    room.authenticate(presented(&token), now())
        .await
        .map(of_caller)
        .unwrap();
    assert_eq!(room.tokens.cached(), 1);

    server.put("/jwks", "", &P256.jwks());
    ask(&room, &P256).await.unwrap();
    let refusal = room
        .authenticate(presented(&token), now())
        .await
        .map(of_caller)
        .unwrap_err();
    assert!(refusal.detail.unwrap().contains("is not known"));
}

#[tokio::test]
async fn a_new_key_under_an_old_name_is_found() {
    let server = KeyServer::http().await;
    let (old, new) = (minter(Algorithm::EdDsa), minter(Algorithm::EdDsa));
    let named = |minter: &TokenMinter| {
        let mut jwk = minter.jwk();
        jwk["kid"] = json!("current");
        json!({ "keys": [jwk] }).to_string()
    };
    let token = |minter: &TokenMinter| {
        let payload = claims().to_string();
        let header = r#"{"alg":"EdDSA","kid":"current"}"#;
        bearer(&minter.sign(header.as_bytes(), payload.as_bytes()).unwrap())
    };
    server.put("/jwks", "", &named(&old));
    let store = KeyStore::with_timing(Handle::current(), hasty());
    let room = room(&store, identity(url(&server, None)));
    room.authenticate(presented(&token(&old)), now())
        .await
        .map(of_caller)
        .unwrap();
    server.put("/jwks", "", &named(&new));
    room.authenticate(presented(&token(&new)), now())
        .await
        .map(of_caller)
        .unwrap();
}

#[tokio::test]
async fn an_outage_keeps_the_last_good_keys_and_is_told() {
    let server = KeyServer::http().await;
    server.put(
        "/jwks",
        "cache-control: public, max-age=0\r\n",
        &ED25519.jwks(),
    );
    let timing = Timing {
        fresh_least: Duration::from_millis(20),
        ..hasty()
    };
    let store = KeyStore::with_timing(Handle::current(), timing);
    let room = room(&store, identity(url(&server, None)));
    ask(&room, &ED25519).await.unwrap();

    let broken = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";
    server.put_raw("/jwks", broken.to_owned());
    until(&store, |state| state.stale_since.is_some()).await;
    assert!(error_of(&store).contains("answered 500"));
    assert_eq!(store.state()[0].keys, 1);
    let again = ED25519.mint(&claims_with(&json!({"sub": "bob"}))).unwrap();
    let principal = room
        .authenticate(presented(&bearer(&again)), now())
        .await
        .map(of_caller)
        .unwrap();
    assert_eq!(principal.id.as_str(), "bob");

    // An empty set is a fault of the issuer's, not a wish to lock everybody out.
    server.put("/jwks", "", r#"{"keys":[]}"#);
    until(&store, |state| {
        state
            .error
            .as_deref()
            .is_some_and(|error| error.contains("no usable"))
    })
    .await;
    assert!(ask(&room, &ED25519).await.is_ok());

    server.put("/jwks", "", &ED25519.jwks());
    until(&store, |state| {
        state.stale_since.is_none() && state.error.is_none()
    })
    .await;
}

#[tokio::test]
async fn keys_that_cannot_be_read_again_for_too_long_are_no_keys() {
    let server = KeyServer::http().await;
    server.put("/jwks", "cache-control: max-age=0\r\n", &ED25519.jwks());
    let timing = Timing {
        fresh_least: Duration::from_millis(20),
        cool_down: Duration::from_hours(1),
        ..hasty()
    };
    let store = KeyStore::with_timing(Handle::current(), timing);
    let mut identity = identity(url(&server, None));
    jwt(&mut identity).max_stale = Duration::from_millis(200);
    let room = room(&store, identity);
    let token = bearer(&mint(&json!({})));
    let again = async || room.authenticate(presented(&token), now()).await;
    again().await.unwrap();
    server.put_raw(
        "/jwks",
        "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n".to_owned(),
    );
    until(&store, |state| state.stale_since.is_some()).await;
    again().await.unwrap();
    until(&store, |state| !state.is_loaded()).await;
    // Also who was verified before.
    let refusal = again().await.unwrap_err();
    assert_eq!(refusal.reason, Reason::KeysUnavailable);
    assert!(refusal.retry_after.is_some());
    assert_eq!(
        refusal.detail.as_deref(),
        Some("the keys of identity `corp` could not be read again for too long")
    );
    server.put("/jwks", "", &ED25519.jwks());
    until(&store, SourceState::is_loaded).await;
    again().await.unwrap();
}

#[tokio::test]
async fn a_key_file_is_read_again_when_it_changes() {
    let fixture = Fixture::new(|_| {});
    assert!(ask(&fixture.room, &P256).await.is_ok());
    let fresh = minter(Algorithm::EdDsa);
    std::fs::write(fixture.file(), fresh.jwks()).unwrap();
    until(&fixture.store, |state| state.keys == 1).await;
    assert!(ask(&fixture.room, &fresh).await.is_ok());
    assert_eq!(
        ask(&fixture.room, &P256).await.unwrap_err().reason,
        Reason::CredentialInvalid
    );

    std::fs::write(fixture.file(), "{").unwrap();
    until(&fixture.store, |state| state.stale_since.is_some()).await;
    assert!(ask(&fixture.room, &fresh).await.is_ok(), "last good kept");
}

#[tokio::test]
async fn a_key_file_that_is_missing_at_first_is_found_later() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("late.json");
    let store = KeyStore::with_timing(Handle::current(), hasty());
    let room = room(&store, identity(KeySource::File(file.clone())));
    let refusal = ask(&room, &ED25519).await.unwrap_err();
    assert_eq!(refusal.reason, Reason::KeysUnavailable);
    assert!(error_of(&store).contains("late.json"));
    assert!(!store.state()[0].is_loaded());
    std::fs::write(&file, ED25519.jwks()).unwrap();
    until(&store, SourceState::is_loaded).await;
    assert!(ask(&room, &ED25519).await.is_ok());
}

#[tokio::test]
async fn a_reload_keeps_the_key_set_and_what_is_unused_ends() {
    let server = KeyServer::http().await;
    server.put("/jwks", "", &ED25519.jwks());
    let timing = Timing {
        fresh_least: Duration::from_millis(20),
        fresh_default: Duration::from_millis(20),
        ..hasty()
    };
    let store = KeyStore::with_timing(
        Handle::current(),
        Timing {
            fresh_most: Duration::from_millis(20),
            ..timing
        },
    );
    let first = room(&store, identity(url(&server, None)));
    ask(&first, &ED25519).await.unwrap();
    let second = room(&store, identity(url(&server, None)));
    assert!(Arc::ptr_eq(first.tokens.source(0), second.tokens.source(0)));
    drop(first);
    ask(&second, &ED25519).await.unwrap();

    drop(second);
    assert!(store.state().is_empty());
    tokio::time::sleep(Duration::from_millis(100)).await;
    let requests = server.requests();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.requests(), requests, "the refresher has ended");
}

#[tokio::test]
async fn shutdown_ends_the_refreshers_and_leaves_the_keys() {
    let server = KeyServer::http().await;
    server.put("/jwks", "", &ED25519.jwks());
    let store = KeyStore::with_timing(Handle::current(), hasty());
    let room = room(&store, identity(url(&server, None)));
    ask(&room, &ED25519).await.unwrap();
    store.shutdown().await;
    assert!(ask(&room, &ED25519).await.is_ok());
}

#[test]
fn only_keys_that_verify_signatures_of_ours_are_kept() {
    let good = ED25519.jwk();
    let with = |name: &str, value: Value| {
        let mut jwk = good.clone();
        jwk[name] = value;
        jwk
    };
    let mut off_curve = P256.jwk();
    off_curve["y"] = off_curve["x"].clone();
    let mut weak = RSA.jwk();
    weak["n"] = json!(weak["n"].as_str().unwrap().split_at(172).0);
    let mut no_exponent = RSA.jwk();
    no_exponent["e"] = json!("AQ");
    let count = |keys: &[Value]| {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).map_or(0, |set| set.keys())
    };
    let refused = [
        with("use", json!("enc")),
        with("use", json!(1)),
        with("alg", json!("ES256")),
        with("key_ops", json!(["sign"])),
        with("d", json!("AAAA")),
        with("k", json!("AAAA")),
        with("alg", json!("HS256")),
        with("alg", json!("RSA-OAEP")),
        with("kty", json!("oct")),
        with("crv", json!("X25519")),
        with("x", json!("AAAA")),
        with("kid", json!(7)),
        off_curve,
        weak,
        no_exponent,
        json!("text"),
    ];
    for key in refused {
        assert_eq!(count(std::slice::from_ref(&key)), 0, "{key}");
    }
    assert_eq!(
        count(&[
            with("alg", json!("Ed25519")),
            with("key_ops", json!(["verify"]))
        ]),
        2
    );
    assert_eq!(
        count(&[P256.jwk(), json!({"kty": "oct", "k": "AA"}), RSA.jwk()]),
        2
    );
}

#[tokio::test]
async fn keys_that_share_a_name_or_have_none_are_tried_in_turn() {
    let (a, b) = (minter(Algorithm::EdDsa), minter(Algorithm::EdDsa));
    let rename = |minter: &TokenMinter| {
        let mut jwk = minter.jwk();
        jwk["kid"] = json!("same");
        jwk
    };
    let fixture = Fixture::new(|_| {});
    let set = json!({"keys": [rename(&a), rename(&P256), rename(&b)]});
    std::fs::write(fixture.file(), set.to_string()).unwrap();
    let payload = claims().to_string();
    for header in [r#"{"alg":"EdDSA","kid":"same"}"#, r#"{"alg":"EdDSA"}"#] {
        for minter in [&a, &b] {
            let token = minter.sign(header.as_bytes(), payload.as_bytes()).unwrap();
            assert!(fixture.verify(&token).await.is_ok(), "{header}");
        }
    }
}
