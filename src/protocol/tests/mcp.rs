//! Requests to servers of MCP and to models that want to be read in one way by us and in another by them.

use super::attacks::{MALFORMED, ok};
use super::{reason, send};
use crate::model::{Call, Dialect, McpEra, Reason};
use crate::protocol::Malformed;

/// Sends it to a server of MCP.
fn mcp(headers: &[(&str, &str)], body: &str) -> Result<Call, Malformed> {
    let mut all = vec![("content-type", "application/json")];
    all.extend_from_slice(headers);
    send("POST", "/mcp", &all, body)
}

fn request(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
}

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;

#[test]
fn a_call_of_mcp_is_what_its_body_says() {
    let cases = [
        (
            "tools/call",
            r#"{"name":"wire","arguments":{"name":"other"}}"#,
            "mcp:tools/call wire",
        ),
        ("prompts/get", r#"{"name":"p"}"#, "mcp:prompts/get p"),
        (
            "resources/read",
            r#"{"uri":"file:///docs/a"}"#,
            "mcp:resources/read file:///docs/a",
        ),
        (
            "completion/complete",
            r#"{"ref":{"type":"ref/prompt","name":"p"}}"#,
            "mcp:completion/complete p",
        ),
        (
            "completion/complete",
            r#"{"ref":{"type":"ref/resource","uri":"x://y"}}"#,
            "mcp:completion/complete x://y",
        ),
        (
            "initialize",
            r#"{"protocolVersion":"2025-11-25"}"#,
            "mcp:initialize",
        ),
        ("notifications/anything", "{}", "mcp:notifications/anything"),
        ("tasks/result", r#"{"taskId":"t"}"#, "mcp:tasks/result"),
        ("tools/Call", r#"{"name":"wire"}"#, "http:POST /mcp"),
        ("session/end", "{}", "http:POST /mcp"),
    ];
    for (method, params, expected) in cases {
        assert_eq!(
            reason(mcp(&[], &request(method, params))),
            ok(expected),
            "{method} {params}"
        );
    }
    // Both protocols have it: it is MCP's where the head says so.
    let get = request("tasks/get", r#"{"taskId":"t"}"#);
    let session = [("mcp-session-id", "s")];
    let call = mcp(&session, &get).unwrap();
    assert_eq!(call.action.to_string(), "mcp:tasks/get");
    assert_eq!(call.task.unwrap().as_str(), "t");
    assert_eq!(call.session.unwrap().as_str(), "/mcp s");
    let call = mcp(&[], &request("tasks/get", r#"{"id":"t"}"#)).unwrap();
    assert_eq!(call.action.to_string(), "a2a:GetTask");
}

#[test]
fn what_two_servers_of_mcp_may_read_differently_is_refused() {
    let session = [("mcp-session-id", "s")];
    let cases = [
        request("tools/call", r#"{"name":"a","Name":"b"}"#),
        request("tools/call", r#"{"name":" a"}"#),
        request("tools/call", r#"{"name":"a\u0000"}"#),
        request("tools/call", r#"{"name":"\ud800"}"#),
        request("tools/call", r#"{"name":["a"]}"#),
        request("tools/call", "{}"),
        request("tools/call", r#"["a"]"#),
        request("resources/read", r#"{"uri":"file:///docs/../secret"}"#),
        request("resources/read", r#"{"uri":"file:///docs/%2e%2e/secret"}"#),
        request("resources/subscribe", r#"{"name":"a"}"#),
        request("completion/complete", r#"{"ref":{"name":"a","uri":"b"}}"#),
        request("tasks/get", r#"{"taskId":"a","id":"b"}"#),
        request("tasks/cancel", "{}"),
        r#"{"id":1,"method":"tools/call","params":{"name":"a"}}"#.to_owned(),
    ];
    for body in cases {
        let refused = reason(mcp(&session, &body));
        assert_eq!(refused, MALFORMED, "{body}");
    }
    let twice = [("mcp-session-id", "s"), ("mcp-session-id", "t")];
    assert_eq!(reason(mcp(&twice, &request("ping", "{}"))), MALFORMED);
    let batch = format!("[{}]", request("tools/list", "{}"));
    assert_eq!(reason(mcp(&session, &batch)), Err(Reason::BatchUnsupported));
}

#[test]
fn a_head_that_says_something_else_than_the_body_is_refused() {
    let body = request("tools/call", &format!(r#"{{"name":"wire",{META}}}"#));
    let version = ("mcp-protocol-version", "2026-07-28");
    let (method, name) = (("mcp-method", "tools/call"), ("mcp-name", "wire"));
    for good in [
        vec![version, method, name],
        vec![version, method, ("mcp-name", "=?base64?d2lyZQ==?=")],
    ] {
        let call = mcp(&good, &body).unwrap();
        assert_eq!(call.dialect, Dialect::Mcp(McpEra::Stateless));
    }
    for bad in [
        vec![method, name],
        vec![version, name],
        vec![version, method],
        vec![version, ("mcp-method", "tools/list"), name],
        vec![version, method, ("mcp-name", "harmless")],
        vec![version, method, ("mcp-name", "=?base64?!!?=")],
        vec![version, method, name, ("mcp-name", "wire")],
        vec![version, method, method, name],
        vec![("mcp-protocol-version", "2025-11-25"), method, name],
        vec![version, version, method, name],
    ] {
        let refused = mcp(&bad, &body).unwrap_err();
        assert_eq!(refused.refusal.reason, Reason::VersionMismatch, "{bad:?}");
        assert_eq!(refused.code, Some(-32020), "{bad:?}");
        assert_eq!(refused.rpc_id.unwrap().as_json(), "1");
    }
    let bare = request("tools/call", r#"{"name":"wire"}"#);
    assert_eq!(
        mcp(&[version, method, name], &bare).unwrap_err().code,
        Some(-32602)
    );
    // Older versions do not have these fields; where they are there, they are believed by somebody.
    let old = ("mcp-protocol-version", "2025-06-18");
    assert!(mcp(&[old], &bare).is_ok());
    for bad in [("mcp-method", "ping"), ("mcp-name", "harmless")] {
        let refused = mcp(&[old, bad], &bare).unwrap_err();
        assert_eq!(refused.code, Some(-32600), "{bad:?}");
    }
}

#[test]
fn what_is_no_request_belongs_to_its_session() {
    let session = [("mcp-session-id", "s"), ("accept", "text/event-stream")];
    let send = |method, headers: &[(&str, &str)]| reason(send(method, "/mcp", headers, ""));
    assert_eq!(send("GET", &session), ok("mcp:session/listen"));
    assert_eq!(send("DELETE", &session), ok("mcp:session/end"));
    assert_eq!(send("GET", &session[1..]), ok("http:GET /mcp"));
    assert_eq!(send("DELETE", &session[1..]), ok("http:DELETE /mcp"));
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    assert_eq!(reason(mcp(&session, answer)), ok("mcp:response"));
    assert_eq!(reason(mcp(&[], answer)), ok("http:POST /mcp"));
}

#[test]
fn a_model_is_named_by_the_path_or_the_body() {
    let ask = |path: &str, body: &str| {
        reason(send(
            "POST",
            path,
            &[("content-type", "application/json")],
            body,
        ))
    };
    assert_eq!(
        ask("/v1/chat/completions", r#"{"model":"m"}"#),
        ok("llm:chat m")
    );
    assert_eq!(
        ask("/v1/messages", r#"{"model":"m","x":{"model":"n"}}"#),
        ok("llm:messages m")
    );
    assert_eq!(
        ask("/v1/responses", r#"{"input":"hi"}"#),
        ok("llm:responses")
    );
    assert_eq!(
        ask("/openai/deployments/d/chat/completions", r#"{"model":"m"}"#),
        ok("llm:chat d")
    );
    for body in [
        r#"{"model":"a","model":"b"}"#,
        r#"{"model":"a","Model":"b"}"#,
        r#"{"model":["a"]}"#,
        r#"{"model":" a"}"#,
        r#"["a"]"#,
        "model=a",
    ] {
        assert_eq!(ask("/v1/chat/completions", body), MALFORMED, "{body}");
    }
}
