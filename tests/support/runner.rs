//! Plays a [`Case`] and tells what went otherwise.

use std::collections::BTreeMap;
use std::time::Duration;

use super::PATIENCE;
use super::cases::{Case, PAUSE, Said, escape, unescape};
use super::client::Client;
use super::frames::{
    DATA, END_HEADERS, END_STREAM, Frame, Frames, GET, GOAWAY, HEADERS, RST_STREAM, block,
};
use super::http1::Message;
use super::lictor::Lictor;
use super::recorder::{PROBE, Recorder};
use super::tls::Certificates;

/// A lictor between the caller and an agent that writes down what it gets.
pub(crate) struct Stage {
    pub(crate) lictor: Lictor,
    pub(crate) agent: Recorder,
    /// Where the caller speaks HTTP/2.
    pub(crate) certificates: Option<Certificates>,
}

/// What is sent where a case of an agent says nothing of the caller.
const PLAIN: &str = "GET / HTTP/1.1\r\nHost: agent.example\r\n\r\n";

impl Stage {
    /// Plays all of them, and fails with all that went otherwise.
    pub(crate) async fn play(&self, cases: &[Case]) {
        let mut failures = Vec::new();
        for case in cases {
            let played = tokio::time::timeout(PATIENCE, self.one(case)).await;
            let wrong = played.unwrap_or_else(|_| vec!["it hangs".to_owned()]);
            if !wrong.is_empty() {
                failures.push(format!(
                    "{} ({})\n    {}",
                    case.name,
                    case.place,
                    wrong.join("\n    ")
                ));
            }
        }
        assert!(
            failures.is_empty(),
            "{} of {} cases:\n{}",
            failures.len(),
            cases.len(),
            failures.join("\n")
        );
    }

    async fn one(&self, case: &Case) -> Vec<String> {
        self.agent.expect(case.answers.clone());
        let mut wrong = match &self.certificates {
            None => self.over_http1(case).await,
            Some(certificates) => self.over_http2(case, certificates).await,
        };
        wrong.extend(self.at_agent(case).await);
        wrong
    }

    /// What the agent got otherwise. A body that is cut may be seen a little after the caller was told.
    async fn at_agent(&self, case: &Case) -> Option<String> {
        let expected = case.at_agent.as_ref()?;
        let matches = async {
            while self.agent.lines() != *expected {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(2), matches).await {
            Ok(()) => None,
            Err(_) => Some(format!("the agent got {:?}", self.agent.lines())),
        }
    }

    async fn over_http1(&self, case: &Case) -> Vec<String> {
        let mut client = self.lictor.client().await;
        let mut answers = speak(&mut client, case).await;
        let (end, expected) = case
            .at_caller
            .split_last()
            .unwrap_or_else(|| panic!("{}: nothing is expected", case.place));
        let mut wrong = Vec::new();
        let mut answers = answers.drain(..);
        for expected in expected.chunk_by(|_, next| !is_status(next)) {
            let method = method_of(&expected[0]);
            let answer = match answers.next() {
                Some(answer) => answer,
                None => match read(&mut client, method).await {
                    Ok(answer) => answer,
                    Err(error) => {
                        wrong.push(format!("`{}`: no answer: {error}", expected[0]));
                        return wrong;
                    }
                },
            };
            wrong.extend(differences(&answer, expected));
            if let Some(reason) = reason_of(&expected[0]) {
                wrong.extend(self.reason(case, &answer.body, reason).await);
            }
        }
        wrong.extend(self.end_of_http1(&mut client, end).await);
        wrong
    }

    async fn end_of_http1(&self, client: &mut Client, end: &str) -> Option<String> {
        if end == "kept" {
            let request = format!("GET {PROBE} HTTP/1.1\r\nHost: agent.example\r\n\r\n");
            let sent = client.wire.send(request.as_bytes()).await;
            let got = match sent {
                Ok(()) => read(client, "GET").await,
                Err(error) => Err(error),
            };
            let is_fine = got.as_ref().is_ok_and(|got| got.text() == "fine");
            return match (is_fine, self.agent.take_probes()) {
                (true, 1) => None,
                (_, probes) => Some(format!("then got {got:?} after {probes} probes")),
            };
        }
        let ended = tokio::time::timeout(Duration::from_secs(5), client.wire.raw()).await;
        let ended = match &ended {
            Err(_) => "kept".to_owned(),
            Ok(Ok(None)) => "closed".to_owned(),
            Ok(Ok(Some(more))) => format!("more: {}", escape(more)),
            Ok(Err(_)) => "reset".to_owned(),
        };
        (ended != end).then(|| format!("the connection is {ended}, not {end}"))
    }

    async fn over_http2(&self, case: &Case, certificates: &Certificates) -> Vec<String> {
        let settings: Vec<_> = case.caller.iter().filter_map(setting).collect();
        let mut frames = Frames::connect(self.lictor.public, certificates, &settings).await;
        for frame in frames_of(case) {
            match frame {
                // A connection that was ended midway is for the expectations to judge.
                Some((kind, flags, stream, payload)) => {
                    let _ended = frames.send(kind, flags, stream, &payload).await;
                }
                None => tokio::time::sleep(PAUSE).await,
            }
        }
        let expected = Streams::expected(&case.at_caller);
        let mut got = Streams::default();
        while !got.covers(&expected) {
            match frames.next().await {
                Some(frame) => got.take(&frame),
                None => got.is_over = true,
            }
        }
        if expected.is_kept && !got.is_over {
            got.is_kept = probe(&mut frames, &mut got).await && self.agent.take_probes() == 1;
        }
        let mut wrong = got.differences(&expected);
        for line in &case.at_caller {
            let Some((stream, status)) = line.split_once(": ") else {
                continue;
            };
            if let (Some(reason), Ok(stream)) = (reason_of(status), stream.parse())
                && is_status(status)
            {
                let body = got.bodies.get(&stream).cloned().unwrap_or_default();
                wrong.extend(self.reason(case, &body, reason).await);
            }
        }
        wrong
    }

    /// What the audit record of a refusal says otherwise.
    async fn reason(&self, case: &Case, body: &[u8], reason: &str) -> Option<String> {
        let text = String::from_utf8_lossy(body);
        let id = text
            .split_once("\"decisionId\":\"")
            .and_then(|(_, rest)| rest.split('"').next());
        let Some(id) = id else {
            return Some(format!("no decision in {text}"));
        };
        let record = async {
            loop {
                if let Some(record) = self.record(id) {
                    return record;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        match tokio::time::timeout(Duration::from_secs(5), record).await {
            Ok(record) if record["reason"] != reason => {
                Some(format!("recorded as {}", record["reason"]))
            }
            // Nothing has passed, so it was denied.
            Ok(record) if case.at_agent.as_ref().is_some_and(Vec::is_empty) => {
                (record["decision"] != "deny").then(|| format!("not a deny: {record}"))
            }
            Ok(_) => None,
            Err(_) => Some("not recorded".to_owned()),
        }
    }
}

impl Stage {
    /// The audit record of a decision.
    fn record(&self, id: &str) -> Option<serde_json::Value> {
        let text = std::fs::read_to_string(self.lictor.audit_path()).ok()?;
        // The last line may be in the making.
        let whole = text.rsplit_once('\n')?.0;
        let mut lines = whole.lines().rev();
        serde_json::from_str(lines.find(|line| line.contains(id))?).ok()
    }
}

/// Does what the caller does. Answers that it waited for are given back.
async fn speak(client: &mut Client, case: &Case) -> Vec<Message> {
    let mut answers = Vec::new();
    let (mut bytes, mut bytewise) = (Vec::new(), false);
    for said in &case.caller {
        match said {
            Said::Line(text) => {
                bytes.extend(unescape(text, &case.place));
                bytes.extend(b"\r\n");
            }
            Said::Raw(text) => bytes.extend(unescape(text, &case.place)),
            Said::Deed(deed) => {
                write(client, &mut bytes, bytewise).await;
                match deed.as_str() {
                    "byte by byte" => bytewise = true,
                    "closes its side" => client.wire.finish().await.unwrap_or_default(),
                    "pauses" => tokio::time::sleep(PAUSE).await,
                    "waits for an answer" => answers.extend(read(client, "GET").await.ok()),
                    _ => panic!("{}: the caller cannot do `{deed}`", case.place),
                }
            }
        }
    }
    if case.caller.is_empty() {
        bytes.extend(PLAIN.bytes());
    }
    write(client, &mut bytes, bytewise).await;
    answers
}

/// A connection that was closed midway is for the expectations to judge.
async fn write(client: &mut Client, bytes: &mut Vec<u8>, bytewise: bool) {
    let size = if bytewise { 1 } else { bytes.len().max(1) };
    for piece in std::mem::take(bytes).chunks(size) {
        if client.wire.send(piece).await.is_err() {
            return;
        }
        if bytewise {
            tokio::task::yield_now().await;
        }
    }
}

/// The next answer, also an interim one.
async fn read(client: &mut Client, method: &str) -> std::io::Result<Message> {
    let head = tokio::time::timeout(Duration::from_secs(5), client.wire.head()).await;
    let mut message = head
        .map_err(|_| std::io::ErrorKind::TimedOut)??
        .ok_or(std::io::ErrorKind::UnexpectedEof)?;
    client.wire.response_body(&mut message, method).await?;
    Ok(message)
}

fn is_status(line: &str) -> bool {
    line.starts_with(|first: char| first.is_ascii_digit())
}

fn method_of(status: &str) -> &'static str {
    if status.ends_with(" to HEAD") {
        "HEAD"
    } else {
        "GET"
    }
}

/// The word for the reason behind the status.
fn reason_of(status: &str) -> Option<&str> {
    status
        .split_once(' ')
        .map(|(_, reason)| reason)
        .filter(|reason| *reason != "to HEAD")
}

/// What of an answer is not as its lines say.
fn differences(answer: &Message, expected: &[String]) -> Vec<String> {
    let is_as_said = |line: &String| {
        if is_status(line) {
            return line.split(' ').next() == Some(answer.status().to_string().as_str());
        }
        if line == "cut" {
            return !answer.complete;
        }
        if let Some(body) = line.strip_prefix('"') {
            return body.strip_suffix('"') == Some(escape(&answer.body).as_str());
        }
        match line.split_once(": ") {
            Some((name, "*")) => answer.field(name).is_some(),
            Some((name, value)) => answer.values(name).eq([value]),
            None => line
                .strip_prefix("without ")
                .is_some_and(|name| answer.field(name).is_none()),
        }
    };
    let mut wrong: Vec<_> = expected
        .iter()
        .filter(|line| !is_as_said(line))
        .map(|line| format!("not `{line}` in {}", escape(&answer.raw)))
        .collect();
    if !answer.complete && !expected.iter().any(|line| line == "cut") {
        wrong.push("an answer is cut".to_owned());
    }
    if !wrong.is_empty() {
        wrong.push(format!("body: {}", escape(&answer.body)));
    }
    wrong
}

/// What came on the streams of a connection.
#[derive(Debug, Default)]
struct Streams {
    lines: BTreeMap<u32, Vec<String>>,
    bodies: BTreeMap<u32, Vec<u8>>,
    over: Vec<u32>,
    goaway: Option<String>,
    is_kept: bool,
    is_over: bool,
}

/// The stream of the probe.
const LATE: u32 = 1001;

impl Streams {
    fn expected(lines: &[String]) -> Self {
        let mut expected = Self::default();
        for line in lines {
            if line == "kept" {
                expected.is_kept = true;
            } else if let Some(code) = line.strip_prefix("goaway ") {
                expected.goaway = Some(code.to_owned());
            } else {
                let (stream, what) = line.split_once(": ").unwrap();
                let what = match is_status(what) {
                    true => what.split(' ').next().unwrap(),
                    false => what,
                };
                let stream = stream.parse().unwrap();
                expected
                    .lines
                    .entry(stream)
                    .or_default()
                    .push(what.to_owned());
            }
        }
        expected
    }

    /// Whether all that is expected is decided.
    fn covers(&self, expected: &Self) -> bool {
        let are_over = expected
            .lines
            .keys()
            .all(|stream| self.over.contains(stream));
        self.is_over || (are_over && expected.goaway.is_none())
    }

    fn take(&mut self, frame: &Frame) {
        let lines = self.lines.entry(frame.stream).or_default();
        match frame.kind {
            GOAWAY => {
                self.lines.remove(&0);
                self.goaway = Some(code(frame));
                self.is_over = true;
                return;
            }
            HEADERS => {
                let status = frame.status();
                lines.push(status.map_or_else(|| "fields".to_owned(), |status| status.to_string()));
            }
            DATA => self
                .bodies
                .entry(frame.stream)
                .or_default()
                .extend(&frame.payload),
            // After the end it says only that no more of the request is wanted.
            RST_STREAM if !self.over.contains(&frame.stream) => {
                lines.push(format!("reset {}", code(frame)));
            }
            _ => {}
        }
        if lines.is_empty() {
            self.lines.remove(&frame.stream);
        }
        if frame.is_last() {
            self.over.push(frame.stream);
        }
    }

    fn differences(&mut self, expected: &Self) -> Vec<String> {
        self.lines.remove(&LATE);
        for (stream, lines) in &expected.lines {
            let body = lines.iter().position(|line| line.starts_with('"'));
            if let (Some(at), Some(got)) = (body, self.lines.get_mut(stream)) {
                let body = self.bodies.get(stream).cloned().unwrap_or_default();
                got.insert(at.min(got.len()), format!("\"{}\"", escape(&body)));
            }
        }
        let mut wrong = Vec::new();
        if self.lines != expected.lines {
            wrong.push(format!("the streams got {:?}", self.lines));
        }
        if self.goaway != expected.goaway {
            wrong.push(format!("the connection got {:?}", self.goaway));
        }
        if self.is_kept != expected.is_kept {
            wrong.push(format!("kept: {}", self.is_kept));
        }
        wrong
    }
}

/// Whether one more request is answered.
async fn probe(frames: &mut Frames, got: &mut Streams) -> bool {
    let mut fields = GET;
    fields[2].1 = PROBE;
    if frames.ask(LATE, &fields).await.is_err() {
        return false;
    }
    while !got.over.contains(&LATE) {
        match frames.next().await {
            Some(frame) => got.take(&frame),
            None => return false,
        }
    }
    got.lines.get(&LATE).is_some_and(|lines| lines == &["200"])
}

type Wanted = (u8, u8, u32, Vec<u8>);

/// The frames that the caller sends; `None` is a pause.
///
/// `C> NAME STREAM FLAG.. "payload"`; under a HEADERS or CONTINUATION each field has a line of its own that
/// begins with two blanks, and `(get)` stands for the fields of a plain GET.
fn frames_of(case: &Case) -> Vec<Option<Wanted>> {
    let mut frames: Vec<Option<Wanted>> = Vec::new();
    for said in &case.caller {
        match said {
            Said::Deed(deed) if deed == "pauses" => frames.push(None),
            Said::Deed(_) => {}
            Said::Raw(text) => panic!("{}: `{text}` is no frame", case.place),
            Said::Line(text) => match text.strip_prefix("  ") {
                None => frames.push(Some(frame(text, &case.place))),
                Some(field) => {
                    let last = frames.last_mut().and_then(Option::as_mut);
                    let payload = &mut last.unwrap_or_else(|| panic!("{}: no frame", case.place)).3;
                    payload.extend(fields(field, &case.place));
                }
            },
        }
    }
    frames
}

fn fields(text: &str, place: &str) -> Vec<u8> {
    if text == "(get)" {
        return block(&GET);
    }
    // The colon of a pseudo field is part of its name.
    let mut colons = text.char_indices().skip(1);
    let at = colons.find(|(_, char)| *char == ':');
    let at = at.map_or(text.len(), |(at, _)| at);
    let (name, value) = text.split_at(at);
    let value = value.strip_prefix(':').unwrap_or(value);
    let value = value.strip_prefix(' ').unwrap_or(value);
    block(&[(unescape(name, place), unescape(value, place))])
}

fn frame(text: &str, place: &str) -> Wanted {
    let (words, payload) = match text.split_once(" \"") {
        Some((words, payload)) => (words, unescape(payload.strip_suffix('"').unwrap(), place)),
        None => (text, Vec::new()),
    };
    let mut words = words.split(' ');
    let name = words.next().unwrap();
    let kind = KINDS.iter().position(|kind| *kind == name);
    let kind = kind.unwrap_or_else(|| panic!("{place}: no frame is called `{name}`"));
    let stream = words.next().and_then(|stream| stream.parse().ok());
    let stream = stream.unwrap_or_else(|| panic!("{place}: no stream in `{text}`"));
    let (mut flags, mut is_open) = (0, false);
    for word in words {
        match word {
            "ACK" => flags |= 1,
            "END_STREAM" => flags |= END_STREAM,
            "END_HEADERS" => flags |= END_HEADERS,
            "OPEN" => is_open = true,
            "PADDED" => flags |= 8,
            "PRIORITY" => flags |= 0x20,
            _ => panic!("{place}: no flag is called `{word}`"),
        }
    }
    if name == "HEADERS" && !is_open {
        flags |= END_HEADERS;
    }
    (u8::try_from(kind).unwrap(), flags, stream, payload)
}

const KINDS: [&str; 11] = [
    "DATA",
    "HEADERS",
    "PRIORITY",
    "RST_STREAM",
    "SETTINGS",
    "PUSH_PROMISE",
    "PING",
    "GOAWAY",
    "WINDOW_UPDATE",
    "CONTINUATION",
    "UNKNOWN",
];

fn setting(said: &Said) -> Option<(u16, u32)> {
    let Said::Deed(deed) = said else { return None };
    let (id, value) = deed.strip_prefix("setting ")?.split_once('=')?;
    Some((id.parse().ok()?, value.parse().ok()?))
}

fn code(frame: &Frame) -> String {
    /// RFC 9113, section 7.
    const CODES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    let code = frame.code().and_then(|code| usize::try_from(code).ok());
    let name = code.and_then(|code| CODES.get(code));
    name.map_or_else(|| format!("{code:?}"), |name| (*name).to_owned())
}
