//! Refusals, as clients read them.

use std::time::Duration;

use serde_json::{Value, json};

use super::wire::exchanges;
use crate::model::{A2aVersion, Binding, ContextId, Dialect, RpcId, TaskId};
use crate::protocol::{PublicError, Voice, refusal, terminal_event};

const V0_3: Dialect = Dialect::A2a(A2aVersion::V0_3, Binding::JsonRpc);
const V1_0: Dialect = Dialect::A2a(A2aVersion::V1_0, Binding::JsonRpc);
const REST_0_3: Dialect = Dialect::A2a(A2aVersion::V0_3, Binding::Rest);
const REST_1_0: Dialect = Dialect::A2a(A2aVersion::V1_0, Binding::Rest);

const RATE: PublicError<'_> = PublicError {
    voice: Voice::Lictor,
    status: 429,
    code: -31003,
    reason: "RATE_LIMIT_EXCEEDED",
    kept: None,
    message: "Too many \"requests\".\r\n\r\ndata: {}\u{2028}",
    decision: Some("d-1"),
    request_id: "r-1",
    retry_after: Some(Duration::from_millis(36_001)),
};

pub(super) const NOT_FOUND: PublicError<'_> = PublicError {
    voice: Voice::Agent,
    status: 404,
    code: -32001,
    reason: "TASK_NOT_FOUND",
    kept: None,
    message: "Task not found",
    decision: Some("d-1"),
    request_id: "r-1",
    retry_after: None,
};

fn body(dialect: Dialect, id: &str, error: &PublicError<'_>) -> Value {
    let rendered = refusal(dialect, Some(&RpcId::from_json(id)), error);
    serde_json::from_slice(&rendered.body).unwrap()
}

#[test]
fn a_foreign_task_looks_exactly_like_a_missing_one() {
    for (name, dialect) in [("a2a-0.3-jsonrpc", V0_3), ("a2a-1.0-jsonrpc", V1_0)] {
        let recorded = exchanges(name)
            .into_iter()
            .find_map(|exchange| {
                let answer = exchange["response"]["data"].as_str()?.to_owned();
                answer.contains("-32001").then_some(answer)
            })
            .unwrap();
        let id = serde_json::from_str::<Value>(&recorded).unwrap()["id"].to_string();
        let rendered = refusal(dialect, Some(&RpcId::from_json(&id)), &NOT_FOUND);
        assert_eq!(rendered.body, recorded, "{name}");
        assert_eq!(rendered.content_type, "application/json");
    }
}

#[test]
fn over_rest_too_a_foreign_task_looks_exactly_like_a_missing_one() {
    for (name, dialect) in [("a2a-0.3-rest", REST_0_3), ("a2a-1.0-rest", REST_1_0)] {
        let mut recorded = exchanges(name).into_iter().filter_map(|exchange| {
            let line = exchange["response"]["line"].as_str()?;
            let answer = exchange["response"]["data"].as_str()?.to_owned();
            line.contains(" 404 ").then_some(answer)
        });
        let rendered = refusal(dialect, None, &NOT_FOUND);
        assert_eq!(rendered.body, recorded.next().unwrap(), "{name}");
        assert_eq!(rendered.content_type, "application/json");
    }
}

#[test]
fn a_refusal_over_rest_has_the_form_of_its_version() {
    let body = |dialect| {
        let rendered = refusal(dialect, None, &RATE);
        serde_json::from_slice::<Value>(&rendered.body).unwrap()
    };
    let new = body(REST_1_0);
    assert_eq!(
        (&new["error"]["code"], &new["error"]["status"]),
        (&json!(429), &json!("RESOURCE_EXHAUSTED"))
    );
    assert_eq!(new["error"]["details"][0]["reason"], RATE.reason);
    assert_eq!(new["error"]["details"][1]["retryDelay"], "37s");
    let old = body(REST_0_3);
    assert_eq!(
        (&old["message"], &old["reason"], &old["retryAfterSeconds"]),
        (&json!(RATE.message), &json!(RATE.reason), &json!(37))
    );
}

#[test]
fn a_stream_over_rest_ends_with_the_bare_failure_of_its_task() {
    let (text, new) = event(REST_1_0, true, &RATE);
    assert!(text.starts_with("data: {"), "{text}");
    let update = &new["statusUpdate"];
    assert_eq!(update["status"]["state"], "TASK_STATE_FAILED");
    assert_eq!(
        update["status"]["message"]["parts"][0]["text"],
        RATE.message
    );
    let (_, old) = event(REST_0_3, true, &RATE);
    let update = &old["statusUpdate"];
    assert_eq!(update["final"], true);
    let content = &update["status"]["message"]["content"];
    assert_eq!(content[0]["text"], RATE.message);
    let (text, error) = event(REST_1_0, false, &RATE);
    assert!(text.starts_with("event: error\ndata: "), "{text}");
    assert_eq!(error["error"]["status"], "RESOURCE_EXHAUSTED");
    let (text, error) = event(REST_0_3, false, &RATE);
    assert!(text.starts_with("event: error\ndata: "), "{text}");
    assert_eq!(
        (&error["code"], &error["message"]),
        (&json!(-31003), &json!(RATE.message))
    );
}

#[test]
fn a_stream_of_0_1_ends_with_the_failure_of_its_task() {
    let (_, event) = event(
        Dialect::A2a(A2aVersion::V0_1, Binding::JsonRpc),
        true,
        &RATE,
    );
    let result = &event["result"];
    assert_eq!(
        (&result["id"], &result["final"]),
        (&json!("t"), &json!(true))
    );
    assert_eq!(result["status"]["state"], "failed");
    assert_eq!(result["status"]["message"]["parts"][0]["type"], "text");
}

#[test]
fn a_refusal_of_1_0_has_typed_details() {
    let details = json!([
        { "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED",
          "domain": "lictor.dev", "metadata": { "requestId": "r-1", "decisionId": "d-1" } },
        { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "37s" },
    ]);
    let error = json!({ "code": -31003, "message": RATE.message, "data": details });
    let expected = json!({ "jsonrpc": "2.0", "id": 7, "error": error });
    assert_eq!(body(V1_0, "7", &RATE), expected);
}

#[test]
fn a_refusal_of_0_3_and_of_unknown_json_rpc_has_plain_details() {
    for dialect in [V0_3, Dialect::JsonRpc] {
        let answer = body(dialect, "\"x\"", &RATE);
        assert_eq!(answer["id"], "x");
        assert_eq!(
            answer["error"]["data"],
            json!({ "reason": "RATE_LIMIT_EXCEEDED", "domain": "lictor.dev", "requestId": "r-1",
                    "decisionId": "d-1", "retryAfterSeconds": 37 })
        );
    }
}

#[test]
fn the_id_comes_back_as_it_was_written() {
    for id in ["1", "2.50", "1e3", "\"\\u0061\"", "null"] {
        let rendered = refusal(V1_0, Some(&RpcId::from_json(id)), &RATE);
        let text = String::from_utf8(rendered.body.to_vec()).unwrap();
        assert!(text.contains(&format!("\"id\":{id},")), "{text}");
    }
    // What is no JSON cannot break out of its place.
    assert_eq!(body(V1_0, "1,\"error\":0", &RATE)["id"], Value::Null);
}

#[test]
fn a_notification_has_no_answer() {
    assert!(refusal(V1_0, None, &RATE).body.is_empty());
    assert!(!refusal(Dialect::Http, None, &RATE).body.is_empty());
}

#[test]
fn plain_http_gets_problem_details() {
    let rendered = refusal(Dialect::Http, None, &RATE);
    assert_eq!(rendered.content_type, "application/problem+json");
    assert_eq!(
        serde_json::from_slice::<Value>(&rendered.body).unwrap(),
        json!({ "type": "about:blank", "title": "Too Many Requests", "status": 429, "detail": RATE.message,
                "reason": "RATE_LIMIT_EXCEEDED", "requestId": "r-1", "decisionId": "d-1",
                "retryAfterSeconds": 37 })
    );
}

fn event(dialect: Dialect, ids: bool, error: &PublicError<'_>) -> (String, Value) {
    let (task, context) = (TaskId::new("t").unwrap(), ContextId::new("c").unwrap());
    let id = RpcId::from_json("\"r\"");
    let (task, context) = (ids.then_some(&task), ids.then_some(&context));
    let bytes = terminal_event(dialect, Some(&id), task, context, error);
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    // One event, and its data is one line.
    assert!(text.ends_with("\n\n") && !text.contains('\r'), "{text:?}");
    assert_eq!(text.matches("\n\n").count(), 1, "{text:?}");
    let data: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .collect();
    let [data] = data.as_slice() else {
        panic!("{text:?}");
    };
    let value = serde_json::from_str(data).unwrap();
    (text, value)
}

#[test]
fn a_stream_ends_with_the_failure_of_its_task() {
    let (_, old) = event(V0_3, true, &RATE);
    assert_eq!(old["id"], "r");
    let result = &old["result"];
    assert_eq!(
        (
            &result["kind"],
            &result["final"],
            &result["status"]["state"]
        ),
        (&json!("status-update"), &json!(true), &json!("failed"))
    );
    assert_eq!(
        (&result["taskId"], &result["contextId"]),
        (&json!("t"), &json!("c"))
    );
    assert_eq!(
        result["status"]["message"]["parts"][0]["text"],
        RATE.message
    );
    assert_eq!(result["status"]["message"]["messageId"], "lictor-r-1");
    assert_eq!(
        result["metadata"]["lictor.dev"]["reason"],
        "RATE_LIMIT_EXCEEDED"
    );

    let (_, new) = event(V1_0, true, &RATE);
    let update = &new["result"]["statusUpdate"];
    assert_eq!(update["status"]["state"], "TASK_STATE_FAILED");
    assert_eq!(
        (&update["taskId"], &update["contextId"]),
        (&json!("t"), &json!("c"))
    );
    assert_eq!(update["status"]["message"]["role"], "ROLE_AGENT");
    assert!(update.get("final").is_none() && update.get("kind").is_none());
}

#[test]
fn a_stream_of_no_known_task_ends_with_an_error() {
    for dialect in [V0_3, V1_0, Dialect::JsonRpc] {
        let (_, value) = event(dialect, false, &RATE);
        assert_eq!(
            (&value["id"], &value["error"]["code"]),
            (&json!("r"), &json!(-31003))
        );
    }
    let (text, value) = event(Dialect::Http, true, &RATE);
    assert!(text.starts_with("event: error\ndata: "));
    assert_eq!(value["status"], 429);
}
