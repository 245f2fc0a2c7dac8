//! Whether a task is over, by answers that real agents have sent, cut everywhere.

use serde_json::Value;

use super::wire::{exchanges, read};
use super::{grpc, post};
use crate::model::{Call, Operation};
use crate::protocol::{Carrier, Observer};

/// Whether an answer in these pieces told that its task is over.
fn ends(call: &Call, carrier: Carrier, pieces: &[&[u8]]) -> bool {
    let mut observer = Observer::following(call, carrier).unwrap();
    for piece in pieces {
        let _named = observer.observe(piece);
    }
    assert!(!observer.is_unreadable());
    observer.has_ended()
}

/// The same at every cut, or at some hundred of a long body.
fn ends_however_it_comes(call: &Call, carrier: Carrier, body: &[u8]) -> bool {
    let whole = ends(call, carrier, &[body]);
    for cut in (0..=body.len()).step_by(1 + body.len() / 200) {
        let (left, right) = body.split_at(cut);
        assert_eq!(ends(call, carrier, &[left, right]), whole, "cut at {cut}");
    }
    let bytes: Vec<&[u8]> = body.chunks(1).collect();
    assert_eq!(ends(call, carrier, &bytes), whole, "byte by byte");
    whole
}

const OVER: [&str; 5] = ["canceled", "cancelled", "completed", "failed", "rejected"];

/// By another reader: the state of the object that the answer wraps.
fn expected(document: &Value) -> bool {
    let result = document.get("result").unwrap_or(document);
    let wrapped = ["task", "statusUpdate"].iter().map(|key| &result[*key]);
    let mut found = wrapped.chain([result]);
    found.any(|object| {
        let state = object["status"]["state"].as_str().unwrap_or_default();
        let state = state.trim_start_matches("TASK_STATE_").to_lowercase();
        OVER.contains(&&*state)
    })
}

#[test]
fn every_recorded_end_is_heard() {
    let recordings = [
        "a2a-0.2.5-legacy",
        "a2a-0.3-jsonrpc",
        "a2a-0.3-js-jsonrpc",
        "a2a-1.0-jsonrpc",
        "a2a-1.0-js-jsonrpc",
        "a2a-0.3-rest",
        "a2a-1.0-rest",
        "a2a-1.0-js-rest",
    ];
    let (mut over, mut open) = (0, 0);
    for name in recordings {
        for exchange in exchanges(name) {
            let Ok(call) = read(&exchange) else { continue };
            if Observer::following(&call, Carrier::Json).is_none() {
                continue;
            }
            let response = &exchange["response"];
            let (carrier, body) = match response["chunks"].as_array() {
                Some(chunks) => {
                    let chunks = chunks.iter().map(|chunk| chunk["data"].as_str().unwrap());
                    (Carrier::EventStream, chunks.collect::<String>())
                }
                None => (
                    Carrier::Json,
                    response["data"].as_str().unwrap_or_default().to_owned(),
                ),
            };
            let documents: Vec<Value> = match carrier {
                Carrier::EventStream => body
                    .replace("\r\n", "\n")
                    .split("\n\n")
                    .map(|event| {
                        let lines = event.lines();
                        let lines = lines.filter_map(|line| line.strip_prefix("data: "));
                        lines.collect::<Vec<_>>().join("\n")
                    })
                    .filter_map(|data| serde_json::from_str(&data).ok())
                    .collect(),
                Carrier::Grpc | Carrier::Json => serde_json::from_str(&body).into_iter().collect(),
            };
            let is_over = documents.iter().any(expected);
            let found = ends_however_it_comes(&call, carrier, body.as_bytes());
            assert_eq!(found, is_over, "{name}: {body}");
            match is_over {
                true => over += 1,
                false => open += 1,
            }
        }
    }
    assert!(over > 30 && open > 10, "{over} over, {open} open");
}

#[test]
fn every_recorded_end_of_grpc_is_heard() {
    let mut heard = 0;
    for (call, answer) in grpc::recorded() {
        if Observer::following(&call, Carrier::Grpc).is_none() {
            continue;
        }
        if ends_however_it_comes(&call, Carrier::Grpc, &answer) {
            heard += 1;
        }
        // A task that was cancelled is over.
        if call.operation == Operation::CancelTask && !answer.is_empty() {
            assert!(ends(&call, Carrier::Grpc, &[&answer]));
        }
    }
    assert!(heard >= 8, "{heard}");
}

#[test]
fn what_stands_elsewhere_ends_nothing() {
    let call = post(r#"{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{}}}"#);
    let call = call.unwrap();
    for body in [
        r#"{"result":{"task":{"id":"t","status":{"state":"TASK_STATE_WORKING","message":{"state":"completed"}}}}}"#,
        r#"{"result":{"task":{"id":"t","history":[{"status":{"state":"completed"}}],"status":{"state":"working"}}}}"#,
        r#"{"result":{"task":{"id":"t","metadata":{"status":{"state":"completed"}}}}}"#,
        r#"{"result":{"task":{"id":"t","status":"completed"}}}"#,
        r#"{"result":{"task":{"id":"t","state":"completed"}}}"#,
        r#"{"result":{"message":{"taskId":"t","parts":[{"text":"\"status\":{\"state\":\"completed\"}"}]}}}"#,
        r#"{"result":{"task":{"id":"t","status":{"state":"TASK_STATE_INPUT_REQUIRED"}}}}"#,
        r#"{"status":{"state":"completed"},"result":{"task":{"id":"t"}}}"#,
    ] {
        assert!(
            !ends_however_it_comes(&call, Carrier::Json, body.as_bytes()),
            "{body}"
        );
    }
    let body = r#"{"result":{"task":{"status":{"message":{"parts":[]},"state":"TASK_STATE_REJECTED"},"id":"t"}}}"#;
    assert!(ends_however_it_comes(&call, Carrier::Json, body.as_bytes()));
}

#[test]
fn tasks_of_mcp_end_as_well() {
    let asked = |method: &str| {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"taskId":"t","name":"x"}}}}"#
        );
        let fields = [
            ("mcp-protocol-version", "2025-11-25"),
            ("content-type", "application/json"),
        ];
        super::send("POST", "/mcp", &fields, body.as_str()).unwrap()
    };
    for (method, body, is_over) in [
        (
            "tools/call",
            r#"{"result":{"task":{"taskId":"t","status":"working"}}}"#,
            false,
        ),
        (
            "tools/call",
            r#"{"result":{"task":{"taskId":"t","status":"failed"}}}"#,
            true,
        ),
        (
            "tasks/get",
            r#"{"result":{"taskId":"t","status":"input_required"}}"#,
            false,
        ),
        (
            "tasks/get",
            r#"{"result":{"taskId":"t","status":"completed"}}"#,
            true,
        ),
        (
            "tasks/cancel",
            r#"{"result":{"taskId":"t","status":"cancelled"}}"#,
            true,
        ),
    ] {
        let call = asked(method);
        let found = ends_however_it_comes(&call, Carrier::Json, body.as_bytes());
        assert_eq!(found, is_over, "{method} {body}");
    }
}
