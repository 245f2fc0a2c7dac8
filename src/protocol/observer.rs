//! Learns from an agent's answer which task, context or session a call has made, and whether its task is over.

use crate::model::{Binding, Call, ContextId, Dialect, Operation, SessionId, TaskId};

use super::a2a::messages::{Messages, Unreadable};
use super::extract::{Extractor, Id, Shape};
use super::mcp;
use super::sse::{Events, Piece};

/// What carries the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// `text/event-stream`: each event's data is a JSON document.
    EventStream,
    /// `application/grpc`: messages of protobuf, each behind its length.
    Grpc,
    /// The body is one JSON document.
    Json,
}

impl Carrier {
    /// The carrier of an answer with this content type, if ids can be read out of it.
    pub fn from_content_type(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if essence.eq_ignore_ascii_case("text/event-stream") {
            return Some(Self::EventStream);
        }
        if ["application/grpc", "application/grpc+proto"]
            .iter()
            .any(|name| essence.eq_ignore_ascii_case(name))
        {
            return Some(Self::Grpc);
        }
        let (_, suffix) = essence.rsplit_once(['/', '+'])?;
        suffix.eq_ignore_ascii_case("json").then_some(Self::Json)
    }
}

/// Ids that an answer has named for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learned {
    /// The task that the call has begun or continued.
    pub task: Option<TaskId>,
    /// The context that it belongs to.
    pub context: Option<ContextId>,
    /// The session that it has begun.
    pub session: Option<SessionId>,
}

/// Reads along with one answer.
///
/// Feed it every piece before the piece leaves: then whoever has read an id owns it already. It keeps
/// no part of the answer, and stops looking once it knows both ids.
#[derive(Debug)]
pub struct Observer {
    reader: Reader,
    task: Option<TaskId>,
    context: Option<ContextId>,
    // Whether the answer itself named it; the call may have named it before.
    learned_task: bool,
    learned_context: bool,
    is_unreadable: bool,
    // Whether it goes on reading until the task is over, and whether it is.
    follows: bool,
    has_ended: bool,
}

/// What is looked for, and in what.
#[derive(Debug)]
enum Reader {
    Document(Extractor),
    /// Nothing more.
    Done,
    /// The first event of a stream, as far as it may be the address of a session (MCP 2024-11-05, HTTP with SSE).
    Endpoint(Events, Vec<u8>),
    Events(Events, Extractor),
    Messages(Messages),
}

/// The longest address, in bytes. Arbitrary.
const MAX_ENDPOINT_BYTES: usize = 2048;

impl Observer {
    /// An observer of the answer to `call`, if that may name a task or context of the caller's.
    pub fn new(call: &Call, carrier: Carrier) -> Option<Self> {
        reader(call, carrier).map(|reader| Self::with(reader, call, false))
    }

    /// One that also tells when the task is over, be it one that was there before.
    pub fn following(call: &Call, carrier: Carrier) -> Option<Self> {
        let reader = reader(call, carrier).or_else(|| follower(call, carrier));
        reader.map(|reader| Self::with(reader, call, true))
    }

    fn with(reader: Reader, call: &Call, follows: bool) -> Self {
        Self {
            reader,
            task: call.task.clone(),
            context: call.context.clone(),
            learned_task: false,
            learned_context: false,
            is_unreadable: false,
            follows,
            has_ended: false,
        }
    }

    /// Whether it tells when the task is over.
    pub const fn is_following(&self) -> bool {
        self.follows
    }

    /// Whether the answer has said that the task is over.
    pub const fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Whether the answer is such that nothing more can be learned from it: a message is compressed or broken. It must
    /// not pass, since its reader could know of what nobody owns.
    pub const fn is_unreadable(&self) -> bool {
        self.is_unreadable
    }

    /// Whether an answer to the call may tell something.
    pub fn is_for(call: &Call) -> bool {
        let mut carriers = [Carrier::EventStream, Carrier::Grpc].into_iter();
        carriers.any(|carrier| reader(call, carrier).is_some())
    }

    /// The task as far as it is known, from the answer or else from the call.
    pub const fn task(&self) -> Option<&TaskId> {
        self.task.as_ref()
    }

    /// The context as far as it is known, from the answer or else from the call.
    pub const fn context(&self) -> Option<&ContextId> {
        self.context.as_ref()
    }

    /// Reads the next piece of the answer, cut anywhere.
    pub fn observe(&mut self, bytes: &[u8]) -> Option<Learned> {
        let has_learned = self.learned_task && self.learned_context;
        if self.is_unreadable || has_learned && (!self.follows || self.has_ended) {
            return None;
        }
        let mut news = News::default();
        let mut is_unreadable = false;
        match &mut self.reader {
            Reader::Document(extractor) => extractor.feed(bytes, &mut |id| news.add(id)),
            Reader::Done => {}
            Reader::Endpoint(events, data) => {
                if endpoint(events, data, bytes) {
                    news.session = std::str::from_utf8(data).ok().and_then(mcp::session_at);
                    self.reader = Reader::Done;
                }
            }
            Reader::Messages(messages) => {
                let read = messages.feed(bytes, &mut |id| news.add(id));
                is_unreadable = read == Err(Unreadable);
            }
            Reader::Events(events, extractor) => events.feed(bytes, &mut |piece| match piece {
                Piece::Data(data) => extractor.feed(data, &mut |id| news.add(id)),
                Piece::End => extractor.reset(),
            }),
        }
        self.has_ended |= news.has_ended;
        let learned = self.learn(news);
        // Behind what it has learned nothing is read.
        self.is_unreadable = is_unreadable && !(self.learned_task && self.learned_context);
        learned
    }

    /// The answer goes on in another document, as in the messages of a tunnel.
    pub fn next_document(&mut self) {
        match &mut self.reader {
            Reader::Document(extractor) => extractor.reset(),
            Reader::Done | Reader::Endpoint(..) | Reader::Events(..) | Reader::Messages(_) => {}
        }
    }

    fn learn(&mut self, news: News) -> Option<Learned> {
        // The first id of each kind is the answer's; a stream is about one task.
        let task = news.task.filter(|_| !self.learned_task);
        let context = news.context.filter(|_| !self.learned_context);
        let session = news.session;
        if task.is_none() && context.is_none() && session.is_none() {
            return None;
        }
        if let Some(task) = &task {
            self.learned_task = true;
            self.task = Some(task.clone());
        }
        if let Some(context) = &context {
            self.learned_context = true;
            self.context = Some(context.clone());
        }
        Some(Learned {
            task,
            context,
            session,
        })
    }
}

/// What an answer to the call is read by, if it may tell something.
fn reader(call: &Call, carrier: Carrier) -> Option<Reader> {
    let shape = match (call.dialect, call.operation) {
        (
            Dialect::A2a(_, binding),
            Operation::SendMessage | Operation::StreamMessage | Operation::SubscribeTask,
        ) => match binding {
            Binding::Grpc => None,
            Binding::JsonRpc => Some(Shape::Enveloped),
            Binding::Rest => Some(Shape::Bare),
        },
        // Any request may be answered with a task (MCP 2025-11-25, basic/utilities/tasks), in practice tools.
        (Dialect::Mcp(_), Operation::Other) if call.action.method == "tools/call" => {
            Some(Shape::Mcp)
        }
        (Dialect::Http, Operation::Other) if call.action.method == "GET" => {
            let events = carrier == Carrier::EventStream;
            return events.then(|| Reader::Endpoint(Events::default(), Vec::new()));
        }
        _ => return None,
    };
    let reader = match (shape, carrier) {
        (None, Carrier::Grpc) => Reader::Messages(Messages::default()),
        (Some(shape), Carrier::Json) => Reader::Document(Extractor::new(shape)),
        (Some(shape), Carrier::EventStream) => {
            Reader::Events(Events::default(), Extractor::new(shape))
        }
        (None, Carrier::EventStream | Carrier::Json) | (Some(_), Carrier::Grpc) => return None,
    };
    Some(reader)
}

/// What an answer is read by that is about a task which was there before.
fn follower(call: &Call, carrier: Carrier) -> Option<Reader> {
    let is_of_one = matches!(call.operation, Operation::CancelTask | Operation::GetTask);
    let shape = match call.dialect {
        Dialect::A2a(_, Binding::Grpc) if is_of_one && carrier == Carrier::Grpc => {
            return Some(Reader::Messages(Messages::of_tasks()));
        }
        Dialect::A2a(_, Binding::JsonRpc) if is_of_one => Shape::Enveloped,
        Dialect::A2a(_, Binding::Rest) if is_of_one => Shape::Bare,
        Dialect::Mcp(_) if matches!(&*call.action.method, "tasks/cancel" | "tasks/get") => {
            Shape::Mcp
        }
        _ => return None,
    };
    match carrier {
        Carrier::EventStream => Some(Reader::Events(Events::default(), Extractor::new(shape))),
        Carrier::Grpc => None,
        Carrier::Json => Some(Reader::Document(Extractor::new(shape))),
    }
}

/// Collects the data of the first event; whether it has ended, or is too long to be an address.
fn endpoint(events: &mut Events, data: &mut Vec<u8>, bytes: &[u8]) -> bool {
    let mut ended = false;
    events.feed(bytes, &mut |piece| match piece {
        _ if ended => {}
        // What stood before was a comment.
        Piece::End => ended = !data.is_empty(),
        Piece::Data(b"\n") => {}
        Piece::Data(more) => {
            if data.len() + more.len() > MAX_ENDPOINT_BYTES {
                data.clear();
                ended = true;
            } else {
                data.extend_from_slice(more);
            }
        }
    });
    ended
}

#[derive(Debug, Default)]
struct News {
    task: Option<TaskId>,
    context: Option<ContextId>,
    session: Option<SessionId>,
    has_ended: bool,
}

impl News {
    fn add(&mut self, id: Id) {
        match id {
            Id::Context(text) if self.context.is_none() => {
                self.context = ContextId::new(&text).ok();
            }
            Id::Task(text) if self.task.is_none() => self.task = TaskId::new(&text).ok(),
            Id::Ended => self.has_ended = true,
            Id::Context(_) | Id::Task(_) => {}
        }
    }
}
