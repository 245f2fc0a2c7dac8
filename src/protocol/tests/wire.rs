//! Requests that real clients have sent.

use serde_json::Value;

use super::send;
use crate::model::Call;
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

/// Every request of every recording, as it is read: reviewed, and written anew by `LICTOR_BLESS=1`.
#[test]
fn every_recorded_request_is_what_its_client_meant() {
    let mut requests = 0;
    for name in RECORDINGS {
        let mut read_as = String::new();
        for exchange in exchanges(name) {
            read_as.push_str(&line(&exchange));
            requests += 1;
        }
        compare(name, &read_as);
    }
    assert!(requests >= 249, "{requests} requests");
}

/// Compares what the requests of a recording are read as with what was reviewed.
pub(super) fn compare(name: &str, read_as: &str) {
    let path = format!("{}/tests/data/calls/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("LICTOR_BLESS").is_some() {
        std::fs::write(&path, read_as).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(read_as, golden, "{name}");
}

fn line(exchange: &Value) -> String {
    let request = exchange["request"]["line"].as_str().unwrap();
    shown(request, read(exchange))
}

/// The request line, and what it is read as.
pub(super) fn shown(request: &str, read: Result<Call, Malformed>) -> String {
    let read = match read {
        Err(malformed) => format!(
            "refused in {}: {} {}",
            malformed.dialect.as_str(),
            malformed.refusal.reason,
            malformed
                .code
                .map_or_else(String::new, |code| code.to_string()),
        ),
        Ok(call) => {
            let mut read = format!("{} in {}", call.action, call.dialect.as_str());
            let mut more = |name: &str, value: Option<&str>| {
                if let Some(value) = value {
                    read.push_str(&format!(", {name} {value}"));
                }
            };
            more("id", call.rpc_id.as_ref().map(|id| id.as_json()));
            more("task", call.task.as_ref().map(|task| task.as_str()));
            for task in &call.references {
                more("reference", Some(task.as_str()));
            }
            more("context", call.context.as_ref().map(|it| it.as_str()));
            more("session", call.session.as_ref().map(|it| it.as_str()));
            read
        }
    };
    format!(
        "{}\n    {}\n",
        request.trim_end_matches(" HTTP/1.1"),
        read.trim_end()
    )
}

/// All that are made of exchanges.
const RECORDINGS: &[&str] = &[
    "a2a-0.2.5-legacy",
    "a2a-0.3-client-on-1.0-agent",
    "a2a-0.3-js-jsonrpc",
    "a2a-0.3-jsonrpc",
    "a2a-0.3-rest",
    "a2a-1.0-adk",
    "a2a-1.0-idle-keepalive",
    "a2a-1.0-js-jsonrpc",
    "a2a-1.0-js-rest",
    "a2a-1.0-jsonrpc",
    "a2a-1.0-rest",
    "a2a-1.0-sdk-speaking-0.3",
    "anthropic",
    "mcp-2025-11-25",
    "mcp-2026-07-28",
    "mcp-auto-on-legacy",
    "mcp-sse-legacy",
    "openai",
];
