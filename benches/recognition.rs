//! What it costs to know what a request asks for: head and body of 1 KiB, in every dialect.
//!
//! `cargo bench --bench recognition`.

#![expect(clippy::expect_used, reason = "a program that measures")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use http::Request;
use http::request::Parts;
use lictor::model::Protocols;
use lictor::protocol::read_head;

const DEPTH: usize = 64;

struct Case {
    name: &'static str,
    parts: Parts,
    body: String,
}

fn case(name: &'static str, target: &str, fields: &[(&str, &str)], body: &str) -> Case {
    let mut request = Request::post(target)
        .header("host", "agent.example")
        .header("content-type", "application/json");
    for (field, value) in fields {
        request = request.header(*field, *value);
    }
    let (parts, ()) = request.body(()).expect("a request").into_parts();
    // Filled up to 1 KiB with text, as messages are.
    let text = "lorem ipsum ".repeat(86);
    let room = 1024_usize.saturating_sub(body.len() - "TEXT".len());
    let body = body.replace("TEXT", text.get(..room).unwrap_or(&text));
    Case { name, parts, body }
}

fn recognition(criterion: &mut Criterion) {
    let meta = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
    let tool = format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"search","arguments":{{"q":"TEXT"}},{meta}}}}}"#
    );
    let message = r#"{"message":{"messageId":"m-1","contextId":"c-1","role":"ROLE_USER","parts":[{"text":"TEXT"}]}}"#;
    let cases = [
        case(
            "a2a over json-rpc",
            "/",
            &[("a2a-version", "1.0")],
            &format!(r#"{{"jsonrpc":"2.0","id":"r-1","method":"SendMessage","params":{message}}}"#),
        ),
        case("a2a over rest", "/v1/message:send", &[], message),
        case(
            "mcp 2026-07-28",
            "/mcp",
            &[
                ("mcp-protocol-version", "2026-07-28"),
                ("mcp-method", "tools/call"),
                ("mcp-name", "search"),
            ],
            &tool,
        ),
        case(
            "chat completions",
            "/v1/chat/completions",
            &[],
            r#"{"model":"m","messages":[{"role":"user","content":"TEXT"}]}"#,
        ),
        case("plain http", "/v1/reports", &[], r#"{"report":"TEXT"}"#),
    ];
    let mut group = criterion.benchmark_group("recognise 1 KiB");
    for Case { name, parts, body } in &cases {
        let read = || {
            let head = read_head(black_box(parts), Protocols::all()).ok()?;
            head.into_call(Some(body.as_bytes()), DEPTH).ok()
        };
        assert!(read().is_some(), "{name}");
        group.bench_function(*name, |bencher| bencher.iter(read));
    }
    group.finish();
}

criterion_group!(benches, recognition);
criterion_main!(benches);
