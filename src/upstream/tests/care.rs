//! Agents that fail, agents that are busy, and how they are looked after.

use tokio::task::JoinHandle;

use super::*;
use crate::drain;
use crate::upstream::{Ejection, Health};

async fn agent_with(change: impl FnOnce(&mut Config)) -> (TcpListener, Upstream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = at("127.0.0.1", listener.local_addr().unwrap().port());
    change(&mut config);
    (listener, Upstream::new(&config, None))
}

/// Answers everything on every connection with what `answer` says at that time.
fn answering(listener: TcpListener, answer: fn(&str) -> &'static [u8]) -> JoinHandle<()> {
    tokio::spawn(async move {
        loop {
            let mut stream = accept(&listener).await;
            tokio::spawn(async move {
                loop {
                    let head = read_head(&mut stream).await;
                    if head.is_empty() || stream.write_all(answer(&head)).await.is_err() {
                        return;
                    }
                }
            });
        }
    })
}

async fn ok(upstream: &Upstream) {
    let response = within(forward(upstream, get())).await.unwrap();
    assert_eq!(whole(response).await, b"ok");
}

#[tokio::test]
async fn an_ejected_agent_is_named_at_once_and_tried_again() {
    let (listener, upstream) = agent_with(|config| {
        config.ejection = Some(Ejection {
            connect_failures: 2,
            exchange_failures: 2,
            time: Duration::from_millis(100),
        });
    })
    .await;
    let address = listener.local_addr().unwrap();
    drop(listener);
    for _ in 0..2 {
        let error = forward(&upstream, get()).await.unwrap_err();
        assert!(matches!(error, UpstreamError::Connect(_)), "{error:?}");
    }
    let error = forward(&upstream, get()).await.unwrap_err();
    assert_eq!(error.label(), "ejected");
    assert_eq!(error.reason(), Reason::UpstreamUnavailable);
    assert!(error.retry_after().unwrap() <= Duration::from_millis(100));
    assert!(upstream.state().trouble.unwrap().contains("ejected"));

    let listener = TcpListener::bind(address).await.unwrap();
    answering(listener, |_| OK);
    tokio::time::sleep(Duration::from_millis(110)).await;
    ok(&upstream).await;
    let state = upstream.state();
    assert_eq!((state.trouble, state.ejections), (None, 1));
}

#[tokio::test]
async fn no_more_exchanges_than_configured_and_no_more_that_wait() {
    let (listener, upstream) = agent_with(|config| {
        config.exchanges = 2;
        config.pending = 1;
        config.connect = Duration::from_millis(300);
    })
    .await;
    answering(listener, |_| {
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nok"
    });
    let first = forward(&upstream, get()).await.unwrap();
    let second = forward(&upstream, get()).await.unwrap();
    let waiting = upstream.clone();
    let waiting = tokio::spawn(async move { forward(&waiting, get()).await.map(drop) });
    while upstream.state().pending == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // One more has no place even to wait.
    let error = forward(&upstream, get()).await.unwrap_err();
    assert_eq!(
        (error.label(), error.reason()),
        ("saturated", Reason::Overloaded)
    );
    assert!(error.retry_after().is_some());
    assert!(!waiting.is_finished());
    drop(first);
    within(waiting).await.unwrap().unwrap();
    // Its answer was dropped too, so that there is a place; with both taken, nobody waits for ever.
    let third = forward(&upstream, get()).await.unwrap();
    let error = within(forward(&upstream, get())).await.unwrap_err();
    assert_eq!(error.label(), "saturated");
    assert_eq!(
        (upstream.state().exchanges, upstream.state().pending),
        (2, 0)
    );
    drop((second, third));
    assert_eq!(upstream.state().exchanges, 0);
}

#[tokio::test]
async fn many_calls_share_few_exchanges_and_all_are_answered() {
    let (listener, upstream) = agent_with(|config| config.exchanges = 3).await;
    answering(listener, |_| OK);
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let upstream = upstream.clone();
            tokio::spawn(async move { ok(&upstream).await })
        })
        .collect();
    for call in calls {
        within(call).await.unwrap();
    }
    assert!(upstream.stats().opened.load(Relaxed) <= 3);
    assert_eq!(
        (upstream.state().exchanges, upstream.state().pending),
        (0, 0)
    );
}

#[tokio::test]
async fn a_call_that_gives_up_while_it_waits_leaves_no_trace() {
    let (listener, upstream) = agent_with(|config| config.exchanges = 1).await;
    answering(listener, |_| OK);
    let first = forward(&upstream, get()).await.unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(30), forward(&upstream, get()));
    assert!(waiting.await.is_err());
    assert_eq!(upstream.state().pending, 0);
    drop(first);
    ok(&upstream).await;
}

/// Probes this often, and believes each probe.
fn eager(path: Option<&'static str>) -> Health {
    Health {
        path: path.map(http::uri::PathAndQuery::from_static),
        every: Duration::from_millis(10),
        timeout: Duration::from_millis(500),
        healthy: 1,
        unhealthy: 1,
    }
}

async fn until(upstream: &Upstream, is_trouble: bool) -> Option<String> {
    within(async {
        loop {
            let trouble = upstream.state().trouble;
            if trouble.is_some() == is_trouble {
                return trouble;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

#[tokio::test]
async fn an_agent_that_says_it_is_not_well_gets_no_calls_until_it_is() {
    static WELL: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    let (listener, upstream) = agent_with(|_| {}).await;
    answering(listener, |head| {
        if head.starts_with("GET /health ") && !WELL.load(Relaxed) {
            return b"HTTP/1.1 503 Unavailable\r\ncontent-length: 0\r\n\r\n";
        }
        OK
    });
    let (drain, guard) = drain::channel();
    let watching = tokio::spawn(upstream.clone().watch(eager(Some("/health")), guard));
    let trouble = until(&upstream, true).await.unwrap();
    assert!(trouble.contains("GET /health answered 503"), "{trouble}");
    let error = forward(&upstream, get()).await.unwrap_err();
    assert_eq!(error.label(), "ejected");
    WELL.store(true, Relaxed);
    until(&upstream, false).await;
    ok(&upstream).await;
    assert!(upstream.stats().probes_failed.load(Relaxed) > 0);
    assert!(upstream.stats().probes_succeeded.load(Relaxed) > 0);
    assert!(drain.drain(Duration::from_secs(5)).await);
    within(watching).await.unwrap();
}

#[tokio::test]
async fn an_agent_that_nobody_calls_is_missed_and_found_again() {
    let (listener, upstream) = agent_with(|_| {}).await;
    let address = listener.local_addr().unwrap();
    let (_drain, guard) = drain::channel();
    tokio::spawn(upstream.clone().watch(eager(None), guard));
    drop(listener);
    assert!(until(&upstream, true).await.unwrap().contains("probes"));
    let listener = TcpListener::bind(address).await.unwrap();
    let accepting = answering(listener, |_| OK);
    until(&upstream, false).await;
    ok(&upstream).await;
    accepting.abort();
}
