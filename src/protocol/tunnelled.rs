//! JSON-RPC in the messages of a tunnel (WebSocket): what the caller says is read as if it had been posted to where the
//! tunnel was opened, and what the agent says as far as it answers that.
//!
//! Only ids join the two. So a request must have one that comes back as it was sent, whatever the agent makes of it on the
//! way: a text, or a whole number that every reader of JSON tells apart from its neighbours.

use http::{HeaderMap, Method};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::envelope::{self, is_spelling};
use super::head::{Head, INVALID_REQUEST, Malformed};
use super::json::Reader;
use super::media::Media;
use super::rpc::is_answer;
use crate::model::{Call, Dialect, Members, Operation, Protocol, Reason, Refusal, RpcId};

/// How the messages of a caller are read in one tunnel.
#[derive(Debug, Clone)]
pub struct Tunnelled {
    head: Head,
}

/// What a caller has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The call that it is.
    pub call: Call,
    /// What its answer will be known by; `None` where there is none, as of notifications and of answers themselves.
    pub key: Option<RpcKey>,
    /// The request whose answer nobody waits for any more, by its word (MCP, `notifications/cancelled`).
    pub cancelled: Option<RpcKey>,
}

/// The id of a request, whatever way it is written. A number and the text of it are one: agents are in use that make one of the
/// other, and their answer must not be taken for that to another call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RpcKey(Box<str>);

/// What a message of the agent is to somebody who reads JSON-RPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<'a> {
    /// An answer.
    Answer(Reply<'a>),
    /// Nothing that answers: a question, news, or no JSON-RPC at all.
    Other,
    /// JSON, or nearly, in which readers may see different answers, or several.
    Unreadable,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply<'a> {
    id: Option<&'a str>,
    result: Option<&'a str>,
    is_versioned: bool,
}

impl Head {
    /// How messages are read in a tunnel that this head opens.
    pub fn tunnelled(&self, headers: &HeaderMap) -> Tunnelled {
        let head = Self {
            method: Method::POST,
            path: self.path.clone(),
            media: Media::default(),
            asserted: self.asserted,
            // An operation that stands in the path is the tunnel's and no message's.
            route: None,
            mcp: self.mcp.as_ref().map(|fields| fields.tunnelled(headers)),
            is_tunnelled: true,
        };
        Tunnelled { head }
    }
}

impl Tunnelled {
    /// The path under which messages are judged.
    pub fn path(&self) -> &str {
        self.head.path()
    }

    /// The call that a message is; `None` for one that is no JSON-RPC, which nobody judges.
    ///
    /// # Errors
    /// When the agent could read another call out of it than we, or its answer could not be told.
    pub fn read(&self, message: &[u8], json_depth: usize) -> Result<Option<Said>, Malformed> {
        // Shorter than any call, and to a suspicious eye perhaps a piece of a wide character.
        if message.len() < SHORTEST {
            return Ok(None);
        }
        let head = self.head.clone();
        let call = head.clone().into_call(Some(message), json_depth)?;
        if call.dialect == Dialect::Http {
            let hides_a_call = mentions_rpc(message) && !is_document(message, json_depth);
            if hides_a_call {
                return Err(head.beside_others("JSON-RPC that is not the whole message"));
            }
            return Ok(None);
        }
        let (envelope, _) = envelope::read(message, json_depth);
        let id = call.rpc_id.as_ref().filter(|_| !is_answer(&envelope));
        let key = match id.map(RpcKey::of) {
            None => None,
            Some(Some(key)) => Some(key),
            Some(None) => {
                let refusal = Refusal::new(Reason::MalformedRequest);
                let refusal = refusal
                    .detail("in a tunnel an id is a text or a whole number between -2^53 and 2^53");
                return Err(Malformed {
                    refusal,
                    dialect: call.dialect,
                    rpc_id: call.rpc_id,
                    code: Some(INVALID_REQUEST),
                });
            }
        };
        let cancelled = cancelled(&call, message);
        Ok(Some(Said {
            call,
            key,
            cancelled,
        }))
    }
}

/// The request that a notification cancels.
fn cancelled(call: &Call, message: &[u8]) -> Option<RpcKey> {
    #[derive(Deserialize)]
    struct Cancel<'a> {
        #[serde(borrow)]
        params: Params<'a>,
    }
    #[derive(Deserialize)]
    struct Params<'a> {
        #[serde(borrow, rename = "requestId")]
        request_id: &'a RawValue,
    }
    let cancels = call.action.protocol == Protocol::Mcp
        && call.action.method == "notifications/cancelled"
        && call.rpc_id.is_none();
    let cancel: Cancel<'_> = cancels.then(|| serde_json::from_slice(message).ok())??;
    RpcKey::of_answer(cancel.params.request_id.get())
}

/// Whether a text speaks of JSON-RPC where a key or a text could begin. Only what is no document of JSON is looked at so: others
/// were read.
fn mentions_rpc(message: &[u8]) -> bool {
    let mut words = message.windows(WORD.len());
    words.any(|word| word.eq_ignore_ascii_case(WORD))
}

const WORD: &[u8] = b"\"jsonrpc\"";

/// Bytes of `{"method":"ping"}`, which some agents would do.
const SHORTEST: usize = 17;

fn is_document(message: &[u8], json_depth: usize) -> bool {
    let Ok(mut reader) = Reader::new(message, json_depth) else {
        return false;
    };
    loop {
        match reader.next() {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

impl RpcKey {
    /// Of a request; `None` for an id that may come back as another.
    pub fn of(id: &RpcId) -> Option<Self> {
        let json = id.as_json();
        if let Ok(text) = serde_json::from_str::<String>(json) {
            return Some(Self(text.into()));
        }
        // No fraction, no exponent, no zero below zero.
        let number: i64 = json.parse().ok()?;
        let is_plain = number.to_string() == json && number.unsigned_abs() <= MOST;
        is_plain.then(|| Self(Box::from(json)))
    }

    /// Of an answer: however its writer has put it.
    fn of_answer(json: &str) -> Option<Self> {
        if let Ok(text) = serde_json::from_str::<String>(json) {
            return Some(Self(text.into()));
        }
        let number: f64 = serde_json::from_str(json).ok()?;
        // A whole number of so few digits is written exactly so.
        let text = format!("{number:.0}");
        let whole: i64 = text.parse().ok()?;
        let is_plain = number.fract() == 0.0 && whole.unsigned_abs() <= MOST;
        is_plain.then(|| Self(text.into()))
    }
}

/// The largest whole number that every reader of JSON keeps (RFC 8259, section 6).
const MOST: u64 = (1 << 53) - 1;

impl<'a> Heard<'a> {
    /// Reads a whole message of the agent.
    pub fn read(message: &'a [u8]) -> Self {
        let Ok(text) = std::str::from_utf8(message) else {
            return Self::Other;
        };
        let text = text.trim_start_matches(|symbol: char| {
            symbol.is_whitespace() || symbol.is_control() || symbol == '\u{FEFF}'
        });
        if text.starts_with('[') {
            return if mentions_rpc(message) {
                Self::Unreadable
            } else {
                Self::Other
            };
        }
        if !text.starts_with('{') {
            return Self::Other;
        }
        let Some(members) = std::str::from_utf8(message).ok().and_then(Members::read) else {
            return Self::Unreadable;
        };
        let named = ["error", "id", "jsonrpc", "method", "result"].map(|name| only(&members, name));
        let [Ok(error), Ok(id), Ok(jsonrpc), Ok(method), Ok(result)] = named else {
            return Self::Unreadable;
        };
        match (method, result, error) {
            (_, None, None) => Self::Other,
            (Some(_), _, _) => Self::Unreadable,
            (None, result, _) => Self::Answer(Reply {
                id,
                result: result.filter(|_| error.is_none_or(|error| error == "null")),
                is_versioned: jsonrpc.is_some(),
            }),
        }
    }
}

impl Reply<'_> {
    /// Which request it answers.
    pub fn key(&self) -> Option<RpcKey> {
        self.id.and_then(RpcKey::of_answer)
    }

    /// Whether it says of itself that it is JSON-RPC.
    pub const fn is_versioned(&self) -> bool {
        self.is_versioned
    }

    /// Whether it is the error of a request of which the agent could read no id.
    pub fn is_error_to_nobody(&self) -> bool {
        self.result.is_none() && self.id.is_none_or(|id| id == "null")
    }

    /// Whether nothing follows it. A call that is answered by a stream is answered many times, and the last of these says so in a
    /// way that depends on the version (A2A 0.3, section 7.2; 1.0, section 3.1.2).
    pub fn is_last(&self, call: &Call) -> bool {
        let streams = matches!(
            call.operation,
            Operation::StreamMessage | Operation::SubscribeTask
        );
        let Some(result) = self.result.filter(|_| streams) else {
            return true;
        };
        let result: Event<'_> = serde_json::from_str(result).unwrap_or_default();
        result.is_last()
    }
}

/// What tells the end of a stream.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event<'a> {
    #[serde(borrow)]
    kind: Option<&'a str>,
    r#final: Option<bool>,
    message: Option<serde::de::IgnoredAny>,
    #[serde(borrow)]
    status: Option<Status<'a>>,
    #[serde(borrow)]
    task: Option<About<'a>>,
    #[serde(borrow, rename = "statusUpdate")]
    status_update: Option<About<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct About<'a> {
    #[serde(borrow)]
    status: Option<Status<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status<'a> {
    #[serde(borrow)]
    state: Option<&'a str>,
}

impl Event<'_> {
    fn is_last(&self) -> bool {
        let about = [&self.task, &self.status_update].into_iter().flatten();
        let statuses = about.map(|about| &about.status).chain([&self.status]);
        let mut states = statuses.flatten().filter_map(|status| status.state);
        match self.r#final {
            Some(is_final) => is_final,
            None => {
                self.kind == Some("message")
                    || self.message.is_some()
                    || states.any(|state| ENDS.contains(&state))
            }
        }
    }
}

/// The states behind which nothing comes.
const ENDS: &[&str] = &[
    "TASK_STATE_CANCELED",
    "TASK_STATE_COMPLETED",
    "TASK_STATE_FAILED",
    "TASK_STATE_REJECTED",
    "canceled",
    "completed",
    "failed",
    "rejected",
];

/// The value of a member, if no reader could take another one for it.
fn only<'a>(members: &Members<'a>, name: &str) -> Result<Option<&'a str>, ()> {
    let mut found = members.iter().filter(|(key, _)| is_spelling(key, name));
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some((key, value)), None) if key == name => Ok(Some(value)),
        (Some(_), _) => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::model::Protocols;
    use crate::protocol::read_head;

    fn tunnelled(fields: &[(&str, &str)]) -> Tunnelled {
        let mut request = Request::get("/ws?x=1").header("host", "agent.example");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let head = read_head(&parts, Protocols::all()).unwrap();
        head.tunnelled(&parts.headers)
    }

    fn read(message: &str) -> Result<Option<Said>, Malformed> {
        tunnelled(&[]).read(message.as_bytes(), 64)
    }

    #[test]
    fn a_message_is_the_call_that_it_would_be_as_a_post() {
        let said =
            read(r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search"}}"#);
        let said = said.unwrap().unwrap();
        assert_eq!(said.call.action.to_string(), "mcp:tools/call search");
        assert_eq!(said.call.http.unwrap().to_string(), "http:POST /ws");
        assert_eq!(said.key, RpcKey::of(&RpcId::from_json("7")));
        let said = read(
            r#"{"jsonrpc":"2.0","id":"a","method":"message/send","params":{"message":{"taskId":"t"}}}"#,
        );
        let call = said.unwrap().unwrap().call;
        assert_eq!(call.action.to_string(), "a2a:SendMessage");
        assert_eq!(call.task.unwrap().as_str(), "t");
        // Without a head there is nothing that repeats the version.
        let stateless = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        assert_eq!(
            read(stateless).unwrap().unwrap().call.dialect.as_str(),
            "mcp-2026-07-28"
        );
        // An answer to the agent has an id and no answer.
        let answer = read(r#"{"jsonrpc":"2.0","id":3,"result":{}}"#)
            .unwrap()
            .unwrap();
        assert_eq!(
            (answer.call.action.to_string().as_str(), answer.key),
            ("mcp:response", None)
        );
        let note = read(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
            .unwrap()
            .unwrap();
        assert_eq!(
            (note.call.action.to_string().as_str(), note.key),
            ("mcp:notifications/initialized", None)
        );
        let cancel =
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#;
        assert_eq!(
            read(cancel).unwrap().unwrap().cancelled,
            RpcKey::of(&RpcId::from_json("7"))
        );
        let unknown = read(r#"{"jsonrpc":"2.0","id":1,"method":"x"}"#)
            .unwrap()
            .unwrap();
        assert_eq!(unknown.call.action.to_string(), "http:POST /ws");
    }

    #[test]
    fn what_is_no_json_rpc_is_nobodys_to_judge() {
        for message in [
            "",
            "0",
            " \n",
            "hello",
            "{\"text\":\"a \\\"jsonrpc\\\" b\"}",
            "[1,2]",
            "{{x}}",
            "{\"method\":\"x\"}",
            "42[\"jsonrpc\",\"wrapped\"]",
        ] {
            let is_text = message == "42[\"jsonrpc\",\"wrapped\"]";
            assert_eq!(read(message).is_err(), is_text, "{message}");
            assert!(is_text || read(message) == Ok(None), "{message}");
        }
        let bytes = tunnelled(&[]);
        for message in [&b"\0"[..], b"\0\x01\x02", b"\x89PNG\r\n", b"\xff\xfe\xfd"] {
            assert_eq!(
                bytes.read(message, 64),
                Ok(None),
                "{}",
                message.escape_ascii()
            );
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused_in_the_words_of_json_rpc() {
        for (message, code) in [
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"x","method":"y"}"#,
                -32600,
            ),
            (r#"{"jsonrpc":"2.0","id":1,"Method":"tools/list"}"#, -32600),
            (
                "\u{FEFF}{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"}",
                -32700,
            ),
            (r#"{"jsonrpc":"2.0","id":1,"method":"x"} {}"#, -32700),
            (
                "{} {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
                -32700,
            ),
            ("Content-Length: 9\r\n\r\n{\"jsonrpc\":\"2.0\"}", -32700),
            (
                r#"{"jsonrpc":"2.0","id":1.0,"method":"tools/list"}"#,
                -32600,
            ),
            (
                r#"{"jsonrpc":"2.0","id":null,"method":"tools/list"}"#,
                -32600,
            ),
            (
                r#"{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/list"}"#,
                -32600,
            ),
            (r#"{"jsonrpc":"2.0","id":-0,"method":"tools/list"}"#, -32600),
            (
                r#"[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]"#,
                -32600,
            ),
        ] {
            let malformed = read(message).unwrap_err();
            assert_eq!(malformed.code, Some(code), "{message}");
            assert!(malformed.rpc_id.is_some(), "{message}");
        }
        let wide: Vec<u8> = "{\"jsonrpc\":\"2.0\"}"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert!(tunnelled(&[]).read(&wide, 64).is_err());
    }

    #[test]
    fn the_handshake_says_what_all_messages_have_in_common() {
        let version = tunnelled(&[("a2a-version", "1.0")]);
        let old = br#"{"jsonrpc":"2.0","id":1,"method":"message/send","params":{"message":{}}}"#;
        assert_eq!(
            version.read(old, 64).unwrap_err().refusal.reason,
            Reason::VersionMismatch
        );
        let tasks = br#"{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"t"}}"#;
        let mcp = tunnelled(&[("sec-websocket-protocol", "x, mcp")]);
        let call = mcp.read(tasks, 64).unwrap().unwrap().call;
        assert_eq!(call.action.to_string(), "mcp:tasks/get");
    }

    fn answer(message: &str) -> Reply<'_> {
        match Heard::read(message.as_bytes()) {
            Heard::Answer(reply) => reply,
            other => panic!("{message}: {other:?}"),
        }
    }

    #[test]
    fn an_answer_finds_its_request_however_its_id_is_written() {
        let key = |json| RpcKey::of(&RpcId::from_json(json)).unwrap();
        for (asked, answered) in [
            ("1", "1"),
            ("1", "1.0"),
            ("1000", "1e3"),
            (r#""a/b""#, r#""\u0061\/b""#),
        ] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{answered},"result":{{}}}}"#);
            assert_eq!(answer(&text).key(), Some(key(asked)), "{text}");
        }
        // Some agents make one of the other.
        assert_eq!(key("1"), key("\"1\""));
        assert_ne!(key("1"), key("\"1.0\""));
        for id in ["1.5", "null", "1e99", "{}"] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
            assert_eq!(answer(&text).key(), None, "{text}");
        }
        assert!(
            answer(r#"{"id":null,"error":{"code":-32700,"message":"m"}}"#).is_error_to_nobody()
        );
        assert!(!answer(r#"{"id":null,"result":{}}"#).is_error_to_nobody());
    }

    #[test]
    fn what_two_readers_may_take_for_different_answers_is_told_apart() {
        for message in [
            r#"{"id":1,"id":2,"result":{}}"#,
            r#"{"id":1,"Result":{}}"#,
            r#"{"id":1,"result":{},"result":{}}"#,
            r#"{"id":1,"result":{},"method":"x"}"#,
            r#"{"id":1,"result":NaN}"#,
            r#"[{"jsonrpc":"2.0","id":1,"result":{}}]"#,
            "\u{FEFF}{\"id\":1,\"result\":{}}",
        ] {
            assert_eq!(
                Heard::read(message.as_bytes()),
                Heard::Unreadable,
                "{message}"
            );
        }
        for message in [
            "hello",
            r#"{"jsonrpc":"2.0","method":"x","id":1}"#,
            "{}",
            "[1]",
            "",
        ] {
            assert_eq!(Heard::read(message.as_bytes()), Heard::Other, "{message}");
        }
        assert_eq!(Heard::read(b"\xff{"), Heard::Other);
    }

    #[test]
    fn a_stream_ends_when_it_says_so() {
        let call =
            read(r#"{"jsonrpc":"2.0","id":1,"method":"message/stream","params":{"message":{}}}"#);
        let call = call.unwrap().unwrap().call;
        for (result, is_last) in [
            (
                r#"{"kind":"task","id":"t","status":{"state":"submitted"}}"#,
                false,
            ),
            (
                r#"{"kind":"status-update","status":{"state":"working"},"final":false}"#,
                false,
            ),
            (
                r#"{"kind":"status-update","status":{"state":"input-required"},"final":true}"#,
                true,
            ),
            (r#"{"kind":"message","parts":[]}"#, true),
            (r#"{"message":{"parts":[]}}"#, true),
            (
                r#"{"task":{"status":{"state":"TASK_STATE_SUBMITTED"}}}"#,
                false,
            ),
            (r#"{"artifactUpdate":{"artifact":{}}}"#, false),
            (
                r#"{"statusUpdate":{"status":{"state":"TASK_STATE_FAILED"}}}"#,
                true,
            ),
            (r#"{"status":7}"#, false),
        ] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
            assert_eq!(answer(&text).is_last(&call), is_last, "{text}");
        }
        assert!(answer(r#"{"id":1,"error":{"code":1,"message":"m"}}"#).is_last(&call));
    }
}
