//! Requests that real clients have sent.

use serde_json::Value;

use super::{reason, send};
use crate::model::{A2aVersion, Call, Dialect, Reason};
use crate::protocol::Malformed;

/// The exchanges of one recording. A missing recording is a failure: without it nothing is tested.
pub(super) fn exchanges(name: &str) -> Vec<Value> {
    let path = format!("{}/../shared/wire/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let recording: Value = serde_json::from_str(&text).unwrap();
    let exchanges = recording["exchanges"].as_array().unwrap();
    // What has a role is a push: there the agent is the client.
    let of_clients = exchanges
        .iter()
        .filter(|exchange| exchange["role"].is_null());
    of_clients.cloned().collect()
}

/// Reads the request of an exchange.
pub(super) fn read(exchange: &Value) -> Result<Call, Malformed> {
    let request = &exchange["request"];
    let mut line = request["line"].as_str().unwrap().split(' ');
    let (method, target) = (line.next().unwrap(), line.next().unwrap());
    let headers: Vec<(&str, &str)> = request["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|header| header.as_str().unwrap().split_once(": ").unwrap())
        .collect();
    send(
        method,
        target,
        &headers,
        request["data"].as_str().unwrap_or_default(),
    )
}

const JSONRPC_RECORDINGS: &[(&str, A2aVersion)] = &[
    ("a2a-0.3-jsonrpc", A2aVersion::V0_3),
    ("a2a-0.3-js-jsonrpc", A2aVersion::V0_3),
    ("a2a-0.3-client-on-1.0-agent", A2aVersion::V0_3),
    ("a2a-1.0-sdk-speaking-0.3", A2aVersion::V0_3),
    ("a2a-1.0-jsonrpc", A2aVersion::V1_0),
    ("a2a-1.0-js-jsonrpc", A2aVersion::V1_0),
    ("a2a-1.0-adk", A2aVersion::V1_0),
    ("a2a-1.0-idle-keepalive", A2aVersion::V1_0),
];

#[test]
fn every_recorded_call_is_what_its_client_meant() {
    let mut calls = 0;
    for (name, version) in JSONRPC_RECORDINGS {
        for exchange in exchanges(name) {
            let data = exchange["request"]["data"].as_str().unwrap_or_default();
            let Ok(body) = serde_json::from_str::<Value>(data) else {
                continue;
            };
            if body["method"] == "NoSuch" {
                continue;
            }
            let call = read(&exchange).unwrap_or_else(|error| panic!("{name}: {data}: {error:?}"));
            assert_eq!(call.dialect, Dialect::A2a(*version), "{name}: {data}");
            assert_eq!(call.rpc_id.unwrap().as_json(), body["id"].to_string());
            let params = &body["params"];
            let message = &params["message"];
            let of_push = body["method"].as_str().unwrap().contains("Push");
            let task = match (&params["taskId"], &params["id"], &message["taskId"]) {
                (Value::String(task), ..) => Some(task),
                (_, Value::String(id), _) if !of_push || *version == A2aVersion::V0_3 => Some(id),
                (_, _, Value::String(task)) => Some(task),
                _ => None,
            };
            assert_eq!(
                call.task.as_ref().map(|task| task.as_str()),
                task.map(String::as_str)
            );
            let context = message["contextId"]
                .as_str()
                .or_else(|| params["contextId"].as_str());
            assert_eq!(
                call.context.as_ref().map(|context| context.as_str()),
                context
            );
            assert_eq!(call.references, []);
            calls += 1;
        }
    }
    assert!(calls >= 88, "{calls} calls");
}

#[test]
fn the_round_of_1_0_reads_as_its_actions() {
    let read: Vec<_> = exchanges("a2a-1.0-jsonrpc")
        .iter()
        .map(|exchange| reason(read(exchange)))
        .collect();
    let expected = [
        Ok("a2a:GetAgentCard"),
        Ok("a2a:SendMessage"),
        Ok("a2a:SendMessage"),
        Ok("a2a:SendStreamingMessage"),
        Ok("a2a:SendStreamingMessage"),
        Ok("a2a:GetTask"),
        Ok("a2a:ListTasks"),
        Ok("a2a:GetTask"),
        Ok("a2a:CancelTask"),
        Ok("a2a:SendStreamingMessage"),
        Ok("a2a:CancelTask"),
        Ok("a2a:SendStreamingMessage"),
        Ok("a2a:SubscribeToTask"),
        Ok("a2a:SendMessage"),
        Ok("a2a:CreateTaskPushNotificationConfig"),
        Ok("a2a:GetTaskPushNotificationConfig"),
        Ok("a2a:ListTaskPushNotificationConfigs"),
        Ok("a2a:SendMessage"),
        Ok("a2a:DeleteTaskPushNotificationConfig"),
        Ok("a2a:GetExtendedAgentCard"),
        // Made by hand: no version, a version that nobody has, an unknown method, broken JSON, and a
        // message without content. All but the broken one are the agent's to answer.
        Ok("a2a:GetTask"),
        Ok("a2a:GetTask"),
        Ok("http:POST /"),
        Err(Reason::MalformedRequest),
        Ok("a2a:SendMessage"),
    ];
    let expected = expected.map(|action| action.map(str::to_owned));
    assert_eq!(read, expected);
}

#[test]
fn the_round_of_0_3_reads_as_the_same_actions() {
    let read: Vec<_> = exchanges("a2a-0.3-jsonrpc")
        .iter()
        .map(|exchange| reason(read(exchange)))
        .collect();
    let expected = [
        "GetAgentCard",
        "SendMessage",
        "SendMessage",
        "SendStreamingMessage",
        "SendStreamingMessage",
        "GetTask",
        "GetTask",
        "CancelTask",
        "SendStreamingMessage",
        "CancelTask",
        "SendStreamingMessage",
        "SubscribeToTask",
        "SendMessage",
        "CreateTaskPushNotificationConfig",
        "GetTaskPushNotificationConfig",
        "SendMessage",
        "GetExtendedAgentCard",
    ];
    let expected = expected.map(|method| Ok(format!("a2a:{method}")));
    assert_eq!(read, expected);
}

#[test]
fn what_came_before_the_sdks_is_plain_http_where_it_is_another_dialect() {
    for exchange in exchanges("a2a-0.2.5-legacy") {
        let result = reason(read(&exchange));
        let request = &exchange["request"];
        let body = request["data"].as_str().unwrap_or_default();
        let line = request["line"].as_str().unwrap();
        let expected = match serde_json::from_str::<Value>(body) {
            Err(_) if body.is_empty() && line.contains("agent.json") => Ok("a2a:GetAgentCard"),
            Err(_) if body.is_empty() => Ok("http:GET /health"),
            Err(_) => Err(Reason::MalformedRequest),
            Ok(Value::Array(_)) => Err(Reason::BatchUnsupported),
            Ok(_) if line.contains("/tasks/send") => Ok("http:POST /tasks/send"),
            Ok(body) => Ok(match body["method"].as_str().unwrap() {
                "message/send" => "a2a:SendMessage",
                "message/stream" => "a2a:SendStreamingMessage",
                "tasks/get" => "a2a:GetTask",
                "tasks/cancel" => "a2a:CancelTask",
                _ => "http:POST /",
            }),
        };
        assert_eq!(
            result.as_deref(),
            expected.as_ref().copied(),
            "{line} {body}"
        );
    }
}

#[test]
fn rest_is_plain_http_for_now() {
    for name in ["a2a-0.3-rest", "a2a-1.0-rest", "a2a-1.0-js-rest"] {
        for exchange in exchanges(name) {
            let action = reason(read(&exchange)).unwrap();
            assert!(
                action.starts_with("http:") || action == "a2a:GetAgentCard",
                "{action}"
            );
        }
    }
}
