//! Agents that take their time.

use super::*;

#[tokio::test]
async fn an_agent_that_does_not_begin_in_time() {
    let (listener, upstream) = agent().await;
    let agent = script(listener, vec![b"HTTP/1.1 100 Continue\r\n\r\n"]);
    let short = Deadlines {
        first_byte: Duration::from_millis(50),
        ..deadlines()
    };
    let error = forward_within(&upstream, get(), short).await.unwrap_err();
    assert!(
        matches!(error, UpstreamError::FirstByteTimeout),
        "{error:?}"
    );
    // The agent hears that nobody waits any more.
    within(agent).await.unwrap();
}

#[tokio::test]
async fn an_agent_that_pauses_for_too_long() {
    let (listener, upstream) = agent().await;
    let agent = script(
        listener,
        vec![b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok"],
    );
    let short = Deadlines {
        idle: Duration::from_millis(50),
        ..deadlines()
    };
    let response = forward_within(&upstream, get(), short).await.unwrap();
    let (bytes, end) = read_body(response).await;
    assert_eq!(bytes, b"ok");
    assert!(matches!(end, Err(UpstreamError::IdleTimeout)), "{end:?}");
    within(agent).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_goes_on_forever_still_ends() {
    for pause in [Duration::from_millis(10), Duration::ZERO] {
        let (listener, upstream) = agent().await;
        tokio::spawn(async move {
            let mut stream = accept(&listener).await;
            read_head(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            while stream.write_all(&[b'.'; 4096]).await.is_ok() {
                tokio::time::sleep(pause).await;
            }
        });
        let short = Deadlines {
            total: clock::now() + Duration::from_millis(100),
            ..deadlines()
        };
        let response = forward_within(&upstream, get(), short).await.unwrap();
        let (_, end) = within(read_body(response)).await;
        assert!(matches!(end, Err(UpstreamError::TotalTimeout)), "{end:?}");
    }
}
