//! Several lictors that share a Redis: what one of them accepted counts at none of them again.

#![cfg(test)]
#![cfg(feature = "redis")]

use std::fs;
use std::time::Duration;

use http::HeaderMap;
use lictor::clock;
use lictor::identity::signature::{
    Algorithm, Component, Message as Signable, Plan, Request, SigningKey,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use support::eventually;
use support::http1::Message;
use support::lictor::{Lictor, Setup};
use support::recipes::{Cast, read};
use support::redis::Redis;
use support::tls::Certificates;
use support::upstream::Upstream;

mod support;

/// Callers who sign, callers with bound tokens, and the keys of both.
struct Stage {
    cast: Cast,
    key: SigningKey,
    upstream: Upstream,
    folder: TempDir,
}

impl Stage {
    async fn new() -> Self {
        let cast = Cast::new("http");
        let key = SigningKey::generate(Algorithm::Ed25519).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut jwk = key.public_jwk().unwrap();
        jwk.insert("kid".to_owned(), json!("desk-1"));
        let set = json!({ "keys": [jwk] }).to_string();
        fs::write(folder.path().join("desk.json"), set).unwrap();
        fs::write(folder.path().join("corp.json"), cast.key_set()).unwrap();
        Self {
            cast,
            key,
            upstream: Upstream::json(json!({})).await,
            folder,
        }
    }

    fn policy(&self) -> String {
        let folder = self.folder.path().display();
        format!(
            r#"lictor: v1
identities:
  desk: {{ signature: {{ keys: {{ file: "{folder}/desk.json" }} }} }}
  corp:
    jwt: {{ issuer: "https://idp.example", audience: quotes-agent, jwks: {{ file: "{folder}/corp.json" }} }}
    tenant: claims.org_id
rules:
  pages: {{ allow: "http:* /**", from: {{ anonymous: true }} }}
roles:
  desk: {{ allow: ["http:* /**"], to: {{ identity: desk }} }}
  corp: {{ allow: ["http:* /**"], to: {{ identity: corp }} }}
"#
        )
    }

    /// One with these lines in its file.
    fn setup(&self, lines: &str) -> Setup {
        Setup::new(self.upstream.address)
            .policy(self.policy())
            .config(lines)
    }

    async fn lictor(&self, redis: &Redis) -> Lictor {
        self.setup(&lines(redis)).start().await
    }

    /// A request that is signed with this nonce, so many seconds ago.
    fn signed(&self, nonce: &str, age: i64) -> Vec<u8> {
        let headers = HeaderMap::new();
        let request = Request {
            method: "GET",
            scheme: "http",
            authority: "agent.example",
            path: "/",
            query: None,
            target: None,
            headers: &headers,
        };
        let covers = ["@method", "@authority", "@path", "@query"];
        let covers = covers.map(|name| Component::parse(name).unwrap());
        let created = clock::wall().as_second() - age;
        let plan = Plan {
            label: "sig",
            covers: &covers,
            created: Some(created),
            expires: Some(created + 60),
            nonce: Some(nonce),
            key_id: Some("desk-1"),
            tag: Some("lictor"),
            ..Plan::default()
        };
        let signed = plan.sign(&Signable::Request(request), &self.key).unwrap();
        format!(
            "GET / HTTP/1.1\r\nhost: agent.example\r\nsignature-input: {}\r\nsignature: {}\r\n\r\n",
            signed.input, signed.signature
        )
        .into_bytes()
    }

    /// A request with a bound token and a proof of this name.
    fn proven(&self, case: &'static str) -> Vec<u8> {
        let made = read(case)[0].make(&self.cast, clock::wall().as_second());
        let mut request = b"GET / HTTP/1.1\r\nhost: agent.example\r\n".to_vec();
        for (name, value) in &made.fields {
            request.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        request.extend(b"\r\n");
        request
    }
}

/// The lines of a file that names this Redis.
fn lines(redis: &Redis) -> String {
    let url = redis.url_file("redis://");
    format!(
        "stores: {{ redis: {{ url: {{ file: \"{}\" }} }} }}",
        url.display()
    )
}

/// Asks, with an id of its own, and waits for the record.
async fn ask(lictor: &Lictor, bytes: &[u8]) -> (Message, Value) {
    let id = uuid::Uuid::now_v7().to_string();
    let id_field = format!("\r\nx-request-id: {id}\r\n");
    let line = bytes.iter().position(|byte| *byte == b'\r').unwrap();
    let request = [&bytes[..line], id_field.as_bytes(), &bytes[line + 2..]].concat();
    let answer = lictor.client().await.exchange("GET", &request).await;
    let record = eventually("the record", async || {
        let records = lictor.audit().into_iter();
        let mut records = records.filter(|record| record["requestId"] == id.as_str());
        records.next()
    });
    (answer, record.await)
}

/// Asks, and compares status and detail.
async fn expect(lictor: &Lictor, bytes: &[u8], status: u16, detail: &str) {
    let (answer, record) = ask(lictor, bytes).await;
    assert_eq!(answer.status(), status, "{record}");
    let said = record["detail"].as_str().unwrap_or_default();
    assert!(said.contains(detail), "{record}");
    if status == 503 {
        assert_eq!(record["reason"], "keys-unavailable", "{record}");
        assert_eq!(answer.field("retry-after"), Some("5"));
        assert_eq!(answer.field("www-authenticate"), None);
    }
}

/// Waits until `/readyz` says so of Redis.
async fn until_told(lictor: &Lictor, status: &str, words: &str) -> Value {
    eventually(words, async || {
        let ready = lictor.ready().await;
        let control = ready.json()["controls"]["redis"].clone();
        let why = control["why"].as_str().unwrap_or_default();
        (control["status"] == status && why.contains(words)).then_some(control)
    })
    .await
}

/// A request of somebody without credentials.
const UNKNOWN: &[u8] = b"GET / HTTP/1.1\r\nhost: agent.example\r\n\r\n";

const USED: &str = "the `nonce` was used before";
const PROOF_USED: &str = "the DPoP proof was used before";

#[tokio::test]
async fn what_one_accepted_counts_at_none_again() {
    let (stage, redis) = (Stage::new().await, Redis::start().await);
    let (mut one, two) = (stage.lictor(&redis).await, stage.lictor(&redis).await);
    until_told(&one, "ready", "").await;
    until_told(&two, "ready", "").await;

    let (signed, proven) = (stage.signed("n1", 0), stage.proven("case: p1\nbound: yes"));
    for (bytes, used) in [(&signed, USED), (&proven, PROOF_USED)] {
        expect(&one, bytes, 200, "").await;
        expect(&two, bytes, 401, used).await;
        expect(&one, bytes, 401, used).await;
    }
    expect(&two, &stage.signed("n2", 0), 200, "").await;

    // Across a reload.
    two.rewrite_policy(&format!("{}# changed\n", stage.policy()));
    eventually("the new policy", async || {
        let (_, record) = ask(&two, UNKNOWN).await;
        let generation = record["generation"]["number"].as_u64()?;
        (generation > 1).then_some(())
    })
    .await;
    expect(&two, &signed, 401, USED).await;
    expect(&two, &proven, 401, PROOF_USED).await;

    // After a restart.
    let kept = stage.signed("n3", 20);
    one.kill();
    let one = stage.lictor(&redis).await;
    expect(&one, &signed, 401, USED).await;
    expect(&one, &proven, 401, PROOF_USED).await;
    // The memory began less than 20 s ago, when the first lictor met the new Redis.
    expect(&one, &kept, 401, BEFORE).await;

    let keys = redis.ask("KEYS *").await.unwrap();
    assert_eq!(keys.matches("{lictor}:once:").count(), 4, "{keys}");
    let up = one.metric("lictor_redis_up").await;
    assert_eq!(up, Some(1.0));
    eventually("the metric", async || {
        one.metric("lictor_replay_store{store=\"redis\"}").await
    })
    .await;
    let answered = one
        .metric("lictor_redis_commands_total{result=\"ok\"}")
        .await;
    assert_eq!(answered, Some(3.0));
    let timed = one
        .metric("lictor_redis_command_duration_seconds_count")
        .await;
    assert_eq!(timed, Some(3.0));
}

const BEFORE: &str =
    "the signature is older than the memory of nonces, which cannot know whether it was used";

#[tokio::test]
async fn a_signature_of_before_a_start_counts_if_the_memory_is_older() {
    let (stage, redis) = (Stage::new().await, Redis::start().await);
    let began = clock::wall().as_second() - 3600;
    redis
        .ask(&format!("SET {{lictor}}:began {began}"))
        .await
        .unwrap();
    let lictor = stage.lictor(&redis).await;
    let signed = stage.signed("n1", 20);
    expect(&lictor, &signed, 200, "").await;
    expect(&lictor, &signed, 401, USED).await;
    // It is remembered until it could not be accepted: 60 s and half a minute after it was made, and half a minute more
    // for slower clocks.
    let keys = redis.ask("KEYS {lictor}:once:*").await.unwrap();
    let key = keys.lines().find(|line| line.starts_with('{')).unwrap();
    let left = redis.ask(&format!("PTTL {key}")).await.unwrap();
    let left = left
        .lines()
        .find_map(|line| line.strip_prefix(':'))
        .unwrap();
    let left: i64 = left.parse().unwrap();
    assert!((90_000..=101_000).contains(&left), "{left}");
}

#[tokio::test]
async fn of_two_who_are_asked_at_once_one_accepts() {
    let (stage, redis) = (Stage::new().await, Redis::start().await);
    let (one, two) = (stage.lictor(&redis).await, stage.lictor(&redis).await);
    for number in 0..20 {
        let signed = stage.signed(&format!("n{number}"), 0);
        let (first, second) = tokio::join!(ask(&one, &signed), ask(&two, &signed));
        let mut statuses = [first.0.status(), second.0.status()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401], "{} {}", first.1, second.1);
    }
}

#[tokio::test]
async fn data_that_begin_in_the_future_are_told_of() {
    let (stage, redis) = (Stage::new().await, Redis::start().await);
    let began = clock::wall().as_second() + 3600;
    redis
        .ask(&format!("SET {{lictor}}:began {began}"))
        .await
        .unwrap();
    let lictor = stage.lictor(&redis).await;
    until_told(&lictor, "degraded", "says that its data begin in 3").await;
    expect(&lictor, &stage.signed("n1", 0), 401, BEFORE).await;
    redis.ask("DEL {lictor}:began").await.unwrap();
    until_told(&lictor, "ready", "").await;
    expect(&lictor, &stage.signed("n2", 0), 200, "").await;
}

#[tokio::test]
async fn without_redis_nothing_counts_that_must_be_remembered_until_it_is_back() {
    let (stage, mut redis) = (Stage::new().await, Redis::start().await);
    let lictor = stage.lictor(&redis).await;
    let signed = stage.signed("n1", 0);
    expect(&lictor, &signed, 200, "").await;

    redis.stop();
    let told = until_told(&lictor, "degraded", "Redis").await;
    expect(
        &lictor,
        &stage.signed("n2", 0),
        503,
        "cannot be compared with those that were used: Redis ",
    )
    .await;
    let proven = stage.proven("case: p2\nbound: yes");
    expect(&lictor, &proven, 503, "the DPoP proof cannot be compared").await;
    // Who needs no memory is served.
    expect(&lictor, UNKNOWN, 200, "").await;
    assert_eq!(lictor.ready().await.status(), 200, "{told}");
    assert_eq!(lictor.metric("lictor_redis_up").await, Some(0.0));

    // It has lost everything, so that what was accepted before could count again: it does not.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    redis.serve().await;
    until_told(&lictor, "ready", "").await;
    expect(&lictor, &signed, 401, BEFORE).await;
    expect(&lictor, &proven, 401, "is older than the memory of proofs").await;
    expect(&lictor, &stage.signed("n3", 0), 200, "").await;

    // The same where it is emptied and runs on.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let before = stage.signed("n3", 0);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    redis.ask("FLUSHALL").await.unwrap();
    eventually("the loss to be noticed", async || {
        lictor
            .log()
            .contains("Redis has lost its data")
            .then_some(())
    })
    .await;
    expect(&lictor, &before, 401, BEFORE).await;
}

#[tokio::test]
async fn a_start_does_not_wait_for_redis() {
    let (stage, mut redis) = (Stage::new().await, Redis::start().await);
    redis.stop();
    let lictor = stage.lictor(&redis).await;
    until_told(&lictor, "degraded", "cannot be reached at 127.0.0.1:").await;
    expect(
        &lictor,
        &stage.signed("n1", 0),
        503,
        "Redis cannot be reached at",
    )
    .await;
    redis.serve().await;
    until_told(&lictor, "ready", "").await;
    let signed = stage.signed("n2", 0);
    expect(&lictor, &signed, 200, "").await;
    expect(&lictor, &signed, 401, USED).await;
}

#[tokio::test]
async fn a_redis_that_hangs_holds_up_a_call_for_a_moment_only() {
    let (stage, redis) = (Stage::new().await, Redis::start().await);
    let lictor = stage.lictor(&redis).await;
    expect(&lictor, &stage.signed("n1", 0), 200, "").await;
    redis.signal("-STOP");
    let began = clock::now();
    expect(&lictor, &stage.signed("n2", 0), 503, "Redis did").await;
    let first = clock::now() - began;
    until_told(&lictor, "degraded", "Redis ").await;
    let began = clock::now();
    for nonce in ["n3", "n4", "n5", "n6"] {
        expect(&lictor, &stage.signed(nonce, 0), 503, "Redis ").await;
    }
    let further = clock::now() - began;
    redis.signal("-CONT");
    // Generous, for machines that do other things as well.
    assert!(first < Duration::from_secs(2), "{first:?}");
    assert!(further < Duration::from_secs(2), "{further:?}");
    until_told(&lictor, "ready", "").await;
    expect(&lictor, &stage.signed("n7", 0), 200, "").await;
    let slow = lictor
        .metric("lictor_redis_commands_total{result=\"slow\"}")
        .await;
    assert_eq!(slow, Some(1.0));
}

#[tokio::test]
async fn a_wrong_password_is_told_and_a_right_one_needs_no_restart() {
    let stage = Stage::new().await;
    let redis = Redis::start_with(&[], Some("hunter2")).await;
    let lines = lines(&redis);
    let lictor = stage.setup(&lines).start().await;
    until_told(
        &lictor,
        "degraded",
        "wants a password, and `stores.redis.url` has none",
    )
    .await;
    redis.url_file("redis://:wrong-one@");
    until_told(
        &lictor,
        "degraded",
        "refuses the user or the password of `stores.redis.url`",
    )
    .await;
    expect(
        &lictor,
        &stage.signed("n1", 0),
        503,
        "refuses the user or the password",
    )
    .await;
    redis
        .ask("ACL SETUSER lictor on >hunter3 ~{lictor}:* +get")
        .await
        .unwrap();
    redis.url_file("redis://lictor:hunter3@");
    until_told(
        &lictor,
        "degraded",
        "does not let its user do what lictor needs",
    )
    .await;
    // What docs/fail-modes.md says is enough.
    redis.ask("ACL SETUSER lictor +set +info").await.unwrap();
    until_told(&lictor, "ready", "").await;
    expect(&lictor, &stage.signed("n2", 0), 200, "").await;
    redis.ask("ACL DELUSER lictor").await.unwrap();
    redis.url_file("redis://:hunter2@");
    eventually("another connection", async || {
        (lictor.log().matches("connected to Redis").count() == 2).then_some(())
    })
    .await;
    until_told(&lictor, "ready", "").await;
    expect(&lictor, &stage.signed("n3", 0), 200, "").await;
    let log = lictor.log();
    for secret in ["hunter2", "hunter3", "wrong-one"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test]
async fn a_redis_over_tls_is_verified_with_the_authorities_of_the_file() {
    let stage = Stage::new().await;
    let certificates = Certificates::generate(stage.folder.path());
    let redis = Redis::start_tls(&certificates).await;
    let url = redis.url_file("");
    let of_host = |host: &str| {
        let port = redis.address.port();
        fs::write(&url, format!("rediss://{host}:{port}")).unwrap();
    };
    of_host("localhost");
    let (url, ca) = (url.display(), certificates.ca.display());
    let redis = format!(
        "stores: {{ redis: {{ url: {{ file: \"{url}\" }}, prefix: quotes, ca: \"{ca}\" }} }}"
    );
    let lictor = stage.setup(&redis).start().await;
    until_told(&lictor, "ready", "").await;
    expect(&lictor, &stage.signed("n1", 0), 200, "").await;
    // Another name than the certificate's, and an authority that is not trusted.
    of_host("127.0.0.1");
    let other = stage.setup(&redis).start().await;
    until_told(&other, "degraded", "cannot be reached").await;
    of_host("localhost");
    let without = stage.setup(&redis.replace(&format!(", ca: \"{ca}\""), ""));
    let without = without.start().await;
    until_told(&without, "degraded", "cannot be reached").await;
}

#[tokio::test]
async fn a_redis_that_forgets_when_memory_is_short_is_told_of() {
    let stage = Stage::new().await;
    let options = ["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"];
    let redis = Redis::start_with(&options, None).await;
    let lictor = stage.lictor(&redis).await;
    until_told(&lictor, "degraded", "maxmemory-policy is `allkeys-lru`").await;
    expect(&lictor, &stage.signed("n1", 0), 200, "").await;
    // It is told for as long as it is so.
    redis.ask("FLUSHALL").await.unwrap();
    eventually("the loss to be noticed", async || {
        let log = lictor.log();
        log.contains("Redis has lost its data").then_some(())
    })
    .await;
    until_told(&lictor, "degraded", "maxmemory-policy is `allkeys-lru`").await;
    redis
        .ask("CONFIG SET maxmemory-policy noeviction")
        .await
        .unwrap();
    until_told(&lictor, "ready", "").await;
}

#[tokio::test]
async fn an_address_that_is_none_stops_the_start_and_shows_no_password() {
    let stage = Stage::new().await;
    let url = stage.folder.path().join("url");
    let lines = format!(
        "stores: {{ redis: {{ url: {{ file: \"{}\" }} }} }}",
        url.display()
    );
    for (address, words) in [
        (
            "https://u:hunter2@h",
            "is for `https`; write redis:// or rediss://",
        ),
        (
            "redis://u:hunter2@h:x",
            "does not hold the address of a Redis, such as",
        ),
        ("rediss://u:hunter2@h/#insecure", "`ca` says whom to trust"),
    ] {
        fs::write(&url, address).unwrap();
        let (status, log) = stage.setup(&lines).fail().await;
        assert_eq!(status.code(), Some(3), "{log}");
        assert!(log.contains("`stores.redis` cannot be used"), "{log}");
        assert!(log.contains(words) && !log.contains("hunter2"), "{log}");
    }
}
