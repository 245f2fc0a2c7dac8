//! Whole gRPC exchanges through the program: a caller over HTTP/2 and TLS, an agent over HTTP/2 in the clear,
//! and trailers in between.

#![cfg(test)]

use bytes::Bytes;
use h2::client::SendRequest;
use http::{HeaderMap, Request, Response};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use support::agent_h2::Answer;
use support::grpc::{Seen, agent, answer, ask, before, fields, frame};
use support::lictor::{EVERYBODY, Lictor};
use support::minting::{Algorithm, TokenMinter};
use support::upstream::{Step, Upstream};
use support::{eventually, secrets, within};

mod support;

/// A method of a service that lictor does not know.
const METHOD: &str = "/desk.v1.Desk/Ask";

/// Everybody may do everything, and these packs are looked for; none is no scan.
fn policy(packs: &str) -> String {
    if packs.is_empty() {
        return EVERYBODY.to_owned();
    }
    format!("{EVERYBODY}leaks:\n  packs: {{ {packs} }}\n")
}

async fn call(sender: &SendRequest<Bytes>, message: &[u8], trailers: Option<HeaderMap>) -> Seen {
    ask(sender, METHOD, &HeaderMap::new(), frame(message), trailers).await
}

#[tokio::test]
async fn a_grpc_call_keeps_its_messages_and_its_trailers() {
    let (address, mut told) = agent(|_| {
        let pieces = vec![frame(b"\n\x05hello"), frame(b"\n\x05world")];
        answer(pieces, &[("grpc-status", "0"), ("grpc-message", "fine")])
    })
    .await;
    for packs in ["", "credentials: redact"] {
        let (_lictor, sender) = before(format!("h2c://{address}"), policy(packs)).await;
        let seen = call(&sender, b"\n\x02hi", None).await;
        assert_eq!(seen.head.status(), 200);
        assert_eq!(seen.head.headers()["content-type"], "application/grpc");
        let whole = [frame(b"\n\x05hello"), frame(b"\n\x05world")].concat();
        assert_eq!(seen.body, whole);
        let trailers = seen.end.unwrap().unwrap();
        assert_eq!(trailers["grpc-status"], "0");
        assert_eq!(trailers["grpc-message"], "fine");

        let asked = told.recv().await.unwrap();
        assert_eq!(asked.head.uri().path(), METHOD);
        assert_eq!(asked.head.headers()["te"], "trailers");
        assert_eq!(asked.head.headers()["grpc-timeout"], "5S");
        assert_eq!(asked.body, frame(b"\n\x02hi"));
    }
}

#[tokio::test]
async fn a_status_that_comes_with_the_head_arrives_with_the_head() {
    let (address, _told) = agent(|_| Answer {
        head: Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", "12")
            .body(())
            .unwrap(),
        ..Answer::default()
    })
    .await;
    let packs = policy("credentials: redact");
    let (_lictor, sender) = before(format!("h2c://{address}"), packs).await;
    let seen = call(&sender, b"", None).await;
    assert_eq!(seen.head.headers()["grpc-status"], "12");
    assert_eq!((seen.body.len(), seen.end.unwrap()), (0, None));
}

#[tokio::test]
async fn trailers_say_nothing_that_only_the_head_or_lictor_may_say() {
    let (address, mut told) = agent(|_| {
        let trailers = [
            ("grpc-status", "0"),
            ("set-cookie", "a=b"),
            ("content-length", "5"),
            ("x-user-id", "root"),
            ("x_customer_id", "acme"),
            ("lictor-decision-id", "1"),
        ];
        answer(vec![frame(b"ok")], &trailers)
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys.json");
    let minter = TokenMinter::generate(Algorithm::EdDsa).unwrap();
    std::fs::write(&keys, minter.jwks()).unwrap();
    let policy = format!(
        "{EVERYBODY}identities:\n  desk: {{ jwt: {{ issuer: \"https://idp.example\", audience: a, header: x-desk-token, \
         jwks: {{ file: \"{}\" }} }} }}\n",
        keys.display()
    );
    let (_lictor, sender) = before(format!("h2c://{address}"), policy).await;
    let sent = fields(&[
        ("checksum", "1"),
        ("authorization", "Bearer x"),
        ("x-desk-token", "x"),
        ("x-user-id", "root"),
        ("x_user_id", "root"),
        ("x-lictor-anything", "1"),
        ("content-length", "5"),
    ]);
    let seen = call(&sender, b"hi", Some(sent)).await;
    let trailers = seen.end.unwrap().unwrap();
    assert_eq!(trailers, fields(&[("grpc-status", "0")]));
    let asked = told.recv().await.unwrap();
    assert_eq!(asked.trailers, Some(fields(&[("checksum", "1")])));
}

#[tokio::test]
async fn a_secret_in_the_trailers_does_not_leave() {
    let secret = secrets::github_token(3);
    let told = secret.clone();
    let (address, _asked) = agent(move |_| {
        let trailers = [("grpc-status", "5"), ("grpc-message", told.as_str())];
        answer(vec![frame(b"ok")], &trailers)
    })
    .await;
    let url = format!("h2c://{address}");
    let (_lictor, sender) = before(url.clone(), policy("credentials: redact")).await;
    let seen = call(&sender, b"hi", None).await;
    assert_eq!(seen.body, frame(b"ok"));
    assert_eq!(seen.end.unwrap(), Some(fields(&[("grpc-status", "5")])));

    let (lictor, sender) = before(url, policy("credentials: block")).await;
    let seen = call(&sender, b"hi", None).await;
    // The message that was judged before has left; the status says that this is not a good end.
    assert_eq!(seen.body, frame(b"ok"));
    let status = seen.status();
    assert_eq!(status["grpc-status"], "13");
    assert_eq!(
        status["grpc-message"],
        "Security check blocked the response. Please contact support."
    );
    let record = eventually("an audit record", async || lictor.audit().pop()).await;
    assert!(record.to_string().contains("leakage-detected"), "{record}");
    assert!(!record.to_string().contains(&secret), "{record}");
}

#[tokio::test]
async fn trailers_of_an_http1_agent_reach_callers_of_either_version() {
    let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-checksum\r\n\r\n\
                  2\r\nok\r\n0\r\nx-checksum: 1\r\nset-cookie: a=b\r\n\r\n";
    let upstream = Upstream::scripted(move |_| vec![Step::text(answer)]).await;
    let (_lictor, sender) = before(format!("http://{}", upstream.address), policy("")).await;
    let seen = call(&sender, b"hi", Some(fields(&[("checksum", "1")]))).await;
    assert_eq!(seen.body, b"ok");
    assert_eq!(seen.end.unwrap(), Some(fields(&[("x-checksum", "1")])));
    let asked = upstream.requests().pop().unwrap();
    assert_eq!(asked.body, frame(b"hi"));
    assert_eq!(asked.field("te"), None);
    assert_eq!(asked.field("checksum"), None);

    let lictor = Lictor::spawn(&policy("credentials: redact"), upstream.address).await;
    let mut client = lictor.client().await;
    client
        .wire
        .send(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut raw = Vec::new();
    while !raw.ends_with(b"x-checksum: 1\r\n\r\n") {
        raw.extend(
            within("the answer", client.wire.raw())
                .await
                .unwrap()
                .unwrap(),
        );
    }
    let raw = String::from_utf8(raw).unwrap();
    assert!(!raw.contains("set-cookie"), "{raw}");
}

/// A caller who cancels in the middle of its request has not sent a whole one.
#[tokio::test]
async fn a_request_that_its_caller_cancels_never_arrives_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (report, mut reported) = mpsc::channel(1);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut server = h2::server::handshake(stream).await.unwrap();
        let (request, _respond) = server.accept().await.unwrap().unwrap();
        tokio::spawn(async move { while let Some(Ok(_)) = server.accept().await {} });
        let mut body = request.into_body();
        let end = loop {
            match body.data().await {
                Some(Ok(_)) => {}
                Some(Err(_reset)) => break false,
                None => break true,
            }
        };
        report.send(end).await.unwrap();
    });
    let (_lictor, sender) = before(format!("h2c://{address}"), policy("")).await;
    let request = Request::put("https://localhost/file").body(()).unwrap();
    let mut sender = within("a connection", sender.ready()).await.unwrap();
    let (_answer, mut body) = sender.send_request(request, false).unwrap();
    body.send_data(Bytes::from_static(b"half"), false).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    body.send_reset(h2::Reason::CANCEL);
    let arrived = within("the agent's view", reported.recv()).await;
    assert_eq!(arrived, Some(false), "half a request looks whole");
}
