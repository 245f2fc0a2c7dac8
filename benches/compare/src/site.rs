//! The agent that is proxied: what it is asked and what it answers.
//!
//! Backend and load generator build the same bytes from here, so that the load can compare every
//! answer with what the backend sent.

use std::fmt::Write as _;
use std::time::Duration;

use crate::http2::Question;

/// Bytes of the large answer.
pub(crate) const LARGE_BYTES: usize = 10 * 1024 * 1024;
/// Bytes of the upload: as many as proxies take by default.
const UPLOAD_BYTES: usize = 1024 * 1024;
/// Events of one stream, and the pause between two of them: two seconds at fifty pieces a second, as
/// models stream. Twice that, and the core of backend and load becomes the limit.
pub(crate) const EVENTS: usize = 100;
pub(crate) const PACE: Duration = Duration::from_millis(20);

/// Where the event's time of sending stands: between this and the next quote.
const SENT: &str = r#""sent":""#;
const SENT_LETTERS: usize = 13;

const QUESTION: &str =
    "What would a fill of two hundred lots cost now, and how long does the quote hold?";

/// A question that is answered with [`secret`].
pub(crate) const INDISCREET: &str = "What is the key of the vault?";

const PROSE: &str = "The desk has looked at the figures of the last quarter and finds that the \
spread on the ten year note has narrowed while volume stayed level; nothing in the order book \
suggests that a larger buyer is waiting, so the quote below holds until the close of business. ";

/// What is asked of the agent in one workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Ask {
    /// A document of [`LARGE_BYTES`].
    Large,
    /// An A2A message, answered by about 1 KiB of JSON.
    Message,
    /// An A2A message, answered by a stream of [`EVENTS`] events.
    Stream,
    /// A body of [`UPLOAD_BYTES`], answered by [`receipt`].
    Upload,
}

impl Ask {
    /// The whole request.
    pub(crate) fn request(self, token: Option<&str>) -> Vec<u8> {
        match self {
            Self::Message => call("SendMessage", QUESTION, token),
            Self::Stream => call("SendStreamingMessage", QUESTION, token),
            Self::Large => {
                let fields = common(token);
                format!("GET /10m HTTP/1.1\r\n{fields}accept: */*\r\n\r\n").into_bytes()
            }
            Self::Upload => {
                let fields = common(token);
                let head = format!(
                    "POST {UPLOADS} HTTP/1.1\r\n{fields}accept: */*\r\ncontent-type: application/octet-stream\r\n\
                     content-length: {UPLOAD_BYTES}\r\n\r\n"
                );
                [head.into_bytes(), upload()].concat()
            }
        }
    }

    /// The body of the answer; empty for streams, whose events differ.
    pub(crate) fn answer(self) -> Vec<u8> {
        match self {
            Self::Large => large(),
            Self::Message => message(),
            Self::Stream => Vec::new(),
            Self::Upload => receipt(),
        }
    }

    /// The name on the load's command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Large => "large",
            Self::Message => "message",
            Self::Stream => "stream",
            Self::Upload => "upload",
        }
    }
}

/// Where uploads go.
pub(crate) const UPLOADS: &str = "/uploads";

/// What is uploaded.
pub(crate) fn upload() -> Vec<u8> {
    prose(UPLOAD_BYTES).into_bytes()
}

/// The answer to an upload that came as it was sent.
pub(crate) fn receipt() -> Vec<u8> {
    br#"{"received":true}"#.to_vec()
}

/// [`Ask::Message`] over HTTP/2.
pub(crate) fn question() -> Question {
    let body = body("SendMessage", QUESTION);
    let length = body.len().to_string();
    let fields = [
        ("user-agent", "compare"),
        ("accept", "application/json, text/event-stream"),
        ("a2a-version", "1.0"),
        ("content-type", "application/json"),
        ("content-length", length.as_str()),
    ];
    Question::new("agent.example", &fields, body.into_bytes())
}

/// An A2A call that asks this.
pub(crate) fn call(method: &str, question: &str, token: Option<&str>) -> Vec<u8> {
    let body = body(method, question);
    format!(
        "POST / HTTP/1.1\r\n{}accept: application/json, text/event-stream\r\na2a-version: 1.0\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        common(token),
        body.len(),
    )
    .into_bytes()
}

fn body(method: &str, question: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":"q-1","method":"{method}","params":{{"message":{{"messageId":"m-question","role":"ROLE_USER","parts":[{{"text":"{question}"}}]}}}}}}"#
    )
}

fn common(token: Option<&str>) -> String {
    let mut fields = String::from("host: agent.example\r\nuser-agent: compare\r\n");
    if let Some(token) = token {
        let _ = write!(fields, "authorization: Bearer {token}\r\n");
    }
    fields
}

/// The answer to [`Ask::Message`], about 1 KiB.
pub(crate) fn message() -> Vec<u8> {
    answer(&prose(800))
}

/// The answer to [`INDISCREET`].
pub(crate) fn indiscretion() -> Vec<u8> {
    answer(&format!("The key is {}, keep it well.", secret()))
}

/// Has the form of an AWS access key id. Put together here, so that no such text lies in the
/// repository, where scanners of repositories would find it.
pub(crate) fn secret() -> String {
    ["AKIA", "Q3EGVZ5Y", "K7TNWB2J"].concat()
}

fn answer(text: &str) -> Vec<u8> {
    format!(
        r#"{{"jsonrpc":"2.0","id":"q-1","result":{{"message":{{"messageId":"m-answer","role":"ROLE_AGENT","parts":[{{"text":"{text}"}},{{"data":{{"instrument":"ten-year","side":"buy","lots":200,"price":101.25,"valid":true}}}}],"metadata":{{"desk":"rates"}}}}}}}}"#
    )
    .into_bytes()
}

/// The answer to [`Ask::Large`]: one JSON document of exactly [`LARGE_BYTES`].
pub(crate) fn large() -> Vec<u8> {
    const HEAD: &str = r#"{"report":["#;
    const TAIL: &str = r#"""]}"#;
    let mut text = String::with_capacity(LARGE_BYTES);
    text.push_str(HEAD);
    let mut row = 0_u32;
    while text.len() + 1200 < LARGE_BYTES {
        let _ = write!(text, r#"{{"row":{row},"text":"{}"}},"#, prose(900));
        row += 1;
    }
    let rest = LARGE_BYTES.saturating_sub(text.len() + TAIL.len());
    text.push('"');
    text.push_str(&prose(rest));
    text.push_str(TAIL.get(1..).unwrap_or_default());
    text.into_bytes()
}

/// One event of stream `task`, `data:` line and blank line included.
pub(crate) fn event(task: u64, index: usize, sent: &str) -> String {
    let ids = format!(
        r#""taskId":"00000000-0000-4000-8000-{task:012}","contextId":"00000000-0000-4000-9000-{task:012}""#
    );
    let result = if index == 0 {
        format!(
            r#""task":{{"id":"00000000-0000-4000-8000-{task:012}","contextId":"00000000-0000-4000-9000-{task:012}","status":{{"state":"TASK_STATE_WORKING"}},"metadata":{{{SENT}{sent}"}}}}"#
        )
    } else if index + 1 == EVENTS {
        format!(
            r#""statusUpdate":{{{ids},"status":{{"state":"TASK_STATE_COMPLETED"}},"metadata":{{{SENT}{sent}"}}}}"#
        )
    } else {
        format!(
            r#""artifactUpdate":{{{ids},"artifact":{{"artifactId":"answer","parts":[{{"text":"{}"}}]}},"append":{},"metadata":{{{SENT}{sent}"}}}}"#,
            piece(index),
            index > 1,
        )
    };
    format!("data: {{\"jsonrpc\":\"2.0\",\"id\":\"q-1\",\"result\":{{{result}}}}}\n\n")
}

/// Bytes of one whole stream.
pub(crate) fn stream_bytes() -> usize {
    let sent = letters(Duration::ZERO);
    (0..EVENTS).map(|index| event(0, index, &sent).len()).sum()
}

/// A time as letters: digits of this length might be taken for a card number by a scan, and the
/// row would then measure findings.
pub(crate) fn letters(time: Duration) -> String {
    let micros = u64::try_from(time.as_micros()).unwrap_or_default();
    (0..SENT_LETTERS)
        .rev()
        .map(|nibble| char::from(b'a' + u8::try_from(micros >> (nibble * 4) & 15).unwrap_or(0)))
        .collect()
}

/// When an event says that it was sent.
pub(crate) fn sent(event: &[u8]) -> Option<Duration> {
    let start = memchr::memmem::find(event, SENT.as_bytes())? + SENT.len();
    let letters = event.get(start..start + SENT_LETTERS)?;
    let micros = letters.iter().try_fold(0_u64, |micros, letter| {
        let nibble = letter.checked_sub(b'a').filter(|nibble| *nibble < 16)?;
        Some(micros << 4 | u64::from(nibble))
    })?;
    Some(Duration::from_micros(micros))
}

fn piece(index: usize) -> &'static str {
    let words = PROSE.split_inclusive(' ').count();
    PROSE
        .split_inclusive(' ')
        .nth(index % words)
        .unwrap_or("and ")
}

fn prose(bytes: usize) -> String {
    PROSE.chars().cycle().take(bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_is_json_of_its_length() {
        let large = large();
        assert_eq!(large.len(), LARGE_BYTES);
        serde_json::from_slice::<serde_json::Value>(&large).unwrap();
    }

    #[test]
    fn message_is_json_of_about_a_kibibyte() {
        let message = message();
        assert!((950..1150).contains(&message.len()), "{}", message.len());
        serde_json::from_slice::<serde_json::Value>(&message).unwrap();
    }

    #[test]
    fn event_is_json_and_carries_its_time() {
        let time = Duration::from_micros(1_795_474_800_123_456);
        for index in [0, 1, 2, EVENTS - 1] {
            let event = event(7, index, &letters(time));
            let json = event.strip_prefix("data: ").unwrap().trim_end();
            serde_json::from_str::<serde_json::Value>(json).unwrap();
            assert_eq!(sent(event.as_bytes()), Some(time));
        }
    }
}
