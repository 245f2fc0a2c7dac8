//! Bodies that are long, and peers that are slow.

use super::*;

#[tokio::test]
async fn an_agent_that_does_not_read_does_not_fill_our_memory() {
    let (listener, upstream) = agent().await;
    let agent = tokio::spawn(async move {
        let _unread = accept(&listener).await;
        pending::<()>().await;
    });
    let (mut caller, rest) = incoming("transfer-encoding: chunked").await;
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let writer = tokio::spawn(async move {
        let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x1_0000], b"\r\n"].concat();
        while caller.write_all(&chunk).await.is_ok() {
            count.fetch_add(0x1_0000, Relaxed);
        }
    });
    let short = Deadlines {
        first_byte: Duration::from_millis(200),
        ..deadlines()
    };
    let error = within(forward_within(&upstream, streamed(rest), short))
        .await
        .unwrap_err();
    assert!(
        matches!(error, UpstreamError::FirstByteTimeout),
        "{error:?}"
    );
    // What the two kernels' buffers hold on loopback, and little of ours.
    let written = written.load(Relaxed);
    assert!(written < 32 << 20, "{written} bytes went to nobody");
    agent.abort();
    writer.abort();
}

#[tokio::test]
async fn a_reader_that_is_slow_slows_the_agent() {
    const PIECES: usize = 1024;
    static PIECE: [u8; 64 * 1024] = [b'x'; 64 * 1024];
    let (listener, upstream) = agent().await;
    let (report, mut written) = tokio::sync::watch::channel(0_usize);
    tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        read_head(&mut stream).await;
        let length = PIECES * PIECE.len();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        for piece in 1..=PIECES {
            stream.write_all(&PIECE).await.unwrap();
            report.send_replace(piece);
        }
        closed(&mut stream).await;
    });
    let response = forward(&upstream, get()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    // What the two kernels' buffers hold, at most some MiB on loopback, and not the 64 MiB.
    let early = *written.borrow_and_update();
    assert!(early < PIECES / 2, "{early} pieces went to nobody");
    assert_eq!(within(whole(response)).await.len(), PIECES * PIECE.len());
}

/// The whole way, on several threads: a caller that sends the next piece only when the last came back
/// sees that each side wakes the other, since no task drives the agent's connection but the call's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_bodies_flow_at_the_same_time() {
    const PIECE: &[u8] = b"4\r\nping\r\n";
    let (listener, upstream) = agent().await;
    tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        read_head(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head).await.unwrap();
        let mut piece = [0; PIECE.len()];
        while stream.read_exact(&mut piece).await.is_ok() {
            stream.write_all(&piece).await.unwrap();
        }
    });
    let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = front.local_addr().unwrap();
    tokio::spawn(async move {
        let stream = TokioIo::new(accept(&front).await);
        let service = hyper::service::service_fn(|request: Request<Incoming>| {
            let upstream = upstream.clone();
            async move { forward(&upstream, streamed(request.into_body())).await }
        });
        hyper::server::conn::http1::Builder::new()
            .serve_connection(stream, service)
            .await
    });
    within(async {
        let mut caller = TcpStream::connect(address).await.unwrap();
        let head = b"POST / HTTP/1.1\r\nhost: us\r\ntransfer-encoding: chunked\r\n\r\n";
        caller.write_all(head).await.unwrap();
        assert!(read_head(&mut caller).await.starts_with("HTTP/1.1 200"));
        for _ in 0..200 {
            caller.write_all(PIECE).await.unwrap();
            assert_eq!(read_until(&mut caller, PIECE).await, PIECE);
        }
    })
    .await;
}
