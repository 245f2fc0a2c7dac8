//! What the agent says, and what becomes of it.

use super::*;

#[tokio::test]
async fn a_truncated_answer_is_never_complete() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok"[..],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nok",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
    ] {
        let (listener, upstream) = agent().await;
        tokio::spawn(async move {
            let mut stream = accept(&listener).await;
            read_head(&mut stream).await;
            stream.write_all(answer).await.unwrap();
        });
        let response = forward(&upstream, get()).await.unwrap();
        let (bytes, end) = within(read_body(response)).await;
        let error = end.unwrap_err();
        assert_eq!(bytes, b"ok");
        assert_eq!(error.reason(), Reason::UpstreamTruncated, "{error:?}");
        assert_eq!(
            upstream
                .stats()
                .errors()
                .find(|(label, _)| *label == "truncated"),
            Some(("truncated", 1))
        );
    }
}

#[tokio::test]
async fn a_bad_chunk_is_the_agents_fault() {
    let (listener, upstream) = agent().await;
    script(
        listener,
        vec![b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n"],
    );
    let response = forward(&upstream, get()).await.unwrap();
    let (_, end) = within(read_body(response)).await;
    assert_eq!(end.unwrap_err().reason(), Reason::UpstreamInvalid);
}

#[tokio::test]
async fn an_answer_without_a_body_ends_at_its_head() {
    for (request, answer) in [
        (
            Request::head("/").body(RequestBody::Empty).unwrap(),
            &b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"[..],
        ),
        (
            get(),
            b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
        ),
        (get(), b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    ] {
        let (listener, upstream) = agent().await;
        script(listener, vec![answer, OK]);
        let response = forward(&upstream, request).await.unwrap();
        assert!(response.headers().contains_key("content-length"));
        assert!(response.body().is_complete());
        // Nobody polled it, and its connection is free all the same.
        assert_eq!(whole(forward(&upstream, get()).await.unwrap()).await, b"ok");
        assert_eq!(upstream.stats().reused.load(Relaxed), 1);
        drop(response);
    }
}

#[tokio::test]
async fn a_reason_phrase_does_not_travel() {
    let (listener, upstream) = agent().await;
    script(
        listener,
        vec![b"HTTP/1.1 200 AKIA\r\ncontent-length: 0\r\n\r\n"],
    );
    let response = forward(&upstream, get()).await.unwrap();
    assert!(response.extensions().is_empty());
}

#[tokio::test]
async fn nobody_listens() {
    let (listener, upstream) = agent().await;
    drop(listener);
    let error = forward(&upstream, get()).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Connect(_)), "{error:?}");
    assert_eq!(error.reason(), Reason::UpstreamUnavailable);
}

#[tokio::test]
async fn what_is_not_one_answer_is_refused() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(70_000));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(101));
    let cases = [
        ("malformed", "garbage\r\n\r\n"),
        (
            "malformed",
            "HTTP/1.1 200 OK\r\nfolded: a\r\n b\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "malformed",
            "HTTP/1.1 200 OK\r\nspace : a\r\ncontent-length: 0\r\n\r\n",
        ),
        (
            "malformed",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nok",
        ),
        ("malformed", &long),
        ("malformed", &many),
        (
            "framing",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "framing",
            "HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok",
        ),
        (
            "framing",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nok",
        ),
        (
            "upgrade",
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        ),
    ];
    for (label, answer) in cases {
        let (listener, upstream) = agent().await;
        let answer = answer.to_owned();
        tokio::spawn(async move {
            let mut stream = accept(&listener).await;
            read_head(&mut stream).await;
            // We may close before all of it was written.
            let _sent = stream.write_all(answer.as_bytes()).await;
            closed(&mut stream).await;
        });
        let error = within(forward(&upstream, get())).await.unwrap_err();
        assert_eq!(error.label(), label, "{error:?}");
        assert_eq!(error.reason(), Reason::UpstreamInvalid);
        within(settled(&upstream.stats(), 0)).await;
    }
}

#[tokio::test]
async fn interim_answers_are_not_the_answer() {
    let (listener, upstream) = agent().await;
    script(
        listener,
        vec![b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"],
    );
    let response = forward(&upstream, post(b"body")).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("link"));
    assert_eq!(whole(response).await, b"ok");
}

#[tokio::test]
async fn trailers_come_back_and_an_http1_agent_gets_none() {
    let (listener, upstream) = agent().await;
    let agent = tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        let head = read_head(&mut stream).await;
        let body = read_until(&mut stream, b"0\r\n\r\n").await;
        stream
            .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-checksum\r\n\r\n2\r\nok\r\n0\r\nx-checksum: 1\r\nset-cookie: a=b\r\n\r\n")
            .await
            .unwrap();
        (head, body)
    });
    let (mut caller, rest) = incoming("transfer-encoding: chunked\r\ntrailer: x-a").await;
    caller
        .write_all(b"4\r\nbody\r\n0\r\nx-a: 1\r\n\r\n")
        .await
        .unwrap();
    let response = forward(&upstream, streamed(rest)).await.unwrap();
    assert!(!response.headers().contains_key("trailer"));
    let mut body = response.into_body();
    let first = body.frame().await.unwrap().unwrap();
    assert_eq!(first.into_data().unwrap(), "ok");
    // Not before the agent has said that all of it is there.
    let last = body.frame().await.unwrap().unwrap();
    assert!(body.is_complete() && body.is_end_stream());
    let trailers = last.into_trailers().unwrap();
    assert_eq!(trailers.len(), 1, "{trailers:?}");
    assert_eq!(trailers["x-checksum"], "1");
    assert!(body.frame().await.is_none());
    let (head, body) = within(agent).await.unwrap();
    assert!(!head.contains("trailer"), "{head}");
    assert_eq!(body, b"4\r\nbody\r\n0\r\n\r\n");
}

#[test]
fn each_error_has_its_label_once() {
    assert!(UpstreamError::LABELS.is_sorted());
    let errors = [
        UpstreamError::ConnectTimeout,
        UpstreamError::FirstByteTimeout,
        UpstreamError::IdleTimeout,
        UpstreamError::TotalTimeout,
        UpstreamError::Truncated(None),
        UpstreamError::Upgrade,
        UpstreamError::RequestBody(RequestBodyError::Broken),
        UpstreamError::Framing(FramingError::Both),
    ];
    let stats = UpstreamStats::default();
    for error in &errors {
        stats.failed(error);
    }
    let counted: u64 = stats.errors().map(|(_, count)| count).sum();
    assert_eq!(counted, errors.len() as u64);
}
