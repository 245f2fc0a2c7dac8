//! From one HTTP request to one [`Call`].

use std::borrow::Cow;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderName, Method, Uri};

use crate::model::{
    Action, Binding, Call, Dialect, Operation, Protocol, Protocols, Reason, Refusal, RpcId,
};

use super::a2a::grpc::{self, GrpcError};
use super::a2a::rest::Route;
use super::a2a::{self, Objects, ParamsError};
use super::envelope::{self, Envelope, Shape, Value};
use super::json::Flaw;
use super::media::{self, Media};
use super::message;
use super::normal::normalise_path;
use super::overrides;
use super::path;
use super::sniff::{self, Opening};
use super::version::Asserted;

/// The longest id of a JSON-RPC request that we repeat, in bytes of its JSON text.
const MAX_RPC_ID_BYTES: usize = 512;

/// JSON-RPC 2.0, section 5.1.
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const INVALID_PARAMS: i32 = -32602;

/// A request that is not one message, or not one that may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// Why.
    pub refusal: Refusal,
    /// The dialect in which to say so.
    pub dialect: Dialect,
    /// The request's id; `null` where it could not be read, `None` where the dialect has none.
    pub rpc_id: Option<RpcId>,
    /// The code that JSON-RPC itself has for it (JSON-RPC 2.0, section 5.1).
    pub code: Option<i32>,
}

/// What is to be done with the request's body before the call is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// It decides what the call is: collect all of it, up to the limit, for [`Head::into_call`].
    Buffer,
    /// There is none.
    None,
    /// It cannot change what the call is: it may pass unread.
    Stream,
}

/// A request's head that was found to be well-formed.
#[derive(Debug, Clone)]
pub struct Head {
    method: Method,
    path: Box<str>,
    media: Media,
    asserted: Asserted,
    /// What method and path say to an agent that speaks A2A over REST.
    route: Option<Route>,
    /// What the path says to an agent that speaks A2A over gRPC.
    grpc: Option<grpc::Route>,
}

/// Reads a request's head. `spoken` are the protocols that the policy speaks of: what only the shape of a path tells is
/// read for these, so that a policy of plain HTTP finds the paths that it names.
///
/// # Errors
/// When the agent could read another request out of it than we: an ambiguous path, a field that
/// overrides method or path, a content coding, a method that changes what the connection is.
pub fn read_head(parts: &Parts, spoken: Protocols) -> Result<Head, Malformed> {
    let media = media::of(parts.headers.get_all(CONTENT_TYPE).iter());
    let path = match check(parts, media) {
        Ok(path) => path,
        Err(refusal) => {
            let dialect = presumed(&parts.method, media);
            return Err(unread(refusal, dialect, INVALID_REQUEST));
        }
    };
    let asserted = Asserted::from_parts(parts);
    let grpc = grpc::Route::of(&parts.method, &path);
    if let Some(route) = &grpc {
        check_coding(parts, media)
            .map_err(|refusal| unread(refusal, carried(route, media), INVALID_REQUEST))?;
    }
    let route = if spoken.contains(Protocol::A2a) {
        Route::of(&parts.method, &path, parts.uri.query(), asserted)
    } else {
        None
    };
    Ok(Head {
        method: parts.method.clone(),
        path,
        media,
        asserted,
        route,
        grpc,
    })
}

/// Checks that a request on a path of A2A over gRPC is one that can be read. The type of the content does not bind the
/// agent: some servers of gRPC ignore it, and others serve gRPC-Web and more at the same paths.
fn check_coding(parts: &Parts, media: Media) -> Result<(), Refusal> {
    if !media.protobuf {
        let refusal = Refusal::new(Reason::UnsupportedCoding);
        return Err(refusal.detail("A2A over gRPC in another content type than `application/grpc`"));
    }
    let plain = |coding: &[u8]| coding.trim_ascii().eq_ignore_ascii_case(b"identity");
    let mut codings = parts.headers.get_all(&GRPC_ENCODING).iter();
    if !codings.all(|coding| plain(coding.as_bytes())) {
        let refusal = Refusal::new(Reason::UnsupportedCoding);
        return Err(refusal.detail("the request's messages are compressed"));
    }
    Ok(())
}

/// How messages are compressed (gRPC over HTTP/2, "Requests").
static GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// The dialect of a request on a path of A2A over gRPC.
fn carried(route: &grpc::Route, media: Media) -> Dialect {
    match media.grpc {
        true => Dialect::A2a(route.method.version, Binding::Grpc),
        false => presumed(&Method::POST, media),
    }
}

/// Checks what must hold whatever the body is, and decodes the path.
fn check(parts: &Parts, media: Media) -> Result<Box<str>, Refusal> {
    // CONNECT makes a tunnel, which nobody could scan. TRACE sends back what lictor tells the agent.
    if parts.method == Method::CONNECT || parts.method == Method::TRACE {
        let refusal = Refusal::new(Reason::OperationUnsupported);
        return Err(refusal.detail(format_args!("method `{}`", parts.method)));
    }
    message::check(parts)?;
    let path = path::decode(parts.uri.path())
        .map_err(|error| Refusal::new(Reason::MalformedRequest).detail(error))?;
    // RFC 9110, section 7.1: the server as a whole, and only OPTIONS has something to ask of it.
    if &*path == "*" && parts.method != Method::OPTIONS {
        let refusal = Refusal::new(Reason::MalformedRequest);
        return Err(refusal.detail("an asterisk is no target for this method"));
    }
    if let Some(field) = overrides::contradiction(parts) {
        let refusal = Refusal::new(Reason::VersionMismatch);
        return Err(refusal.detail(format_args!("`{field}` contradicts the request line")));
    }
    // What we cannot read we cannot judge, and what we decode is not what the agent reads.
    let plain = |coding: &[u8]| coding.trim_ascii().eq_ignore_ascii_case(b"identity");
    let mut codings = parts.headers.get_all(CONTENT_ENCODING).iter();
    if !codings.all(|coding| plain(coding.as_bytes())) {
        let refusal = Refusal::new(Reason::UnsupportedCoding);
        return Err(refusal.detail("the request's body has a content coding"));
    }
    if media.foreign_charset {
        let refusal = Refusal::new(Reason::UnsupportedCoding);
        return Err(refusal.detail("the request's JSON is not in UTF-8"));
    }
    Ok(path)
}

/// Whether a request says that it is one of gRPC, and so has to be answered as one.
pub fn is_grpc(parts: &Parts) -> bool {
    let media = media::of(parts.headers.get_all(CONTENT_TYPE).iter());
    presumed(&parts.method, media) == Dialect::Grpc
}

/// What a request is as plain HTTP, whatever its body says, where only its method and its target are left of it;
/// `None` for a path that is refused. `normalises` says whether the policy puts paths into their normal form.
pub fn http_action(method: &Method, mut target: Uri, normalises: bool) -> Option<Action> {
    if normalises {
        normalise_path(&mut target);
    }
    Some(Action {
        protocol: Protocol::Http,
        method: method_name(method),
        name: Some(path::decode(target.path()).ok()?),
    })
}

impl Head {
    /// The decoded path: what policies see, and never what is forwarded.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What the call is as plain HTTP, whatever its body says.
    pub fn http_action(&self) -> Action {
        Action {
            protocol: Protocol::Http,
            method: method_name(&self.method),
            name: Some(self.path.clone()),
        }
    }

    /// The dialect in which to refuse while the body is unread, with the id `null`.
    pub fn presumed_dialect(&self) -> Dialect {
        match (&self.grpc, &self.route) {
            (Some(route), _) => Dialect::A2a(route.method.version, Binding::Grpc),
            (None, Some(route)) => Dialect::A2a(route.method.version, Binding::Rest),
            (None, None) => presumed(&self.method, self.media),
        }
    }

    /// What to do with the body. `first_bytes` is its first piece that is not empty, and `None` if it
    /// ended without one.
    pub fn wants_body(&self, first_bytes: Option<&[u8]>) -> Body {
        let Some(bytes) = first_bytes.filter(|bytes| !bytes.is_empty()) else {
            return Body::None;
        };
        // JSON-RPC is POST (A2A 1.0, section 9.1). A request that changes something by its method and
        // path must not become an A2A call by what is written in its body.
        if self.method != Method::POST {
            return Body::Stream;
        }
        if self.grpc.is_some() || self.route.is_some() {
            return Body::Buffer;
        }
        match sniff::opening(bytes) {
            Opening::Json | Opening::Open | Opening::Wide => Body::Buffer,
            Opening::Other if self.media.json => Body::Buffer,
            Opening::Other => Body::Stream,
        }
    }

    /// The call. `body` is the whole of it where [`Head::wants_body`] asked for it, and `None`
    /// otherwise; `json_depth` is how deeply JSON may be nested.
    ///
    /// # Errors
    /// When the agent could read another call out of the body than we.
    pub fn into_call(self, body: Option<&[u8]>, json_depth: usize) -> Result<Call, Malformed> {
        let body = body.filter(|_| self.method == Method::POST);
        if let Some(route) = self.grpc {
            return self.read_message(route, body.unwrap_or_default());
        }
        match (&self.route, body) {
            (Some(_), body) => self.read_params(body.unwrap_or_default(), json_depth),
            (None, Some(body)) => self.read_body(body, json_depth),
            (None, None) => Ok(self.http_call()),
        }
    }

    /// The call of a request over gRPC.
    fn read_message(self, route: grpc::Route, body: &[u8]) -> Result<Call, Malformed> {
        let refuse = |reason, detail: &dyn std::fmt::Display| Malformed {
            refusal: Refusal::new(reason).detail(detail),
            dialect: Dialect::A2a(route.method.version, Binding::Grpc),
            rpc_id: None,
            code: None,
        };
        if !self.asserted.agrees_with(route.method.version) {
            return Err(refuse(Reason::VersionMismatch, &VERSION_AND_METHOD));
        }
        match route.objects(body) {
            Ok(objects) => Ok(self.a2a_call(route.method, Binding::Grpc, None, objects)),
            Err(error @ GrpcError::Compressed) => Err(refuse(Reason::UnsupportedCoding, &error)),
            Err(error) => Err(refuse(Reason::MalformedRequest, &error)),
        }
    }

    /// The call of a request whose operation stands in method and path.
    fn read_params(mut self, body: &[u8], json_depth: usize) -> Result<Call, Malformed> {
        let Some(route) = self.route.take() else {
            return Ok(self.http_call());
        };
        let dialect = Dialect::A2a(route.method.version, Binding::Rest);
        let refuse = |reason, detail: &dyn std::fmt::Display| Malformed {
            refusal: Refusal::new(reason).detail(detail),
            dialect,
            rpc_id: None,
            code: None,
        };
        if !self.asserted.agrees_with(route.method.version) {
            return Err(refuse(Reason::VersionMismatch, &VERSION_AND_METHOD));
        }
        let envelope = if body.trim_ascii().is_empty() {
            Envelope::default()
        } else {
            let flaw = match sniff::opening(body) {
                Opening::Wide => Some(Flaw::NotUtf8),
                Opening::Json | Opening::Open | Opening::Other => None,
            };
            let (envelope, read) = envelope::read_params(body, json_depth);
            if let Some(flaw) = flaw.or(read) {
                return Err(refuse(Reason::MalformedRequest, &flaw));
            }
            if envelope.shape != Shape::Object {
                return Err(refuse(Reason::MalformedRequest, &ParamsError::NotAnObject));
            }
            if envelope.resembles_rpc() {
                let detail = &"a request of JSON-RPC where the path is an operation already";
                return Err(refuse(Reason::VersionMismatch, detail));
            }
            envelope
        };
        let objects = route
            .objects(&envelope)
            .map_err(|error| refuse(Reason::MalformedRequest, &error))?;
        Ok(self.a2a_call(route.method, Binding::Rest, None, objects))
    }

    fn read_body(self, body: &[u8], json_depth: usize) -> Result<Call, Malformed> {
        match sniff::opening(body) {
            Opening::Wide => return Err(self.broken(Flaw::NotUtf8)),
            Opening::Other if !self.media.json => return Ok(self.http_call()),
            // Nothing but white space.
            Opening::Open if body.trim_ascii().is_empty() => return Ok(self.http_call()),
            Opening::Json | Opening::Open | Opening::Other => {}
        }
        let (envelope, flaw) = envelope::read(body, json_depth);
        if let Some(flaw) = flaw {
            // The type of the content does not bind the agent: common frameworks parse the body of any.
            // So a text of another type passes only if no reader in use takes it for a request.
            let harmless = !flaw.is_tolerated_by_some() && !envelope.resembles_rpc();
            if self.media.json || !harmless {
                return Err(self.broken(flaw));
            }
            return Ok(self.http_call());
        }
        match envelope.shape {
            Shape::Array if envelope.batch => {
                let refusal = Refusal::new(Reason::BatchUnsupported);
                Err(unread(refusal, Dialect::JsonRpc, INVALID_REQUEST))
            }
            Shape::Array | Shape::Scalar => Ok(self.http_call()),
            Shape::Object => self.read_object(&envelope),
        }
    }

    fn read_object(self, envelope: &Envelope<'_>) -> Result<Call, Malformed> {
        let method = match envelope.method {
            Value::String(text) => text.decode().ok(),
            _ => None,
        };
        let known = method.as_deref().and_then(a2a::Method::from_name);
        if matches!(envelope.jsonrpc, Value::Absent) {
            return match known {
                None => Ok(self.http_call()),
                // Some agents do not insist on `jsonrpc`, and would do what it says.
                Some(_) => Err(invalid("an A2A method without `jsonrpc`", envelope)),
            };
        }
        if envelope.ambiguous_request {
            return Err(invalid(
                "a key of the request can be read in two ways",
                envelope,
            ));
        }
        if !matches!(envelope.jsonrpc, Value::String(text) if text.quoted() == "\"2.0\"") {
            return Err(invalid("`jsonrpc` is not `2.0`", envelope));
        }
        let rpc_id = rpc_id(envelope)
            .ok_or_else(|| invalid("the id is not a short string or number", envelope))?;
        match (known, envelope.method) {
            (Some(known), _) => self.rpc_a2a_call(known, rpc_id, envelope),
            // No method: an answer to something that the agent asked.
            (None, Value::Absent) => Ok(self.rpc_call(rpc_id)),
            (None, Value::String(_)) if method.is_some() => Ok(self.rpc_call(rpc_id)),
            (None, _) => Err(invalid("the method is not a text", envelope)),
        }
    }

    fn rpc_a2a_call(
        self,
        method: a2a::Method,
        rpc_id: Option<RpcId>,
        envelope: &Envelope<'_>,
    ) -> Result<Call, Malformed> {
        let dialect = Dialect::A2a(method.version, Binding::JsonRpc);
        if !self.asserted.agrees_with(method.version) {
            return Err(Malformed {
                refusal: Refusal::new(Reason::VersionMismatch).detail(VERSION_AND_METHOD),
                dialect,
                rpc_id,
                code: Some(INVALID_REQUEST),
            });
        }
        match method.objects(envelope) {
            Ok(objects) => Ok(self.a2a_call(method, Binding::JsonRpc, rpc_id, objects)),
            Err(error) => Err(Malformed {
                refusal: Refusal::new(Reason::MalformedRequest).detail(error),
                dialect,
                rpc_id,
                code: Some(INVALID_PARAMS),
            }),
        }
    }

    fn a2a_call(
        self,
        method: a2a::Method,
        binding: Binding,
        rpc_id: Option<RpcId>,
        objects: Objects,
    ) -> Call {
        Call {
            http: Some(self.http_action()),
            action: Action {
                name: objects.skill,
                ..Action::known(Protocol::A2a, method.canonical)
            },
            operation: method.operation(),
            dialect: Dialect::A2a(method.version, binding),
            rpc_id,
            task: objects.task,
            references: objects.references,
            context: objects.context,
        }
    }

    /// A JSON-RPC call that we do not know. It is judged as the POST that it is, so that default deny
    /// or a grant of that path decides.
    fn rpc_call(self, rpc_id: Option<RpcId>) -> Call {
        Call {
            dialect: Dialect::JsonRpc,
            rpc_id,
            ..self.http_call()
        }
    }

    fn http_call(self) -> Call {
        let http = self.http_action();
        let (action, http, operation) = if self.is_card() {
            (a2a::agent_card(), Some(http), Operation::AgentCard)
        } else {
            (http, None, Operation::Other)
        };
        Call {
            action,
            http,
            operation,
            dialect: match self.method == Method::POST && self.media.grpc {
                true => Dialect::Grpc,
                false => Dialect::Http,
            },
            rpc_id: None,
            task: None,
            references: Vec::new(),
            context: None,
        }
    }

    /// Whether an agent's card is fetched. Agents may live below a path of their own.
    fn is_card(&self) -> bool {
        let reads = self.method == Method::GET || self.method == Method::HEAD;
        reads && CARDS.iter().any(|card| self.path.ends_with(card))
    }

    /// The refusal of a body that two readers may read in two ways.
    fn broken(&self, flaw: Flaw) -> Malformed {
        let refusal = Refusal::new(Reason::MalformedRequest).detail(flaw);
        let code = match flaw {
            Flaw::ByteOrderMark
            | Flaw::ControlCharacter
            | Flaw::NotANumber
            | Flaw::NotUtf8
            | Flaw::Syntax
            | Flaw::TrailingBytes => PARSE_ERROR,
            Flaw::DuplicateKey | Flaw::LoneSurrogate | Flaw::TooDeep => INVALID_REQUEST,
        };
        unread(refusal, self.presumed_dialect(), code)
    }
}

const VERSION_AND_METHOD: &str = "`A2A-Version` names another version than the method";

/// Where cards are: since 0.3, and before.
const CARDS: &[&str] = &["/.well-known/agent-card.json", "/.well-known/agent.json"];

/// What a request is taken for before its body is read.
fn presumed(method: &Method, media: Media) -> Dialect {
    match *method == Method::POST {
        true if media.grpc => Dialect::Grpc,
        true if media.json => Dialect::JsonRpc,
        true | false => Dialect::Http,
    }
}

/// The refusal of a request whose id could not be read.
fn unread(refusal: Refusal, dialect: Dialect, code: i32) -> Malformed {
    let rpc = dialect.binding() == Some(Binding::JsonRpc);
    Malformed {
        refusal,
        dialect,
        rpc_id: rpc.then(RpcId::null),
        code: rpc.then_some(code),
    }
}

fn invalid(detail: &str, envelope: &Envelope<'_>) -> Malformed {
    let id = rpc_id(envelope).flatten();
    Malformed {
        refusal: Refusal::new(Reason::MalformedRequest).detail(detail),
        dialect: Dialect::JsonRpc,
        rpc_id: Some(id.unwrap_or_else(RpcId::null)),
        code: Some(INVALID_REQUEST),
    }
}

/// The request's id, `Some(None)` for a notification, and `None` for what is no id (JSON-RPC 2.0,
/// section 4). One that is in the request twice has been refused before.
fn rpc_id(envelope: &Envelope<'_>) -> Option<Option<RpcId>> {
    let raw = match envelope.id {
        Value::Absent => return Some(None),
        Value::Null => "null",
        Value::Number(number) => number,
        // An id with half a surrogate pair would not come back as it was sent.
        Value::String(text) => text.decode().is_ok().then(|| text.quoted())?,
        Value::Object | Value::Other => return None,
    };
    (raw.len() <= MAX_RPC_ID_BYTES).then(|| Some(RpcId::from_json(raw)))
}

fn method_name(method: &Method) -> Cow<'static, str> {
    let known = [
        Method::DELETE,
        Method::GET,
        Method::HEAD,
        Method::OPTIONS,
        Method::PATCH,
        Method::POST,
        Method::PUT,
    ];
    let names = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
    let mut pairs = known.iter().zip(names);
    match pairs.find(|(known, _)| *known == method) {
        Some((_, name)) => Cow::Borrowed(name),
        None => Cow::Owned(method.as_str().to_owned()),
    }
}
