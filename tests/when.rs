//! Conditions of rules, on the wire: what a call tells decides, and what it does not tell opens nothing.

#![cfg(test)]

use lictor::identity::Algorithm;
use lictor::identity::mint::TokenMinter;
use serde_json::{Value, json};

use support::lictor::{Lictor, Setup};
use support::upstream::{Step, Upstream};

mod support;

const POLICY: &str = r#"
roles:
  all: { allow: ["a2a:*"], to: { identity: corp } }
rules:
  big-wires-need-two:
    deny: a2a:SendMessage
    when: args.metadata.amount > 10000 && !has(claims.second_approver)
    say: Large wires need a second approver.
  only-the-desk:
    deny: a2a:CancelTask
    when: request.header['x-desk'] != 'rates'
  never-on-mondays:
    deny: a2a:GetTask
    when: has(claims.shift) && between(time, '00:00', '24:00', 'UTC', 'mon-sun')
  pages-of-the-house:
    allow: "http:GET /pages/**"
    when: cidr(source.ip, '127.0.0.0/8') && request.path.startsWith('/pages/open/')
    from: { anonymous: true }
  watched:
    mode: shadow
    deny: a2a:SendMessage
    when: caller.tenant == 'default' && args.metadata.amount == 7
"#;

struct Stage {
    lictor: Lictor,
    _agent: Upstream,
    minter: TokenMinter,
}

impl Stage {
    async fn new() -> Self {
        let answer =
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        let agent = Upstream::scripted(move |_| vec![Step::text(answer)]).await;
        let minter = TokenMinter::generate(Algorithm::Es256).unwrap();
        let setup = Setup::new(agent.address);
        let keys = setup.home().join("jwks.json");
        std::fs::write(&keys, minter.jwks()).unwrap();
        let policy = format!(
            "lictor: v1\nidentities:\n  corp:\n    jwt: {{ issuer: \"https://idp.example\", jwks: {{ file: \"{}\" }}, audience: [agent] }}{POLICY}",
            keys.display()
        );
        let lictor = setup.policy(policy).start().await;
        Self {
            lictor,
            _agent: agent,
            minter,
        }
    }

    fn token(&self, more: &Value) -> String {
        #[expect(clippy::disallowed_methods, reason = "a token says when it was made")]
        let now = std::time::SystemTime::now();
        let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let mut claims = json!({"iss": "https://idp.example", "aud": "agent", "sub": "ana", "iat": now, "exp": now + 600});
        let more = more.as_object().unwrap().clone();
        claims.as_object_mut().unwrap().extend(more);
        self.minter.mint(&claims).unwrap()
    }

    /// The status that HTTP would have, and what the caller reads.
    async fn call(
        &self,
        method: &str,
        params: &str,
        fields: &str,
        claims: &Value,
    ) -> (u16, String) {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let request = format!(
            "POST / HTTP/1.1\r\nhost: agent\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             authorization: Bearer {}\r\n{fields}\r\n{body}",
            body.len(),
            self.token(claims),
        );
        let answer = self
            .lictor
            .client()
            .await
            .exchange("POST", request.as_bytes())
            .await;
        let message = answer.json()["error"]["message"]
            .as_str()
            .unwrap_or("passed")
            .to_owned();
        (answer.status(), message)
    }

    async fn page(&self, path: &str) -> u16 {
        let request = format!("GET {path} HTTP/1.1\r\nhost: agent\r\n\r\n");
        self.lictor
            .client()
            .await
            .exchange("GET", request.as_bytes())
            .await
            .status()
    }
}

#[tokio::test]
async fn arguments_and_claims_decide_together() {
    let stage = Stage::new().await;
    let wire = |amount: &str| {
        format!(r#"{{"message":{{"messageId":"m"}},"metadata":{{"amount":{amount}}}}}"#)
    };
    let send = async |amount: &str, claims: Value| {
        stage
            .call("SendMessage", &wire(amount), "", &claims)
            .await
            .1
    };
    let refused = "Large wires need a second approver.";
    assert_eq!(send("10000", json!({})).await, "passed");
    assert_eq!(send("10001", json!({})).await, refused);
    assert_eq!(
        send("10001", json!({"second_approver": "bob"})).await,
        "passed"
    );
    // What cannot be compared is not small.
    assert_eq!(send(r#""1""#, json!({})).await, refused);
    assert_eq!(send("null", json!({})).await, refused);
    let nothing = stage
        .call("SendMessage", r#"{"message":{}}"#, "", &json!({}))
        .await;
    assert_eq!(nothing.1, refused);
    // The other side decides.
    let approved = stage
        .call(
            "SendMessage",
            r#"{"message":{}}"#,
            "",
            &json!({"second_approver": "bob"}),
        )
        .await;
    assert_eq!(approved.1, "passed");
}

#[tokio::test]
async fn a_field_that_is_not_there_opens_nothing() {
    let stage = Stage::new().await;
    let cancel = async |fields: &str| {
        stage
            .call("CancelTask", r#"{"id":"t"}"#, fields, &json!({}))
            .await
    };
    let (allowed, refused) = ("Task not found.", "You are not allowed to make this call.");
    let said = async |fields: &str| cancel(fields).await.1;
    // Past the rule: nobody has such a task.
    assert_ne!(said("x-desk: rates\r\n").await, refused, "{allowed}");
    assert_eq!(said("x-desk: bonds\r\n").await, refused);
    assert_eq!(said("").await, refused);
    assert_eq!(said("x-desk: rates\r\nX-Desk: bonds\r\n").await, refused);
}

#[tokio::test]
async fn an_allow_needs_its_condition() {
    let stage = Stage::new().await;
    assert_eq!(stage.page("/pages/open/a").await, 200);
    assert_eq!(stage.page("/pages/closed/a").await, 401);
    let shift = stage
        .call("GetTask", r#"{"id":"t"}"#, "", &json!({"shift": 1}))
        .await;
    assert_eq!(shift.1, "You are not allowed to make this call.");
}

#[tokio::test]
async fn a_condition_in_shadow_mode_is_told_and_stops_nothing() {
    let stage = Stage::new().await;
    let params = r#"{"message":{"messageId":"m"},"metadata":{"amount":7}}"#;
    let sent = stage.call("SendMessage", params, "", &json!({})).await;
    assert_eq!(sent, (200, "passed".to_owned()));
    let record = support::eventually("an audit record", async || stage.lictor.audit().pop()).await;
    assert_eq!(record["shadow"]["name"], "watched");
    assert_eq!(record["shadow"]["effect"], "deny");
    let counted = r#"lictor_shadow_decisions_total{effect="deny",rule="watched"}"#;
    assert_eq!(stage.lictor.metric(counted).await, Some(1.0));
}
