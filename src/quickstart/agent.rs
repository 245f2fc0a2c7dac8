//! The sample agent: what a legacy agent is like.
//!
//! It speaks A2A over JSON-RPC, knows nothing of callers, answers anybody about any task, and leaks
//! on request. It listens on loopback only and lives as long as the tour.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use uuid::Uuid;

/// Words per event of a stream, and the pause between two events: about as fast as a model talks.
const PAUSE: Duration = Duration::from_millis(15);

/// The secrets that the agent knows and should not tell. They are made afresh for each tour.
#[derive(Debug, Clone)]
pub(super) struct Secrets {
    /// A key of the right shape and checksum that opens nothing.
    pub(super) key: String,
    /// A well-known test card.
    pub(super) card: String,
}

/// The running agent.
#[derive(Debug)]
pub(super) struct Agent {
    /// Where it listens.
    pub(super) address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Agent {
    /// Starts the agent on a free port of loopback.
    pub(super) async fn start(secrets: Secrets) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mind = Arc::new(Mind {
            address,
            secrets,
            tasks: Mutex::new(HashMap::new()),
        });
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mind = Arc::clone(&mind);
                let service = service_fn(move |request| answer(Arc::clone(&mind), request));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Ok(Self { address, task })
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Mind {
    address: SocketAddr,
    secrets: Secrets,
    tasks: Mutex<HashMap<String, Value>>,
}

impl Mind {
    /// What the agent says, in the pieces in which its model would say it.
    fn say(&self, question: &str) -> Vec<String> {
        let words = |text: &str| {
            text.split_inclusive(' ')
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        if question.contains("key") {
            // The key leaves in three pieces, as tokens of a model do.
            let third = self.secrets.key.len() / 3;
            let (first, rest) = self.secrets.key.split_at(third);
            let (second, last) = rest.split_at(third);
            let mut pieces = words("The deploy key is ");
            pieces.extend([first.to_owned(), second.to_owned(), format!("{last} ")]);
            pieces.extend(words("and it works."));
            return pieces;
        }
        if question.contains("card") {
            return words(&format!("Their card is {} until 12/27.", self.secrets.card));
        }
        words("ACME trades at 41.20, up 1.3 per cent since this morning.")
    }

    fn remember(&self, id: &str, task: Value) {
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.to_owned(), task);
    }

    fn recall(&self, id: &str) -> Option<Value> {
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(id)
            .cloned()
    }
}

type Body = BoxBody<Bytes, Infallible>;

async fn answer(mind: Arc<Mind>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    if request.method() == Method::GET && request.uri().path() == "/.well-known/agent-card.json" {
        return Ok(document(&card(mind.address)));
    }
    let body = request
        .into_body()
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let Ok(call) = serde_json::from_slice::<Value>(&body) else {
        return Ok(document(
            &json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "Parse error"}}),
        ));
    };
    let field = |pointer: &str| {
        call.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let id = call.get("id").cloned().unwrap_or_default();
    let question = field("/params/message/parts/0/text");
    Ok(match field("/method").as_str() {
        "SendMessage" => {
            let task = task(&mind, &mind.say(&question).concat());
            document(&json!({"jsonrpc": "2.0", "id": id, "result": {"task": task}}))
        }
        // The same, as protocol 0.3 words it.
        "message/send" => {
            let parts = json!([{"kind": "text", "text": mind.say(&question).concat()}]);
            let message = json!({"kind": "message", "messageId": Uuid::now_v7().to_string(), "role": "agent", "parts": parts});
            document(&json!({"jsonrpc": "2.0", "id": id, "result": message}))
        }
        "SendStreamingMessage" => stream(&mind, &id, &question),
        "GetTask" => document(&match mind.recall(&field("/params/id")) {
            Some(task) => json!({"jsonrpc": "2.0", "id": id, "result": task}),
            None => {
                json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32001, "message": "Task not found"}})
            }
        }),
        _ => document(
            &json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "Method not found"}}),
        ),
    })
}

fn card(address: SocketAddr) -> Value {
    json!({
        "name": "quotes-agent",
        "description": "Quotes, from before anybody thought of callers.",
        "version": "1.0.0",
        "supportedInterfaces": [{"url": format!("http://{address}/"), "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
        "capabilities": {"streaming": true},
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [{"id": "quote", "name": "Quote", "description": "Quotes a share.", "tags": []}],
    })
}

/// A finished task whose artifact says `text`; the agent keeps it for anybody who asks.
fn task(mind: &Mind, text: &str) -> Value {
    let id = Uuid::now_v7().to_string();
    let task = json!({
        "id": id,
        "contextId": Uuid::now_v7().to_string(),
        "status": {"state": "TASK_STATE_COMPLETED"},
        "artifacts": [{"artifactId": "answer", "parts": [{"text": text}]}],
    });
    mind.remember(&id, task.clone());
    task
}

fn stream(mind: &Mind, id: &Value, question: &str) -> Response<Body> {
    let pieces = mind.say(question);
    let task = task(mind, &pieces.concat());
    let (task_id, context) = (task.get("id").cloned(), task.get("contextId").cloned());
    let mut events = vec![
        json!({"task": {"id": task_id, "contextId": context, "status": {"state": "TASK_STATE_SUBMITTED"}}}),
    ];
    events.extend(pieces.iter().enumerate().map(|(index, piece)| {
        json!({"artifactUpdate": {
            "taskId": task_id, "contextId": context, "append": index > 0,
            "artifact": {"artifactId": "answer", "parts": [{"text": piece}]},
        }})
    }));
    events.push(json!({"statusUpdate": {
        "taskId": task_id, "contextId": context, "status": {"state": "TASK_STATE_COMPLETED"},
    }}));
    let (sender, receiver) = mpsc::channel(4);
    let id = id.clone();
    tokio::spawn(async move {
        for event in events {
            let data = json!({"jsonrpc": "2.0", "id": id, "result": event});
            if sender
                .send(Bytes::from(format!("data: {data}\n\n")))
                .await
                .is_err()
            {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    });
    let mut response = Response::new(Events(receiver).boxed());
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/event-stream"),
    );
    response
}

fn document(value: &Value) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())).boxed());
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}

/// A body of whatever arrives in the queue.
struct Events(mpsc::Receiver<Bytes>);

impl http_body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(context)
            .map(|event| event.map(|bytes| Ok(Frame::data(bytes))))
    }
}
