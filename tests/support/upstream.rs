//! The agent's side: a server that records what it is sent and answers what a script says.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

use super::http1::{Message, Wire};

/// One thing that the upstream does in answer to a request.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Closes the connection in good order.
    Close,
    /// Waits.
    Pause(Duration),
    /// Writes the same bytes so many times.
    Repeat(Arc<[u8]>, usize),
    /// Breaks the connection: the peer gets a reset.
    Reset,
    /// Waits until the test says so.
    Wait(Arc<Notify>),
    /// Writes bytes as they are.
    Write(Vec<u8>),
}

impl Step {
    /// Writes a text as it is.
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Write(text.into().into_bytes())
    }
}

/// A running upstream; it ends with the value.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<Message>>>,
    connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Upstream {
    /// Answers each request with what the script makes of it.
    pub(crate) async fn scripted(
        script: impl FnMut(&Message) -> Vec<Step> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::default();
        let script: Script = Arc::new(Mutex::new(script));
        let connections = Arc::default();
        let accepting = accept(
            listener,
            script,
            Arc::clone(&requests),
            Arc::clone(&connections),
        );
        let accepting = tokio::spawn(accepting);
        Self {
            address,
            requests,
            connections,
            accepting,
        }
    }

    /// Answers every request with the same JSON.
    pub(crate) async fn json(body: serde_json::Value) -> Self {
        Self::scripted(move |_| vec![Step::text(json(&body))]).await
    }

    /// How many connections were made to it.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// What has arrived so far.
    pub(crate) fn requests(&self) -> Vec<Message> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A whole response with this JSON in it.
pub(crate) fn json(body: &serde_json::Value) -> String {
    let body = body.to_string();
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The head of an event stream in chunked coding.
pub(crate) const EVENT_STREAM: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

type Script = Arc<Mutex<dyn FnMut(&Message) -> Vec<Step> + Send>>;

async fn accept(
    listener: TcpListener,
    script: Script,
    requests: Arc<Mutex<Vec<Message>>>,
    connections: Arc<AtomicUsize>,
) {
    let mut serving = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        // A task for each connection; they end with their peers, or with the upstream.
        connections.fetch_add(1, Ordering::SeqCst);
        serving.spawn(serve(stream, Arc::clone(&script), Arc::clone(&requests)));
    }
}

async fn serve(stream: TcpStream, script: Script, requests: Arc<Mutex<Vec<Message>>>) {
    let mut wire = Wire::new(stream);
    while let Ok(Some(request)) = wire.request().await {
        let steps = script.lock().unwrap()(&request);
        requests.lock().unwrap().push(request);
        for step in steps {
            let outcome = match step {
                Step::Close => return,
                Step::Pause(time) => {
                    tokio::time::sleep(time).await;
                    Ok(())
                }
                Step::Repeat(bytes, times) => {
                    let mut sent = Ok(());
                    for _ in 0..times {
                        sent = wire.send(&bytes).await;
                        if sent.is_err() {
                            break;
                        }
                    }
                    sent
                }
                Step::Reset => {
                    let stream = wire.into_stream();
                    let socket = socket2::SockRef::from(&stream);
                    socket.set_linger(Some(Duration::ZERO)).unwrap();
                    return;
                }
                Step::Wait(signal) => {
                    signal.notified().await;
                    Ok(())
                }
                Step::Write(bytes) => wire.send(&bytes).await,
            };
            if outcome.is_err() {
                return; // lictor hung up; the test sees why on its side
            }
        }
    }
}
