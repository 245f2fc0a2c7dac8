use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use super::{
    BindError, Config, Connection, Limits, Listener, ListenerStats, ProxyProtocol, Transparent,
    TrustedPeers,
};
use crate::drain::{self, Drain};

#[tokio::test]
async fn a_transparent_listener_takes_nobody_who_was_not_redirected() {
    let listener = Listener::bind(&Config {
        transparent: Transparent::Redirect,
        ports: [9000].into(),
        ..config(Limits::default())
    })
    .unwrap();
    let (address, stats) = (listener.local_addr().unwrap(), listener.stats());
    let (drain, guard) = drain::channel();
    let serving = tokio::spawn(listener.serve(guard, |connection: Connection| {
        answer(connection, Arc::new(Semaphore::new(1)))
    }));
    let mut stream = TcpStream::connect(address).await.unwrap();
    assert_eq!(greeting(&mut stream).await, b"");
    assert_eq!(stats.refused_direct.load(Relaxed), 1);
    assert_eq!(stats.open.load(Relaxed), 0);
    drain.drain(Duration::from_secs(5)).await;
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_peer_of_ipv4_has_its_own_address_on_a_socket_of_both_families() {
    let listener = Listener::bind(&Config::new("[::]:0".parse().unwrap())).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sources, mut seen) = tokio::sync::mpsc::channel(1);
    let (drain, guard) = drain::channel();
    let serving = tokio::spawn(listener.serve(guard, move |connection: Connection| {
        let sources = sources.clone();
        async move { sources.send(connection.peer).await.unwrap() }
    }));
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    assert_eq!(seen.recv().await, Some(stream.local_addr().unwrap()));
    drain.drain(Duration::from_secs(5)).await;
    serving.await.unwrap().unwrap();
}

/// A listener whose connections each answer `hi`, then wait for `release` or for the drain.
struct Running {
    address: std::net::SocketAddr,
    stats: Arc<ListenerStats>,
    release: Arc<Semaphore>,
    drain: Drain,
    serving: JoinHandle<std::io::Result<()>>,
}

fn config(limits: Limits) -> Config {
    Config {
        limits,
        ..Config::new(([127, 0, 0, 1], 0).into())
    }
}

fn start(limits: Limits) -> Running {
    let listener = Listener::bind(&config(limits)).unwrap();
    let (drain, guard) = drain::channel();
    let release = Arc::new(Semaphore::new(0));
    let released = Arc::clone(&release);
    Running {
        address: listener.local_addr().unwrap(),
        stats: listener.stats(),
        release,
        drain,
        serving: tokio::spawn(listener.serve(guard, move |connection| {
            answer(connection, Arc::clone(&released))
        })),
    }
}

async fn answer(mut connection: Connection, release: Arc<Semaphore>) {
    connection.stream.write_all(b"hi").await.unwrap();
    release.acquire().await.unwrap().forget();
}

async fn greeting(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = [0; 2];
    match stream.read(&mut bytes).await {
        Ok(length) => bytes[..length].to_vec(),
        // Closed at once may also arrive as a reset.
        Err(_) => Vec::new(),
    }
}

#[tokio::test]
async fn above_the_cap_a_connection_is_closed_at_once() {
    let running = start(Limits {
        connections: 2,
        ..Limits::default()
    });
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        assert_eq!(greeting(&mut stream).await, b"hi");
        held.push(stream);
    }
    let mut third = TcpStream::connect(running.address).await.unwrap();
    assert_eq!(greeting(&mut third).await, b"");
    assert_eq!(running.stats.refused_listener.load(Relaxed), 1);
    assert_eq!(running.stats.open.load(Relaxed), 2);

    running.release.add_permits(1);
    while running.stats.open.load(Relaxed) > 1 {
        tokio::task::yield_now().await;
    }
    let mut fourth = TcpStream::connect(running.address).await.unwrap();
    assert_eq!(greeting(&mut fourth).await, b"hi");
}

#[tokio::test]
async fn one_source_cannot_take_every_place() {
    let running = start(Limits {
        per_source: 1,
        ..Limits::default()
    });
    let mut first = TcpStream::connect(running.address).await.unwrap();
    assert_eq!(greeting(&mut first).await, b"hi");
    let mut second = TcpStream::connect(running.address).await.unwrap();
    assert_eq!(greeting(&mut second).await, b"");
    assert_eq!(running.stats.refused_source.load(Relaxed), 1);
}

#[tokio::test]
async fn a_drain_refuses_newcomers_and_waits_for_the_others() {
    let running = start(Limits::default());
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    assert_eq!(greeting(&mut stream).await, b"hi");

    let drained = tokio::spawn(running.drain.drain(Duration::from_secs(10)));
    while TcpStream::connect(running.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!running.serving.is_finished());
    // Those who came before the drain was heard of are served as well.
    running.release.add_permits(100_000);
    running.serving.await.unwrap().unwrap();
    assert!(drained.await.unwrap());
}

#[tokio::test]
async fn dropping_the_server_aborts_its_connections() {
    let running = start(Limits::default());
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    assert_eq!(greeting(&mut stream).await, b"hi");
    running.serving.abort();
    assert_eq!(greeting(&mut stream).await, b"");
    assert_eq!(running.stats.open.load(Relaxed), 0);
}

#[tokio::test]
async fn a_panic_ends_one_connection_only() {
    let listener = Listener::bind(&config(Limits::default())).unwrap();
    let address = listener.local_addr().unwrap();
    let stats = listener.stats();
    let (_drain, guard) = drain::channel();
    let serving = tokio::spawn(
        listener.serve(guard, |mut connection: Connection| async move {
            let mut byte = [0];
            connection.stream.read_exact(&mut byte).await.unwrap();
            assert_eq!(&byte, b"a", "the test's panic");
            connection.stream.write_all(b"hi").await.unwrap();
        }),
    );
    let mut bad = TcpStream::connect(address).await.unwrap();
    bad.write_all(b"z").await.unwrap();
    assert_eq!(greeting(&mut bad).await, b"");
    let mut good = TcpStream::connect(address).await.unwrap();
    good.write_all(b"a").await.unwrap();
    assert_eq!(greeting(&mut good).await, b"hi");
    while stats.panicked.load(Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    serving.abort();
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let first = Listener::bind(&config(Limits::default())).unwrap();
    let taken = Config {
        address: first.local_addr().unwrap(),
        ..config(Limits::default())
    };
    let error = Listener::bind(&taken).unwrap_err();
    assert!(matches!(error, BindError::InUse(_)), "{error:?}");
    assert!(error.to_string().contains(&taken.address.to_string()));
}

#[tokio::test]
async fn workers_share_an_address_and_its_caps_and_nobody_else_does() {
    let workers = NonZeroUsize::new(3).unwrap();
    let limits = Limits {
        connections: 2,
        ..Limits::default()
    };
    let listeners = Listener::bind_each(&config(limits), workers).unwrap();
    let address = listeners[0].local_addr().unwrap();
    let stats = listeners[0].stats();
    let taken = Config {
        address,
        ..config(limits)
    };
    let error = Listener::bind_each(&taken, workers).unwrap_err();
    assert!(matches!(error, BindError::InUse(_)), "{error:?}");

    let (_drain, guard) = drain::channel();
    let release = Arc::new(Semaphore::new(0));
    let mut serving = JoinSet::new();
    for listener in listeners {
        assert_eq!(listener.local_addr().unwrap(), address);
        let released = Arc::clone(&release);
        serving.spawn(listener.serve(guard.clone(), move |connection| {
            answer(connection, Arc::clone(&released))
        }));
    }
    let mut greeted = Vec::new();
    for _ in 0..4 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        greeted.push((greeting(&mut stream).await, stream));
    }
    let welcome = greeted.iter().filter(|(bytes, _)| bytes == b"hi").count();
    assert_eq!(welcome, 2);
    assert_eq!(stats.open.load(Relaxed), 2);
    assert_eq!(stats.refused_listener.load(Relaxed), 2);
}

#[tokio::test]
async fn an_address_of_another_machine_is_named() {
    // TEST-NET-1 (RFC 5737) is nobody's address.
    let other = Config {
        address: ([192, 0, 2, 1], 0).into(),
        ..config(Limits::default())
    };
    let error = Listener::bind(&other).unwrap_err();
    assert!(matches!(error, BindError::NotOurs(_)), "{error:?}");
}

/// A listener that says to each connection who it is and what came after its header.
async fn echo_of(config: Config, bytes: &[&[u8]]) -> (String, Arc<ListenerStats>) {
    let listener = Listener::bind(&config).unwrap();
    let address = listener.local_addr().unwrap();
    let stats = listener.stats();
    let (_drain, guard) = drain::channel();
    let serving = tokio::spawn(
        listener.serve(guard, |mut connection: Connection| async move {
            let mut rest = Vec::new();
            connection.stream.read_to_end(&mut rest).await.unwrap();
            let rest = String::from_utf8_lossy(&rest);
            let said = format!("{} {rest}", connection.peer.ip());
            connection.stream.write_all(said.as_bytes()).await.unwrap();
        }),
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    for piece in bytes {
        // Refused halfway is for the test to judge.
        let _refused = stream.write_all(piece).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let _refused = stream.shutdown().await;
    let mut heard = Vec::new();
    let _reset = stream.read_to_end(&mut heard).await;
    serving.abort();
    (String::from_utf8(heard).unwrap(), stats)
}

fn announcing(mode: ProxyProtocol, trusted: &str) -> Config {
    Config {
        trusted: Arc::new(TrustedPeers::new(vec![trusted.parse().unwrap()])),
        proxy_protocol: mode,
        ..config(Limits::default())
    }
}

#[tokio::test]
async fn a_header_is_taken_off_to_the_byte_however_it_comes() {
    use ProxyProtocol::{Optional, Required};
    let v1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\nhello";
    let v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x7f\0\0\x01\0P\0Phello";
    for header in [&v1[..], &v2[..]] {
        let each: Vec<_> = header.chunks(1).collect();
        for pieces in [vec![header], each] {
            for mode in [Optional, Required] {
                let (heard, _) = echo_of(announcing(mode, "127.0.0.0/8"), &pieces).await;
                assert_eq!(heard, "192.0.2.7 hello");
            }
        }
    }
    // What is no header is the caller's, also where it begins like one.
    for other in ["hello", "PROPFIND", "PRI * HTTP/2.0", "\r\n\r\nhello"] {
        let (heard, _) = echo_of(announcing(Optional, "127.0.0.1/32"), &[other.as_bytes()]).await;
        assert_eq!(heard, format!("127.0.0.1 {other}"));
        let pieces: Vec<_> = other.as_bytes().chunks(1).collect();
        let (heard, _) = echo_of(announcing(Optional, "127.0.0.1/32"), &pieces).await;
        assert_eq!(heard, format!("127.0.0.1 {other}"));
    }
    // Somebody who is not trusted announces nobody.
    let (heard, _) = echo_of(announcing(Optional, "10.0.0.0/8"), &[v1]).await;
    assert!(heard.starts_with("127.0.0.1 PROXY "), "{heard}");
}

#[tokio::test]
async fn whoever_must_say_for_whom_it_connects_and_does_not_is_closed_and_counted() {
    let trusted = || announcing(ProxyProtocol::Required, "127.0.0.1/32");
    let late = Config {
        deadlines: super::Deadlines {
            handshake: Duration::from_millis(50),
            ..super::Deadlines::default()
        },
        ..trusted()
    };
    let cases: [(Config, &[u8]); 4] = [
        (trusted(), b"GET / HTTP/1.1\r\n\r\n"),
        (
            trusted(),
            b"PROXY TCP4 nobody 198.51.100.1 4711 443\r\nhello",
        ),
        (trusted(), b"PROXY TCP4 192.0"),
        (late, b"PRO"),
    ];
    for (config, bytes) in cases {
        let (heard, stats) = echo_of(config, &[bytes]).await;
        assert_eq!(heard, "");
        assert_eq!(stats.refused_header.load(Relaxed), 1);
    }
    let stranger = announcing(ProxyProtocol::Required, "10.0.0.0/8");
    let (heard, stats) = echo_of(stranger, &[b"PROXY UNKNOWN\r\n"]).await;
    assert_eq!(heard, "");
    assert_eq!(stats.refused_untrusted.load(Relaxed), 1);
}

#[tokio::test]
async fn the_cap_of_a_source_is_that_of_the_announced_one() {
    let limits = Limits {
        per_source: 1,
        ..Limits::default()
    };
    let config = Config {
        limits,
        farewell: Some(bytes::Bytes::from_static(b"no")),
        ..announcing(ProxyProtocol::Required, "127.0.0.1/32")
    };
    let listener = Listener::bind(&config).unwrap();
    let address = listener.local_addr().unwrap();
    let (_drain, guard) = drain::channel();
    let release = Arc::new(Semaphore::new(0));
    let serving =
        tokio::spawn(listener.serve(guard, move |connection| answer(connection, release.clone())));
    let mut held = Vec::new();
    for (source, expected) in [
        ("192.0.2.7", "hi"),
        ("192.0.2.8", "hi"),
        ("192.0.2.7", "no"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let header = format!("PROXY TCP4 {source} 127.0.0.1 1 2\r\n");
        stream.write_all(header.as_bytes()).await.unwrap();
        assert_eq!(greeting(&mut stream).await, expected.as_bytes(), "{source}");
        held.push(stream);
    }
    serving.abort();
}

#[tokio::test]
async fn whoever_has_connected_before_the_stop_is_served() {
    let listener = Listener::bind(&config(Limits::default())).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..50 {
        waiting.push(TcpStream::connect(address).await.unwrap());
    }
    let (drain, guard) = drain::channel();
    let drained = tokio::spawn(drain.drain(Duration::from_secs(10)));
    tokio::task::yield_now().await;
    assert!(guard.is_draining());
    let release = Arc::new(Semaphore::new(50));
    let serving =
        tokio::spawn(listener.serve(guard, move |connection| answer(connection, release.clone())));
    for stream in &mut waiting {
        assert_eq!(greeting(stream).await, b"hi");
    }
    serving.await.unwrap().unwrap();
    assert!(drained.await.unwrap());
    assert!(TcpStream::connect(address).await.is_err());
}
