//! What a caller with a bad credential, or with a good one and bad intentions, gets.

#![cfg(test)]

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use lictor::identity::Algorithm;
use lictor::identity::mint::TokenMinter;
use support::client::message;
use support::http1::Message;
use support::lictor::{Lictor, Setup};
use support::upstream::{Step, Upstream, json as answer};
use support::{eventually, within};

mod support;

/// A lictor that believes one issuer, before an agent that makes a task of every call.
struct Stage {
    lictor: Lictor,
    upstream: Upstream,
    minter: TokenMinter,
}

/// How a call is asked, besides what it asks.
#[derive(Default, Clone)]
struct Manner<'a> {
    path: Option<&'a str>,
    fields: &'a str,
    content_type: Option<&'a str>,
}

impl Stage {
    async fn new(more: &str) -> Self {
        let made = AtomicU64::new(0);
        let upstream = Upstream::scripted(move |_| {
            let id = format!("t{}", made.fetch_add(1, Ordering::Relaxed));
            let task = json!({"id": id, "contextId": format!("c-{id}"), "status": {"state": "TASK_STATE_WORKING"}});
            vec![Step::text(answer(&json!({"jsonrpc": "2.0", "id": "r1", "result": {"task": task}})))]
        })
        .await;
        let minter = TokenMinter::generate(Algorithm::Es256).unwrap();
        let setup = Setup::new(upstream.address);
        let keys = setup.home().join("jwks.json");
        std::fs::write(&keys, minter.jwks()).unwrap();
        let policy = format!(
            "lictor: v1\nidentities:\n  corp:\n    jwt: {{ issuer: \"https://idp.example\", jwks: {{ file: \"{}\" }}, audience: [agent], algorithms: [ES256] }}\n    tenant: claims.org\n\
             tenants: {{ acme: {{}}, globex: {{}} }}\n\
             roles:\n  all: {{ allow: [\"a2a:*\", \"http:* /pages/**\"], to: {{ identity: corp }} }}\n\
             rules:\n  no-cancel: {{ deny: \"a2a:CancelTask\" }}\n{more}",
            keys.display()
        );
        let lictor = setup.policy(policy).start().await;
        Self {
            lictor,
            upstream,
            minter,
        }
    }

    fn token(&self, subject: &str, tenant: &str, change: impl FnOnce(&mut Value)) -> String {
        #[expect(clippy::disallowed_methods, reason = "a token says when it was made")]
        let now = std::time::SystemTime::now();
        let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let mut claims = json!({"iss": "https://idp.example", "aud": "agent", "sub": subject, "org": tenant,
            "iat": now, "exp": now + 600});
        change(&mut claims);
        self.minter.mint(&claims).unwrap()
    }

    async fn raw(&self, body: &str, token: &str, manner: Manner<'_>) -> Message {
        let bearer = if token.is_empty() {
            String::new()
        } else {
            format!("authorization: Bearer {token}\r\n")
        };
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: agent.example\r\ncontent-type: {}\r\ncontent-length: {}\r\n{bearer}{}\r\n{body}",
            manner.path.unwrap_or("/"),
            manner.content_type.unwrap_or("application/json"),
            body.len(),
            manner.fields,
        );
        self.lictor
            .client()
            .await
            .exchange("POST", request.as_bytes())
            .await
    }

    async fn call(&self, method: &str, params: &Value, token: &str) -> Message {
        let body =
            json!({"jsonrpc": "2.0", "id": "r1", "method": method, "params": params}).to_string();
        self.raw(&body, token, Manner::default()).await
    }

    async fn records(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} audit records"), async || {
            let records = self.lictor.audit();
            (records.len() >= count).then_some(records)
        })
        .await
    }
}

fn encode(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test]
async fn a_bad_credential_is_never_anonymous_and_never_somebody() {
    let stage = Stage::new("  lobby:\n    allow: \"a2a:*\"\n    from: { anonymous: true }\n").await;
    let good = stage.token("ana", "acme", |_| {});
    let (_, rest) = good.split_once('.').unwrap();
    let (payload, _) = rest.split_once('.').unwrap();
    let forged = |header: Value| format!("{}.{payload}.", encode(header.to_string().as_bytes()));
    let kid = stage.minter.key_id().to_owned();
    let (start, _) = good.split_at(good.len() - 8);
    let bad = [
        ("none", forged(json!({"alg": "none"}))),
        ("none, named", forged(json!({"alg": "none", "kid": kid}))),
        (
            "hs256",
            format!(
                "{}{}",
                forged(json!({"alg": "HS256", "kid": kid})),
                encode(&[7; 32])
            ),
        ),
        (
            "unknown key",
            stage_sign(&stage, &json!({"alg": "ES256", "kid": "other"}), payload),
        ),
        (
            "key inside",
            stage_sign(
                &stage,
                &json!({"alg": "ES256", "jwk": stage.minter.jwk(), "kid": "other"}),
                payload,
            ),
        ),
        (
            "critical",
            stage_sign(
                &stage,
                &json!({"alg": "ES256", "kid": kid, "crit": ["exp"]}),
                payload,
            ),
        ),
        ("flipped", format!("{start}AAAAAAAA")),
        (
            "unsigned",
            good.rsplit_once('.').unwrap().0.to_owned() + ".",
        ),
        (
            "expired",
            stage.token("ana", "acme", |claims| claims["exp"] = json!(1)),
        ),
        (
            "endless",
            stage.token("ana", "acme", |claims| claims["exp"] = Value::Null),
        ),
        (
            "early",
            stage.token("ana", "acme", |claims| {
                claims["nbf"] = json!(99_999_999_999_u64)
            }),
        ),
        (
            "audience",
            stage.token("ana", "acme", |claims| claims["aud"] = json!("other")),
        ),
        (
            "issuer",
            stage.token("ana", "acme", |claims| {
                claims["iss"] = json!("https://evil.example")
            }),
        ),
        ("nobody", stage.token("", "acme", |_| {})),
        (
            "a line",
            stage.token("a\r\nx-user-id: root", "acme", |_| {}),
        ),
        (
            "no tenant",
            stage.token("ana", "acme", |claims| claims["org"] = Value::Null),
        ),
        ("garbage", "x.y.z".to_owned()),
        ("large", "a".repeat(16_000)),
    ];
    for (name, token) in &bad {
        let got = stage.call("SendMessage", &message("hi"), token).await;
        assert_eq!(got.status(), 401, "{name}: {}", got.text());
        assert_eq!(got.json()["id"], "r1", "{name}");
        assert!(got.field("www-authenticate").is_some(), "{name}");
    }
    let rpc =
        json!({"jsonrpc": "2.0", "id": "r1", "method": "SendMessage", "params": message("hi")})
            .to_string();
    let twice = format!("authorization: Bearer {good}\r\nauthorization: Bearer {good}\r\n");
    let list = format!("authorization: Bearer {good}, Basic eDp5\r\n");
    for fields in [
        &*twice,
        &list,
        "authorization: Bearer\r\n",
        "authorization: Bearer: x\r\n",
    ] {
        let got = stage
            .raw(
                &rpc,
                "",
                Manner {
                    fields,
                    ..Manner::default()
                },
            )
            .await;
        assert_eq!(got.status(), 401, "{fields}");
    }
    let unknown = stage.token("ana", "initech", |_| {});
    assert_eq!(
        stage
            .call("SendMessage", &message("hi"), &unknown)
            .await
            .status(),
        403
    );
    assert_eq!(stage.upstream.requests().len(), 0);
    assert_eq!(stage.records(bad.len() + 5).await.len(), bad.len() + 5);
    // The scheme is not case-sensitive (RFC 9110, section 11.1), and a token in the query is no credential.
    let lower = format!("authorization: bearer {good}\r\n");
    assert_eq!(
        stage
            .raw(
                &rpc,
                "",
                Manner {
                    fields: &lower,
                    ..Manner::default()
                }
            )
            .await
            .status(),
        200
    );
    assert_eq!(stage.upstream.requests()[0].field("x-user-id"), Some("ana"));
    let query = format!("/?access_token={good}");
    stage
        .raw(
            &rpc,
            "",
            Manner {
                path: Some(&query),
                ..Manner::default()
            },
        )
        .await;
    assert_eq!(
        stage.upstream.requests()[1].field("x-user-id"),
        Some("anonymous")
    );
}

fn stage_sign(stage: &Stage, header: &Value, payload: &str) -> String {
    use base64::Engine as _;
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(payload)
        .unwrap();
    stage
        .minter
        .sign(header.to_string().as_bytes(), &payload)
        .unwrap()
}

#[tokio::test]
async fn a_foreign_task_looks_exactly_like_none() {
    let stage = Stage::new("").await;
    let ana = stage.token("ana", "acme", |_| {});
    let made = stage.call("SendMessage", &message("hi"), &ana).await.json();
    let (task, context) = (
        &made["result"]["task"]["id"],
        &made["result"]["task"]["contextId"],
    );
    let seen = stage.upstream.requests().len();
    // Everything but what differs between any two answers.
    let face = |got: &Message| {
        let fields: Vec<_> = got
            .fields
            .iter()
            .filter(|(name, _)| name != "date" && name != "x-request-id")
            .cloned()
            .collect();
        (got.line.clone(), fields, got.text())
    };
    let send = |task: &Value| {
        let mut params = message("hi");
        params["message"]["taskId"] = task.clone();
        params
    };
    let refer = |task: &Value| {
        let mut params = message("hi");
        params["message"]["referenceTaskIds"] = json!([task]);
        params
    };
    let by_id = |task: &Value| json!({"id": task});
    let by_task =
        |task: &Value| json!({"taskId": task, "id": "p1", "url": "https://evil.example/"});
    let old = |task: &Value| json!({"message": {"kind": "message", "messageId": "m", "role": "user", "parts": [], "taskId": task}});
    let old_push = |task: &Value| json!({"taskId": task, "pushNotificationConfig": {"url": "https://evil.example/"}});
    type Params = Box<dyn Fn(&Value) -> Value>;
    let operations: Vec<(&str, Params)> = vec![
        ("GetTask", Box::new(by_id)),
        ("SubscribeToTask", Box::new(by_id)),
        ("SendMessage", Box::new(send)),
        ("SendStreamingMessage", Box::new(send)),
        ("SendMessage", Box::new(refer)),
        ("CreateTaskPushNotificationConfig", Box::new(by_task)),
        ("GetTaskPushNotificationConfig", Box::new(by_task)),
        ("ListTaskPushNotificationConfigs", Box::new(by_task)),
        ("DeleteTaskPushNotificationConfig", Box::new(by_task)),
        ("tasks/get", Box::new(by_id)),
        ("tasks/resubscribe", Box::new(by_id)),
        ("tasks/pushNotificationConfig/set", Box::new(old_push)),
        ("tasks/pushNotificationConfig/get", Box::new(by_id)),
        ("tasks/pushNotificationConfig/list", Box::new(by_id)),
        ("tasks/pushNotificationConfig/delete", Box::new(by_id)),
        ("message/send", Box::new(old)),
        ("message/stream", Box::new(old)),
    ];
    for who in [
        stage.token("bob", "acme", |_| {}),
        stage.token("gus", "globex", |_| {}),
        stage.token("ana", "globex", |_| {}),
    ] {
        for (method, params) in &operations {
            let foreign = stage.call(method, &params(task), &who).await;
            let missing = stage.call(method, &params(&json!("t7")), &who).await;
            assert_eq!(
                foreign.json()["error"]["code"],
                -32001,
                "{method}: {}",
                foreign.text()
            );
            assert_eq!(face(&foreign), face(&missing), "{method}");
        }
        let mut params = message("hi");
        params["message"]["contextId"] = context.clone();
        let got = stage.call("SendMessage", &params, &who).await;
        assert!(got.json()["error"].is_object(), "{}", got.text());
    }
    assert_eq!(
        stage.upstream.requests().len(),
        seen,
        "answered by lictor alone"
    );
    assert_eq!(
        stage
            .call("GetTask", &json!({"id": task}), &ana)
            .await
            .status(),
        200
    );
    assert_eq!(stage.upstream.requests().len(), seen + 1);
}

#[tokio::test]
async fn a_denied_call_is_denied_in_every_disguise_and_the_answer_repeats_its_id() {
    let stage = Stage::new("").await;
    let ana = stage.token("ana", "acme", |_| {});
    let cancel = r#"{"jsonrpc":"2.0","id":1,"method":"CancelTask","params":{"id":"t"}}"#;
    let bodies = [
        cancel.to_owned(),
        format!("[{cancel}]"),
        format!("{cancel}{cancel}"),
        format!("\u{feff}{cancel}"),
        cancel.replace("CancelTask", "Cancel\\u0054ask"),
        cancel.replace("CancelTask", "tasks\\/cancel"),
        cancel.replace("\"method\"", "\"Method\""),
        cancel.replace("\"method\"", "\"method\":\"GetTask\",\"method\""),
        cancel.replace("\"params\"", "\"method\":\"GetTask\",\"params\""),
        cancel.replace("\"jsonrpc\":\"2.0\",", ""),
    ];
    for body in &bodies {
        for content_type in [
            "application/json",
            "text/plain",
            "application/x-www-form-urlencoded",
            "",
        ] {
            let manner = Manner {
                path: Some("/pages/x"),
                content_type: Some(content_type),
                ..Manner::default()
            };
            let got = stage.raw(body, &ana, manner).await;
            assert!(
                matches!(got.status(), 400 | 403),
                "{content_type}: {body}: {}",
                got.line
            );
        }
    }
    let long = format!("\"{}\"", "a".repeat(500));
    for id in [
        "\"s\"",
        "1",
        "-0",
        "1.50",
        "1e400",
        "12345678901234567890123",
        "null",
        r#""\u0041\n\"\\""#,
        &long,
    ] {
        let got = stage
            .raw(
                &cancel.replace("\"id\":1", &format!("\"id\":{id}")),
                &ana,
                Manner::default(),
            )
            .await;
        assert_eq!(got.status(), 403);
        assert!(
            got.text().contains(&format!("\"id\":{id},")),
            "{id}: {}",
            got.text()
        );
    }
    for id in [
        "true",
        "[1]",
        "{}",
        r#""\ud800""#,
        &format!("\"{}\"", "a".repeat(600)),
    ] {
        let got = stage
            .raw(
                &cancel.replace("\"id\":1", &format!("\"id\":{id}")),
                &ana,
                Manner::default(),
            )
            .await;
        assert_eq!(
            (got.status(), &got.json()["id"]),
            (400, &Value::Null),
            "{id}"
        );
    }
    let notification = stage
        .raw(&cancel.replace("\"id\":1,", ""), &ana, Manner::default())
        .await;
    assert_eq!(
        (notification.status(), notification.text()),
        (403, String::new())
    );
    assert_eq!(stage.upstream.requests().len(), 0);
}

#[tokio::test]
async fn many_at_once_never_get_more_than_the_burst() {
    let stage = std::sync::Arc::new(
        Stage::new("quotas:\n  fair: { rate: 1/hour, burst: 20, per: principal }\n").await,
    );
    let ana = stage.token("ana", "acme", |_| {});
    let callers: Vec<_> = (0..20)
        .map(|_| {
            let (stage, ana) = (std::sync::Arc::clone(&stage), ana.clone());
            tokio::spawn(async move {
                let mut got = Vec::new();
                for _ in 0..4 {
                    got.push(stage.call("SendMessage", &message("hi"), &ana).await);
                }
                got
            })
        })
        .collect();
    let mut got = Vec::new();
    for caller in callers {
        got.extend(within("a caller", caller).await.unwrap());
    }
    let refused: Vec<_> = got.iter().filter(|got| got.status() == 429).collect();
    assert_eq!((got.len(), refused.len()), (80, 60));
    for refused in refused {
        let wait: u64 = refused.field("retry-after").unwrap().parse().unwrap();
        assert!((1..=3600).contains(&wait), "{wait}");
        assert_eq!(refused.json()["id"], "r1");
    }
    assert_eq!(stage.upstream.requests().len(), 20);
    let records = stage.records(80).await;
    let told = records
        .iter()
        .filter(|record| record["reason"] == "rate-limited")
        .count();
    assert_eq!((records.len(), told), (80, 60));
    let bob = stage.token("bob", "acme", |_| {});
    assert_eq!(
        stage
            .call("SendMessage", &message("hi"), &bob)
            .await
            .status(),
        200
    );
}
