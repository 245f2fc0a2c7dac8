//! Arguments of tools, on the wire: what a policy does not let through, the agent never sees.

#![cfg(test)]

use serde_json::{Value, json};

use support::lictor::{Lictor, Setup};
use support::upstream::Upstream;

mod support;

const POLICY: &str = r#"lictor: v1
rules:
  mcp:
    allow: "http:POST /mcp"
    from: { anonymous: true }
tools:
  wire_transfer:
    args:
      amount: { min: 0.01, max: 250000 }
      currency: { oneOf: [GBP, EUR] }
      recipient.iban: { is: iban }
      note: {}
    unknownArgs: deny
quotas:
  calls: { rate: 3/day, per: source }
"#;

const WATCHED: &str = r#"lictor: v1
mode: shadow
rules:
  mcp:
    mode: enforce
    allow: "http:POST /mcp"
    from: { anonymous: true }
tools:
  wire_transfer: { args: { amount: { max: 5 } } }
"#;

const IBAN: &str = r#""recipient":{"iban":"GB33BUKB20201555555555"}"#;

struct Stage {
    lictor: Lictor,
    agent: Upstream,
}

/// What the caller got: the status, the error of JSON-RPC, and whether the agent was asked.
struct Got {
    status: u16,
    error: Value,
    passed: bool,
}

impl Stage {
    async fn new(policy: &str) -> Self {
        let agent = Upstream::json(json!({"jsonrpc": "2.0", "id": 7, "result": {}})).await;
        let lictor = Setup::new(agent.address).policy(policy).start().await;
        Self { lictor, agent }
    }

    async fn post(&self, body: &str) -> Got {
        let before = self.agent.requests().len();
        let request = format!(
            "POST /mcp HTTP/1.1\r\nhost: agent\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len(),
        );
        let mut client = self.lictor.client().await;
        let answer = client.exchange("POST", request.as_bytes()).await;
        Got {
            status: answer.status(),
            // A notification has no answer.
            error: match answer.text().is_empty() {
                true => Value::Null,
                false => answer.json()["error"].clone(),
            },
            passed: self.agent.requests().len() > before,
        }
    }

    /// Calls a tool, with its arguments as they stand.
    async fn call(&self, name: &str, args: &str) -> Got {
        let params = format!(r#"{{"name":"{name}","arguments":{args}}}"#);
        self.post(&format!(
            r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{params}}}"#
        ))
        .await
    }

    /// Asserts that a call is refused, and gives what the caller reads.
    async fn refused(&self, name: &str, args: &str) -> String {
        let got = self.call(name, args).await;
        assert!(!got.passed, "the agent saw {name} {args}");
        assert_eq!(
            (got.status, &got.error["code"]),
            (403, &json!(-31017)),
            "{args}"
        );
        got.error["message"].as_str().unwrap().to_owned()
    }

    async fn last_record(&self) -> Value {
        support::eventually("an audit record", async || self.lictor.audit().pop()).await
    }
}

#[tokio::test]
async fn the_agent_sees_only_arguments_that_are_as_they_must_be() {
    let stage = Stage::new(POLICY).await;
    // Nothing that is refused counts: three calls a day pass, and the last one of them still does at the end.
    for (args, said) in [
        (
            format!(r#"{{"amount":250000.00000000001,"currency":"GBP",{IBAN}}}"#),
            "The value of the argument `amount` is not allowed.",
        ),
        (
            format!(r#"{{"amount":"10","currency":"GBP",{IBAN}}}"#),
            "The value of the argument `amount` is not allowed.",
        ),
        (
            format!(r#"{{"amount":0,"currency":"GBP",{IBAN}}}"#),
            "The value of the argument `amount` is not allowed.",
        ),
        (
            format!(r#"{{"currency":"GBP",{IBAN}}}"#),
            "The argument `amount` is missing.",
        ),
        (
            format!(r#"{{"amount":10,"currency":"USD",{IBAN}}}"#),
            "The value of the argument `currency` is not allowed.",
        ),
        (
            r#"{"amount":10,"currency":"GBP","recipient":{"iban":"GB33BUKB20201555555556"}}"#
                .to_owned(),
            "The value of the argument `recipient.iban` is not allowed.",
        ),
        (
            format!(r#"{{"amount":10,"currency":"GBP","fee":1,{IBAN}}}"#),
            "The argument `fee` is not known.",
        ),
        (
            format!(r#"{{"amount":10,"Amount":999999,"currency":"GBP",{IBAN}}}"#),
            "The argument `amount` can be read in two ways.",
        ),
        ("[]".to_owned(), "The arguments of the tool cannot be read."),
        ("null".to_owned(), "The argument `amount` is missing."),
    ] {
        assert_eq!(stage.refused("wire_transfer", &args).await, said, "{args}");
    }
    let good = format!(r#"{{"amount":250000,"currency":"EUR","note":{{"x":[1]}},{IBAN}}}"#);
    let got = stage.call("wire_transfer", &good).await;
    assert!(got.passed && got.status == 200, "{}", got.error);
    // The bytes are those that were judged.
    let seen = stage.agent.requests().pop().unwrap();
    assert!(seen.text().contains(&good), "{}", seen.text());
    assert!(stage.call("search", r#"{"amount":999999}"#).await.passed);
    let list =
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{"name":"wire_transfer"}}"#;
    assert!(stage.post(list).await.passed);
    let spent = stage.call("wire_transfer", &good).await;
    assert_eq!(spent.status, 429);
}

#[tokio::test]
async fn no_other_way_of_writing_it_leads_past() {
    let stage = Stage::new(POLICY).await;
    for body in [
        // An agent that does not insist on the version, or on letters.
        r#"{"id":7,"method":"tools/call","params":{"name":"wire_transfer","arguments":{"amount":999999}}}"#,
        r#"{"id":7,"Method":"tools/call","params":{"name":"wire_transfer","arguments":{"amount":999999}}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"Name":"wire_transfer","arguments":{"amount":1}}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"WIRE_TRANSFER","arguments":{"amount":1}}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"wire_transfer\u0000","arguments":{}}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search","NAME":"wire_transfer"}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"wire_transfer","arguments":{},"Arguments":{}}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":["wire_transfer"]}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","method":"tools\/call","params":{"name":"w\u0069re_transfer"}}"#,
    ] {
        let got = stage.post(body).await;
        assert!(!got.passed && got.status == 403, "{} {body}", got.status);
    }
    // The same key twice is no request at all.
    for body in [
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search","name":"wire_transfer"}}"#,
        r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"wire_transfer","arguments":{"amount":1,"amount":9}}}"#,
        r#"[{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"wire_transfer","arguments":{}}}]"#,
    ] {
        let got = stage.post(body).await;
        assert!(!got.passed && got.status == 400, "{} {body}", got.status);
    }
}

#[tokio::test]
async fn the_record_names_the_statement_and_the_fact_and_no_value() {
    let stage = Stage::new(POLICY).await;
    let args = format!(r#"{{"amount":31337,"currency":"hunter2",{IBAN}}}"#);
    stage.refused("wire_transfer", &args).await;
    let record = stage.last_record().await;
    assert_eq!(record["reason"], "argument-denied");
    assert_eq!(record["rule"]["name"], "wire_transfer");
    assert!(
        record["rule"]["place"]
            .as_str()
            .unwrap()
            .ends_with("policy.yaml:7")
    );
    assert_eq!(
        record["detail"],
        "the argument `currency` is none of `oneOf`"
    );
    let text = record.to_string();
    assert!(
        !text.contains("hunter2") && !text.contains("31337"),
        "{text}"
    );
    let got = stage.call("wire_transfer", &args).await;
    assert!(!got.error.to_string().contains("GBP"), "{}", got.error);
    // The id is the caller's, and the reason stands for programs to read.
    assert!(
        got.error.to_string().contains("ARGUMENT_DENIED"),
        "{}",
        got.error
    );
}

#[tokio::test]
async fn a_statement_in_shadow_mode_is_told_and_stops_nothing() {
    let stage = Stage::new(WATCHED).await;
    assert!(stage.call("wire_transfer", r#"{"amount":6}"#).await.passed);
    let record = stage.last_record().await;
    assert_eq!(record["shadow"]["name"], "wire_transfer");
    assert_eq!(record["shadow"]["effect"], "deny");
    let counted = r#"lictor_shadow_decisions_total{effect="deny",rule="wire_transfer"}"#;
    assert_eq!(stage.lictor.metric(counted).await, Some(1.0));
    assert!(stage.call("wire_transfer", r#"{"amount":5}"#).await.passed);
    assert_eq!(stage.lictor.metric(counted).await, Some(1.0));
}
