//! What the fuzzer calls: a request as the agent would get it.

use std::future::poll_fn;

use http::Request;
use http::header::HeaderValue;

use super::headers;
use super::outgoing::Outgoing;
use super::request_body::RequestBody;
use crate::http1::Outbox;

/// The bytes of the request on the connection to the agent; `None` when it is not sent.
#[doc(hidden)]
pub fn fuzz_written(mut request: Request<RequestBody>) -> Option<Vec<u8>> {
    headers::prepare(&mut request, &HeaderValue::from_static("agent"));
    headers::for_http1(&mut request);
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_time().build().ok()?;
    runtime.block_on(write(request))
}

async fn write(mut request: Request<RequestBody>) -> Option<Vec<u8>> {
    let mut written = Vec::new();
    let mut outbox = Outbox::default();
    let mut outgoing = Outgoing::begin(&mut request, &mut outbox);
    // All of it is there and nothing stands in its way: a few steps write it out.
    for _ in 0..STEPS {
        poll_fn(|cx| {
            let _filled = outgoing.poll_fill(cx, &mut outbox);
            outbox.poll_flush(&mut written, cx)
        })
        .await
        .ok()?;
    }
    Some(written)
}

const STEPS: usize = 64;
