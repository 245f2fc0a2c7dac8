//! Which tenant a call of A2A may name, in every version and binding.

#![cfg(test)]

use bytes::Bytes;
use h2::client::{self, SendRequest};
use http::Response;
use lictor::identity::Algorithm;
use lictor::identity::mint::TokenMinter;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use support::agent_h2::{Answer, Asked};
use support::grpc::{agent, answer, ask, fields, frame, message};
use support::http1::Message;
use support::lictor::{Lictor, Setup};
use support::{eventually, within};

mod support;

/// Ana of `acme` before an agent that has many tenants.
struct Stage {
    lictor: Lictor,
    sender: SendRequest<Bytes>,
    told: mpsc::Receiver<Asked>,
    token: String,
    _keys: tempfile::TempDir,
}

impl Stage {
    async fn with(http: &str) -> Self {
        let minter = TokenMinter::generate(Algorithm::Es256).unwrap();
        let keys = tempfile::tempdir().unwrap();
        let file = keys.path().join("jwks.json");
        std::fs::write(&file, minter.jwks()).unwrap();
        let (address, told) = agent(|asked| {
            if asked.head.uri().path().starts_with("/lf.a2a") {
                return answer(vec![frame(b"")], &[("grpc-status", "0")]);
            }
            let head = Response::builder().header("content-type", "application/json");
            Answer {
                head: head.body(()).unwrap(),
                body: vec![Bytes::from_static(
                    br#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
                )],
                ..Answer::default()
            }
        })
        .await;
        let policy = format!(
            "lictor: v1\nidentities:\n  corp:\n    jwt: {{ issuer: \"https://idp.example\", jwks: {{ file: \"{}\" }}, \
             audience: [agent] }}\n    tenant: claims.org\nroles:\n  all: {{ allow: [\"a2a:*\", \"http:* /**\"], to: {{ identity: corp }} }}\n\
             http: {{ a2aTenant: {http} }}\n",
            file.display()
        );
        let setup = Setup::before(format!("h2c://{address}")).policy(policy);
        let lictor = setup.start().await;
        let stream = TcpStream::connect(lictor.public).await.unwrap();
        let (sender, connection) = client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let now = now();
        let claims = json!({
            "iss": "https://idp.example", "aud": "agent", "sub": "ana", "org": "acme", "iat": now, "exp": now + 600
        });
        let token = minter.mint(&claims).unwrap();
        Self {
            lictor,
            sender,
            told,
            token,
            _keys: keys,
        }
    }

    async fn http(&self, line: &str, body: &Value) -> Message {
        let method = line.split(' ').next().unwrap();
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let request = format!(
            "{line} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        let mut client = self.lictor.client().await;
        client.exchange(method, request.as_bytes()).await
    }

    async fn rpc(&self, method: &str, params: Value) -> Message {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.http("POST /", &body).await
    }

    /// The status of gRPC, and what else came.
    async fn grpc(&self, method: &str, body: &[u8]) -> String {
        let token = format!("Bearer {}", self.token);
        let head = fields(&[("authorization", &token), ("a2a-version", "1.0")]);
        let path = format!("/lf.a2a.v1.A2AService/{method}");
        let seen = within(method, ask(&self.sender, &path, &head, frame(body), None)).await;
        seen.status()["grpc-status"].to_str().unwrap().to_owned()
    }

    /// Whether the agent was asked since the last time.
    fn was_asked(&mut self) -> bool {
        self.told.try_recv().is_ok()
    }
}

#[expect(clippy::disallowed_methods, reason = "a token says when it was made")]
fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn text() -> Value {
    json!({"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}]})
}

#[tokio::test]
async fn parameters_name_the_callers_tenant_or_none() {
    let mut stage = Stage::with("match").await;
    let hook = |tenant: &str| json!({"taskPushNotificationConfig": {"url": "https://h.example", "tenant": tenant}});
    let good = [
        ("SendMessage", json!({"message": text()})),
        ("SendMessage", json!({"message": text(), "tenant": ""})),
        ("SendMessage", json!({"message": text(), "tenant": "acme"})),
        (
            "SendMessage",
            json!({"message": text(), "configuration": hook("acme")}),
        ),
        (
            "message/send",
            json!({"message": {"kind": "message", "messageId": "m", "role": "user", "parts": []}}),
        ),
    ];
    for (method, params) in good {
        let got = stage.rpc(method, params.clone()).await;
        assert_eq!(got.status(), 200, "{method} {params}: {}", got.text());
        assert!(stage.was_asked(), "{method} {params}");
    }
    let bad = [
        (
            "SendMessage",
            json!({"message": text(), "tenant": "globex"}),
        ),
        ("SendMessage", json!({"message": text(), "tenant": "ACME"})),
        (
            "SendMessage",
            json!({"message": text(), "tenant": ["acme"]}),
        ),
        (
            "SendMessage",
            json!({"message": text(), "configuration": hook("globex")}),
        ),
        (
            "SendMessage",
            json!({"message": text(), "tenant": "acme", "configuration": hook("globex")}),
        ),
        ("ListTasks", json!({"tenant": "globex"})),
        ("GetExtendedAgentCard", json!({"tenant": "globex"})),
        (
            "message/send",
            json!({"message": {"messageId": "m", "role": "user", "parts": []}, "tenant": "globex"}),
        ),
    ];
    for (method, params) in bad {
        let got = stage.rpc(method, params.clone()).await;
        assert_eq!(got.status(), 403, "{method} {params}: {}", got.text());
        assert_eq!(got.json()["error"]["code"], -31002);
        assert!(!stage.was_asked(), "{method} {params}");
    }
    // One reader takes the first of two, another the last.
    for twice in [
        r#""tenant":"acme","tenant":"globex""#,
        r#""tenant":"acme","Tenant":"globex""#,
    ] {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{{"message":{},{twice}}}}}"#,
            text()
        );
        let request = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            stage.token,
            body.len()
        );
        let mut client = stage.lictor.client().await;
        let got = client.exchange("POST", request.as_bytes()).await;
        assert_eq!(got.status(), 400, "{}", got.text());
        assert!(!stage.was_asked());
    }
    let record = eventually("a record", async || {
        let mut records = stage.lictor.audit().into_iter();
        records.find(|record| record["reason"] == "tenant-mismatch")
    })
    .await;
    assert_eq!(record["rule"]["name"], "a2aTenant");
    assert_eq!(record["tenant"], "acme");
    assert_eq!(record["decision"], "deny");
}

#[tokio::test]
async fn a_segment_before_an_operation_of_rest_is_a_tenant() {
    let mut stage = Stage::with("{ basePath: /agents/quotes }").await;
    let send = json!({"message": text()});
    let cases = [
        ("POST /agents/quotes/message:send", 200),
        ("POST /agents/quotes/acme/message:send", 200),
        ("POST /agents/quotes/acme/v1/message:send", 200),
        ("POST /agents/quotes/v1/message:send", 200),
        ("POST /agents/quotes/globex/message:send", 403),
        ("POST /agents/quotes/globex/v1/message:send", 403),
        ("POST /agents/quotes/ACME/message:send", 403),
        ("POST /agents/quotes/acme/globex/message:send", 403),
        ("POST /agents/quotes/globex/acme/message:send", 403),
        ("POST /globex/message:send", 403),
        ("POST /acme/agents/quotes/message:send", 403),
        ("POST /agents/quotes/%67lobex/message:send", 403),
        ("POST /agents/quotes/acme/message:send?tenant=globex", 403),
        ("POST /agents/quotes/acme/../globex/message:send", 400),
    ];
    for (line, expected) in cases {
        let got = stage.http(line, &send).await;
        assert_eq!(got.status(), expected, "{line}: {}", got.text());
        assert_eq!(stage.was_asked(), expected == 200, "{line}");
    }
    let both = json!({"message": text(), "tenant": "globex"});
    let got = stage
        .http("POST /agents/quotes/acme/message:send", &both)
        .await;
    assert_eq!(got.status(), 403, "{}", got.text());
    let reads = [
        ("GET /agents/quotes/acme/extendedAgentCard", 200),
        ("GET /agents/quotes/extendedAgentCard?tenant=acme", 200),
        ("GET /agents/quotes/extendedAgentCard?ten%61nt=globex", 403),
        ("GET /agents/quotes/globex/extendedAgentCard", 403),
        // Plain HTTP has no tenants.
        ("GET /globex/report", 200),
    ];
    for (line, expected) in reads {
        let got = stage.http(line, &Value::Null).await;
        assert_eq!(got.status(), expected, "{line}: {}", got.text());
    }
}

#[tokio::test]
async fn messages_of_grpc_name_the_callers_tenant_or_none() {
    let stage = Stage::with("match").await;
    let hi = message(&[(1, b"m")]);
    let config = message(&[(2, &message(&[(1, b"globex"), (4, b"https://h.example")]))]);
    let cases: &[(&str, Vec<u8>, &str)] = &[
        ("SendMessage", message(&[(2, &hi)]), "0"),
        ("SendMessage", message(&[(1, b"acme"), (2, &hi)]), "0"),
        ("SendMessage", message(&[(1, b"globex"), (2, &hi)]), "7"),
        (
            "SendMessage",
            message(&[(1, b"acme"), (2, &hi), (3, &config)]),
            "7",
        ),
        (
            "SendMessage",
            message(&[(1, b"acme"), (1, b"globex"), (2, &hi)]),
            "3",
        ),
        ("GetExtendedAgentCard", message(&[(1, b"globex")]), "7"),
        ("GetExtendedAgentCard", message(&[(1, b"acme")]), "0"),
    ];
    for (method, body, expected) in cases {
        assert_eq!(
            stage.grpc(method, body).await,
            *expected,
            "{method} {}",
            body.escape_ascii()
        );
    }
}

#[tokio::test]
async fn it_may_have_to_be_named_and_it_may_be_the_agents_affair() {
    let stage = Stage::with("require").await;
    let got = stage.rpc("SendMessage", json!({"message": text()})).await;
    assert_eq!(got.status(), 403, "{}", got.text());
    let got = stage
        .rpc("SendMessage", json!({"message": text(), "tenant": "acme"}))
        .await;
    assert_eq!(got.status(), 200, "{}", got.text());

    let stage = Stage::with("pass").await;
    let got = stage
        .rpc(
            "SendMessage",
            json!({"message": text(), "tenant": "globex"}),
        )
        .await;
    assert_eq!(got.status(), 200, "{}", got.text());
    let got = stage
        .http(
            "POST /x/y/globex/message:send",
            &json!({"message": text(), "tenant": 7}),
        )
        .await;
    assert_eq!(got.status(), 200, "{}", got.text());
}
