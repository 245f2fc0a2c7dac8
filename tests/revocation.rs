//! Taking back what was given: by a line of a policy or by a call on the admin port, at once and for good.

#![cfg(test)]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use lictor::identity::Algorithm;
use lictor::identity::mint::TokenMinter;
use serde_json::{Value, json};
use tokio::sync::Notify;

use support::client::{Client, envelope, message};
use support::http1::chunked;
use support::lictor::{Lictor, Setup, TOKEN};
use support::upstream::{EVENT_STREAM, Step, Upstream};
use support::{eventually, within};

mod support;

const ROLES: &str = "roles:\n  all: { allow: [\"a2a:*\"], to: { identity: corp } }\n";

struct Stage {
    lictor: Lictor,
    upstream: Upstream,
    minter: TokenMinter,
    keys: PathBuf,
    _state: tempfile::TempDir,
    state: PathBuf,
    _go_on: Arc<Notify>,
}

/// Answers streams with one event that names a task and then waits, all else at once.
async fn agent() -> (Upstream, Arc<Notify>) {
    let go_on = Arc::new(Notify::new());
    let told = Arc::clone(&go_on);
    let event = json!({"jsonrpc": "2.0", "id": "r1", "result": {"task": {
        "id": "task-1", "contextId": "c1", "status": {"state": "TASK_STATE_WORKING"}
    }}});
    let upstream = Upstream::scripted(move |request| {
        if !request.text().contains("Streaming") {
            let answer =
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
            return vec![Step::text(answer)];
        }
        let event = format!("data: {event}\n\n");
        vec![
            Step::text(EVENT_STREAM),
            Step::Write(chunked([event.as_bytes()], false)),
            Step::Wait(Arc::clone(&told)),
        ]
    })
    .await;
    (upstream, go_on)
}

impl Stage {
    async fn new() -> Self {
        let (upstream, go_on) = agent().await;
        let minter = TokenMinter::generate(Algorithm::Es256).unwrap();
        let state_dir = tempfile::tempdir().unwrap();
        let state = state_dir.path().to_owned();
        let keys = state.join("jwks.json");
        fs::write(&keys, minter.jwks()).unwrap();
        let lictor = start(&upstream, &state, &policy(&keys)).await;
        Self {
            lictor,
            upstream,
            minter,
            keys,
            _state: state_dir,
            state,
            _go_on: go_on,
        }
    }

    fn token(&self, subject: &str, issued: i64) -> String {
        let now = now().as_second();
        let claims = json!({
            "iss": "https://idp.example", "aud": "agent", "sub": subject, "org": "acme",
            "iat": now + issued, "exp": now + 600
        });
        self.minter.mint(&claims).unwrap()
    }

    fn request(&self, method: &str, subject: &str, issued: i64, params: &Value) -> String {
        let body = envelope(method, params);
        format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{body}",
            self.token(subject, issued),
            body.len()
        )
    }

    /// The status, and what is said.
    async fn ask(&self, subject: &str, issued: i64, params: &Value) -> (u16, String) {
        let request = self.request("SendMessage", subject, issued, params);
        let mut client = Client::connect(self.lictor.public).await;
        let answer = client.exchange("POST", request.as_bytes()).await;
        (answer.status(), answer.text())
    }

    async fn is_served(&self, subject: &str) -> bool {
        !self
            .ask(subject, 0, &message("hi"))
            .await
            .1
            .contains("ACCESS_REVOKED")
    }

    /// A stream of this caller, begun.
    async fn stream(&self, subject: &str) -> (Client, support::http1::Message) {
        let request = self.request("SendStreamingMessage", subject, 0, &message("hi"));
        let mut client = Client::connect(self.lictor.public).await;
        client.wire.send(request.as_bytes()).await.unwrap();
        let head = client.wire.response_head().await.unwrap();
        assert_eq!(head.status(), 200);
        (client, head)
    }

    async fn desk(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let answer = self
            .lictor
            .at_the_desk(method, path, Some(TOKEN), body)
            .await;
        (answer.status(), answer.json())
    }
}

#[expect(clippy::disallowed_methods, reason = "a token says when it was made")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

fn policy(keys: &std::path::Path) -> String {
    format!(
        "lictor: v1\nidentities:\n  corp:\n    jwt: {{ issuer: \"https://idp.example\", jwks: {{ file: \"{}\" }}, audience: [agent] }}\n    tenant: claims.org\n{ROLES}",
        keys.display()
    )
}

async fn start(upstream: &Upstream, state: &std::path::Path, policy: &str) -> Lictor {
    let setup = Setup::new(upstream.address).policy(policy).state(state);
    setup.with_desk().start().await
}

async fn ends_revoked(stream: (Client, support::http1::Message)) {
    let (mut client, mut answer) = stream;
    within(
        "the stream to end",
        client.wire.response_body(&mut answer, "POST"),
    )
    .await
    .unwrap();
    assert!(answer.complete);
    let last = answer.events().pop().unwrap();
    assert!(last.contains("ACCESS_REVOKED"), "{last}");
}

#[tokio::test]
async fn the_desk_is_closed_to_who_has_no_token() {
    let stage = Stage::new().await;
    for (path, method) in [
        ("/v1/policies", "GET"),
        ("/v1/revocations", "GET"),
        ("/v1/revocations", "POST"),
        ("/v1/policies/reload", "POST"),
    ] {
        for token in [None, Some("a wrong token of tests"), Some("")] {
            let answer = stage.lictor.at_the_desk(method, path, token, "{}").await;
            assert_eq!(answer.status(), 401, "{method} {path} {token:?}");
            assert!(!answer.text().contains(TOKEN));
        }
    }
    assert_eq!(stage.desk("GET", "/v1/revocations", "").await.0, 200);
    let odd = stage
        .lictor
        .at_the_desk("PUT", "/v1/revocations", Some(TOKEN), "")
        .await;
    assert_eq!(odd.status(), 405);
    // Without a token in lictor.yaml nothing opens it.
    let plain = Lictor::spawn("lictor: v1\n", stage.upstream.address).await;
    let answer = plain
        .at_the_desk("GET", "/v1/policies", Some(TOKEN), "")
        .await;
    assert_eq!(answer.status(), 403);
    assert!(answer.text().contains("admin.token"), "{}", answer.text());
}

#[tokio::test]
async fn a_call_on_the_admin_port_revokes_at_once_ends_streams_and_outlives_a_restart() {
    let mut stage = Stage::new().await;
    let (ana, ben) = (stage.stream("ana").await, stage.stream("ben").await);
    let form = r#"{"name": "lost-laptop", "principal": "ana", "identity": "corp"}"#;
    let (status, told) = stage.desk("POST", "/v1/revocations", form).await;
    assert_eq!(status, 201);
    assert_eq!(
        told["revocations"][0]["subject"],
        "principal `ana` of identity `corp`"
    );
    ends_revoked(ana).await;
    assert!(!stage.is_served("ana").await);
    assert!(stage.is_served("ben").await);
    assert_eq!(stage.lictor.metric("lictor_revocations").await, Some(1.0));
    let record = eventually("the record", async || {
        let records = stage.lictor.audit();
        records
            .into_iter()
            .find(|record| record["outcome"] == "withdrawn")
    })
    .await;
    assert_eq!(record["reason"], "revoked");
    assert_eq!(record["rule"]["name"], "lost-laptop");
    let noted = &stage.lictor.notes("revocation")[0];
    assert_eq!(
        (&noted["event"], &noted["name"]),
        (&"revoked".into(), &"lost-laptop".into())
    );
    assert!(noted.get("place").is_none());
    // A second of that name, and forms that say nothing.
    assert_eq!(stage.desk("POST", "/v1/revocations", form).await.0, 409);
    for wrong in [
        "",
        "[]",
        "{\"name\": \"x\"}",
        "{\"principal\": \"ana\"}",
        "{\"name\": \"x\", \"who\": \"ana\"}",
        "{\"name\": \"a b\", \"principal\": \"ana\"}",
    ] {
        let (status, told) = stage.desk("POST", "/v1/revocations", wrong).await;
        assert_eq!(status, 400, "{wrong}: {told}");
    }
    // The stream of somebody else goes on.
    drop(ben);

    stage.lictor.kill();
    stage.lictor = start(&stage.upstream, &stage.state, &policy(&stage.keys)).await;
    assert!(!stage.is_served("ana").await);
    assert_eq!(
        stage.desk("DELETE", "/v1/revocations/unknown", "").await.0,
        404
    );
    assert_eq!(
        stage
            .desk("DELETE", "/v1/revocations/lost-laptop", "")
            .await
            .0,
        200
    );
    assert!(stage.is_served("ana").await);
    assert_eq!(stage.lictor.metric("lictor_revocations").await, Some(0.0));
}

#[tokio::test]
async fn a_line_of_a_policy_revokes_whatever_else_is_wrong() {
    let stage = Stage::new().await;
    let stream = stage.stream("ana").await;
    let folder = stage.lictor.policies();
    // A colleague's file that does not even compile, and tests that fail.
    fs::write(folder.join("typo.yaml"), "lictor: v1\nroless: {}\n").unwrap();
    fs::write(
        folder.join("incident.yaml"),
        "lictor: v1\nrevoke:\n  lost-laptop: { principal: ana }\ntests:\n  no: { as: anonymous, do: a2a:GetTask, expect: allow }\n",
    )
    .unwrap();
    ends_revoked(stream).await;
    assert!(!stage.is_served("ana").await);
    assert!(stage.is_served("ben").await);
    let (status, told) = stage
        .desk("DELETE", "/v1/revocations/lost-laptop", "")
        .await;
    assert_eq!(status, 409, "{told}");
    let report = stage.desk("GET", "/v1/policies", "").await.1;
    assert_eq!(report["generation"], 1);
    // The typo is mended, the tests still fail: revoked. Taken out of a file that is in force: not.
    fs::remove_file(folder.join("typo.yaml")).unwrap();
    eventually("the next attempt", async || {
        (stage.lictor.notes("policies").len() == 3).then_some(())
    })
    .await;
    assert!(!stage.is_served("ana").await);
    fs::remove_file(folder.join("incident.yaml")).unwrap();
    eventually("her access", async || {
        stage.is_served("ana").await.then_some(())
    })
    .await;
    eventually("both to be recorded", async || {
        let notes = stage.lictor.notes("revocation");
        let events: Vec<_> = notes.iter().map(|note| note["event"].clone()).collect();
        (events == ["revoked", "restored"]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_file_that_breaks_later_gives_nothing_back() {
    let stage = Stage::new().await;
    let folder = stage.lictor.policies();
    let incident = folder.join("incident.yaml");
    fs::write(
        &incident,
        "lictor: v1\nrevoke:\n  lost-laptop: { principal: ana }\n",
    )
    .unwrap();
    eventually("her end", async || {
        (!stage.is_served("ana").await).then_some(())
    })
    .await;
    fs::write(
        &incident,
        "lictor: v1\nrevoke:\n  lost-laptop: { principal: [ana }\n",
    )
    .unwrap();
    eventually("the attempt", async || {
        let last = stage.lictor.notes("policies").pop()?;
        (last["result"] == "refused").then_some(())
    })
    .await;
    assert!(!stage.is_served("ana").await);
}

#[tokio::test]
async fn what_can_be_revoked() {
    let stage = Stage::new().await;
    let now = now();
    let ago = |seconds: i64| now - jiff::SignedDuration::from_secs(seconds);
    let kid: Value = serde_json::from_str(&stage.minter.jwks()).unwrap();
    let kid = kid["keys"][0]["kid"].as_str().unwrap();
    // A form, when ana's token was issued, and whether that is then refused.
    for (form, issued, is_refused) in [
        (json!({"tenant": "acme"}), 0, true),
        (json!({"tenant": "globex"}), 0, false),
        (json!({"tenant": "acme", "principal": "ben"}), 0, false),
        (json!({"identity": "corp"}), 0, true),
        (json!({"key": kid}), 0, true),
        (json!({"key": "another"}), 0, false),
        (json!({"agent": "agent"}), 0, true),
        (json!({"agent": "other"}), 0, false),
        (
            json!({"principal": "ana", "since": ago(60).to_string()}),
            -120,
            true,
        ),
        (
            json!({"principal": "ana", "since": ago(60).to_string()}),
            0,
            false,
        ),
        (json!({"task": "task-9"}), 0, false),
    ] {
        let mut form = form;
        form["name"] = "it".into();
        let (status, told) = stage
            .desk("POST", "/v1/revocations", &form.to_string())
            .await;
        assert_eq!(status, 201, "{told}");
        let (_, said) = stage.ask("ana", issued, &message("hi")).await;
        assert_eq!(
            said.contains("ACCESS_REVOKED"),
            is_refused,
            "{form}: {said}"
        );
        assert_eq!(stage.desk("DELETE", "/v1/revocations/it", "").await.0, 200);
    }
    // A task: the stream of the call that it was made for, and calls that name it.
    let stream = stage.stream("ana").await;
    eventually("the task to be known", async || {
        // The agent's first event has reached the caller's side.
        stage
            .lictor
            .metric("lictor_ledger_entries{kind=\"all\"}")
            .await
            .filter(|count| *count > 0.0)
            .map(drop)
    })
    .await;
    let form = r#"{"name": "runaway", "task": "task-1"}"#;
    assert_eq!(stage.desk("POST", "/v1/revocations", form).await.0, 201);
    ends_revoked(stream).await;
    let mut params = message("more");
    params["message"]["taskId"] = "task-1".into();
    let (_, said) = stage.ask("ana", 0, &params).await;
    assert!(said.contains("ACCESS_REVOKED"), "{said}");
    assert!(stage.is_served("ana").await);
}

#[tokio::test]
async fn what_was_kept_and_cannot_be_read_stops_the_start() {
    let stage = Stage::new().await;
    let state = tempfile::tempdir().unwrap();
    fs::write(state.path().join("revocations.json"), "[{\"name\": \"x\"}]").unwrap();
    let setup = Setup::new(stage.upstream.address).state(state.path());
    let (status, said) = setup.fail().await;
    assert_eq!(status.code(), Some(3), "{said}");
    assert!(said.contains("revocations.json"), "{said}");
    // A token that could be guessed does too.
    let setup = Setup::new(stage.upstream.address)
        .config("admin: { token: { env: LICTOR_NO_SUCH_TOKEN } }");
    let (status, said) = setup.fail().await;
    assert_eq!(status.code(), Some(3), "{said}");
    assert!(said.contains("LICTOR_NO_SUCH_TOKEN"), "{said}");
}
