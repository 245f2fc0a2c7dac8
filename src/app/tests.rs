//! The whole program within this process: a bug that is met in the middle of a call, and changes of policy under
//! load.

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::config;

const EVERYBODY: &str =
    "lictor: v1\nrules:\n  all: { allow: \"http:* /**\", from: { anonymous: true } }\n";

/// Answers with what the path asks for, in two chunks.
async fn agent() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while stream.read_buf(&mut seen).await.is_ok_and(|read| read > 0) {
                    if seen.ends_with(b"\r\n\r\n") {
                        let bug = seen.starts_with(b"GET /bug");
                        let last = if bug { "panic!" } else { "hello!" };
                        seen.clear();
                        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
                        let first = format!("{head}6\r\nfirst \r\n");
                        stream.write_all(first.as_bytes()).await.unwrap();
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        let rest = format!("6\r\n{last}\r\n0\r\n\r\n");
                        // After the bug nobody takes it.
                        let _taken = stream.write_all(rest.as_bytes()).await;
                    }
                }
            });
        }
    });
    address
}

async fn lictor(home: &TempDir) -> Running {
    let policies = home.path().join("policy.yaml");
    fs::write(&policies, EVERYBODY).unwrap();
    let url = format!("http://{}", agent().await);
    let mut operator = Operator::standalone(&url, policies).unwrap();
    operator.set_state_dir(home.path().to_owned());
    operator.public.listener.address = "127.0.0.1:0".parse().unwrap();
    operator.admin.address = "127.0.0.1:0".parse().unwrap();
    start(operator).await.unwrap()
}

/// What comes back until `end` or the end of the connection.
async fn ask(stream: &mut TcpStream, request: &str, end: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains(end) {
        match stream.read_buf(&mut seen).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => break,
        }
    }
    String::from_utf8(seen).unwrap()
}

const WHOLE: &str = "0\r\n\r\n";

#[tokio::test]
async fn a_bug_ends_the_call_that_met_it_and_is_counted_and_recorded() {
    let home = tempfile::tempdir().unwrap();
    let running = lictor(&home).await;
    let mut stream = TcpStream::connect(running.public).await.unwrap();

    // Before anything was sent there is an answer, and the connection lives on.
    let request = "GET / HTTP/1.1\r\nhost: a\r\nx-panic: 1\r\n\r\n";
    let refused = ask(&mut stream, request, "INTERNAL_ERROR").await;
    assert!(refused.starts_with("HTTP/1.1 500 "), "{refused}");

    // In the middle of an answer the rest is cut, and does not look complete.
    let request = "GET /bug HTTP/1.1\r\nhost: a\r\n\r\n";
    let mut stream = TcpStream::connect(running.public).await.unwrap();
    let cut = ask(&mut stream, request, WHOLE).await;
    assert!(cut.contains("first ") && !cut.contains(WHOLE), "{cut}");
    assert!(!cut.contains("panic!"), "{cut}");

    // The process goes on.
    let mut stream = TcpStream::connect(running.public).await.unwrap();
    let request = "GET /fine HTTP/1.1\r\nhost: a\r\n\r\n";
    let fine = ask(&mut stream, request, WHOLE).await;
    assert!(fine.contains("hello!") && fine.ends_with(WHOLE), "{fine}");
    let mut probe = TcpStream::connect(running.admin).await.unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {}\r\n\r\n", running.admin);
    let page = ask(&mut probe, &request, "lictor_panics_total 2\n").await;
    assert!(page.contains("lictor_panics_total 2\n"), "{page}");

    let audit = running.audit.clone();
    drop((stream, probe));
    running.stop().await;
    let records = fs::read_to_string(audit).unwrap();
    let told: Vec<(String, String)> = records
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|record| record["kind"] == "call")
        .map(|record| (record["outcome"].to_string(), record["reason"].to_string()))
        .collect();
    let expected = [
        ("\"refused\"", "\"internal\""),
        ("\"aborted\"", "\"internal\""),
        ("\"complete\"", "null"),
    ];
    let told: Vec<_> = told.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(told, expected, "{records}");
}

/// Asks again and again on one connection, until it is told to stop. Gives how often.
async fn keep_asking(address: SocketAddr, mut stop: tokio::sync::watch::Receiver<bool>) -> usize {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut served = 0;
    while !*stop.borrow_and_update() {
        let request = "GET /fine HTTP/1.1\r\nhost: a\r\n\r\n";
        let fine = ask(&mut stream, request, WHOLE).await;
        assert!(fine.starts_with("HTTP/1.1 200 "), "after {served}: {fine}");
        assert!(fine.ends_with(WHOLE), "after {served}: {fine}");
        served += 1;
    }
    served
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_reloads_under_load_fail_no_request() {
    const RELOADS: u64 = 1000;
    let home = tempfile::tempdir().unwrap();
    let running = lictor(&home).await;
    let (stopping, stop) = tokio::sync::watch::channel(false);
    let callers: Vec<_> = (0..4)
        .map(|_| tokio::spawn(keep_asking(running.public, stop.clone())))
        .collect();
    // The watcher would wait for quiet before each, so it is asked directly, as the watcher does.
    let path = home.path().join("other.yaml");
    let compiler = Compiler {
        agent: Arc::from("agent"),
        keys: Arc::clone(&running.keys),
        fingerprint_key: [7; 32],
    };
    let controls = ControlMetrics::new(&Registry::new().unwrap()).unwrap();
    let proxy = || Arc::clone(&running.proxy);
    let desk = RevocationDesk::open(home.path(), Vec::new(), proxy(), controls.clone()).unwrap();
    fs::write(&path, EVERYBODY).unwrap();
    let loaded = Loaded::now(&reload::load(&path).unwrap());
    let reloader = Reloader::new(
        path.clone(),
        compiler,
        proxy(),
        controls,
        Arc::new(desk),
        loaded,
    );
    for number in 0..RELOADS {
        fs::write(&path, format!("{EVERYBODY}# {number}\n")).unwrap();
        reloader.reload("change", Some(&config::generation(&path)));
        task::yield_now().await;
    }
    assert_eq!(running.proxy.snapshot().generation.number, 1 + RELOADS);
    stopping.send(true).unwrap();
    let mut served = 0;
    for caller in callers {
        served += caller.await.unwrap();
    }
    assert!(served > 0);
    running.stop().await;
}
