//! An agent that writes down what it gets, byte by byte, and answers as it is told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::cases::escape;
use super::http1::{Message, Wire};
use super::upstream::Step;

/// What the agent does with one request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    /// Before it reads the body.
    pub(crate) is_early: bool,
    /// Nothing at all is the fine answer.
    pub(crate) steps: Vec<Step>,
}

/// A running agent; it ends with the value.
pub(crate) struct Recorder {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    seen: Vec<Seen>,
    answers: VecDeque<Answer>,
}

#[derive(Clone)]
struct Seen {
    connection: usize,
    message: Message,
}

/// What the agent says to whatever it has no other answer for.
pub(crate) const FINE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine";

/// The target that tells whether a connection is still of use.
pub(crate) const PROBE: &str = "/probe";

impl Recorder {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::default();
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self {
            address,
            state,
            accepting,
        }
    }

    /// Forgets what was, and takes the answers for what comes.
    pub(crate) fn expect(&self, answers: VecDeque<Answer>) {
        *self.state.lock().unwrap() = State {
            seen: Vec::new(),
            answers,
        };
    }

    /// What has arrived so far, as the case files write it.
    pub(crate) fn lines(&self) -> Vec<String> {
        let seen = self.state.lock().unwrap().seen.clone();
        let mut lines = Vec::new();
        let mut connection = None;
        for request in seen {
            if connection.is_some_and(|connection| connection != request.connection) {
                lines.push("on another connection".to_owned());
            }
            connection = Some(request.connection);
            lines.extend(render(&request.message));
        }
        lines
    }

    /// How many probes have come; they are no part of the exchange.
    pub(crate) fn take_probes(&self) -> usize {
        let mut state = self.state.lock().unwrap();
        let before = state.seen.len();
        state.seen.retain(|seen| !is_probe(&seen.message));
        before - state.seen.len()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn is_probe(message: &Message) -> bool {
    message.target() == PROBE
}

/// Head, blank line, body. Fields stand in alphabetical order, and those that lictor adds to each request do
/// not stand there as long as they say what lictor says.
fn render(message: &Message) -> Vec<String> {
    let head = message.raw.strip_suffix(b"\r\n\r\n").unwrap_or_default();
    let mut lines = split_lines(head);
    let first = lines.next().unwrap_or_default();
    let mut fields: Vec<_> = lines.collect();
    for own in OWN {
        let at = fields.iter().position(|field| is_own(field, own));
        at.map(|at| fields.remove(at));
    }
    fields.sort();
    let mut lines = vec![first];
    lines.append(&mut fields);
    lines.push(String::new());
    if !message.body.is_empty() {
        lines.push(escape(&message.body));
    }
    if !message.complete {
        lines.push("cut".to_owned());
    }
    lines
}

/// What lictor adds for somebody unknown on this machine. `*` is whatever there is.
const OWN: &[&str] = &[
    "accept-encoding: identity",
    "traceparent: *",
    "x-customer-id: anonymous",
    "x-forwarded-for: 127.0.0.1",
    "x-forwarded-proto: http*",
    "x-request-id: *",
    "x-user-id: anonymous",
];

fn is_own(field: &str, own: &str) -> bool {
    match own.strip_suffix('*') {
        Some(start) => field.starts_with(start),
        None => field == own,
    }
}

fn split_lines(head: &[u8]) -> impl Iterator<Item = String> {
    let mut rest = Some(head);
    std::iter::from_fn(move || {
        let bytes = rest?;
        let end = bytes.windows(2).position(|pair| pair == b"\r\n");
        rest = end.map(|end| &bytes[end + 2..]);
        Some(escape(&bytes[..end.unwrap_or(bytes.len())]))
    })
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connection = 0;
    while let Ok((stream, _)) = listener.accept().await {
        connection += 1;
        tokio::spawn(serve(stream, connection, Arc::clone(&state)));
    }
}

async fn serve(stream: TcpStream, connection: usize, state: Arc<Mutex<State>>) {
    let mut wire = Wire::new(stream);
    loop {
        let mut message = match wire.head().await {
            Ok(Some(message)) => message,
            Ok(None) => return,
            // Half a head: nothing that an agent would act on, and everything that a test must see.
            Err(_) => Message::default(),
        };
        let answer = {
            let mut state = state.lock().unwrap();
            let answer = match is_probe(&message) {
                true => Answer::default(),
                false => state.answers.pop_front().unwrap_or_default(),
            };
            if answer.is_early {
                let message = Message {
                    complete: true,
                    ..message.clone()
                };
                state.seen.push(Seen {
                    connection,
                    message,
                });
            }
            answer
        };
        if answer.is_early {
            if !act(&mut wire, &answer.steps).await {
                return;
            }
            // What becomes of the body is lictor's business; this connection must not be used again.
            while let Ok(Some(_)) = wire.raw().await {}
            return;
        }
        let whole = wire.request_body(&mut message).await;
        message.complete &= whole.is_ok();
        let is_complete = message.complete;
        state.lock().unwrap().seen.push(Seen {
            connection,
            message,
        });
        if !is_complete || !act(&mut wire, &answer.steps).await {
            return;
        }
    }
}

/// Whether the connection goes on.
async fn act(wire: &mut Wire<TcpStream>, steps: &[Step]) -> bool {
    if steps.is_empty() {
        return wire.send(FINE.as_bytes()).await.is_ok();
    }
    for step in steps {
        match step {
            Step::Close => {
                // In good order: whatever was sent arrives.
                return wire.finish().await.is_ok() && {
                    while let Ok(Some(_)) = wire.raw().await {}
                    false
                };
            }
            Step::Pause(time) => tokio::time::sleep(*time).await,
            Step::Repeat(bytes, count) => {
                for _ in 0..*count {
                    if wire.send(bytes).await.is_err() {
                        return false;
                    }
                }
            }
            Step::Reset => {
                wire.reset();
                return false;
            }
            Step::Wait(signal) => signal.notified().await,
            Step::Write(bytes) => {
                if wire.send(bytes).await.is_err() {
                    return false;
                }
            }
        }
    }
    true
}

impl Wire<TcpStream> {
    /// The peer gets a reset when the connection is dropped.
    fn reset(&self) {
        let socket = socket2::SockRef::from(self.stream());
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
}
