//! What the whole program does when its surroundings fail: the agent, the disk, its files, its end.

#![cfg(test)]

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;

use support::client::{Client, call, message};
use support::http1::chunked;
use support::lictor::{EVERYBODY, Lictor, Setup};
use support::tls::Certificates;
use support::upstream::{EVENT_STREAM, Step, Upstream};
use support::{eventually, secrets, within};

mod support;

/// A body of known length is judged before the head leaves, and this one never comes whole.
const TRUNCATED_JSON: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"half\": ";

/// [`EVERYBODY`], and a deny that names itself.
fn nobody_cancels() -> String {
    format!("{EVERYBODY}  no-cancel:\n    deny: a2a:CancelTask\n")
}

fn redacting() -> String {
    format!("{EVERYBODY}leaks:\n  packs: {{ credentials: redact, private-keys: block }}\n")
}

/// A task as the agent tells it at the end of a call.
fn finished() -> Value {
    json!({"jsonrpc": "2.0", "id": "r1", "result": {"task": {
        "id": "t1", "contextId": "c1", "status": {"state": "TASK_STATE_COMPLETED"}
    }}})
}

/// An event that carries a piece of an artifact.
fn event(text: &str) -> String {
    let event = json!({"jsonrpc": "2.0", "id": "r1", "result": {"artifactUpdate": {
        "taskId": "t1", "contextId": "c1", "append": true,
        "artifact": {"artifactId": "a1", "parts": [{"text": text}]}
    }}});
    format!("data: {event}\n\n")
}

/// One chunk of a body that goes on.
fn chunk(text: &str) -> Step {
    Step::Write(chunked([text.as_bytes()], false))
}

// --- the agent fails -------------------------------------------------------------------------

#[tokio::test]
async fn a_stream_whose_agent_dies_never_looks_complete() {
    for death in [Step::Close, Step::Reset] {
        let told = death.clone();
        let upstream = Upstream::scripted(move |_| {
            vec![
                Step::text(EVENT_STREAM),
                chunk(&event("half an answer")),
                told.clone(),
            ]
        })
        .await;
        let lictor = Lictor::spawn(&redacting(), upstream.address).await;
        let mut client = lictor.client().await;
        let got = client.call("SendStreamingMessage", &message("hi")).await;
        assert_eq!(got.status(), 200, "{death:?}");
        // What had left the agent whole arrives, however the rest ended.
        assert!(got.text().contains("half an answer"), "{death:?}: {got:?}");
        if got.complete {
            let last = got.events().pop().unwrap_or_default();
            let last: Value = serde_json::from_str(&last).unwrap();
            let state = &last["result"]["statusUpdate"]["status"]["state"];
            assert!(
                last["error"].is_object() || state == "TASK_STATE_FAILED",
                "{death:?}: {last}"
            );
        }
        assert_recorded(&lictor, "upstream-truncated").await;
    }
}

#[tokio::test]
async fn a_truncated_body_never_looks_complete() {
    let short = |head: &'static str| move |_: &_| vec![Step::text(head), Step::Close];
    let chunks = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                  transfer-encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n";
    for head in [TRUNCATED_JSON, chunks] {
        let upstream = Upstream::scripted(short(head)).await;
        let lictor = Lictor::spawn(&redacting(), upstream.address).await;
        let got = lictor
            .client()
            .await
            .call("SendMessage", &message("hi"))
            .await;
        assert!(!got.complete || got.status() == 502, "{got:?}");
        assert!(
            !got.complete || got.json()["error"]["code"].is_i64(),
            "{got:?}"
        );
        assert_recorded(&lictor, "upstream-truncated").await;
    }
}

#[tokio::test]
async fn an_agent_that_is_too_slow_is_given_up_at_each_step() {
    let upstream = Upstream::scripted(|request| {
        let head =
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n";
        let silence = Step::Pause(Duration::from_secs(60));
        match request.target() {
            "/silent" => vec![silence],
            "/pausing" => vec![Step::text(head), chunk("first "), silence],
            "/events" => vec![Step::text(EVENT_STREAM), chunk("data: 1\n\n"), silence],
            _ => {
                let mut steps = vec![Step::text(head)];
                for _ in 0..100 {
                    steps.extend([chunk("drop "), Step::Pause(Duration::from_millis(200))]);
                }
                steps
            }
        }
    })
    .await;
    // Idle is shorter than the whole where the whole is not what is tried.
    let policy = format!(
        "{EVERYBODY}limits:\n  default: {{ time: 2s, idle: 1s }}\n  \"http:GET /events\": {{ idle: 1s }}\n"
    );
    let lictor = Lictor::spawn(&policy, upstream.address).await;
    let ask = async |path: &str| lictor.client().await.get(path).await;
    assert_eq!(ask("/silent").await.status(), 504);
    for path in ["/pausing", "/events", "/trickling"] {
        let got = ask(path).await;
        assert_eq!(
            (got.status(), got.complete),
            (200, false),
            "{path}: {got:?}"
        );
        assert!(!got.body.is_empty(), "{path}");
    }
    let told = eventually("four records", async || {
        let records = lictor.audit();
        (records.len() == 4).then_some(records)
    })
    .await;
    for record in told {
        assert_eq!(record["reason"], "upstream-timeout", "{record}");
        let outcome = match record["status"].as_u64() {
            Some(504) => "refused",
            _ => "upstream-truncated",
        };
        assert_eq!(record["outcome"], outcome, "{record}");
    }
    let timed_out = r#"lictor_refusals_total{fault="upstream",reason="upstream-timeout"}"#;
    assert_eq!(lictor.metric(timed_out).await, Some(4.0));
}

#[tokio::test]
async fn an_agent_that_is_not_there_is_named() {
    let gone = Upstream::json(finished()).await.address;
    let setup = Setup::new(gone);
    let lictor = setup.launch();
    let mut client = eventually("the listener", async || {
        let _open = tokio::net::TcpStream::connect(lictor.public).await.ok()?;
        Some(lictor.client().await)
    })
    .await;
    let got = client.call("SendMessage", &message("hi")).await;
    assert_eq!(got.status(), 503, "{}", got.text());
    assert_eq!(got.json()["id"], "r1");
    assert_recorded(&lictor, "upstream-unavailable").await;
}

#[tokio::test]
async fn what_was_held_dies_with_the_stream() {
    let secret = secrets::github_token(7);
    let (first, rest) = secret.split_at(20);
    let (second, _never_sent) = rest.split_at(10);
    let (first, second) = (event(first), event(second));
    let upstream = Upstream::scripted(move |_| {
        vec![
            Step::text(EVENT_STREAM),
            chunk(&first),
            chunk(&second),
            Step::Reset,
        ]
    })
    .await;
    let lictor = Lictor::spawn(&redacting(), upstream.address).await;
    let got = lictor
        .client()
        .await
        .call("SendStreamingMessage", &message("hi"))
        .await;
    let (_public_prefix, body) = secret.as_bytes().split_at(4);
    let leaked = body
        .windows(5)
        .find(|part| got.body.windows(5).any(|window| window == *part));
    assert_eq!(leaked, None, "{}", got.text());
}

// --- the policy fails ------------------------------------------------------------------------

#[tokio::test]
async fn a_typo_at_the_start_is_shown_with_its_place_and_a_suggestion() {
    let upstream = Upstream::json(finished()).await;
    let policy = EVERYBODY.replacen("allow:", "alow:", 1);
    let (status, said) = Setup::new(upstream.address).policy(policy).fail().await;
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("policy.yaml:4:5"), "{said}");
    assert!(
        said.contains("`alow`") && said.contains("did you mean `allow`"),
        "{said}"
    );
}

#[tokio::test]
async fn a_changed_policy_judges_the_next_call() {
    let upstream = Upstream::json(finished()).await;
    let lictor = Lictor::spawn(EVERYBODY, upstream.address).await;
    let mut client = lictor.client().await;
    learn_task(&mut client).await;
    assert_eq!(
        client
            .call("CancelTask", &json!({"id": "t1"}))
            .await
            .status(),
        200
    );
    lictor.rewrite_policy(&nobody_cancels());
    let refused = eventually("the new policy", async || {
        let got = client.call("CancelTask", &json!({"id": "t1"})).await;
        (got.status() != 200).then_some(got)
    })
    .await;
    assert_eq!(refused.status(), 403, "{}", refused.text());
    assert_eq!(
        lictor.metric("lictor_policy_reload_success").await,
        Some(1.0)
    );
}

#[tokio::test]
async fn a_wrong_change_keeps_the_running_policy_and_says_so() {
    let upstream = Upstream::json(finished()).await;
    let lictor = Lictor::spawn(&nobody_cancels(), upstream.address).await;
    let mut client = lictor.client().await;
    learn_task(&mut client).await;
    lictor.rewrite_policy(&EVERYBODY.replacen("allow:", "alow:", 1));
    eventually("the metric", async || {
        (lictor.metric("lictor_policy_reload_success").await == Some(0.0)).then_some(())
    })
    .await;
    assert!(lictor.log().contains("alow"), "{}", lictor.log());
    assert_eq!(
        client
            .call("CancelTask", &json!({"id": "t1"}))
            .await
            .status(),
        403
    );
    assert_eq!(lictor.ready().await.status(), 200);
    lictor.rewrite_policy(EVERYBODY);
    eventually("recovery", async || {
        let got = client.call("CancelTask", &json!({"id": "t1"})).await;
        (got.status() == 200).then_some(())
    })
    .await;
    assert_eq!(
        lictor.metric("lictor_policy_reload_success").await,
        Some(1.0)
    );
}

// --- the disk and the files fail -------------------------------------------------------------

#[tokio::test]
async fn without_an_audit_record_no_call_passes() {
    let upstream = Upstream::json(finished()).await;
    let full = "audit: { spool: { onFull: deny }, sinks: { file: { path: /dev/full } } }";
    // It may notice at the start or at the first record, so readiness is not waited for.
    let lictor = Setup::new(upstream.address).config(full).launch();
    let mut client = eventually("the listener", async || {
        let _open = tokio::net::TcpStream::connect(lictor.public).await.ok()?;
        Some(lictor.client().await)
    })
    .await;
    let refused = eventually("the first refusal", async || {
        let got = client.call("SendMessage", &message("hi")).await;
        (got.status() != 200).then_some(got)
    })
    .await;
    assert_eq!(refused.status(), 503, "{}", refused.text());
    let seen = upstream.requests().len();
    for _ in 0..5 {
        assert_eq!(
            client.call("SendMessage", &message("hi")).await.status(),
            503
        );
    }
    assert_eq!(
        upstream.requests().len(),
        seen,
        "an unrecorded call reached the agent"
    );
    let ready = lictor.ready().await;
    assert_eq!(ready.status(), 503);
    assert!(ready.text().contains("audit"), "{}", ready.text());
}

#[tokio::test]
async fn a_key_that_cannot_be_read_is_named() {
    let upstream = Upstream::json(finished()).await;
    let setup = Setup::new(upstream.address);
    let files = Certificates::generate(setup.home());
    let missing = setup.home().join("no-such.key");
    let not_a_key = setup.home().join("not-a.key");
    fs::write(&not_a_key, "this is not a key\n").unwrap();
    for key in [missing, not_a_key] {
        let setup = Setup::new(upstream.address)
            .flag("--tls-cert", &files.certificate)
            .flag("--tls-key", &key);
        let (status, said) = setup.fail().await;
        assert_eq!(status.code(), Some(3), "{said}");
        let name = key.file_name().unwrap().to_string_lossy();
        assert!(said.contains(&*name), "{said}");
        assert!(!said.contains("this is not a key"), "{said}");
    }
}

#[tokio::test]
async fn calls_arrive_over_tls() {
    let upstream = Upstream::json(finished()).await;
    let setup = Setup::new(upstream.address);
    let files = Certificates::generate(setup.home());
    let lictor = setup
        .flag("--tls-cert", &files.certificate)
        .flag("--tls-key", &files.key)
        .start()
        .await;
    let mut client = Client::connect_tls(lictor.public, &files).await;
    let got = client.call("SendMessage", &message("hi")).await;
    assert_eq!((got.status(), got.json()), (200, finished()));
}

// --- the end ---------------------------------------------------------------------------------

#[tokio::test]
async fn a_stop_lets_calls_in_flight_end_whole() {
    let go_on = Arc::new(Notify::new());
    let signal = Arc::clone(&go_on);
    let upstream = Upstream::scripted(move |_| {
        vec![
            Step::text(EVENT_STREAM),
            chunk(&event("first ")),
            Step::Wait(Arc::clone(&signal)),
            chunk(&event("last")),
            Step::text("0\r\n\r\n"),
        ]
    })
    .await;
    let lictor = Lictor::spawn(&redacting(), upstream.address).await;
    let mut client = lictor.client().await;
    let request = call("SendStreamingMessage", &message("hi"));
    client.wire.send(&request).await.unwrap();
    let head = within("a head", client.wire.response_head()).await.unwrap();
    assert_eq!(head.status(), 200);
    lictor.terminate();
    let refused = eventually("no more connections", async || {
        tokio::net::TcpStream::connect(lictor.public).await.err()
    });
    refused.await;
    go_on.notify_one();
    let mut rest = Vec::new();
    while let Ok(Some(part)) = within("the rest", client.wire.raw()).await {
        rest.extend(part);
    }
    let rest = String::from_utf8_lossy(&rest).into_owned();
    assert!(rest.contains("first ") && rest.contains("last"), "{rest}");
    assert!(rest.ends_with("0\r\n\r\n"), "{rest}");
    let (status, said) = lictor.ended().await;
    assert_eq!(status.code(), Some(0), "{said}");
}

#[tokio::test]
async fn a_stop_cuts_what_does_not_end_in_time() {
    let upstream = Upstream::scripted(|_| {
        let forever = Arc::new(Notify::new());
        vec![
            Step::text(EVENT_STREAM),
            chunk(&event("first ")),
            Step::Wait(forever),
        ]
    })
    .await;
    let soon = "listeners: { public: { deadlines: { drain: 1s } } }";
    let lictor = Setup::new(upstream.address).config(soon).start().await;
    let mut client = lictor.client().await;
    let request = call("SendStreamingMessage", &message("hi"));
    client.wire.send(&request).await.unwrap();
    within("a head", client.wire.response_head()).await.unwrap();
    lictor.terminate();
    let (status, said) = tokio::time::timeout(Duration::from_secs(10), lictor.ended())
        .await
        .expect("a drain of one second ends within ten");
    assert_eq!(status.code(), Some(0), "{said}");
}

// --- helpers ---------------------------------------------------------------------------------

/// Makes the caller the owner of `t1`.
async fn learn_task(client: &mut Client) {
    let got = client.call("SendMessage", &message("hi")).await;
    assert_eq!(got.json(), finished());
}

/// Waits until some audit record tells of this reason.
async fn assert_recorded(lictor: &Lictor, reason: &str) {
    eventually(&format!("an audit record with `{reason}`"), async || {
        let records = lictor.audit();
        let told = records
            .iter()
            .any(|record| record.to_string().contains(reason));
        told.then_some(())
    })
    .await;
}
