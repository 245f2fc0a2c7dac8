//! Requests that want to be read in one way by us and in another by the agent.

use super::{post, reason, send};
use crate::model::{A2aVersion, Binding, Dialect, Operation, Protocols, Reason};
use crate::protocol::{Body, read_head};

pub(super) const MALFORMED: Result<String, Reason> = Err(Reason::MalformedRequest);

fn get_task(params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{params}}}"#)
}

fn send_message(message: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{{"message":{message}}}}}"#)
}

pub(super) fn ok(action: &str) -> Result<String, Reason> {
    Ok(action.to_owned())
}

#[test]
fn a_request_that_two_readers_may_read_differently_is_refused() {
    let deep = "[".repeat(70) + &"]".repeat(70);
    let cases = [
        // Keys that are there twice, openly or not.
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"message/send","params":{}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","m\u0065thod":"message/send"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#.to_owned(),
        get_task(r#"{"id":"mine","id":"yours"}"#),
        get_task(r#"{"id":"mine","\u0069d":"yours"}"#),
        send_message(r#"{"taskId":"mine","task_id":"yours"}"#),
        send_message(r#"{"parts":[{"data":{"a":{"b":1,"b":2}}}]}"#),
        // Keys that a reader without regard to case takes for the real ones.
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","Method":"message/send"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"METHOD":"message/send","params":{}}"#.to_owned(),
        r#"{"JSONRPC":"2.0","id":1,"method":"message/send","params":{}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","ID":1,"method":"message/send","params":{}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"GetTask","Params":{"id":"yours"}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"GetTask","param\u017f":{"id":"yours"}}"#.to_owned(),
        get_task(r#"{"id":"mine","ID":"yours"}"#),
        get_task(r#"{"Id":"yours"}"#),
        send_message(r#"{"TaskId":"yours"}"#),
        send_message(r#"{"tas\u212AId":"yours"}"#),
        send_message(r#"{"ReferenceTaskIDs":["yours"]}"#),
        send_message(r#"{"metadata":{"skill":"a","Skill":"b"}}"#),
        r#"{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{},"Message":{"taskId":"yours"}}}"#.to_owned(),
        // What is no JSON-RPC to us and might be to others.
        r#"{"id":1,"method":"message/send","params":{}}"#.to_owned(),
        r#"{"Method":"message/send","params":{}}"#.to_owned(),
        r#"{"jsonrpc":"1.0","id":1,"method":"message/send","params":{}}"#.to_owned(),
        r#"{"jsonrpc":2.0,"id":1,"method":"message/send","params":{}}"#.to_owned(),
        r#"{"jsonrpc":null,"id":1,"method":"message/send","params":{}}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":["message/send"]}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":null}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":1,"method":"a\ud800"}"#.to_owned(),
        // Ids that are none.
        r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","id":"\udc00","method":"ping"}"#.to_owned(),
        format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"ping"}}"#, "x".repeat(600)),
        get_task(r#"{"id":7}"#),
        get_task(r#"{"id":["t"]}"#),
        get_task(r#"{"id":"a\ud800"}"#),
        get_task(r#"{"id":"a\u0000"}"#),
        get_task(&format!(r#"{{"id":"{}"}}"#, "x".repeat(600))),
        send_message(r#"{"referenceTaskIds":["a",7]}"#),
        send_message(r#"{"referenceTaskIds":"yours"}"#),
        send_message(r#"{"taskId":{"id":"yours"}}"#),
        // No task where there must be one, or parameters in another form.
        get_task("{}"),
        get_task(r#"{"id":""}"#),
        get_task(r#"{"name":"tasks/yours"}"#),
        get_task(r#"["yours"]"#),
        get_task("\"yours\""),
        // No JSON, or not only JSON.
        format!("{}{{}}", get_task(r#"{"id":"a"}"#)),
        format!("\u{FEFF}{}", get_task(r#"{"id":"a"}"#)),
        send_message(&format!(r#"{{"parts":{deep}}}"#)),
        send_message(r#"{"x":NaN}"#),
        r#"{"jsonrpc":"2.0","method"#.to_owned(),
        "nonsense".to_owned(),
    ];
    for body in &cases {
        assert_eq!(reason(post(body)), MALFORMED, "{body}");
        // The type of the content protects nobody: many agents do not look at it.
        if body != "nonsense" {
            let result = send("POST", "/", &[("content-type", "text/plain")], body);
            assert_eq!(reason(result), MALFORMED, "as text: {body}");
            assert_eq!(
                reason(send("POST", "/", &[], body)),
                MALFORMED,
                "untyped: {body}"
            );
        }
    }
}

#[test]
fn an_encoding_that_the_agent_might_guess_is_refused() {
    let request = get_task(r#"{"id":"yours"}"#);
    let little: Vec<u8> = request.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = request.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let marked = [b"\xFF\xFE".as_slice(), &little].concat();
    let wide: Vec<u8> = request
        .chars()
        .flat_map(|char| u32::from(char).to_be_bytes())
        .collect();
    for body in [little, big, marked, wide] {
        for content_type in ["application/json", "application/octet-stream"] {
            let result = send("POST", "/", &[("content-type", content_type)], &body);
            assert_eq!(reason(result), MALFORMED, "{}", body.escape_ascii());
        }
    }
    for charset in [
        "application/json; charset=utf-16",
        "application/json;charset=\"UTF-7\"",
    ] {
        let result = send("POST", "/", &[("content-type", charset)], &request);
        assert_eq!(reason(result), Err(Reason::UnsupportedCoding));
    }
    let coded = send("POST", "/", &[("content-encoding", "gzip")], "x");
    assert_eq!(reason(coded), Err(Reason::UnsupportedCoding));
    let coded = send("POST", "/", &[("content-encoding", "identity, gzip")], "x");
    assert_eq!(reason(coded), Err(Reason::UnsupportedCoding));
    let plain = send("POST", "/", &[("content-encoding", "Identity")], &request);
    assert_eq!(reason(plain), ok("a2a:GetTask"));
}

#[test]
fn every_place_that_may_name_a_task_is_looked_at() {
    let references = |body: String| {
        let call = post(body).unwrap();
        let references: Vec<_> = call.references.iter().map(ToString::to_string).collect();
        (
            call.task.map(|task| task.to_string()).unwrap_or_default(),
            references.join(" "),
        )
    };
    let expected = |task: &str, references: &str| (task.to_owned(), references.to_owned());
    assert_eq!(
        references(send_message(
            r#"{"taskId":"t","referenceTaskIds":["a","b"]}"#
        )),
        expected("t", "a b")
    );
    assert_eq!(
        references(send_message(
            r#"{"task_id":"t","reference_task_ids":["a"]}"#
        )),
        expected("t", "a")
    );
    assert_eq!(
        references(get_task(r#"{"id":"t","taskId":"u"}"#)),
        expected("t", "u")
    );
    let in_configuration = r#"{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"id":"x","message":{},
        "configuration":{"taskPushNotificationConfig":{"taskId":"y","url":"http://h.example"}}}}"#;
    assert_eq!(references(in_configuration.to_owned()), expected("", "x y"));
    // In 1.0 the id is the configuration's, in 0.3 the task's.
    let push = |method: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"id":"i","taskId":"t"}}}}"#
        )
    };
    assert_eq!(
        references(push("GetTaskPushNotificationConfig")),
        expected("t", "")
    );
    assert_eq!(
        references(push("tasks/pushNotificationConfig/get")),
        expected("i", "t")
    );
}

#[test]
fn escapes_hide_nothing() {
    let body = r#"{"jsonrpc":"2.0","id":"\u0061","m\u0065thod":"Send\u004dessage",
        "params":{"message":{"t\u0061sk_id":"\u0074","metadata":{"skill":"quote-\u0065quity"}}}}"#;
    let call = post(body).unwrap();
    assert_eq!(call.action.to_string(), "a2a:SendMessage quote-equity");
    assert_eq!(call.task.unwrap().as_str(), "t");
    // The id comes back as it was written.
    assert_eq!(call.rpc_id.unwrap().as_json(), r#""\u0061""#);
}

#[test]
fn a_skill_that_cannot_be_compared_is_refused_and_one_that_is_no_text_is_none() {
    let skill = |skill: &str| {
        reason(post(send_message(&format!(
            r#"{{"metadata":{{"skill":{skill}}}}}"#
        ))))
    };
    assert_eq!(skill(r#""export""#), ok("a2a:SendMessage export"));
    assert_eq!(skill("7"), ok("a2a:SendMessage"));
    assert_eq!(skill(r#""""#), ok("a2a:SendMessage"));
    assert_eq!(skill(r#"" export""#), MALFORMED);
    assert_eq!(skill(r#""a\nb""#), MALFORMED);
}

#[test]
fn versions_may_not_contradict_the_method() {
    let call = |method: &str, target: &str, versions: &[&str]| {
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"id":"t"}}}}"#);
        let headers: Vec<_> = versions
            .iter()
            .map(|version| ("a2a-version", *version))
            .collect();
        reason(send("POST", target, &headers, body))
    };
    let mismatch = Err(Reason::VersionMismatch);
    let get_task = ok("a2a:GetTask");
    assert_eq!(call("GetTask", "/", &["1.0"]), get_task);
    assert_eq!(call("GetTask", "/", &["1.0.1"]), get_task);
    assert_eq!(call("GetTask", "/", &["1"]), get_task);
    assert_eq!(call("GetTask", "/", &[""]), get_task);
    assert_eq!(call("GetTask", "/", &["9.9"]), get_task);
    assert_eq!(call("GetTask", "/", &["garbage"]), get_task);
    assert_eq!(call("GetTask", "/?A2A-Version=1.0", &[]), get_task);
    assert_eq!(call("tasks/get", "/", &["0.3"]), get_task);
    assert_eq!(call("tasks/get", "/", &["0.2.5"]), get_task);
    assert_eq!(call("GetTask", "/", &["0.3"]), mismatch);
    assert_eq!(call("tasks/get", "/", &["1.0"]), mismatch);
    assert_eq!(call("tasks/get", "/?a2a-version=1.0", &[]), mismatch);
    assert_eq!(call("tasks/get", "/?x&a2a%2Dversion=1%2E0", &[]), mismatch);
    assert_eq!(call("GetTask", "/", &["1.0", "0.3"]), mismatch);
    assert_eq!(call("GetTask", "/", &["1.0, 0.3"]), mismatch);
    assert_eq!(call("GetTask", "/?A2A-Version=0.3", &["1.0"]), mismatch);
}

#[test]
fn batches_are_refused_and_other_arrays_are_not() {
    let batch = Err(Reason::BatchUnsupported);
    assert_eq!(
        reason(post(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#)),
        batch
    );
    assert_eq!(reason(post(r#"[1,{"JsonRpc":"2.0"}]"#)), batch);
    assert_eq!(reason(post(r#" [ {"method":"message/send"} ]"#)), batch);
    assert_eq!(
        reason(send("POST", "/", &[], r#"[{"method":"ping"}]"#)),
        batch
    );
    assert_eq!(reason(post("[]")), ok("http:POST /"));
    assert_eq!(reason(post(r#"[{"name":"x"}]"#)), ok("http:POST /"));
}

#[test]
fn what_is_no_call_of_a_dialect_is_plain_http() {
    let text = [("content-type", "text/plain")];
    let cases = [
        reason(post(r#"{"id":1,"METHOD":"wire","Id":2}"#)),
        reason(post("7")),
        reason(post(" ")),
        reason(send("POST", "/", &text, "{{name}} {a}")),
        reason(send("POST", "/", &text, "[INFO] started")),
        reason(send("POST", "/", &text, "[2026-11-23] started")),
        reason(send("POST", "/", &text, "{\"a\":1}\n{\"a\":2}\n")),
        reason(send(
            "POST",
            "/",
            &[("content-type", "application/grpc")],
            b"\0\0\0\0{hello",
        )),
    ];
    for (index, case) in cases.into_iter().enumerate() {
        assert_eq!(case, ok("http:POST /"), "case {index}");
    }
    // A public card is fetched, not called.
    for method in ["GetAgentCard", "tasks/Send", "Message/Send", "tools/Call"] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{}}}}"#);
        let call = post(body).unwrap();
        assert_eq!(call.action.to_string(), "http:POST /", "{method}");
        assert_eq!(call.dialect, Dialect::JsonRpc);
    }
}

/// Sends it to an agent that speaks A2A over REST.
fn rest(line: &str, body: &str) -> Result<crate::model::Call, crate::protocol::Malformed> {
    let (method, target) = line.split_once(' ').unwrap();
    send(
        method,
        target,
        &[("content-type", "application/json")],
        body,
    )
}

#[test]
fn what_path_query_and_body_name_is_judged_together() {
    let cases = [
        ("POST /tasks/a:cancel", r#"{"id":"a"}"#, "a", ""),
        ("POST /tasks/a:cancel", "", "a", ""),
        ("POST /tasks/a%3Acancel", r#"{"id":"b"}"#, "a", "b"),
        ("POST /v1/tasks/a:cancel", r#"{"name":"tasks/b"}"#, "a", "b"),
        ("POST /v1/tasks/a:cancel", r#"{"name":"tasks/a"}"#, "a", ""),
        ("GET /tasks/a?id=b&task_id=c&TASKID=d", "", "a", "b c d"),
        ("GET /v1/tasks/a?n%61me=tasks%2Fb%2Fx", "", "a", "b"),
        (
            "POST /message:send",
            r#"{"message":{"taskId":"a","referenceTaskIds":["b"]}}"#,
            "a",
            "b",
        ),
        (
            "POST /v1/message:send",
            r#"{"request":{"task_id":"a"}}"#,
            "a",
            "",
        ),
        (
            "POST /message:send",
            r#"{"message":{},"configuration":{"taskPushNotificationConfig":{"taskId":"b"}}}"#,
            "",
            "b",
        ),
        (
            "POST /v1/tasks/a/pushNotificationConfigs",
            r#"{"parent":"tasks/b","config":{"name":"tasks/c/pushNotificationConfigs/x"}}"#,
            "a",
            "b c",
        ),
        (
            "POST /tasks/a/pushNotificationConfigs",
            r#"{"id":"x","taskId":"b"}"#,
            "a",
            "b",
        ),
        ("POST /tasks/send", r#"{"id":"a","message":{}}"#, "a", ""),
    ];
    for (line, body, task, references) in cases {
        let call = rest(line, body).unwrap_or_else(|error| panic!("{line} {body}: {error:?}"));
        let named = call.task.as_ref().map_or("", |task| task.as_str());
        let others: Vec<_> = call.references.iter().map(|task| task.as_str()).collect();
        assert_eq!(
            (named, others.join(" ").as_str()),
            (task, references),
            "{line} {body}"
        );
    }
}

#[test]
fn over_rest_too_what_two_readers_may_read_differently_is_refused() {
    let cases = [
        (
            "POST /message:send",
            r#"{"message":{"taskId":"a"},"request":{"taskId":"b"}}"#,
        ),
        (
            "POST /message:send",
            r#"{"message":{},"Message":{"taskId":"b"}}"#,
        ),
        (
            "POST /message:send",
            r#"{"message":{"taskId":"a","task_id":"b"}}"#,
        ),
        ("POST /message:send", r#"{"message":{"taskId":7}}"#),
        ("POST /message:send", r#"{"message":{"taskId":"a\ud800"}}"#),
        ("POST /message:send", r#"[{"message":{}}]"#),
        ("POST /message:send", "\"a\""),
        ("POST /message:send", r#"{"message":{}"#),
        ("POST /message:send", r#"{"message":{}} {}"#),
        ("POST /message:send", "message=hello"),
        ("POST /message:send", "\u{FEFF}{}"),
        ("POST /tasks/send", r#"{"message":{}}"#),
        ("GET /tasks?contextId=a&contextId=b", ""),
        ("GET /tasks?contextId=a&ContextID=b", ""),
        ("GET /tasks/a?id=%ff", ""),
        ("GET /tasks/a?id=%zz", ""),
    ];
    for (line, body) in cases {
        assert_eq!(reason(rest(line, body)), MALFORMED, "{line} {body}");
    }
    let mismatch = Err(Reason::VersionMismatch);
    let rpc = r#"{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"b"}}"#;
    assert_eq!(reason(rest("POST /message:send", rpc)), mismatch);
    let versions = [("a2a-version", "0.3")];
    let both = send("GET", "/tasks/a?A2A-Version=1.0", &versions, "");
    assert_eq!(reason(both), mismatch);
}

#[test]
fn paths_of_a2a_are_plain_http_where_the_policy_does_not_speak_of_it() {
    let request = http::Request::builder()
        .uri("/tasks/a")
        .header("host", "agent.example");
    let (parts, ()) = request.body(()).unwrap().into_parts();
    for (spoken, expected) in [
        (Protocols::all(), "a2a:GetTask"),
        (Protocols::default(), "http:GET /tasks/a"),
    ] {
        let call = read_head(&parts, spoken)
            .unwrap()
            .into_call(None, 64)
            .unwrap();
        assert_eq!(call.action.to_string(), expected);
    }
}

#[test]
fn only_a_post_can_be_json_rpc() {
    let body = send_message("{}");
    for method in ["PUT", "PATCH", "DELETE", "GET"] {
        let result = send(
            method,
            "/files/a",
            &[("content-type", "application/json")],
            &body,
        );
        assert_eq!(reason(result), Ok(format!("http:{method} /files/a")));
    }
}

#[test]
fn cards_are_fetched_with_get_and_head_only() {
    let card = |method: &str, path: &str| reason(send(method, path, &[], ""));
    for path in [
        "/.well-known/agent-card.json",
        "/.well-known/agent.json",
        "/a/b/.well-known/agent%2Djson.json/../",
    ] {
        let expected = if path.contains("..") {
            MALFORMED
        } else {
            ok("a2a:GetAgentCard")
        };
        assert_eq!(card("GET", path), expected);
        assert_eq!(card("HEAD", path), expected);
    }
    assert_eq!(
        card("GET", "/quotes/.well-known/agent.json?x=1"),
        ok("a2a:GetAgentCard")
    );
    assert_eq!(
        card("GET", "/%2Ewell-known/agent.json"),
        ok("a2a:GetAgentCard")
    );
    assert_eq!(
        card("POST", "/.well-known/agent.json"),
        ok("http:POST /.well-known/agent.json")
    );
    assert_eq!(
        card("GET", "/x.well-known/agent.json"),
        ok("http:GET /x.well-known/agent.json")
    );
}

#[test]
fn methods_that_change_the_connection_are_refused() {
    for (method, target) in [("CONNECT", "example.com:443"), ("TRACE", "/")] {
        assert_eq!(
            reason(send(method, target, &[], "")),
            Err(Reason::OperationUnsupported)
        );
    }
    assert_eq!(reason(send("OPTIONS", "*", &[], "")), ok("http:OPTIONS *"));
    assert_eq!(
        reason(send("PROPFIND", "/x", &[], "")),
        ok("http:PROPFIND /x")
    );
}

#[test]
fn a_header_field_cannot_make_another_request_of_it() {
    let with = |name: &str, value: &str| reason(send("GET", "/a?b", &[(name, value)], ""));
    for (name, value) in [
        ("x-http-method-override", "DELETE"),
        ("x-http-method", "DELETE"),
        ("x-method-override", "delete"),
        ("x-original-url", "/admin"),
        ("x-rewrite-url", "/admin"),
    ] {
        assert_eq!(with(name, value), Err(Reason::VersionMismatch), "{name}");
    }
    assert_eq!(with("x-http-method-override", "GET"), ok("http:GET /a"));
    assert_eq!(with("x-original-url", "/a?b"), ok("http:GET /a"));
}

#[test]
fn a_path_that_is_read_in_two_ways_is_refused_in_plain_http() {
    let malformed = send("GET", "/public/%2e%2e/admin", &[], "").unwrap_err();
    assert_eq!(malformed.refusal.reason, Reason::MalformedRequest);
    assert_eq!(malformed.dialect, Dialect::Http);
    assert_eq!(
        reason(send("GET", "/adm%69n?x=%2F", &[], "")),
        ok("http:GET /admin")
    );
}

#[test]
fn a_refusal_knows_how_to_answer() {
    let broken = post("{").unwrap_err();
    assert_eq!(
        (broken.dialect, broken.code),
        (Dialect::JsonRpc, Some(-32700))
    );
    assert_eq!(broken.rpc_id.unwrap().as_json(), "null");
    let json = [
        ("content-type", "application/json"),
        ("content-encoding", "br"),
    ];
    let coded = send("POST", "/", &json, "x").unwrap_err();
    assert_eq!(
        (coded.dialect, coded.code),
        (Dialect::JsonRpc, Some(-32600))
    );
    let coded = send("POST", "/", &json[1..], "x").unwrap_err();
    assert_eq!(
        (coded.dialect, coded.rpc_id, coded.code),
        (Dialect::Http, None, None)
    );
    let no_task = post(get_task("{}")).unwrap_err();
    assert_eq!(
        no_task.dialect,
        Dialect::A2a(A2aVersion::V1_0, Binding::JsonRpc)
    );
    assert_eq!(
        (no_task.code, no_task.rpc_id.unwrap().as_json()),
        (Some(-32602), "1")
    );
    let old = post(r#"{"jsonrpc":"1.0","id":"x","method":"m"}"#).unwrap_err();
    assert_eq!(
        (old.code, old.rpc_id.unwrap().as_json()),
        (Some(-32600), "\"x\"")
    );
}

#[test]
fn a_notification_has_no_id_and_a_null_id_is_one() {
    let call = post(r#"{"jsonrpc":"2.0","method":"SendMessage","params":{"message":{}}}"#).unwrap();
    assert_eq!(
        (call.rpc_id, call.operation),
        (None, Operation::SendMessage)
    );
    let call =
        post(r#"{"jsonrpc":"2.0","id":null,"method":"SendMessage","params":{"message":{}}}"#)
            .unwrap();
    assert_eq!(call.rpc_id.unwrap().as_json(), "null");
}

#[test]
fn a_body_that_decides_nothing_passes_unread() {
    let wants = |method: &str, content_type: &str, first: Option<&[u8]>| {
        let request = http::Request::builder()
            .method(method)
            .uri("/")
            .header("host", "agent.example");
        let request = request
            .header("content-type", content_type)
            .body(())
            .unwrap();
        read_head(&request.into_parts().0, Protocols::all())
            .unwrap()
            .wants_body(first)
    };
    assert_eq!(wants("POST", "text/csv", None), Body::None);
    assert_eq!(wants("POST", "text/csv", Some(b"")), Body::None);
    assert_eq!(wants("POST", "text/csv", Some(b"a,b")), Body::Stream);
    assert_eq!(wants("PUT", "application/json", Some(b"{")), Body::Stream);
    assert_eq!(
        wants("POST", "application/a2a+json", Some(b"x")),
        Body::Buffer
    );
    // Too little to tell: white space alone, a bracket alone.
    assert_eq!(wants("POST", "text/csv", Some(b" \n")), Body::Buffer);
    assert_eq!(wants("POST", "text/csv", Some(b"{")), Body::Buffer);
    assert_eq!(wants("POST", "text/csv", Some(b"{\0\"\0")), Body::Buffer);
}

#[test]
fn a_body_cut_anywhere_harms_nobody() {
    for exchange in super::wire::exchanges("a2a-1.0-jsonrpc") {
        let body = exchange["request"]["data"].as_str().unwrap_or_default();
        for end in 0..=body.len() {
            for first in [0, 1, 6, 7] {
                let input = [&[first], &body.as_bytes()[..end]].concat();
                crate::protocol::fuzz_read_call(&input);
            }
        }
    }
}
