//! A real lictor between a raw client and a scripted upstream, for tests of the whole program.
//!
//! HTTP/1.1 is spoken in plain bytes, so that a test can write what no library would and see exactly what
//! came out on either side; HTTP/2 by a library. Nothing here judges: that is the tests' part.
#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses a part; which part differs"
)]

pub(crate) mod agent_h2;
pub(crate) mod cases;
pub(crate) mod client;
pub(crate) mod coded;
pub(crate) mod frames;
pub(crate) mod grpc;
pub(crate) mod http1;
pub(crate) mod http2;
pub(crate) mod lictor;
pub(crate) mod recipes;
pub(crate) mod recorder;
pub(crate) mod redis;
pub(crate) mod runner;
pub(crate) mod secrets;
pub(crate) mod tls;
pub(crate) mod upstream;
pub(crate) mod websocket;
pub(crate) mod workload_api;

/// With what recipes make tokens.
pub(crate) mod minting {
    pub(crate) use lictor::identity::Algorithm;
    pub(crate) use lictor::identity::mint::TokenMinter;
}

use std::time::Duration;

/// What none of our steps on loopback takes; a test that waits longer has found a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for `what`, and says so when it does not come.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {PATIENCE:?} for {what}"),
    }
}

/// Asks again and again until there is an answer.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    within(what, async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    })
    .await
}
