//! From one HTTP request to one [`Call`].

use std::borrow::Cow;

use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderName, Method, Uri};

use crate::model::{
    Action, Binding, Call, Dialect, Operation, Protocol, Protocols, Reason, Refusal, RpcId,
};

use super::a2a::grpc;
use super::a2a::{self, Objects, rest};
use super::envelope::{self, Shape};
use super::json::Flaw;
use super::llm;
use super::mcp;
use super::media::{self, Media};
use super::message;
use super::normal::normalise_path;
use super::overrides;
use super::path;
use super::sniff::{self, Opening};
use super::version::Asserted;

/// JSON-RPC 2.0, section 5.1.
const PARSE_ERROR: i32 = -32700;
pub(super) const INVALID_REQUEST: i32 = -32600;

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
    pub(super) method: Method,
    pub(super) path: Box<str>,
    pub(super) media: Media,
    pub(super) asserted: Asserted,
    pub(super) route: Option<Route>,
    /// What it says to a server of MCP, where the policy speaks of that.
    pub(super) mcp: Option<mcp::Fields>,
    /// It stands for the messages of a tunnel, whose types nobody says.
    pub(super) is_tunnelled: bool,
}

/// An operation that stands in method and path.
#[derive(Debug, Clone)]
pub(super) enum Route {
    A2a(rest::Route),
    Grpc(grpc::Route),
    Llm(llm::Route),
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
    let speaks = |protocol| spoken.contains(protocol);
    let a2a = || {
        if !speaks(Protocol::A2a) {
            return None;
        }
        rest::Route::of(&parts.method, &path, parts.uri.query(), asserted).map(Route::A2a)
    };
    let llm = || {
        if !speaks(Protocol::Llm) {
            return None;
        }
        llm::Route::of(&parts.method, &path).map(Route::Llm)
    };
    Ok(Head {
        route: grpc.map(Route::Grpc).or_else(a2a).or_else(llm),
        mcp: speaks(Protocol::Mcp).then(|| mcp::Fields::of(parts, &path)),
        method: parts.method.clone(),
        path,
        media,
        asserted,
        is_tunnelled: false,
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
        match &self.route {
            Some(Route::A2a(route)) => Dialect::A2a(route.method.version, Binding::Rest),
            Some(Route::Grpc(route)) => Dialect::A2a(route.method.version, Binding::Grpc),
            Some(Route::Llm(route)) => Dialect::Llm(route.api),
            None if self.is_tunnelled => Dialect::JsonRpc,
            None => presumed(&self.method, self.media),
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
        if self.route.is_some() {
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
    pub fn into_call(mut self, body: Option<&[u8]>, json_depth: usize) -> Result<Call, Malformed> {
        let body = body.filter(|_| self.method == Method::POST);
        match (self.route.take(), body) {
            (Some(route), body) => self.routed(&route, body.unwrap_or_default(), json_depth),
            (None, Some(body)) => self.read_body(body, json_depth),
            (None, None) => self.bodiless(),
        }
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
            Shape::Object => self.read_object(&envelope, body, json_depth),
        }
    }

    /// A call of A2A.
    pub(super) fn a2a_call(
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
            session: None,
            hook: objects.hook,
            addressed: objects.addressed,
        }
    }

    pub(super) fn http_call(self) -> Call {
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
            session: None,
            hook: None,
            addressed: None,
        }
    }

    /// Whether an agent's card is fetched. Agents may live below a path of their own.
    fn is_card(&self) -> bool {
        let reads = self.method == Method::GET || self.method == Method::HEAD;
        reads && CARDS.iter().any(|card| self.path.ends_with(card))
    }

    /// The refusal of a message that a reader of lines, or of another framing, could find a call in.
    pub(super) fn beside_others(&self, detail: &str) -> Malformed {
        let refusal = Refusal::new(Reason::MalformedRequest).detail(detail);
        unread(refusal, self.presumed_dialect(), PARSE_ERROR)
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
pub(super) fn unread(refusal: Refusal, dialect: Dialect, code: i32) -> Malformed {
    let rpc = dialect.binding() == Some(Binding::JsonRpc);
    Malformed {
        refusal,
        dialect,
        rpc_id: rpc.then(RpcId::null),
        code: rpc.then_some(code),
    }
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
