//! What the fuzzer calls: a request as the agent would get it.

use std::pin::Pin;
use std::task::Poll;

use http::Request;
use http::header::HeaderValue;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;

use super::request_body::RequestBody;
use super::{client, headers};

/// The bytes of the request on the connection to the agent; `None` when it is not sent.
#[doc(hidden)]
pub fn fuzz_written(mut request: Request<RequestBody>) -> Option<Vec<u8>> {
    headers::prepare(&mut request, &HeaderValue::from_static("agent"));
    headers::for_http1(&mut request);
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_time().build().ok()?;
    runtime.block_on(write(request))
}

async fn write(request: Request<RequestBody>) -> Option<Vec<u8>> {
    let (near, mut far) = tokio::io::duplex(ROOM);
    let (mut sender, mut connection) = client().handshake(TokioIo::new(near)).await.ok()?;
    let answer = sender.try_send_request(request);
    // All of it is there and nothing stands in its way: a few steps write it out.
    for _ in 0..STEPS {
        std::future::poll_fn(|cx| {
            let _ended = Pin::new(&mut connection).poll(cx);
            Poll::Ready(())
        })
        .await;
    }
    drop((answer, sender, connection));
    let mut bytes = Vec::new();
    far.read_to_end(&mut bytes).await.ok()?;
    Some(bytes)
}

/// More than the fuzzer sends.
const ROOM: usize = 4 << 20;

const STEPS: usize = 8;
