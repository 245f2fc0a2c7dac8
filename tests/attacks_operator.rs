//! What a clumsy operator does to a running lictor, and that no call pays for it.

#![cfg(test)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use support::client::{Client, message};
use support::lictor::{EVERYBODY, Lictor, Setup};
use support::tls::Certificates;
use support::upstream::Upstream;
use support::{eventually, within};

mod support;

fn lictor(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lictor"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .env("NO_COLOR", "1");
    command.output().unwrap()
}

/// `lictor run` with what is right about it, and this policy folder, state folder and address.
fn run(policies: &Path, state: &Path, listen: &str) -> Output {
    let (policies, state) = (policies.to_str().unwrap(), state.to_str().unwrap());
    lictor(&[
        "run",
        "--upstream",
        "http://127.0.0.1:9",
        "--admin",
        "127.0.0.1:0",
        "--listen",
        listen,
        "--policies",
        policies,
        "--state-dir",
        state,
    ])
}

#[test]
fn usage_is_told_with_the_right_code_and_without_colour() {
    for (arguments, code, words) in [
        (&["--help"][..], 0, "Usage: lictor"),
        (&["run", "--help"], 0, "--upstream"),
        (&["--version"], 0, "lictor "),
        (&[], 2, "Usage"),
        (&["run"], 2, "--upstream"),
        (&["run", "--nope"], 2, "--nope"),
        (&["nope"], 2, "nope"),
        (&["run", "--listen", "here"], 2, "here"),
    ] {
        let output = lictor(arguments);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
        assert!(!said.contains('\u{1b}'), "{arguments:?}: {said}");
    }
}

#[test]
fn what_cannot_be_had_is_named() {
    let home = tempfile::tempdir().unwrap();
    let folder = |name: &str, file: &str, text: &[u8]| {
        let folder = home.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        if !file.is_empty() {
            fs::write(folder.join(file), text).unwrap();
        }
        folder
    };
    let good = folder("good", "policy.yaml", EVERYBODY.as_bytes());
    let state = folder("state", "a-file", b"x");
    let large = format!("{EVERYBODY}# {}\n", "x".repeat(10 << 20));
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap().to_string();
    let any = "127.0.0.1:0";
    for (name, output, code, words) in [
        (
            "empty",
            run(&folder("empty", "", b""), &state, any),
            3,
            "no policy file",
        ),
        (
            "hidden",
            run(
                &folder("hidden", ".policy.yaml", EVERYBODY.as_bytes()),
                &state,
                any,
            ),
            3,
            "no policy file",
        ),
        (
            "missing",
            run(&home.path().join("missing"), &state, any),
            3,
            "missing",
        ),
        (
            "large",
            run(&folder("large", "p.yaml", large.as_bytes()), &state, any),
            3,
            "4 MiB",
        ),
        (
            "binary",
            run(&folder("binary", "p.yaml", b"\xff\xfe\0"), &state, any),
            3,
            "UTF-8",
        ),
        (
            "deep",
            run(
                &folder("deep", "p.yaml", "[".repeat(5000).as_bytes()),
                &state,
                any,
            ),
            1,
            "p.yaml:1",
        ),
        (
            "blank",
            run(&folder("blank", "p.yaml", b""), &state, any),
            1,
            "lictor: v1",
        ),
        (
            "state",
            run(&good, &state.join("a-file/below"), any),
            3,
            "a-file",
        ),
        ("port", run(&good, &state, &taken), 3, "in use"),
        ("open", run(&good, &state, "0.0.0.0:0"), 1, "TLS"),
    ] {
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{name}: {said}");
        assert!(said.contains(words), "{name}: {said}");
        assert!(!said.contains("panicked"), "{name}: {said}");
    }
    drop(held);
}

/// A standard output or error whose reader is gone.
fn nobody_reads() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_nothing() {
    let upstream = Upstream::json(json!({"fine": true})).await;
    let lictor = Setup::new(upstream.address)
        .said_to(nobody_reads(), nobody_reads())
        .start()
        .await;
    // Each of these says something.
    lictor.rewrite_policy("lictor: v1\nnope: 1\n");
    eventually("the metric", async || {
        (lictor.metric("lictor_policy_reload_success").await == Some(0.0)).then_some(())
    })
    .await;
    assert_eq!(lictor.client().await.get("/").await.status(), 200);
    lictor.terminate();
    let (status, _) = lictor.ended().await;
    assert_eq!(status.code(), Some(0));
    for arguments in [&["--help"][..], &["run", "--nope"], &["run", "--help"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lictor"));
        command
            .args(arguments)
            .stdout(nobody_reads())
            .stderr(nobody_reads());
        let code = command.status().unwrap().code();
        assert!(matches!(code, Some(0 | 2)), "{arguments:?}: {code:?}");
    }
}

#[tokio::test]
async fn two_on_one_state_folder_do_not_mix_their_records() {
    let upstream = Upstream::json(json!({"fine": true})).await;
    let first = Setup::new(upstream.address);
    let state = first.home().to_owned();
    let _first = first.start().await;
    let (status, said) = Setup::new(upstream.address).state(&state).fail().await;
    assert_eq!(status.code(), Some(3), "{said}");
    assert!(said.contains("in use"), "{said}");
}

#[tokio::test]
async fn fifty_changes_of_the_policy_fail_no_call() {
    let upstream = Upstream::json(json!({"fine": true})).await;
    let lictor = Arc::new(Lictor::spawn(EVERYBODY, upstream.address).await);
    let done = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (lictor, done) = (Arc::clone(&lictor), Arc::clone(&done));
            tokio::spawn(async move {
                let mut client = lictor.client().await;
                let mut calls = 0;
                while !done.load(Ordering::Relaxed) {
                    let got = client.call("SendMessage", &message("hi")).await;
                    assert_eq!(got.status(), 200, "{}", got.text());
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    for change in 0..50 {
        let broken = if change % 5 == 0 { "nope: 1\n" } else { "" };
        lictor.rewrite_policy(&format!(
            "{EVERYBODY}  extra-{change}:\n    deny: \"http:GET /{change}\"\n{broken}"
        ));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    eventually("the last change", async || {
        let mut client = lictor.client().await;
        (client.get("/49").await.status() == 403).then_some(())
    })
    .await;
    done.store(true, Ordering::Relaxed);
    for caller in callers {
        assert!(within("a caller", caller).await.unwrap() > 0);
    }
}

#[tokio::test]
async fn a_rotated_certificate_serves_newcomers_and_leaves_open_connections_alone() {
    let upstream = Upstream::json(json!({"fine": true})).await;
    let setup = Setup::new(upstream.address);
    let home = setup.home().to_owned();
    let before = Certificates::generate(&home);
    let setup = setup
        .flag("--tls-cert", &before.certificate)
        .flag("--tls-key", &before.key);
    let lictor = setup.start().await;
    let mut open = Client::connect_tls(lictor.public, &before).await;
    assert_eq!(open.get("/").await.status(), 200);
    // A key that does not fit yet: half of the rotation.
    fs::write(&before.key, "half a file").unwrap();
    assert_eq!(open.get("/").await.status(), 200);
    assert_eq!(
        Client::connect_tls(lictor.public, &before)
            .await
            .get("/")
            .await
            .status(),
        200
    );
    let after = Certificates::generate(&home);
    eventually("the new certificate", async || {
        let stream = tokio::net::TcpStream::connect(lictor.public).await.unwrap();
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        after
            .connector(b"http/1.1")
            .connect(name, stream)
            .await
            .ok()
    })
    .await;
    assert_eq!(open.get("/").await.status(), 200);
}
