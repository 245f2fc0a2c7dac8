//! The caller's body on its way.

use super::*;

#[tokio::test]
async fn a_get_of_unknown_length_keeps_its_body() {
    let (listener, upstream) = agent().await;
    let agent = tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        let head = read_head(&mut stream).await;
        let body = read_until(&mut stream, b"0\r\n\r\n").await;
        stream.write_all(OK).await.unwrap();
        (head, body)
    });
    let (mut caller, rest) = incoming("transfer-encoding: chunked").await;
    caller.write_all(b"4\r\nbody\r\n0\r\n\r\n").await.unwrap();
    let request = Request::get("/").body(stream(rest, 4).unwrap()).unwrap();
    assert_eq!(
        whole(forward(&upstream, request).await.unwrap()).await,
        b"ok"
    );
    let (head, body) = within(agent).await.unwrap();
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    assert_eq!(body, b"4\r\nbody\r\n0\r\n\r\n");
}

#[tokio::test]
async fn a_peeked_body_arrives_whole_and_with_its_length() {
    let (listener, upstream) = agent().await;
    let agent = tokio::spawn(async move {
        let mut stream = accept(&listener).await;
        let head = read_head(&mut stream).await;
        let mut body = [0; 8];
        stream.read_exact(&mut body).await.unwrap();
        stream.write_all(OK).await.unwrap();
        (head, body)
    });
    let (mut caller, mut rest) = incoming("content-length: 8").await;
    caller.write_all(b"peek").await.unwrap();
    let peeked = rest.frame().await.unwrap().unwrap().into_data().unwrap();
    let body = RequestBody::stream(peeked, rest, 8, Duration::from_secs(5)).unwrap();
    assert_eq!(body.size_hint().exact(), Some(8));
    caller.write_all(b"rest").await.unwrap();
    let request = Request::post("/").body(body).unwrap();
    assert_eq!(
        whole(forward(&upstream, request).await.unwrap()).await,
        b"ok"
    );
    let (head, body) = within(agent).await.unwrap();
    assert!(head.contains("content-length: 8\r\n"), "{head}");
    assert_eq!(&body, b"peekrest");
    // Both sides ended, so the connection is kept.
    assert_eq!(
        upstream
            .stats()
            .errors()
            .map(|(_, count)| count)
            .sum::<u64>(),
        0
    );
}

#[tokio::test]
async fn a_body_above_its_limit_is_known_from_its_length() {
    let (_caller, rest) = incoming("content-length: 9").await;
    assert_eq!(stream(rest, 8).unwrap_err(), RequestBodyError::TooLarge);
}

#[tokio::test]
async fn a_body_that_grows_above_its_limit_is_cut() {
    let (listener, upstream) = agent().await;
    let agent = script(listener, vec![b""]);
    let (mut caller, rest) = incoming("transfer-encoding: chunked").await;
    caller.write_all(b"9\r\nmuch body\r\n").await.unwrap();
    let request = Request::post("/").body(stream(rest, 8).unwrap()).unwrap();
    let error = forward(&upstream, request).await.unwrap_err();
    assert_eq!(error.reason(), Reason::RequestTooLarge, "{error:?}");
    within(agent).await.unwrap();
}

#[tokio::test]
async fn a_caller_that_pauses_in_its_body_is_to_blame() {
    let (listener, upstream) = agent().await;
    let agent = script(listener, vec![b""]);
    let (_caller, rest) = incoming("content-length: 4").await;
    let body = RequestBody::stream(Bytes::new(), rest, 4, Duration::from_millis(150)).unwrap();
    // The agent's own deadline is shorter, and does not run while the caller has the word.
    let short = Deadlines {
        first_byte: Duration::from_millis(40),
        ..deadlines()
    };
    let request = Request::post("/").body(body).unwrap();
    let error = forward_within(&upstream, request, short).await.unwrap_err();
    assert_eq!(error.reason(), Reason::RequestTimeout, "{error:?}");
    within(agent).await.unwrap();
}

#[tokio::test]
async fn a_caller_that_leaves_midway_is_to_blame() {
    let (listener, upstream) = agent().await;
    let agent = script(
        listener,
        vec![b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok"],
    );
    let (caller, rest) = incoming("content-length: 4").await;
    let response = forward(&upstream, streamed(rest)).await.unwrap();
    drop(caller);
    let (_, end) = within(read_body(response)).await;
    assert!(
        matches!(
            end,
            Err(UpstreamError::RequestBody(RequestBodyError::Broken))
        ),
        "{end:?}"
    );
    within(agent).await.unwrap();
}

#[test]
fn what_callers_move_between_tasks_can_be_moved() {
    fn sendable<T: Send>(_: &T) {}
    fn shareable<T: Send + Sync>() {}
    fn movable<T: Send>() {}
    shareable::<Upstream>();
    movable::<ResponseBody>();
    movable::<RequestBody>();
    let upstream = Upstream::new(&at("localhost", 1), None);
    sendable(&upstream.forward(admission(), get(), deadlines()));
}
