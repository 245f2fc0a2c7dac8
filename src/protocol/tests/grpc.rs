//! A2A over gRPC: what real clients and agents have sent, and what nobody should read.

use serde_json::Value;

use super::answers::watch;
use super::replies::NOT_FOUND;
use super::wire::{compare, shown};
use super::{reason, send};
use crate::model::{A2aVersion, Binding, Call, Dialect, Protocols, Reason};
use crate::protobuf::{Fields, Wire, put, put_number};
use crate::protocol::{Body, Carrier, Malformed, Observer, PublicError, Voice, read_head, refusal};

/// A call over gRPC, as it was recorded.
pub(in crate::protocol) struct Exchange {
    pub(in crate::protocol) path: String,
    headers: Vec<(String, String)>,
    pub(in crate::protocol) body: Vec<u8>,
    pub(in crate::protocol) answer: Vec<u8>,
    /// The last fields of the answer.
    pub(in crate::protocol) trailers: Vec<(String, String)>,
}

/// The exchanges of one recording, in the order in which they began.
pub(in crate::protocol) fn exchanges(name: &str) -> Vec<Exchange> {
    let path = format!("{}/../shared/wire/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let recording: Value = serde_json::from_str(&text).unwrap();
    let mut exchanges: Vec<(String, Exchange)> = Vec::new();
    for connection in recording["connections"].as_array().unwrap() {
        for frame in connection["frames"].as_array().unwrap() {
            let key = format!("{} {}", connection["connection"], frame["stream"]);
            let asks = frame["dir"] == ">";
            let known = exchanges.iter().position(|(other, _)| *other == key);
            match (frame["type"].as_str().unwrap(), known) {
                ("HEADERS", None) => {
                    let headers = fields(frame);
                    let path = headers.iter().find(|(name, _)| name == ":path");
                    let exchange = Exchange {
                        path: path.unwrap().1.clone(),
                        headers: headers
                            .into_iter()
                            .filter(|(name, _)| !name.starts_with(':'))
                            .collect(),
                        body: Vec::new(),
                        answer: Vec::new(),
                        trailers: Vec::new(),
                    };
                    exchanges.push((key, exchange));
                }
                ("HEADERS", Some(at)) => exchanges[at].1.trailers = fields(frame),
                ("DATA", Some(at)) => {
                    let exchange = &mut exchanges[at].1;
                    let bytes = hex(frame["data_hex"].as_str().unwrap());
                    if asks {
                        &mut exchange.body
                    } else {
                        &mut exchange.answer
                    }
                    .extend(bytes);
                }
                _ => {}
            }
        }
    }
    exchanges
        .into_iter()
        .map(|(_, exchange)| exchange)
        .collect()
}

fn fields(frame: &Value) -> Vec<(String, String)> {
    let fields = frame["headers"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    fields
        .map(|field| (text(&field[0]), text(&field[1])))
        .collect()
}

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks_exact(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn read(exchange: &Exchange) -> Result<Call, Malformed> {
    let headers = exchange.headers.iter();
    let headers: Vec<_> = headers.map(|(name, value)| (&**name, &**value)).collect();
    send("POST", &exchange.path, &headers, &exchange.body)
}

const RECORDINGS: [&str; 2] = ["a2a-0.3-grpc", "a2a-1.0-grpc"];

/// Every recorded call with its answer.
pub(super) fn recorded() -> Vec<(Call, Vec<u8>)> {
    let all = RECORDINGS.iter().flat_map(|name| exchanges(name));
    let read = |exchange: Exchange| Some((read(&exchange).ok()?, exchange.answer));
    all.filter_map(read).collect()
}

/// As for the other bindings: reviewed, and written anew by `LICTOR_BLESS=1`.
#[test]
fn every_recorded_request_is_what_its_client_meant() {
    let mut requests = 0;
    for name in RECORDINGS {
        let mut read_as = String::new();
        for exchange in exchanges(name) {
            read_as.push_str(&shown(&format!("POST {}", exchange.path), read(&exchange)));
            requests += 1;
        }
        compare(name, &read_as);
    }
    assert!(requests >= 32, "{requests} requests");
}

/// The text of the first field that is reached by these numbers.
fn reach(message: &[u8], path: &[u32]) -> Option<String> {
    let Some((number, path)) = path.split_first() else {
        return Some(std::str::from_utf8(message).unwrap().to_owned());
    };
    Fields::of(message).find_map(|field| match field.unwrap() {
        (found, Wire::Bytes(bytes)) if found == *number => reach(bytes, path),
        _ => None,
    })
}

/// The ids by another reader, of the first message that has them.
fn expected(mut answer: &[u8]) -> (Option<String>, Option<String>) {
    let (mut task, mut context) = (None, None);
    while let Some((prefix, rest)) = answer.split_first_chunk::<5>() {
        let length = u32::from_be_bytes(prefix[1..].try_into().unwrap()) as usize;
        let (message, rest) = rest.split_at(length);
        answer = rest;
        for path in [[1, 1], [2, 3], [3, 1], [4, 1]] {
            task = task.or_else(|| reach(message, &path));
        }
        for path in [[1, 2], [2, 2], [3, 2], [4, 2]] {
            context = context.or_else(|| reach(message, &path));
        }
    }
    (task, context)
}

#[test]
fn ids_are_learned_from_every_recorded_answer_at_every_cut() {
    let mut answers = 0;
    for name in RECORDINGS {
        for exchange in exchanges(name) {
            let call = read(&exchange).unwrap();
            if Observer::new(&call, Carrier::Grpc).is_none() {
                continue;
            }
            let (answer, ids) = (&exchange.answer, expected(&exchange.answer));
            assert!(ids.1.is_some(), "{name}: {}", exchange.path);
            assert_eq!(watch(&call, Carrier::Grpc, &[answer]), ids, "{name}");
            for cut in 0..=answer.len() {
                let (left, right) = answer.split_at(cut);
                let learned = watch(&call, Carrier::Grpc, &[left, right]);
                assert_eq!(learned, ids, "{name} cut at {cut}");
            }
            let bytes: Vec<&[u8]> = answer.chunks(1).collect();
            assert_eq!(
                watch(&call, Carrier::Grpc, &bytes),
                ids,
                "{name} byte by byte"
            );
            answers += 1;
        }
    }
    assert!(answers >= 17, "{answers} answers");
}

#[test]
fn a_foreign_task_looks_exactly_like_a_missing_one() {
    for (name, version) in [
        ("a2a-0.3-grpc", A2aVersion::V0_3),
        ("a2a-1.0-grpc", A2aVersion::V1_0),
    ] {
        let rendered = refusal(Dialect::A2a(version, Binding::Grpc), None, &NOT_FOUND);
        assert!(rendered.body.is_empty());
        let mut recorded = exchanges(name)
            .into_iter()
            .map(|exchange| exchange.trailers);
        let recorded = recorded
            .find(|trailers| trailers.contains(&("grpc-status".to_owned(), "5".to_owned())))
            .unwrap();
        let ours = rendered.fields.iter().map(|(name, value)| {
            let value = match name.as_str() {
                // Recorded between two that send what is binary as it is, behind a zero.
                "grpc-status-details-bin" => format!("\0{}", from_base64(value.as_bytes())),
                _ => value.to_str().unwrap().to_owned(),
            };
            (name.to_string(), value)
        });
        let mut ours: Vec<_> = ours.collect();
        ours.push(("content-type".to_owned(), rendered.content_type.to_owned()));
        ours.push((":status".to_owned(), "200".to_owned()));
        ours.sort();
        let mut recorded = recorded;
        recorded.sort();
        assert_eq!(ours, recorded, "{name}");
    }
}

fn from_base64(text: &[u8]) -> String {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD_NO_PAD
        .decode(text)
        .unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_refusal_says_what_and_why_and_when() {
    let error = PublicError {
        voice: Voice::Lictor,
        status: 429,
        code: -31003,
        reason: "RATE_LIMIT_EXCEEDED",
        kept: None,
        message: "100 % \u{e4}\r\ngrpc-status: 0",
        decision: Some("d-1"),
        request_id: "r-1",
        retry_after: Some(std::time::Duration::from_millis(36_001)),
    };
    for dialect in [Dialect::Grpc, Dialect::A2a(A2aVersion::V0_3, Binding::Grpc)] {
        let fields = refusal(dialect, None, &error).fields;
        assert_eq!(fields["grpc-status"], "8");
        assert_eq!(fields["grpc-message"], "100 %25 %C3%A4%0D%0Agrpc-status: 0");
        use base64::Engine as _;
        let details = base64::engine::general_purpose::STANDARD_NO_PAD
            .decode(&fields["grpc-status-details-bin"])
            .unwrap();
        assert_eq!(reach(&details, &[2]).as_deref(), Some(error.message));
        let info = "type.googleapis.com/google.rpc.ErrorInfo";
        assert_eq!(reach(&details, &[3, 1]).as_deref(), Some(info));
        assert_eq!(reach(&details, &[3, 2, 1]).as_deref(), Some(error.reason));
        assert_eq!(reach(&details, &[3, 2, 2]).as_deref(), Some("lictor.dev"));
        assert_eq!(reach(&details, &[3, 2, 3, 1]).as_deref(), Some("requestId"));
        assert_eq!(reach(&details, &[3, 2, 3, 2]).as_deref(), Some("r-1"));
        let retry =
            b"\x1a\x30\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x04\x0a\x02\x08\x25";
        assert!(details.ends_with(retry), "{}", details.escape_ascii());
    }
    let error = PublicError {
        status: 415,
        retry_after: None,
        ..error
    };
    let fields = refusal(Dialect::Grpc, None, &error).fields;
    assert_eq!(fields["grpc-status"], "12");
    assert_eq!(fields["grpc-accept-encoding"], "identity");
}

/// A message behind its prefix.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0][..], &length, message].concat()
}

/// One after another.
fn message(fields: &[(u32, &[u8])]) -> Vec<u8> {
    let mut message = Vec::new();
    for (number, bytes) in fields {
        put(&mut message, *number, bytes);
    }
    message
}

const GRPC: &[(&str, &str)] = &[("content-type", "application/grpc"), ("te", "trailers")];

fn call(path: &str, body: &[u8]) -> Result<Call, Malformed> {
    send("POST", path, GRPC, framed(body))
}

fn send_message(body: &[u8]) -> Result<Call, Malformed> {
    call("/lf.a2a.v1.A2AService/SendMessage", body)
}

/// What it names: the task, the references, the context.
fn names(call: &Call) -> (String, Vec<&str>, String) {
    let task = call.task.as_ref().map(ToString::to_string);
    let context = call.context.as_ref().map(ToString::to_string);
    let references = call.references.iter().map(|task| task.as_str()).collect();
    (
        task.unwrap_or_default(),
        references,
        context.unwrap_or_default(),
    )
}

/// `google.protobuf.Struct` of these entries.
fn metadata(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let entries = entries.iter();
    let entries: Vec<_> = entries
        .map(|(key, value)| message(&[(1, key.as_bytes()), (2, value)]))
        .collect();
    let entries: Vec<(u32, &[u8])> = entries.iter().map(|entry| (1, &**entry)).collect();
    message(&entries)
}

/// A message whose metadata are these.
fn with_metadata(metadata: &[u8]) -> Vec<u8> {
    message(&[(2, &message(&[(6, metadata)]))])
}

#[test]
fn what_a_message_names_is_judged() {
    let metadata = metadata(&[("x", b"\x18\x01"), ("skill", b"\x1a\x05quote")]);
    let inner = message(&[
        (1, b"m"),
        (2, b"c"),
        (3, b"t"),
        (5, b"\x0a\x02hi"),
        (6, &metadata),
        (8, b"r1"),
        (8, b"t"),
        (8, b""),
        (8, b"r2"),
        (99, b"unknown"),
    ]);
    let config = message(&[(2, &message(&[(3, b"r3"), (4, b"https://hook.example")]))]);
    let body = message(&[
        (1, b"tenant"),
        (2, &inner),
        (3, &config),
        (4, b""),
        (77, b"?"),
    ]);
    let call = send_message(&body).unwrap();
    assert_eq!(call.action.to_string(), "a2a:SendMessage quote");
    assert_eq!(
        call.http.as_ref().unwrap().to_string(),
        "http:POST /lf.a2a.v1.A2AService/SendMessage"
    );
    assert_eq!(call.dialect, Dialect::A2a(A2aVersion::V1_0, Binding::Grpc));
    assert_eq!(
        names(&call),
        ("t".into(), vec!["r3", "r1", "r2"], "c".into())
    );
}

#[test]
fn a_resource_of_0_3_is_named_in_one_way() {
    let name = |method: &str, name: &str| {
        let read = call(
            &format!("/a2a.v1.A2AService/{method}"),
            &message(&[(1, name.as_bytes())]),
        );
        read.map(|call| names(&call).0)
            .map_err(|malformed| malformed.refusal.reason)
    };
    let config = "tasks/t/pushNotificationConfigs/c";
    for method in [
        "GetTask",
        "CancelTask",
        "TaskSubscription",
        "ListTaskPushNotificationConfig",
    ] {
        assert_eq!(name(method, "tasks/t"), Ok("t".into()), "{method}");
        for bad in [
            config,
            "t",
            "tasks/",
            "tasks/a/b",
            "/tasks/t",
            "Tasks/t",
            "x/tasks/t",
            "",
            "tasks/a\nb",
        ] {
            assert_eq!(
                name(method, bad),
                Err(Reason::MalformedRequest),
                "{method} {bad}"
            );
        }
    }
    for method in [
        "GetTaskPushNotificationConfig",
        "DeleteTaskPushNotificationConfig",
    ] {
        assert_eq!(name(method, config), Ok("t".into()), "{method}");
        for bad in [
            "tasks/t",
            "tasks/t/pushNotificationConfigs",
            "tasks/a/pushNotificationConfigs/c/d",
        ] {
            assert_eq!(
                name(method, bad),
                Err(Reason::MalformedRequest),
                "{method} {bad}"
            );
        }
    }
    let create = |body: &[u8]| call("/a2a.v1.A2AService/CreateTaskPushNotificationConfig", body);
    let inner = message(&[(1, b"tasks/u/pushNotificationConfigs/c")]);
    let both = create(&message(&[(1, b"tasks/t"), (3, &inner)])).unwrap();
    assert_eq!(names(&both), ("t".into(), vec!["u"], String::new()));
    let inner_only = create(&message(&[(3, &inner)])).unwrap();
    assert_eq!(names(&inner_only).0, "u");
}

#[test]
fn a_message_that_can_be_read_in_two_ways_is_refused() {
    let once = message(&[(3, b"t")]);
    let skills = |entries: &[(&str, &[u8])]| with_metadata(&metadata(entries));
    let quote: &[u8] = b"\x1a\x05quote";
    let deep = (0..10_000).fold(Vec::new(), |inner, _| message(&[(2, &inner)]));
    let cases: &[(&str, Vec<u8>)] = &[
        ("two messages", message(&[(2, &once), (2, &once)])),
        ("two messages, one empty", message(&[(2, &once), (2, b"")])),
        (
            "two tasks",
            message(&[(2, &message(&[(3, b"t"), (3, b"u")]))]),
        ),
        (
            "two equal tasks",
            message(&[(2, &message(&[(3, b"t"), (3, b"t")]))]),
        ),
        (
            "two contexts",
            message(&[(2, &message(&[(2, b"t"), (2, b"u")]))]),
        ),
        ("two configurations", message(&[(3, b""), (3, b"")])),
        (
            "two configs",
            message(&[(3, &message(&[(2, &once), (2, b"")]))]),
        ),
        (
            "two metadata",
            message(&[(2, &message(&[(6, b""), (6, b"")]))]),
        ),
        ("two skills", skills(&[("skill", quote), ("skill", quote)])),
        ("a skill in other letters", skills(&[("Skill", quote)])),
        (
            "a skill of two kinds",
            skills(&[("skill", b"\x1a\x05quote\x20\x01")]),
        ),
        (
            "a skill with white space",
            skills(&[("skill", b"\x1a\x06 quote")]),
        ),
        (
            "a skill that is not UTF-8",
            skills(&[("skill", b"\x1a\x01\xff")]),
        ),
        ("a skill of another type", skills(&[("skill", b"\x18\x01")])),
        (
            "two keys",
            with_metadata(&message(&[(
                1,
                &message(&[(1, b"x"), (1, b"skill"), (2, quote)]),
            )])),
        ),
        (
            "two values",
            with_metadata(&message(&[(
                1,
                &message(&[(1, b"x"), (2, quote), (2, quote)]),
            )])),
        ),
        (
            "a key that is not UTF-8",
            with_metadata(&message(&[(1, &message(&[(1, b"\xffskill")]))])),
        ),
        (
            "a task that is not UTF-8",
            message(&[(2, &message(&[(3, b"t\xff")]))]),
        ),
        (
            "a task with a control character",
            message(&[(2, &message(&[(3, b"t\0")]))]),
        ),
        ("a task that is a number", b"\x12\x02\x18\x07".to_vec()),
        ("a message that is a number", b"\x10\x07".to_vec()),
        ("a message in four bytes", b"\x15AAAA".to_vec()),
        ("a group", b"\x13\x14".to_vec()),
        ("a group that nobody knows", b"\xfb\x07\xfc\x07".to_vec()),
        ("a length beyond the end", b"\x12\x05\x1a\x01t".to_vec()),
        (
            "a length in more bytes than it needs",
            b"\x12\x83\x00\x1a\x01t".to_vec(),
        ),
        (
            "a tag in more bytes than it needs",
            b"\x92\x00\x03\x1a\x01t".to_vec(),
        ),
        (
            "a number of eleven bytes",
            [&b"\x40"[..], &[0xff; 10], b"\x01"].concat(),
        ),
        ("a field without number", b"\x02\x00".to_vec()),
        (
            "many references",
            message(&[(2, &vec![b"\x42\x01r".as_slice(); 65].concat())]),
        ),
    ];
    for (what, body) in cases {
        let read = send_message(body);
        let refused = read.expect_err(what);
        assert_eq!(refused.refusal.reason, Reason::MalformedRequest, "{what}");
        assert_eq!(
            refused.dialect,
            Dialect::A2a(A2aVersion::V1_0, Binding::Grpc)
        );
    }
    // As over JSON, what is no text names no skill.
    let read = send_message(&skills(&[("skill", b"\x20\x01")]));
    assert_eq!(reason(read), Ok("a2a:SendMessage".into()));
    // What is not ours to read is passed over, however deep it is.
    let unknown = message(&[
        (2, &message(&[(3, b"t"), (5, &deep)])),
        (4, &deep),
        (500, &deep),
    ]);
    assert_eq!(names(&send_message(&unknown).unwrap()).0, "t");
    let mut scalars = message(&[(2, &once)]);
    put_number(&mut scalars, 9, u64::MAX);
    put_number(&mut scalars, 9, 1);
    scalars.extend(b"\x51AAAAAAAA\x55AAAA");
    assert_eq!(names(&send_message(&scalars).unwrap()).0, "t");
}

#[test]
fn the_body_is_one_message_that_is_not_compressed() {
    let path = "/lf.a2a.v1.A2AService/SendMessage";
    let one = framed(&message(&[(2, &message(&[(3, b"t")]))]));
    assert!(send("POST", path, GRPC, &one).is_ok());
    assert!(send("POST", path, GRPC, framed(b"")).is_ok());
    let malformed = Err(Reason::MalformedRequest);
    let coded = Err(Reason::UnsupportedCoding);
    let mut compressed = one.clone();
    compressed[0] = 1;
    for (what, body, expected) in [
        ("nothing", Vec::new(), &malformed),
        ("half a prefix", one[..4].to_vec(), &malformed),
        ("half a message", one[..one.len() - 1].to_vec(), &malformed),
        ("two messages", [&*one, &one].concat(), &malformed),
        ("more behind it", [&*one, b"\0"].concat(), &malformed),
        ("a huge length", b"\0\xff\xff\xff\xff".to_vec(), &malformed),
        ("compressed", compressed, &coded),
        ("json", b"{\"message\":{}}".to_vec(), &coded),
    ] {
        assert_eq!(&reason(send("POST", path, GRPC, body)), expected, "{what}");
    }
    for (headers, expected) in [
        (
            &[
                ("content-type", "application/grpc"),
                ("grpc-encoding", "gzip"),
            ][..],
            &coded,
        ),
        (&[("content-type", "application/grpc+json")], &coded),
        (
            &[
                ("content-type", "application/grpc"),
                ("content-type", "text/plain"),
            ],
            &coded,
        ),
        (&[("content-type", "application/grpc-web")], &coded),
        (&[("content-type", "application/json")], &coded),
        (&[], &coded),
        (
            &[("content-type", "application/grpc"), ("a2a-version", "0.3")],
            &Err(Reason::VersionMismatch),
        ),
    ] {
        assert_eq!(
            &reason(send("POST", path, headers, &one)),
            expected,
            "{headers:?}"
        );
    }
    let old = [("content-type", "application/grpc"), ("a2a-version", "1.0")];
    let read = send("POST", "/a2a.v1.A2AService/SendMessage", &old, framed(b""));
    assert_eq!(reason(read), Err(Reason::VersionMismatch));
    let known = [
        ("content-type", "application/grpc+proto"),
        ("grpc-encoding", "identity"),
    ];
    let read = send(
        "POST",
        "/a2a.v1.A2AService/SendMessage",
        &known,
        framed(b""),
    );
    assert_eq!(reason(read), Ok("a2a:SendMessage".into()));
}

#[test]
fn the_end_of_the_path_is_the_method() {
    for path in [
        "/lf.a2a.v1.a2aservice/sendmessage",
        "/lf.a2a.v1.A2AService/SendMessage/",
        "/agents/one/LF.A2A.V1.A2AService/SendMessage",
        "/lf.a2a.v1.A2AService/%53endMessage",
        "/lf.a2a.v1.A2AService/SendMessage?x=y",
    ] {
        let read = send("POST", path, GRPC, framed(b""));
        assert_eq!(reason(read), Ok("a2a:SendMessage".into()), "{path}");
    }
}

#[test]
fn what_is_no_method_of_a2a_is_judged_by_its_path() {
    for path in [
        "/lf.a2a.v1.A2AService/SendMessages",
        "/lf.a2a.v1.A2AService/TaskSubscription",
        "/a2a.v1.A2AService/ListTasks",
        "/lf.a2a.v1.A2AService/SendMessage/x",
        "/x.lf.a2a.v1.A2AService/SendMessage",
        "/A2AService/SendMessage",
        "/grpc.health.v1.Health/Check",
    ] {
        let call = send("POST", path, GRPC, framed(b"\x0a\x01x")).unwrap();
        assert_eq!(call.action.to_string(), format!("http:POST {path}"));
        assert_eq!(call.dialect, Dialect::Grpc, "{path}");
    }
    let web = [("content-type", "application/grpc-web+proto")];
    let call = send("POST", "/grpc.health.v1.Health/Check", &web, framed(b"")).unwrap();
    assert_eq!(call.dialect, Dialect::Http);
    // Whoever reads JSON whatever the type says is not got past by the type.
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{}}"#;
    let call = send("POST", "/", GRPC, body).unwrap();
    assert_eq!(call.action.to_string(), "a2a:SendMessage");
    // And nothing but a message of an A2A service is collected.
    let request = http::Request::post("/grpc.health.v1.Health/Check")
        .header("host", "agent.example")
        .header("content-type", "application/grpc");
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let head = read_head(&parts, Protocols::default()).unwrap();
    assert_eq!(head.wants_body(Some(b"\0\0\0\0\x01")), Body::Stream);
}

fn stream_call() -> Call {
    call("/lf.a2a.v1.A2AService/SendStreamingMessage", b"").unwrap()
}

#[test]
fn what_an_agent_quotes_is_not_what_it_names() {
    let quoted = message(&[(1, b"no"), (2, b"no"), (3, b"no"), (6, b"no")]);
    let task = message(&[
        (3, &message(&[(2, &quoted)])),
        (4, &quoted),
        (5, &quoted),
        (6, &quoted),
        (2, b"c"),
        (1, b"t"),
    ]);
    let mut body = framed(&message(&[(9, &quoted)]));
    body.extend(framed(b""));
    body.extend(framed(&message(&[(4, b""), (1, &task)])));
    let ids = (Some("t".to_owned()), Some("c".to_owned()));
    for cut in 0..=body.len() {
        let (left, right) = body.split_at(cut);
        assert_eq!(
            watch(&stream_call(), Carrier::Grpc, &[left, right]),
            ids,
            "cut at {cut}"
        );
    }
}

#[test]
fn an_answer_that_cannot_be_read_is_not_taken_for_one_that_names_nothing() {
    let id = message(&[(1, &message(&[(1, b"t")]))]);
    let long = vec![b'x'; 600];
    let cases: &[(&str, Vec<u8>, bool)] = &[
        ("plain", framed(&id), false),
        (
            "compressed",
            [&b"\x01\0\0\0\x05"[..], b"12345"].concat(),
            true,
        ),
        (
            "a member beyond its message",
            framed(b"\x0a\x09\x0a\x01t"),
            true,
        ),
        (
            "an id beyond its member",
            framed(b"\x0a\x03\x0a\x05tasks"),
            true,
        ),
        ("a number cut off", framed(b"\x0a\x02\x30\x80"), true),
        ("a group", framed(b"\x0b\x0c"), true),
        (
            "a long id",
            framed(&message(&[(1, &message(&[(1, &long)]))])),
            false,
        ),
        (
            "an id that is no text",
            framed(&message(&[(1, &message(&[(1, b"\xff")]))])),
            false,
        ),
    ];
    for (what, body, is_unreadable) in cases {
        for size in [1, 3, body.len()] {
            let mut observer = Observer::new(&stream_call(), Carrier::Grpc).unwrap();
            for piece in body.chunks(size) {
                let _news = observer.observe(piece);
            }
            assert_eq!(observer.is_unreadable(), *is_unreadable, "{what} by {size}");
            assert_eq!(observer.task().is_some(), *what == "plain", "{what}");
        }
    }
    // Other carriers are no answer to such a call.
    assert!(Observer::new(&stream_call(), Carrier::Json).is_none());
}
