//! Answers that real agents have sent, cut everywhere.

use serde_json::Value;

use super::post;
use super::wire::{exchanges, read};
use crate::model::{Call, Operation};
use crate::protocol::{Carrier, Observer};

/// What an observer knows at the end, and how often it said something new.
pub(super) fn watch(
    call: &Call,
    carrier: Carrier,
    pieces: &[&[u8]],
) -> (Option<String>, Option<String>) {
    let mut observer = Observer::new(call, carrier).unwrap();
    let (mut task, mut context) = (None, None);
    for piece in pieces {
        if let Some(learned) = observer.observe(piece) {
            task = task.or_else(|| learned.task.map(|task| task.to_string()));
            context = context.or_else(|| learned.context.map(|context| context.to_string()));
        }
    }
    (task, context)
}

/// The ids by another reader, of the first object of each answer that has them.
fn expected<'a>(documents: impl Iterator<Item = &'a Value>) -> (Option<String>, Option<String>) {
    let (mut task, mut context) = (None, None);
    for document in documents {
        let result = document.get("result").unwrap_or(document);
        let wrapped = ["task", "message", "statusUpdate", "artifactUpdate"]
            .iter()
            .map(|key| &result[*key])
            .find(|value| value.is_object())
            .unwrap_or(result);
        let text = |key: &str| wrapped[key].as_str().map(str::to_owned);
        task = task.or_else(|| text("id")).or_else(|| text("taskId"));
        let session = || text("sessionId");
        context = context.or_else(|| text("contextId")).or_else(session);
    }
    (task, context)
}

#[test]
fn ids_are_learned_from_every_recorded_answer_at_every_cut() {
    let recordings = [
        "a2a-0.2.5-legacy",
        "a2a-0.3-jsonrpc",
        "a2a-0.3-js-jsonrpc",
        "a2a-0.3-client-on-1.0-agent",
        "a2a-1.0-sdk-speaking-0.3",
        "a2a-1.0-jsonrpc",
        "a2a-1.0-js-jsonrpc",
        "a2a-1.0-adk",
        "a2a-1.0-idle-keepalive",
        "a2a-0.3-rest",
        "a2a-1.0-rest",
        "a2a-1.0-js-rest",
    ];
    let (mut streams, mut documents) = (0, 0);
    for name in recordings {
        for exchange in exchanges(name) {
            let Ok(call) = read(&exchange) else { continue };
            if Observer::new(&call, Carrier::Json).is_none() {
                continue;
            }
            let response = &exchange["response"];
            let (carrier, body, ids) = if let Some(chunks) = response["chunks"].as_array() {
                let chunks = chunks.iter().map(|chunk| chunk["data"].as_str().unwrap());
                let body: String = chunks.collect();
                let events: Vec<Value> = body
                    .replace("\r\n", "\n")
                    .split("\n\n")
                    .map(|event| {
                        let lines = event.lines().filter_map(|line| line.strip_prefix("data: "));
                        lines.collect::<Vec<_>>().join("\n")
                    })
                    .filter(|data| !data.is_empty())
                    .map(|data| serde_json::from_str(&data).unwrap())
                    .collect();
                streams += 1;
                (Carrier::EventStream, body.clone(), expected(events.iter()))
            } else {
                let body = response["data"].as_str().unwrap();
                let document = serde_json::from_str(body).unwrap();
                documents += 1;
                (
                    Carrier::Json,
                    body.to_owned(),
                    expected([&document].into_iter()),
                )
            };
            let body = body.as_bytes();
            assert_eq!(watch(&call, carrier, &[body]), ids, "{name}");
            for cut in 0..=body.len() {
                let (left, right) = body.split_at(cut);
                assert_eq!(
                    watch(&call, carrier, &[left, right]),
                    ids,
                    "{name} cut at {cut}"
                );
            }
            let bytes: Vec<&[u8]> = body.chunks(1).collect();
            assert_eq!(watch(&call, carrier, &bytes), ids, "{name} byte by byte");
        }
    }
    assert!(
        streams > 35 && documents > 30,
        "{streams} streams, {documents} documents"
    );
}

fn stream_call() -> Call {
    post(r#"{"jsonrpc":"2.0","id":1,"method":"SendStreamingMessage","params":{"message":{"contextId":"own"}}}"#)
        .unwrap()
}

#[test]
fn what_an_agent_quotes_is_not_what_it_names() {
    let body = br#"{"id":"no","result":{"status":{"message":{"taskId":"no","contextId":"no"}},
        "history":[{"taskId":"no"}],"artifacts":[{"parts":[{"text":"\"taskId\":\"no\"} \\"}]}],"metadata":{"id":"no"},
        "kind":"task","contextId":"c\u002d1","id":"t-1"},"task":{"id":"no"}}"#;
    let ids = (Some("t-1".to_owned()), Some("c-1".to_owned()));
    for cut in 0..=body.len() {
        let (left, right) = body.split_at(cut);
        assert_eq!(
            watch(&stream_call(), Carrier::Json, &[left, right]),
            ids,
            "cut at {cut}"
        );
    }
}

#[test]
fn events_over_many_lines_and_broken_events_do_no_harm() {
    let stream = b"data: {\"result\":{\"task\":{\"id\":\"lost\r\n\r\n: ping\r\n\r\ndata: {\"result\":\r\ndata: {\"task\":\r\ndata: {\"id\":\"t\",\"contextId\":\"c\"}}}\r\n\r\n";
    let ids = (Some("t".to_owned()), Some("c".to_owned()));
    for cut in 0..=stream.len() {
        let (left, right) = stream.split_at(cut);
        assert_eq!(
            watch(&stream_call(), Carrier::EventStream, &[left, right]),
            ids
        );
    }
}

#[test]
fn ids_that_are_none_are_not_learned() {
    let long = "x".repeat(4000);
    for id in [long.as_str(), "", "a\\u0000", "\\ud800"] {
        let body = format!(r#"{{"result":{{"task":{{"id":"{id}","contextId":7}}}}}}"#);
        assert_eq!(
            watch(&stream_call(), Carrier::Json, &[body.as_bytes()]),
            (None, None)
        );
    }
}

#[test]
fn the_call_tells_what_the_answer_has_not_told_yet() {
    let mut observer = Observer::new(&stream_call(), Carrier::EventStream).unwrap();
    assert_eq!(observer.context().map(|id| id.as_str()), Some("own"));
    let learned = observer
        .observe(b"data: {\"result\":{\"task\":{\"id\":\"t\",\"contextId\":\"c\"")
        .unwrap();
    assert_eq!(learned.task.unwrap().as_str(), "t");
    assert_eq!(observer.context().map(|id| id.as_str()), Some("c"));
    assert_eq!(
        observer.observe(b"}}}\n\ndata: {\"result\":{\"task\":{\"id\":\"u\"}}}\n\n"),
        None
    );
}

#[test]
fn calls_that_make_nothing_are_not_watched() {
    let call = post(r#"{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"t"}}"#).unwrap();
    assert_eq!(call.operation, Operation::GetTask);
    assert!(Observer::new(&call, Carrier::Json).is_none());
    let call = post(r#"{"jsonrpc":"2.0","id":1,"method":"no/such","params":{"id":"t"}}"#).unwrap();
    assert!(Observer::new(&call, Carrier::Json).is_none());
}

#[test]
fn a_session_of_2024_11_05_is_learned_from_its_first_event() {
    let call = super::send("GET", "/sse", &[("accept", "text/event-stream")], "").unwrap();
    let learned = |text: &str| {
        let text = text.as_bytes();
        let mut found = Vec::new();
        for cut in 0..=text.len() {
            let mut observer = Observer::new(&call, Carrier::EventStream).unwrap();
            let (left, right) = text.split_at(cut);
            let pieces = [left, right].map(|piece| observer.observe(piece));
            let sessions = pieces.into_iter().flatten().filter_map(|it| it.session);
            found.push(sessions.map(|it| it.to_string()).collect::<Vec<_>>());
        }
        found.dedup();
        assert_eq!(found.len(), 1, "the cut changed what was learned");
        found.remove(0)
    };
    assert_eq!(
        learned(
            "event: endpoint\r\ndata: /messages/?session_id=abc\r\n\r\ndata: /x?session_id=no\r\n\r\n"
        ),
        ["/messages/ abc"]
    );
    assert_eq!(
        learned(": hello\n\nevent: endpoint\ndata: http://a.example/m?sessionId=s\n\n"),
        ["/m s"]
    );
    for other in [
        "data: {\"a\":1}\n\n",
        "data: /m\n\n",
        "data: /m?session_id=a&session_id=b\n\n",
    ] {
        assert!(learned(other).is_empty(), "{other}");
    }
}

#[test]
fn a_task_of_mcp_is_learned_from_the_answer_of_a_tool() {
    let call =
        post(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"slow"}}"#).unwrap();
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"result":{"task":{"taskId":"t","status":"working"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"task","taskId":"t","id":"no"}}"#,
    ] {
        let ids = (Some("t".to_owned()), None);
        assert_eq!(
            watch(&call, Carrier::Json, &[body.as_bytes()]),
            ids,
            "{body}"
        );
    }
    let content =
        br#"{"result":{"content":[{"taskId":"no"}],"structuredContent":{"task":{"taskId":"no"}}}}"#;
    assert_eq!(watch(&call, Carrier::Json, &[content]), (None, None));
}

#[test]
fn carriers_are_known_by_their_type() {
    let carrier = Carrier::from_content_type;
    assert_eq!(
        carrier("text/event-stream; charset=utf-8"),
        Some(Carrier::EventStream)
    );
    assert_eq!(carrier("application/json"), Some(Carrier::Json));
    assert_eq!(carrier("application/a2a+json"), Some(Carrier::Json));
    assert_eq!(carrier("application/grpc+proto"), Some(Carrier::Grpc));
    assert_eq!(carrier("application/grpc-web"), None);
    assert_eq!(carrier("text/html"), None);
}
