//! Policies on trial beside those in force: they decide nothing, what they would have decided is told, and one call
//! promotes or drops them.

#![cfg(test)]

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use support::eventually;
use support::lictor::{Lictor, Setup, TOKEN};
use support::upstream::{Step, Upstream};

mod support;

const IN_FORCE: &str =
    "lictor: v1\nrules:\n  open: { allow: \"http:GET /open/**\", from: { anonymous: true } }\n";

/// Closes a part of what is open, by a field that only it reads, and opens something else.
const CANDIDATE: &str = r#"lictor: v1
rules:
  open: { allow: "http:GET /open/**", from: { anonymous: true } }
  more: { allow: "http:GET /more/**", from: { anonymous: true } }
  no-robots:
    deny: "http:GET /open/**"
    when: request.header['x-robot'] == 'yes'
"#;

async fn stage() -> (Lictor, Upstream, tempfile::TempDir) {
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let upstream = Upstream::scripted(move |_| vec![Step::text(answer)]).await;
    let setup = Setup::new(upstream.address).policy(IN_FORCE);
    let lictor = setup.with_desk().start().await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("next.yaml"), CANDIDATE).unwrap();
    (lictor, upstream, folder)
}

async fn desk(lictor: &Lictor, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = match body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    let answer = lictor.at_the_desk(method, path, Some(TOKEN), &body).await;
    (answer.status(), answer.json())
}

async fn ask(lictor: &Lictor, path: &str, robot: &str) -> u16 {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nx-robot: {robot}\r\n\r\n");
    let mut client = lictor.client().await;
    client.exchange("GET", request.as_bytes()).await.status()
}

#[tokio::test]
async fn a_candidate_decides_nothing_and_tells_where_it_differs() {
    let (lictor, _upstream, folder) = stage().await;
    assert_eq!(
        desk(&lictor, "GET", "/v1/candidate", &Value::Null).await.0,
        404
    );
    let form = json!({ "path": folder.path() });
    let (status, told) = desk(&lictor, "POST", "/v1/candidate", &form).await;
    assert_eq!(status, 201, "{told}");
    for (path, robot, status) in [
        ("/open/1", "no", 200),
        ("/open/2", "yes", 200),
        ("/open/3", "yes", 200),
        ("/more/1", "no", 401),
        ("/other", "no", 401),
    ] {
        assert_eq!(ask(&lictor, path, robot).await, status, "{path}");
    }
    let (_, told) = desk(&lictor, "GET", "/v1/candidate", &Value::Null).await;
    assert_eq!(told["judged"], 5, "{told}");
    assert_eq!(
        (&told["wouldDeny"], &told["wouldAllow"]),
        (&2.into(), &1.into())
    );
    assert_eq!(told["last"][0]["action"], "http:GET /more/1");
    assert_eq!(told["last"][0]["rule"], "more");
    let place = told["last"][1]["place"].as_str().unwrap();
    assert!(place.ends_with("next.yaml:5"), "{told}");
    let metric = r#"lictor_candidate_decisions_total{effect="deny",rule="no-robots"}"#;
    assert_eq!(lictor.metric(metric).await, Some(2.0));
    let records = eventually("the records", async || {
        let records = lictor.audit();
        (records.len() == 5).then_some(records)
    })
    .await;
    assert!(records[0].get("candidate").is_none());
    assert_eq!(records[1]["candidate"]["effect"], "deny");
    assert_eq!(records[1]["candidate"]["name"], "no-robots");
    // What was told names the decision.
    assert_eq!(told["last"][0]["decisionId"], records[3]["decisionId"]);
    let (status, _) = desk(&lictor, "DELETE", "/v1/candidate", &Value::Null).await;
    assert_eq!(status, 200);
    assert_eq!(
        desk(&lictor, "GET", "/v1/candidate", &Value::Null).await.0,
        404
    );
}

#[tokio::test]
async fn a_candidate_is_promoted_by_one_call_if_it_is_still_what_was_tried() {
    let (lictor, _upstream, folder) = stage().await;
    let form = json!({ "path": folder.path() });
    assert_eq!(desk(&lictor, "POST", "/v1/candidate", &form).await.0, 201);
    let next = folder.path().join("next.yaml");
    fs::write(&next, CANDIDATE.replace("yes", "maybe")).unwrap();
    let (status, told) = desk(&lictor, "POST", "/v1/candidate/promote", &Value::Null).await;
    assert_eq!(status, 409, "{told}");
    fs::write(&next, CANDIDATE).unwrap();
    let (status, told) = desk(&lictor, "POST", "/v1/candidate/promote", &Value::Null).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(told["generation"], 2);
    assert_eq!(told["lastAttempt"]["cause"], "promote");
    assert_eq!(ask(&lictor, "/open/1", "yes").await, 403);
    assert_eq!(ask(&lictor, "/more/1", "no").await, 200);
    // It is what the folder says now, and nothing is on trial any more.
    assert_eq!(
        fs::read_to_string(lictor.policies().join("next.yaml")).unwrap(),
        CANDIDATE
    );
    assert!(!lictor.policies().join("policy.yaml").exists());
    assert_eq!(
        desk(&lictor, "GET", "/v1/candidate", &Value::Null).await.0,
        404
    );
    let (status, told) = desk(&lictor, "POST", "/v1/candidate", &form).await;
    assert_eq!(status, 409, "{told}");
}

#[tokio::test]
async fn what_cannot_go_on_trial_is_refused_with_its_reason() {
    let (lictor, _upstream, folder) = stage().await;
    let file = folder.path().join("next.yaml");
    for (text, status, said) in [
        ("lictor: v1\nruless: {}\n", 400, "did you mean `rules`?"),
        (
            "lictor: v1\ntests:\n  no: { as: anonymous, do: a2a:GetTask, expect: allow }\n",
            400,
            "tests",
        ),
    ] {
        fs::write(&file, text).unwrap();
        let form = json!({ "path": folder.path() });
        let (got, told) = desk(&lictor, "POST", "/v1/candidate", &form).await;
        assert_eq!(got, status, "{told}");
        assert!(told["error"].as_str().unwrap().contains(said), "{told}");
    }
    let (status, told) = desk(&lictor, "POST", "/v1/candidate", &json!({ "where": "x" })).await;
    assert_eq!(status, 400, "{told}");
    // Where Kubernetes keeps the policies, they are changed there.
    let kept = folder.path().join("kept.yaml");
    fs::write(&kept, IN_FORCE).unwrap();
    fs::remove_file(lictor.policies().join("policy.yaml")).unwrap();
    symlink(&kept, lictor.policies().join("policy.yaml")).unwrap();
    fs::write(&file, CANDIDATE).unwrap();
    let form = json!({ "path": file });
    assert_eq!(desk(&lictor, "POST", "/v1/candidate", &form).await.0, 201);
    let (status, told) = desk(&lictor, "POST", "/v1/candidate/promote", &Value::Null).await;
    assert_eq!(status, 409, "{told}");
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("next.yaml"), CANDIDATE).unwrap();
    let form = json!({ "path": other.path() });
    assert_eq!(desk(&lictor, "POST", "/v1/candidate", &form).await.0, 201);
    let (status, told) = desk(&lictor, "POST", "/v1/candidate/promote", &Value::Null).await;
    assert_eq!(status, 409);
    assert!(told["error"].as_str().unwrap().contains("links"), "{told}");
}

#[tokio::test]
async fn a_candidate_may_be_there_from_the_start() {
    let (_lictor, upstream, folder) = stage().await;
    let setup = Setup::new(upstream.address).policy(IN_FORCE);
    let lictor = setup.flag("--candidate", folder.path()).start().await;
    assert_eq!(ask(&lictor, "/open/1", "yes").await, 200);
    let metric = r#"lictor_candidate_decisions_total{effect="deny",rule="no-robots"}"#;
    assert_eq!(lictor.metric(metric).await, Some(1.0));
}
