//! Which connection serves which request, and what is sent again.

use super::*;

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let (listener, upstream) = agent().await;
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let empty = b"HTTP/1.1 204 No Content\r\n\r\n";
    let agent = script(listener, vec![OK, chunked, empty, OK]);
    for expected in [&b"ok"[..], b"ok", b"", b"ok"] {
        let response = forward(&upstream, get()).await.unwrap();
        assert_eq!(whole(response).await, expected);
        // The driver may still be at the end of the exchange.
        tokio::task::yield_now().await;
    }
    let stats = upstream.stats();
    assert_eq!(stats.opened.load(Relaxed), 1);
    assert_eq!(stats.reused.load(Relaxed), 3);
    drop(upstream);
    within(agent).await.unwrap();
}

#[tokio::test]
async fn concurrent_requests_have_a_connection_each_and_share_them_later() {
    let (listener, upstream) = agent().await;
    tokio::spawn(async move {
        loop {
            let mut stream = accept(&listener).await;
            tokio::spawn(async move {
                while !read_head(&mut stream).await.is_empty() {
                    stream.write_all(OK).await.unwrap();
                }
            });
        }
    });
    for _ in 0..5 {
        let exchange = async || whole(forward(&upstream, get()).await.unwrap()).await;
        let bodies = tokio::join!(exchange(), exchange(), exchange(), exchange());
        assert_eq!(bodies.0, b"ok");
        assert_eq!(bodies.3, b"ok");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(upstream.stats().opened.load(Relaxed), 4);
    assert_eq!(upstream.stats().reused.load(Relaxed), 16);
}

#[tokio::test]
async fn no_more_idle_connections_than_configured() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = at("localhost", listener.local_addr().unwrap().port());
    config.idle = 1;
    let upstream = Upstream::new(&config, None);
    tokio::spawn(async move {
        let (mut first, mut second) = (accept(&listener).await, accept(&listener).await);
        read_head(&mut first).await;
        read_head(&mut second).await;
        first.write_all(OK).await.unwrap();
        second.write_all(OK).await.unwrap();
        tokio::join!(closed(&mut first), closed(&mut second));
    });
    let exchange = async || whole(forward(&upstream, get()).await.unwrap()).await;
    tokio::join!(exchange(), exchange());
    within(settled(&upstream.stats(), 1)).await;
}

#[tokio::test]
async fn an_agent_that_closes_after_its_answer_is_connected_to_again() {
    let (listener, upstream) = agent().await;
    tokio::spawn(async move {
        for answer in [
            &b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"[..],
            b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\n\r\nok",
            OK,
            OK,
        ] {
            let mut stream = accept(&listener).await;
            read_head(&mut stream).await;
            stream.write_all(answer).await.unwrap();
        }
    });
    for _ in 0..5 {
        // POST: not one of them may be sent twice.
        let response = forward(&upstream, post(b"")).await.unwrap();
        assert!(!response.headers().contains_key("connection"));
        assert_eq!(whole(response).await, b"ok");
    }
    assert_eq!(upstream.stats().opened.load(Relaxed), 5);
    assert_eq!(upstream.stats().retried.load(Relaxed), 0);
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_not_written_to() {
    let (listener, upstream) = agent().await;
    let agent = tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        read_head(&mut stream).await;
        stream.write_all(OK).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(stream);
        let mut stream = accept(&listener).await;
        let head = read_head(&mut stream).await;
        let mut body = [0; 4];
        stream.read_exact(&mut body).await.unwrap();
        stream.write_all(OK).await.unwrap();
        (head, body)
    });
    assert_eq!(whole(forward(&upstream, get()).await.unwrap()).await, b"ok");
    tokio::time::sleep(Duration::from_millis(40)).await;
    // Not one byte was written to the dead one, so even this may go to the next.
    let (mut caller, rest) = incoming("content-length: 4").await;
    caller.write_all(b"body").await.unwrap();
    let response = forward(&upstream, streamed(rest)).await.unwrap();
    assert_eq!(whole(response).await, b"ok");
    let (head, body) = within(agent).await.unwrap();
    assert!(head.starts_with("POST"), "{head}");
    assert_eq!(&body, b"body");
    assert_eq!(upstream.stats().stale.load(Relaxed), 1);
    assert_eq!(upstream.stats().retried.load(Relaxed), 0);
}

#[tokio::test]
async fn a_second_answer_is_not_given_to_the_next_caller() {
    let (listener, upstream) = agent().await;
    let agent = tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        read_head(&mut stream).await;
        let forged = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";
        stream.write_all(&[OK, forged].concat()).await.unwrap();
        closed(&mut stream).await;
        let mut stream = accept(&listener).await;
        let head = read_head(&mut stream).await;
        stream.write_all(OK).await.unwrap();
        head
    });
    assert_eq!(whole(forward(&upstream, get()).await.unwrap()).await, b"ok");
    assert_eq!(
        whole(forward(&upstream, post(b"")).await.unwrap()).await,
        b"ok"
    );
    assert!(within(agent).await.unwrap().starts_with("POST"));
    assert_eq!(upstream.stats().opened.load(Relaxed), 2);
}

#[tokio::test]
async fn bytes_on_an_idle_connection_end_it() {
    let (listener, upstream) = agent().await;
    let agent = tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        read_head(&mut stream).await;
        stream.write_all(OK).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        let forged = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";
        stream.write_all(forged).await.unwrap();
        closed(&mut stream).await;
        let mut stream = accept(&listener).await;
        let head = read_head(&mut stream).await;
        stream.write_all(OK).await.unwrap();
        head
    });
    assert_eq!(whole(forward(&upstream, get()).await.unwrap()).await, b"ok");
    tokio::time::sleep(Duration::from_millis(40)).await;
    let next = forward(&upstream, post(b"as it was")).await.unwrap();
    assert_eq!(whole(next).await, b"ok");
    assert!(within(agent).await.unwrap().starts_with("POST"));
    assert_eq!(upstream.stats().stale.load(Relaxed), 1);
}

#[tokio::test]
async fn a_dropped_body_closes_the_agents_connection() {
    let (listener, upstream) = agent().await;
    let agent = script(
        listener,
        vec![b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok"],
    );
    let response = forward(&upstream, get()).await.unwrap();
    drop(response);
    within(agent).await.unwrap();
    within(settled(&upstream.stats(), 0)).await;
}

#[tokio::test]
async fn a_dropped_request_closes_the_agents_connection() {
    let (listener, upstream) = agent().await;
    let agent = script(listener, vec![b""]);
    let waiting = tokio::time::timeout(Duration::from_millis(50), forward(&upstream, get()));
    assert!(waiting.await.is_err());
    within(agent).await.unwrap();
    within(settled(&upstream.stats(), 0)).await;
}

/// An agent that answers once, then closes without an answer when the next request is there, and
/// answers again on a fresh connection. Gives the heads that it saw.
fn closing_agent(listener: TcpListener) -> tokio::task::JoinHandle<Vec<String>> {
    tokio::spawn(async move {
        let mut heads = Vec::new();
        let mut stream = accept(&listener).await;
        heads.push(read_head(&mut stream).await);
        stream.write_all(OK).await.unwrap();
        heads.push(read_head(&mut stream).await);
        drop(stream);
        let accepted = tokio::time::timeout(Duration::from_millis(200), accept(&listener)).await;
        if let Ok(mut stream) = accepted {
            heads.push(read_head(&mut stream).await);
            stream.write_all(OK).await.unwrap();
        }
        heads
    })
}

#[tokio::test]
async fn what_changes_nothing_is_sent_again_once_where_the_operator_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = at("127.0.0.1", listener.local_addr().unwrap().port());
    config.retry = Retry::Safe;
    let upstream = Upstream::new(&config, None);
    let agent = closing_agent(listener);
    for _ in 0..2 {
        assert_eq!(whole(forward(&upstream, get()).await.unwrap()).await, b"ok");
        tokio::task::yield_now().await;
    }
    let heads = within(agent).await.unwrap();
    assert_eq!(heads.len(), 3);
    assert_eq!(heads[1], heads[2]);
    assert_eq!(upstream.stats().retried.load(Relaxed), 1);
}

#[tokio::test]
async fn what_may_have_been_done_is_not_sent_again() {
    for request in [
        // Changes nothing, and the operator has not said that this is enough.
        get,
        || post(b""),
        || post(b"body"),
        || Request::delete("/").body(RequestBody::Empty).unwrap(),
    ] {
        let (listener, upstream) = agent().await;
        let agent = closing_agent(listener);
        assert_eq!(whole(forward(&upstream, get()).await.unwrap()).await, b"ok");
        tokio::task::yield_now().await;
        let error = forward(&upstream, request()).await.unwrap_err();
        assert!(matches!(error, UpstreamError::Closed(_)), "{error:?}");
        assert_eq!(within(agent).await.unwrap().len(), 2);
        assert_eq!(upstream.stats().retried.load(Relaxed), 0);
    }
}

#[tokio::test]
async fn an_answer_before_the_requests_end_ends_the_connection() {
    let (listener, upstream) = agent().await;
    let agent = script(
        listener,
        vec![b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno"],
    );
    let (_caller, rest) = incoming("content-length: 4").await;
    let response = forward(&upstream, streamed(rest)).await.unwrap();
    assert_eq!(whole(response).await, b"no");
    within(agent).await.unwrap();
    within(settled(&upstream.stats(), 0)).await;
}
