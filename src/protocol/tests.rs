//! The room against recorded traffic, and against those who want to be misread.

mod answers;
mod attacks;
mod ends;
mod grpc;
mod mcp;
mod replies;
mod wire;

use http::Request;

use crate::model::{Call, Protocols, Reason};

use super::{Body, Malformed, read_head};

const DEPTH: usize = 64;

/// A POST of JSON.
fn post(body: impl AsRef<[u8]>) -> Result<Call, Malformed> {
    send("POST", "/", &[("content-type", "application/json")], body)
}

fn send(
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: impl AsRef<[u8]>,
) -> Result<Call, Malformed> {
    let body = body.as_ref();
    let mut request = Request::builder().method(method).uri(target);
    let says_where = |(name, _): &(&str, &str)| name.eq_ignore_ascii_case("host");
    if target.starts_with(['/', '*']) && !headers.iter().any(says_where) {
        request = request.header("host", "agent.example");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let head = read_head(&parts, Protocols::all())?;
    match head.wants_body(Some(body)) {
        Body::Buffer => head.into_call(Some(body), DEPTH),
        Body::None | Body::Stream => head.into_call(None, DEPTH),
    }
}

fn reason(result: Result<Call, Malformed>) -> Result<String, Reason> {
    match result {
        Ok(call) => Ok(call.action.to_string()),
        Err(malformed) => Err(malformed.refusal.reason),
    }
}
