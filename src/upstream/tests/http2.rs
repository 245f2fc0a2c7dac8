//! Agents that speak HTTP/2 by prior knowledge.

use h2::server::{self, SendResponse};
use h2::{Reason as H2Reason, RecvStream};

use super::*;

type Server = server::Connection<TcpStream, Bytes>;
type Exchange = (Request<RecvStream>, SendResponse<Bytes>);

/// An HTTP/2 agent, and the upstream that leads to it.
async fn agent_with(change: impl FnOnce(&mut Config)) -> (TcpListener, Upstream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let host = "127.0.0.1".to_owned();
    let mut config = Config::new(Endpoint::H2c { host, port });
    change(&mut config);
    (listener, Upstream::new(&config, None))
}

async fn agent() -> (TcpListener, Upstream) {
    agent_with(|_| {}).await
}

async fn serve(listener: &TcpListener) -> Server {
    server::handshake(accept(listener).await).await.unwrap()
}

async fn next(server: &mut Server) -> Exchange {
    server.accept().await.unwrap().unwrap()
}

/// Drives what is left of a connection.
fn drive(mut server: Server) {
    tokio::spawn(async move { while let Some(Ok(_)) = server.accept().await {} });
}

fn answer(respond: &mut SendResponse<Bytes>, body: &'static [u8]) {
    let mut stream = respond.send_response(Response::new(()), false).unwrap();
    stream.send_data(Bytes::from_static(body), true).unwrap();
}

/// Answers everything on every connection.
fn answering(listener: TcpListener) {
    tokio::spawn(async move {
        loop {
            let mut server = serve(&listener).await;
            tokio::spawn(async move {
                while let Some(Ok((_, mut respond))) = server.accept().await {
                    answer(&mut respond, b"ok");
                }
            });
        }
    });
}

async fn ok(upstream: &Upstream, request: Request<RequestBody>) {
    let response = within(forward(upstream, request)).await.unwrap();
    assert_eq!(within(whole(response)).await, b"ok");
}

#[tokio::test]
async fn exchanges_share_one_connection() {
    let (listener, upstream) = agent().await;
    answering(listener);
    let exchange = || ok(&upstream, get());
    tokio::join!(exchange(), exchange(), exchange(), exchange());
    ok(&upstream, post(b"body")).await;
    let stats = upstream.stats();
    assert_eq!(stats.opened.load(Relaxed), 1);
    assert_eq!(stats.reused.load(Relaxed), 4);
    // Forgotten, it ends in good order.
    assert!(upstream.close(Duration::from_secs(10)).await);
    assert_eq!(stats.open.load(Relaxed), 0);
    let error = forward(&upstream, get()).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Connect(_)), "{error:?}");
}

#[tokio::test]
async fn a_request_says_the_same_as_over_http1() {
    let (listener, upstream) = agent().await;
    let agent = tokio::spawn(async move {
        let mut server = serve(&listener).await;
        let (request, mut respond) = next(&mut server).await;
        answer(&mut respond, b"ok");
        drive(server);
        request.map(drop)
    });
    let request = Request::post("/a?b=c")
        .header("host", "agent.example")
        .header("te", "trailers")
        .header("expect", "100-continue")
        .header("transfer-encoding", "chunked")
        .header("content-length", "9")
        .body(RequestBody::full(Bytes::from_static(b"body")))
        .unwrap();
    ok(&upstream, request).await;
    let request = within(agent).await.unwrap();
    assert_eq!(request.uri(), "http://agent.example/a?b=c");
    let mut names: Vec<_> = request
        .headers()
        .keys()
        .map(http::HeaderName::as_str)
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "te"]);
    assert_eq!(request.headers()["content-length"], "4");
}

#[tokio::test]
async fn a_full_connection_gets_a_second_beside_it() {
    for (ours, theirs) in [(2, 100), (100, 2)] {
        let (listener, upstream) = agent_with(|config| config.streams = ours).await;
        let (waiting, mut waits) = mpsc::channel::<SendResponse<Bytes>>(9);
        tokio::spawn(async move {
            loop {
                let mut builder = server::Builder::new();
                builder.max_concurrent_streams(theirs);
                let server = builder.handshake(accept(&listener).await).await;
                let mut server: Server = server.unwrap();
                let waiting = waiting.clone();
                tokio::spawn(async move {
                    while let Some(Ok((request, mut respond))) = server.accept().await {
                        if request.uri().path() == "/first" {
                            answer(&mut respond, b"ok");
                        } else {
                            waiting.send(respond).await.unwrap();
                        }
                    }
                });
            }
        });
        // What the agent allows is looked at with each request, and was said before its first answer.
        for _ in 0..2 {
            let first = Request::get("/first").body(RequestBody::Empty).unwrap();
            ok(&upstream, first).await;
        }
        let release = async {
            let mut taken = Vec::new();
            while taken.len() < 3 {
                taken.push(waits.recv().await.unwrap());
            }
            for respond in &mut taken {
                answer(respond, b"ok");
            }
        };
        let exchange = || ok(&upstream, get());
        let all = async { tokio::join!(exchange(), exchange(), exchange(), release) };
        Box::pin(within(all)).await;
        assert_eq!(upstream.stats().opened.load(Relaxed), 2);
    }
}

#[tokio::test]
async fn a_refused_stream_is_sent_again_once() {
    let (listener, upstream) = agent().await;
    tokio::spawn(async move {
        for refused in [true, false, true, true] {
            let mut server = serve(&listener).await;
            let (_, mut respond) = next(&mut server).await;
            if refused {
                respond.send_reset(H2Reason::REFUSED_STREAM);
                tokio::spawn(async move {
                    // Later exchanges find their way to the next connection.
                    server.graceful_shutdown();
                    while let Some(Ok(_)) = server.accept().await {}
                });
            } else {
                answer(&mut respond, b"ok");
                server.graceful_shutdown();
                drive(server);
            }
        }
    });
    ok(&upstream, post(b"may change things")).await;
    assert_eq!(upstream.stats().retried.load(Relaxed), 1);
    within(settled(&upstream.stats(), 0)).await;
    let error = within(forward(&upstream, post(b"again")))
        .await
        .unwrap_err();
    assert_eq!(error.reason(), Reason::UpstreamUnavailable, "{error:?}");
    assert_eq!(upstream.stats().retried.load(Relaxed), 2);
}

/// Frames as bytes: an agent that says goodbye before it has taken the stream.
#[tokio::test]
async fn what_a_goodbye_leaves_out_is_sent_again() {
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    const GOAWAY_NOTHING: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const HEADERS: u8 = 1;
    let (listener, upstream) = agent().await;
    let agent = tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.unwrap();
        stream.write_all(SETTINGS).await.unwrap();
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            stream.read_exact(&mut payload).await.unwrap();
            if head[3] == HEADERS {
                break;
            }
        }
        stream.write_all(GOAWAY_NOTHING).await.unwrap();
        let mut server = serve(&listener).await;
        let (request, mut respond) = next(&mut server).await;
        answer(&mut respond, b"ok");
        drive(server);
        request.method().clone()
    });
    ok(&upstream, post(b"may change things")).await;
    assert_eq!(within(agent).await.unwrap(), "POST");
    assert_eq!(upstream.stats().retried.load(Relaxed), 1);
}

#[tokio::test]
async fn what_may_have_been_done_is_not_sent_again_over_http2() {
    for reason in [
        H2Reason::INTERNAL_ERROR,
        H2Reason::CANCEL,
        H2Reason::ENHANCE_YOUR_CALM,
    ] {
        let (listener, upstream) = agent().await;
        tokio::spawn(async move {
            let mut server = serve(&listener).await;
            let (_, mut respond) = next(&mut server).await;
            respond.send_reset(reason);
            let (_, mut respond) = next(&mut server).await;
            answer(&mut respond, b"ok");
            drive(server);
        });
        let error = within(forward(&upstream, post(b"body"))).await.unwrap_err();
        assert!(matches!(error, UpstreamError::Closed(_)), "{error:?}");
        assert_eq!(upstream.stats().retried.load(Relaxed), 0);
        // The connection is as good as before.
        ok(&upstream, get()).await;
        assert_eq!(upstream.stats().opened.load(Relaxed), 1);
    }
}

#[tokio::test]
async fn a_stream_that_is_reset_is_never_complete() {
    for reason in [
        H2Reason::CANCEL,
        H2Reason::NO_ERROR,
        H2Reason::INTERNAL_ERROR,
    ] {
        let (listener, upstream) = agent().await;
        tokio::spawn(async move {
            let mut server = serve(&listener).await;
            let (_, mut respond) = next(&mut server).await;
            let mut stream = respond.send_response(Response::new(()), false).unwrap();
            stream.send_data(Bytes::from_static(b"ok"), false).unwrap();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                stream.send_reset(reason);
            });
            drive(server);
        });
        let response = within(forward(&upstream, get())).await.unwrap();
        let (bytes, end) = within(read_body(response)).await;
        assert_eq!(bytes, b"ok");
        let error = end.unwrap_err();
        assert_eq!(error.reason(), Reason::UpstreamTruncated, "{error:?}");
    }
}

#[tokio::test]
async fn a_connection_that_dies_truncates_every_answer_on_it() {
    let (listener, upstream) = agent().await;
    tokio::spawn(async move {
        let mut server = serve(&listener).await;
        let mut open = Vec::new();
        for _ in 0..2 {
            let (_, mut respond) = next(&mut server).await;
            let mut stream = respond.send_response(Response::new(()), false).unwrap();
            stream.send_data(Bytes::from_static(b"ok"), false).unwrap();
            open.push(stream);
        }
        // Flushes, and then the process is gone.
        let more = tokio::time::timeout(Duration::from_millis(50), server.accept()).await;
        assert!(more.is_err());
    });
    let exchange = || async { read_body(forward(&upstream, get()).await.unwrap()).await };
    let both = async { tokio::join!(exchange(), exchange()) };
    let (first, second) = Box::pin(within(both)).await;
    for (bytes, end) in [first, second] {
        assert_eq!(bytes, b"ok");
        assert_eq!(end.unwrap_err().reason(), Reason::UpstreamTruncated);
    }
    within(settled(&upstream.stats(), 0)).await;
}

#[tokio::test]
async fn a_dropped_exchange_resets_its_stream_and_no_other() {
    let (listener, upstream) = agent().await;
    let agent = tokio::spawn(async move {
        let mut server = serve(&listener).await;
        let (_, mut respond) = next(&mut server).await;
        let mut stream = respond.send_response(Response::new(()), false).unwrap();
        stream
            .send_data(Bytes::from_static(b"begun"), false)
            .unwrap();
        let (_, mut waiting) = next(&mut server).await;
        drive(server);
        let reset = poll_fn(|cx| stream.poll_reset(cx)).await.unwrap();
        let unheard = poll_fn(|cx| waiting.poll_reset(cx)).await.unwrap();
        (reset, unheard)
    });
    let response = within(forward(&upstream, get())).await.unwrap();
    // One that waits for its head, and is given up by its deadline.
    let short = Deadlines {
        first_byte: Duration::from_millis(50),
        ..deadlines()
    };
    let error = within(forward_within(&upstream, get(), short)).await;
    assert!(
        matches!(error, Err(UpstreamError::FirstByteTimeout)),
        "{error:?}"
    );
    assert_eq!(upstream.stats().open.load(Relaxed), 1);
    drop(response);
    let (reset, unheard) = within(agent).await.unwrap();
    assert_eq!((reset, unheard), (H2Reason::CANCEL, H2Reason::CANCEL));
    assert_eq!(upstream.stats().opened.load(Relaxed), 1);
}

#[tokio::test]
async fn a_reader_who_is_slow_does_not_stop_the_others() {
    let (listener, upstream) = agent().await;
    tokio::spawn(async move {
        let mut server = serve(&listener).await;
        while let Some(Ok((request, mut respond))) = server.accept().await {
            if request.uri().path() == "/" {
                answer(&mut respond, b"ok");
                continue;
            }
            let mut stream = respond.send_response(Response::new(()), false).unwrap();
            // More than the window; the rest waits in the agent.
            stream
                .send_data(Bytes::from(vec![b'.'; 1 << 20]), true)
                .unwrap();
        }
    });
    let mut unread = Vec::new();
    for _ in 0..20 {
        let large = Request::get("/large").body(RequestBody::Empty).unwrap();
        unread.push(within(forward(&upstream, large)).await.unwrap());
    }
    ok(&upstream, get()).await;
    assert_eq!(upstream.stats().opened.load(Relaxed), 1);
    let large = within(whole(unread.pop().unwrap())).await;
    assert_eq!(large.len(), 1 << 20);
}

#[tokio::test]
async fn a_body_streams_through_and_a_broken_one_is_never_whole() {
    let (listener, upstream) = agent().await;
    let (report, mut reported) = mpsc::channel(2);
    tokio::spawn(async move {
        let mut server = serve(&listener).await;
        while let Some(Ok((request, mut respond))) = server.accept().await {
            let report = report.clone();
            tokio::spawn(async move {
                let mut body = request.into_body();
                let mut bytes = Vec::new();
                let end = loop {
                    match body.data().await {
                        None => break Ok(()),
                        Some(Ok(data)) => bytes.extend_from_slice(&data),
                        Some(Err(error)) => break Err(error.reason()),
                    }
                };
                if end.is_ok() {
                    answer(&mut respond, b"ok");
                }
                report.send((bytes, end)).await.unwrap();
            });
        }
    });
    let (mut caller, rest) = incoming("transfer-encoding: chunked").await;
    caller.write_all(b"4\r\nbody\r\n0\r\n\r\n").await.unwrap();
    ok(&upstream, streamed(rest)).await;
    assert_eq!(
        within(reported.recv()).await,
        Some((b"body".to_vec(), Ok(())))
    );

    let (mut caller, rest) = incoming("transfer-encoding: chunked").await;
    caller.write_all(b"4\r\nbody\r\n").await.unwrap();
    let leaving = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(caller);
    };
    let (outcome, ()) = tokio::join!(forward(&upstream, streamed(rest)), leaving);
    let error = outcome.unwrap_err();
    assert!(
        matches!(error, UpstreamError::RequestBody(RequestBodyError::Broken)),
        "{error:?}"
    );
    let (bytes, end) = within(reported.recv()).await.unwrap();
    assert_eq!(bytes, b"body");
    assert!(end.is_err());
}

#[tokio::test]
async fn bytes_that_are_not_http2_are_the_agents_fault() {
    let (listener, upstream) = agent().await;
    tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        read_until(&mut stream, b"SM\r\n\r\n").await;
        stream.write_all(OK).await.unwrap();
        closed(&mut stream).await;
    });
    let error = within(forward(&upstream, get())).await.unwrap_err();
    assert_eq!(error.reason(), Reason::UpstreamInvalid, "{error:?}");
    within(settled(&upstream.stats(), 0)).await;
}
