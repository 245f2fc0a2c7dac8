//! What of an agent's errors is left.

use std::collections::VecDeque;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::{Action, McpEra, Operation, Protocol};
use crate::protobuf::put;

const RPC_1_0: Dialect = Dialect::A2a(A2aVersion::V1_0, Binding::JsonRpc);
const RPC_0_3: Dialect = Dialect::A2a(A2aVersion::V0_3, Binding::JsonRpc);
const REST_1_0: Dialect = Dialect::A2a(A2aVersion::V1_0, Binding::Rest);
const REST_0_3: Dialect = Dialect::A2a(A2aVersion::V0_3, Binding::Rest);
const GRPC: Dialect = Dialect::A2a(A2aVersion::V1_0, Binding::Grpc);
const MCP: Dialect = Dialect::Mcp(McpEra::Sessions);

const TRACE: &str = "Traceback (most recent call last):\n  File \"/app/a.py\", line 3";
const INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";

fn scrubber(dialect: Dialect) -> Scrubber {
    let call = Call {
        action: Action::known(Protocol::A2a, "SendMessage"),
        http: None,
        operation: Operation::Other,
        dialect,
        rpc_id: Some(RpcId::from_json("7")),
        task: None,
        references: Vec::new(),
        context: None,
        session: None,
        hook: None,
        addressed: None,
    };
    let words = Words {
        code: -31020,
        reason: "AGENT_ERROR",
        sentence: "It failed.",
        decision: "d-1".to_owned(),
        request_id: "r-1".to_owned(),
    };
    Scrubber::new(&call, words)
}

fn answer(dialect: Dialect, status: u16, body: &str) -> Option<Value> {
    let rendered = scrubber(dialect).answer(status, Some(body.as_bytes()))?;
    assert!(!shows_internals(&rendered.body));
    Some(serde_json::from_slice(&rendered.body).unwrap())
}

fn rpc(code: i32, message: &str) -> String {
    json!({"jsonrpc": "2.0", "id": "x", "error": {"code": code, "message": message, "data": {"at": "/app"}}}).to_string()
}

#[test]
fn answers_to_a_batch_are_looked_at_one_by_one() {
    let good = r#"{"jsonrpc":"2.0","id":1,"result":{ }}"#;
    let clean = format!("[ {good} ,{good}]");
    let broken = format!(
        "[{good},{},{}]",
        rpc(-32603, TRACE),
        rpc(-32602, "no such tool")
    );
    for size in [1, 7, usize::MAX] {
        let carry = |body: &str| {
            let mut document = Document::new(scrubber(MCP), 200);
            let mut out = VecDeque::new();
            let mut scrubbed = 0;
            for piece in body.as_bytes().chunks(size) {
                scrubbed += document.feed(Bytes::copy_from_slice(piece), &mut out);
            }
            scrubbed += document.finish(&mut out);
            let left: Vec<u8> = out.into_iter().flatten().collect();
            (scrubbed, String::from_utf8(left).unwrap())
        };
        assert_eq!(carry(&clean), (0, clean.clone()));
        let (scrubbed, left) = carry(&broken);
        assert_eq!(scrubbed, 1);
        assert!(
            !left.contains("Traceback") && left.starts_with(&format!("[{good},")),
            "{left}"
        );
        let answers: Value = serde_json::from_str(&left).unwrap();
        assert_eq!(
            (&answers[1]["id"], &answers[1]["error"]["code"]),
            (&json!("x"), &json!(-32603))
        );
        assert_eq!(answers[2]["error"]["message"], "no such tool");
    }
}

#[test]
fn an_error_of_json_rpc_keeps_its_code_and_its_id() {
    let got = answer(RPC_0_3, 500, &rpc(-32603, "db-7.internal: no route")).unwrap();
    assert_eq!(
        got,
        json!({"jsonrpc": "2.0", "id": "x", "error": {"code": -32603, "message": "Internal error", "data": {
            "reason": "AGENT_ERROR", "domain": "lictor.dev", "requestId": "r-1", "decisionId": "d-1"}}})
    );
    let got = answer(RPC_1_0, 200, &rpc(-32006, "no json")).unwrap();
    assert_eq!(
        got["error"]["data"],
        json!([
            {"@type": INFO, "reason": "INVALID_AGENT_RESPONSE", "domain": "a2a-protocol.org", "metadata": {}},
            {"@type": INFO, "reason": "AGENT_ERROR", "domain": "lictor.dev",
             "metadata": {"requestId": "r-1", "decisionId": "d-1"}},
        ])
    );
    // Whatever else an answer of 500 holds.
    let got = answer(MCP, 500, "<h1>Oops</h1>").unwrap();
    assert_eq!(
        (&got["id"], &got["error"]["code"]),
        (&json!(7), &json!(-32603))
    );
    let got = answer(RPC_1_0, 500, &rpc(-32001, "task /srv/t.json not found")).unwrap();
    assert_eq!(got["error"]["message"], "Task not found");
    assert_eq!(got["error"]["data"][0]["reason"], "TASK_NOT_FOUND");
}

#[test]
fn what_is_the_callers_fault_stays_unless_it_shows_a_trace() {
    for code in [-32001, -32602, -32601, -32042, 1001] {
        assert_eq!(answer(MCP, 200, &rpc(code, "no tool `x`")), None, "{code}");
        let got = answer(MCP, 200, &rpc(code, TRACE)).unwrap();
        assert_eq!(got["error"]["code"], code);
    }
    for code in [-32603, -32000, 0, 500] {
        assert!(answer(MCP, 200, &rpc(code, "no")).is_some(), "{code}");
    }
    assert_eq!(answer(MCP, 400, &rpc(-32000, "no session")), None);
    let detail = json!({"detail": "no such thing"}).to_string();
    assert_eq!(answer(Dialect::Http, 404, &detail), None);
    assert_eq!(answer(Dialect::Http, 422, ""), None);
    let detail = json!({ "detail": TRACE }).to_string();
    let got = answer(Dialect::Http, 404, &detail).unwrap();
    assert_eq!(got["status"], 404);
    assert_eq!(got["decisionId"], "d-1");
    // Nobody could read it.
    assert!(scrubber(Dialect::Http).answer(404, None).is_some());
}

#[test]
fn other_dialects_have_their_own_words_for_it() {
    let status = json!({"error": {"code": 500, "status": "INTERNAL", "message": TRACE, "details": [
        {"@type": INFO, "reason": "INVALID_AGENT_RESPONSE", "domain": "a2a-protocol.org", "metadata": {"at": "/app"}}]}});
    let got = answer(REST_1_0, 500, &status.to_string()).unwrap();
    assert_eq!(got["error"]["status"], "INTERNAL");
    assert_eq!(
        got["error"]["details"][0]["reason"],
        "INVALID_AGENT_RESPONSE"
    );
    assert_eq!(got["error"]["details"][0]["metadata"], json!({}));
    let got = answer(REST_0_3, 500, r#"{"code":-32603,"message":"/app"}"#).unwrap();
    assert_eq!(got["message"], "Internal error");
    let got = answer(REST_0_3, 500, r#"{"code":42,"message":"/app"}"#).unwrap();
    assert_eq!(
        (&got["code"], &got["message"]),
        (&json!(-31020), &json!("It failed."))
    );
    let api = Dialect::Llm(crate::model::LlmApi::Messages);
    let got = answer(api, 503, "upstream connect error 10.0.0.7").unwrap();
    assert_eq!(got["error"]["type"], "overloaded_error");
    assert_eq!(got["error"]["decisionId"], "d-1");
}

#[test]
fn a_result_is_no_error_whatever_it_says() {
    let scrubber = scrubber(RPC_0_3);
    for document in [
        json!({"jsonrpc": "2.0", "id": 1, "result": {"error": TRACE}}),
        json!({"jsonrpc": "2.0", "id": 1, "result": {"isError": true, "content": [{"text": TRACE}]}}),
        json!({"jsonrpc": "2.0", "id": 1, "error": null, "result": {}}),
        json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"error": TRACE}}),
    ] {
        assert_eq!(
            scrubber.document(200, document.to_string().as_bytes()),
            None
        );
    }
    let escaped = format!(
        r#"{{"jsonrpc":"2.0","id":1,"\u0065rror":{{"code":-32603,"message":{}}}}}"#,
        json!(TRACE)
    );
    assert!(scrubber.document(200, escaped.as_bytes()).is_some());
    // Two readers would read two of them.
    let twice = format!(r#"{{"error":{{}},"error":{}}}"#, json!(TRACE));
    assert!(scrubber.document(200, twice.as_bytes()).is_some());
}

fn through(
    mut feed: impl FnMut(Option<Bytes>, &mut VecDeque<Bytes>) -> u64,
    pieces: &[&[u8]],
) -> (String, u64) {
    let mut out = VecDeque::new();
    let mut count = 0;
    for piece in pieces {
        count += feed(Some(Bytes::copy_from_slice(piece)), &mut out);
    }
    count += feed(None, &mut out);
    let whole: Vec<u8> = out.into_iter().flatten().collect();
    (String::from_utf8(whole).unwrap(), count)
}

fn events(dialect: Dialect, pieces: &[&[u8]]) -> (String, u64) {
    let mut events = ErrorEvents::new(scrubber(dialect));
    through(
        |piece, out| match piece {
            Some(piece) => events.feed(piece, out),
            None => events.finish(out),
        },
        pieces,
    )
}

fn cut_document(pieces: &[&[u8]]) -> (String, u64) {
    let mut document = Document::new(scrubber(RPC_0_3), 200);
    through(
        |piece, out| match piece {
            Some(piece) => document.feed(piece, out),
            None => document.finish(out),
        },
        pieces,
    )
}

#[test]
fn errors_among_events_are_written_anew_wherever_the_stream_is_cut() {
    let before = format!(
        ": ping\n\nid: 1\ndata: {}\n\n",
        json!({"jsonrpc": "2.0", "id": 1, "result": {"text": "error: no error"}})
    );
    let stream = format!(
        "{before}id: 2\r\nevent: message\r\ndata: {}\r\n\r\n: end\n\n",
        rpc(-32603, TRACE)
    );
    let (whole, count) = events(RPC_0_3, &[stream.as_bytes()]);
    assert_eq!(count, 1);
    assert!(whole.starts_with(&before), "{whole}");
    assert!(whole.ends_with("\n\n: end\n\n"), "{whole}");
    assert!(whole.contains("id: 2\nevent: message\ndata: {"), "{whole}");
    assert!(
        whole.contains(r#""id":"x""#) && whole.contains("d-1"),
        "{whole}"
    );
    assert!(!whole.contains("/app"), "{whole}");
    for cut in 0..stream.len() {
        let (left, right) = stream.as_bytes().split_at(cut);
        // Half of an end of line may come later, and is an empty line then.
        let (cut_whole, _) = events(RPC_0_3, &[left, right]);
        assert_eq!(cut_whole.replace("\n\n\n", "\n\n"), whole, "cut at {cut}");
    }
    let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
    let (cut_whole, _) = events(RPC_0_3, &bytes);
    assert_eq!(cut_whole.replace("\n\n\n", "\n\n"), whole);
}

#[test]
fn events_of_other_dialects_are_read_by_their_type() {
    let trace = json!(TRACE);
    let cases = [
        (REST_1_0, format!("data: {{\"error\":{{\"code\":500,\"message\":{trace}}}}}\n\n"), 1),
        (REST_1_0, "data: {\"error\":{\"code\":404,\"message\":\"no\"}}\n\n".to_owned(), 0),
        (REST_1_0, format!("data: {{\"statusUpdate\":{{\"error\":{trace}}}}}\n\n"), 0),
        (
            Dialect::Llm(crate::model::LlmApi::Messages),
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"10.0.0.7\"}}\n\n".to_owned(),
            1,
        ),
        (
            Dialect::Llm(crate::model::LlmApi::Messages),
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow\"}}\n\n".to_owned(),
            0,
        ),
        (
            Dialect::Llm(crate::model::LlmApi::ChatCompletions),
            "data: {\"error\":{\"message\":\"10.0.0.7\",\"type\":\"server_error\"}}\n\n".to_owned(),
            1,
        ),
        (
            Dialect::Llm(crate::model::LlmApi::Responses),
            "data: {\"type\":\"response.created\",\"response\":{\"error\":null}}\n\n".to_owned(),
            0,
        ),
        (Dialect::Http, format!("event: error\ndata: {trace}\n\n"), 1),
        (Dialect::Http, "event: error\ndata: no\n\n".to_owned(), 0),
        (Dialect::Http, format!("data: error {trace}\n\n"), 0),
    ];
    for (dialect, event, expected) in cases {
        let (out, count) = events(dialect, &[event.as_bytes()]);
        assert_eq!(count, expected, "{event}");
        assert_eq!(out == event, expected == 0, "{event}");
        assert!(expected == 0 || out.contains("d-1"), "{out}");
    }
}

#[test]
fn a_long_event_passes_and_a_long_error_does_not() {
    let long = "x".repeat(3 << 20);
    let stream = format!("data: {{\"result\":\"{long}\"}}\n\ndata: next\n\n");
    let pieces: Vec<&[u8]> = stream.as_bytes().chunks(60_000).collect();
    assert_eq!(events(RPC_0_3, &pieces), (stream.clone(), 0));
    let stream = format!("data: {{\"error\":\"{long}\"}}\n\ndata: next\n\n");
    let pieces: Vec<&[u8]> = stream.as_bytes().chunks(60_000).collect();
    let (out, count) = events(RPC_0_3, &pieces);
    assert_eq!(count, 1);
    assert!(
        out.len() < 1000 && out.ends_with("\n\ndata: next\n\n"),
        "{out}"
    );
}

#[test]
fn a_document_waits_until_it_has_said_what_it_is() {
    let mut document = Document::new(scrubber(RPC_0_3), 200);
    let mut out = VecDeque::new();
    let mut said = |text: &'static str| {
        let _none = document.feed(Bytes::from_static(text.as_bytes()), &mut out);
        out.drain(..).map(|piece| piece.len()).sum::<usize>()
    };
    assert_eq!(said(r#"{"jsonrpc":"2.0","#), 0);
    assert_eq!(said(r#""id":1,"resul"#), 0);
    assert_eq!(said(r#"t":{"#), 34);
    assert_eq!(said("more"), 4);
    let error = rpc(-32603, TRACE);
    for cut in 0..error.len() {
        let (left, right) = error.as_bytes().split_at(cut);
        let (got, count) = cut_document(&[left, right]);
        assert_eq!(count, 1, "cut at {cut}");
        assert!(!got.contains("/app"), "{got}");
    }
    let long = rpc(-32602, &"x".repeat(100_000));
    let pieces: Vec<&[u8]> = long.as_bytes().chunks(9000).collect();
    let (got, count) = cut_document(&pieces);
    assert!(count == 1 && got.len() < 500, "{got}");
    for other in [
        "[1,2]",
        "hello",
        "{\"a\":",
        "{}",
        "{\"error\":null,\"result\":1}",
    ] {
        assert_eq!(cut_document(&[other.as_bytes()]), (other.to_owned(), 0));
    }
}

fn any(url: &str, value: &[u8]) -> Vec<u8> {
    let mut any = Vec::new();
    put(&mut any, 1, url.as_bytes());
    put(&mut any, 2, value);
    any
}

fn trailers(status: &'static str, message: &str, details: &[u8]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.insert("grpc-status", HeaderValue::from_static(status));
    fields.insert("grpc-message", HeaderValue::from_str(message).unwrap());
    if !details.is_empty() {
        let details = STANDARD_NO_PAD.encode(details);
        fields.insert(
            "grpc-status-details-bin",
            HeaderValue::from_str(&details).unwrap(),
        );
    }
    fields
}

#[test]
fn fields_of_grpc_keep_their_status() {
    let scrubber = scrubber(GRPC);
    let mut info = Vec::new();
    put(&mut info, 1, b"INVALID_AGENT_RESPONSE");
    put(&mut info, 2, b"a2a-protocol.org");
    put(&mut info, 3, b"\x0a\x02at\x12\x04/app");
    let mut details = Vec::new();
    put(&mut details, 2, b"/app/a.py");
    put(&mut details, 3, &any(INFO, &info));
    let mut fields = trailers("13", "/app/a.py", &details);
    assert!(scrubber.fields(&mut fields));
    assert_eq!(fields["grpc-status"], "13");
    assert_eq!(fields["grpc-message"], "Invalid agent response");
    let told = STANDARD_NO_PAD
        .decode(&fields["grpc-status-details-bin"])
        .unwrap();
    let told = String::from_utf8_lossy(&told);
    assert!(
        told.contains("INVALID_AGENT_RESPONSE") && told.contains("d-1"),
        "{told}"
    );
    assert!(!told.contains("/app"), "{told}");
    for (status, message, details, expected) in [
        ("0", "", &b""[..], false),
        ("5", "Task%20not%20found", &details, false),
        ("5", "Traceback %28most recent call last%29", b"", true),
        (
            "5",
            "no",
            &any("type.googleapis.com/google.rpc.DebugInfo", b""),
            true,
        ),
        ("2", "Exception calling application", b"", true),
        ("x", "no", b"", true),
    ] {
        let before = trailers(status, message, details);
        let mut after = before.clone();
        assert_eq!(scrubber.fields(&mut after), expected, "{before:?}");
        assert_eq!(before == after, !expected, "{after:?}");
        assert_eq!(before["grpc-status"], after["grpc-status"]);
    }
    assert!(!scrubber.fields(&mut HeaderMap::new()));
}

proptest! {
    #[test]
    fn what_is_no_error_leaves_as_it_came(
        stream in "(data: |event: |id|:|\r|\n|\r\n|error|\\{\"result\":1\\}|x){0,24}", cuts in proptest::collection::vec(0_usize..60, 0..4)
    ) {
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts.into_iter().chain([stream.len()]) {
            pieces.push(&stream.as_bytes()[from..cut]);
            from = cut;
        }
        prop_assert_eq!(events(RPC_0_3, &pieces), (stream.clone(), 0));
        prop_assert_eq!(cut_document(&pieces), (stream, 0));
    }
}
