//! Bodies as agents and models really send them.

use super::{armed, run};
use crate::model::LeakAction;
use crate::scan::{AtBound, Carrier};

/// One event of each stream, as recorded, in the order of its stream.
const STREAMS: &[&str] = &[
    // A2A 1.0, JSON-RPC.
    "data: {\"result\": {\"task\": {\"id\": \"bae3c8a4-f36f-4111-ab4b-f4eb85ccdc41\", \"contextId\": \"78f86ff8-b24d-40bd-8e39-47715cc005e5\", \"status\": {\"state\": \"TASK_STATE_SUBMITTED\", \"timestamp\": \"2026-11-20T13:39:19.780555Z\"}, \"history\": [{\"messageId\": \"6631cdc8\", \"role\": \"ROLE_USER\", \"parts\": [{\"text\": \"héllo\"}]}]}}, \"id\": \"9688bb6d\", \"jsonrpc\": \"2.0\"}\r\n\r\ndata: {\"result\": {\"statusUpdate\": {\"taskId\": \"bae3c8a4\", \"status\": {\"state\": \"TASK_STATE_WORKING\", \"message\": {\"messageId\": \"640b3bb1\", \"role\": \"ROLE_AGENT\", \"parts\": [{\"text\": \"héllo\"}]}}}}, \"id\": \"9688bb6d\", \"jsonrpc\": \"2.0\"}\r\n\r\n",
    // A2A 0.3, HTTP+JSON: one event over many lines.
    "data: {\r\ndata:   \"artifactUpdate\": {\r\ndata:     \"taskId\": \"f8981b51\",\r\ndata:     \"artifact\": {\r\ndata:       \"artifactId\": \"long\",\r\ndata:       \"parts\": [\r\ndata:         {\r\ndata:           \"text\": \"h\\u00e9llo \\ud83d\\ude00 chunk 1;\"\r\ndata:         }\r\ndata:       ]\r\ndata:     },\r\ndata:     \"append\": true\r\ndata:   }\r\ndata: }\r\n\r\n",
    // chat.completions.
    "data: {\"id\":\"chatcmpl-lab1\",\"object\":\"chat.completion.chunk\",\"created\":1795181975,\"model\":\"lab-model\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}]}\n\ndata: {\"id\":\"chatcmpl-lab1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"},\"finish_reason\":null}]}\n\ndata: [DONE]\n\n",
    // A silent stream, and MCP.
    ": ping - 2026-11-20 13:39:34.000000+00:00\r\n\r\nevent: message\r\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"{\\\"sum\\\":3}\"}],\"structuredContent\":{\"sum\":3},\"isError\":false}}\r\n\r\n",
];

#[test]
fn recorded_streams_pass_byte_identical_in_every_cutting() {
    let detectors = armed(
        &["cards", "credentials", "pii", "private-keys"],
        LeakAction::Redact,
        AtBound::Block,
    );
    for stream in STREAMS {
        let bytes = stream.as_bytes();
        for cut in 0..=bytes.len() {
            let out = run(&detectors, Carrier::Sse, &[&bytes[..cut], &bytes[cut..]]);
            assert_eq!(String::from_utf8_lossy(&out.bytes), *stream);
            assert!(out.findings.is_empty(), "{:?}", out.findings);
        }
    }
}
