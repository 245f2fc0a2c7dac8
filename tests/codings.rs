//! Agents that code their answers although they are asked for `identity`: what is found in them, and in which
//! form they leave.

#![cfg(test)]

use std::process::Command;
use std::sync::Arc;

use serde_json::json;
use tokio::sync::Notify;

use support::client::{call, message};
use support::coded::{CODINGS, coded, field, pieces};
use support::http1::{Message, chunked};
use support::lictor::{EVERYBODY, Lictor};
use support::upstream::{Step, Upstream};
use support::{eventually, secrets, within};

mod support;

fn policy(action: &str) -> String {
    format!("{EVERYBODY}leaks:\n  packs: {{ credentials: {action} }}\n")
}

/// Always the same answer.
async fn always(steps: Vec<Step>) -> Upstream {
    Upstream::scripted(move |_| steps.clone()).await
}

fn head(coding: &str, kind: &str) -> String {
    let coding = field(coding);
    format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-encoding: {coding}\r\n")
}

/// Of known length.
fn sized(head: &str, body: &[u8]) -> Vec<Step> {
    let length = body.len();
    vec![
        Step::text(format!("{head}content-length: {length}\r\n\r\n")),
        Step::Write(body.to_vec()),
    ]
}

/// In pieces, of no known length.
fn streamed<'a>(
    head: &str,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    complete: bool,
) -> Vec<Step> {
    let mut steps = vec![
        Step::text(format!("{head}transfer-encoding: chunked\r\n\r\n")),
        Step::Write(chunked(pieces, complete)),
    ];
    if !complete {
        steps.push(Step::Close);
    }
    steps
}

async fn ask(lictor: &Lictor, method: &str, fields: &str) -> Message {
    let request = format!("{method} /page HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n");
    let mut client = lictor.client().await;
    client.exchange(method, request.as_bytes()).await
}

/// What one lictor makes of one answer.
async fn through(policy: &str, steps: Vec<Step>, fields: &str) -> Message {
    let upstream = always(steps).await;
    let lictor = Lictor::spawn(policy, upstream.address).await;
    let got = ask(&lictor, "GET", fields).await;
    let asked = &upstream.requests()[0];
    assert_eq!(asked.field("accept-encoding"), Some("identity"));
    got
}

async fn recorded(lictor: &Lictor, reason: &str) {
    eventually(&format!("a record of `{reason}`"), async || {
        let mut records = lictor.audit().into_iter();
        records
            .any(|record| record["reason"] == reason)
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_secret_leaves_in_no_coding() {
    let secret = secrets::github_token(31);
    let body = json!({"before": "text", "key": secret, "after": "text"}).to_string();
    let upstream = Upstream::scripted({
        let mut next = CODINGS.iter().flat_map(|coding| [*coding; 3]).enumerate();
        move |_| {
            let (at, coding) = next.next().unwrap();
            let head = head(coding, "application/json");
            let coded = coded(coding, body.as_bytes());
            match at % 3 {
                0 => sized(&head, &coded),
                1 => streamed(&head, coded.chunks(1), true),
                _ => {
                    let (first, second) = coded.split_at(coded.len() / 2);
                    streamed(&head, [first, second], true)
                }
            }
        }
    })
    .await;
    let lictor = Lictor::spawn(&policy("redact"), upstream.address).await;
    for coding in CODINGS {
        for how in ["whole", "byte by byte", "in halves"] {
            let got = ask(&lictor, "GET", "accept-encoding: *\r\n").await;
            let what = format!("{coding} {how}: {got:?}");
            assert_eq!(got.status(), 200, "{what}");
            assert!(got.complete, "{what}");
            assert_eq!(got.field("content-encoding"), None, "{what}");
            let key = got.json()["key"].as_str().unwrap().to_owned();
            assert_eq!(key, "ghp_[redacted:github-pat]", "{what}");
            let length = got.body.len().to_string();
            let expected = (how == "whole").then_some(length.as_str());
            assert_eq!(got.field("content-length"), expected, "{what}");
        }
    }
}

#[tokio::test]
async fn what_blocks_is_refused_before_the_head_and_cut_behind_it() {
    let secret = secrets::github_token(32);
    let body = format!("a line of text\n{secret}\nand another one");
    for coding in ["br", "gzip", "zstd, gzip"] {
        let coded = coded(coding, body.as_bytes());
        let head = head(coding, "text/plain");
        let got = through(&policy("block"), sized(&head, &coded), "").await;
        assert_eq!(got.status(), 502, "{coding}");
        assert_eq!(got.json()["reason"], "LEAKAGE_DETECTED", "{coding}");
        let steps = streamed(&head, coded.chunks(1), true);
        let got = through(&policy("block"), steps, "").await;
        assert!(!got.complete, "{coding}: {got:?}");
        let (first, _) = secret.split_at(12);
        assert!(!got.text().contains(first), "{coding}: {got:?}");
    }
}

#[tokio::test]
async fn a_clean_answer_leaves_as_it_came_to_whom_it_suits() {
    let body = b"nothing of interest, nothing of interest";
    let tags = "etag: \"one\"\r\ncontent-digest: sha-256=:YQ==:\r\nvary: origin\r\n";
    for (coding, accepted, stays) in [
        ("gzip", "accept-encoding: br, gzip\r\n", true),
        ("br", "accept-encoding: br;q=0.1\r\n", true),
        ("zstd", "accept-encoding: *\r\n", true),
        ("gzip", "", false),
        ("gzip", "accept-encoding: br, gzip;q=0\r\n", false),
        ("zstd", "accept-encoding: gzip\r\n", false),
        // Readers differ on what it is.
        ("deflate", "accept-encoding: deflate\r\n", false),
        ("gzip, br", "accept-encoding: gzip, br\r\n", false),
    ] {
        let coded = coded(coding, body);
        let head = format!("{}{tags}", head(coding, "text/plain"));
        let got = through(&policy("block"), sized(&head, &coded), accepted).await;
        let what = format!("{coding} for {accepted:?}: {got:?}");
        assert_eq!(got.status(), 200, "{what}");
        let length = got.body.len().to_string();
        assert_eq!(got.field("content-length"), Some(length.as_str()), "{what}");
        let vary: Vec<_> = got.values("vary").collect();
        assert_eq!(vary, ["origin", "accept-encoding"], "{what}");
        if stays {
            assert_eq!(got.field("content-encoding"), Some(coding), "{what}");
            assert_eq!(got.field("etag"), Some("\"one\""), "{what}");
            assert!(got.field("content-digest").is_some(), "{what}");
            assert!(got.body == coded, "{what}");
        } else {
            assert_eq!(got.field("content-encoding"), None, "{what}");
            assert_eq!(got.field("etag"), Some("W/\"one\""), "{what}");
            assert_eq!(got.field("content-digest"), None, "{what}");
            assert_eq!(got.body, body, "{what}");
        }
    }
}

#[tokio::test]
async fn what_stands_beside_the_body_does_not_leave() {
    let secret = secrets::github_token(33);
    let body = b"a clean text";
    let mut named = flate2::GzBuilder::new()
        .filename(secret.as_bytes())
        .comment("for you")
        .write(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut named, body).unwrap();
    let named = named.finish().unwrap();
    let length = u32::try_from(secret.len()).unwrap().to_le_bytes();
    let skipped = [b"\x50\x2a\x4d\x18", &length[..], secret.as_bytes()].concat();
    let skipped = [skipped, coded("zstd", body)].concat();
    for (coding, coded) in [("gzip", named), ("zstd", skipped)] {
        let steps = sized(&head(coding, "text/plain"), &coded);
        let got = through(&policy("block"), steps, "accept-encoding: *\r\n").await;
        assert_eq!(got.status(), 200, "{coding}");
        assert_eq!(got.field("content-encoding"), None, "{coding}");
        assert_eq!(got.body, body, "{coding}");
    }
}

#[tokio::test]
async fn events_leave_as_soon_as_they_are_flushed() {
    let secret = secrets::github_token(34);
    let event = format!("data: {{\"text\":\"the key {secret} is this\"}}\n\n");
    for coding in ["br", "gzip", "raw", "zstd"] {
        let parts = pieces(
            coding,
            &[
                b"data: {\"text\":\"one\"}\n\n",
                event.as_bytes(),
                b"data: {\"text\":\"three\"}\n\n",
            ],
        );
        let next = Arc::new(Notify::new());
        let mut steps = vec![Step::text(format!(
            "{}transfer-encoding: chunked\r\n\r\n",
            head(coding, "text/event-stream")
        ))];
        for (at, part) in parts.iter().enumerate() {
            steps.push(Step::Write(chunked([&part[..]], false)));
            if at < 3 {
                steps.push(Step::Wait(Arc::clone(&next)));
            }
        }
        steps.push(Step::text("0\r\n\r\n"));
        let upstream = always(steps).await;
        let lictor = Lictor::spawn(&policy("redact"), upstream.address).await;
        let mut client = lictor.client().await;
        let request = b"GET /page HTTP/1.1\r\nhost: localhost\r\naccept-encoding: *\r\n\r\n";
        client.wire.send(request).await.unwrap();
        let got = within("the head", client.wire.response_head())
            .await
            .unwrap();
        assert_eq!(got.field("content-encoding"), None, "{coding}");
        let mut seen = String::new();
        for wanted in ["one", "github-pat]", "three", "\r\n0\r\n\r\n"] {
            while !seen.contains(wanted) {
                let raw = within(wanted, client.wire.raw()).await.unwrap();
                let raw = raw.unwrap_or_else(|| panic!("{coding}: {seen}"));
                seen.push_str(&String::from_utf8_lossy(&raw));
            }
            next.notify_one();
        }
        assert!(!seen.contains(secret.split_at(12).0), "{coding}: {seen}");
    }
}

#[tokio::test]
async fn a_broken_answer_never_looks_whole() {
    let text = "words and words and words ".repeat(40);
    for coding in ["br", "deflate", "raw", "gzip", "zstd", "zstd, gzip"] {
        let good = coded(coding, text.as_bytes());
        let cut = good[..good.len() - 1].to_vec();
        let longer = [&good[..], b"more"].concat();
        let other = text.clone().into_bytes();
        for (what, bytes, reason) in [
            ("cut", cut, "upstream-truncated"),
            ("longer", longer, "upstream-invalid"),
            ("other", other, "upstream-invalid"),
        ] {
            let what = format!("{coding}, {what}");
            let head = head(coding, "text/plain");
            let mut answers = vec![streamed(&head, bytes.chunks(7), true), sized(&head, &bytes)];
            let upstream = Upstream::scripted(move |_| answers.pop().unwrap()).await;
            let lictor = Lictor::spawn(&policy("block"), upstream.address).await;
            let got = ask(&lictor, "GET", "accept-encoding: *\r\n").await;
            assert_eq!(got.status(), 502, "{what}");
            assert_eq!(got.json()["reason"], "AGENT_INVALID_RESPONSE", "{what}");
            let got = ask(&lictor, "GET", "accept-encoding: *\r\n").await;
            assert!(!got.complete, "{what}: {got:?}");
            assert!(text.as_bytes().starts_with(&got.body), "{what}: {got:?}");
            recorded(&lictor, reason).await;
        }
    }
}

#[tokio::test]
async fn a_bomb_is_cut_at_its_ratio_and_at_the_size_of_an_answer() {
    const MEBIBYTE: usize = 1 << 20;
    let zeros = vec![b'0'; 64 * MEBIBYTE];
    for coding in ["br", "gzip", "zstd", "gzip, gzip"] {
        let bomb = coded(coding, &zeros);
        for (limits, most) in [
            ("{ response: 1GiB }", (bomb.len() * 100).max(64 * 1024)),
            ("{ response: 4MiB, decompressRatio: 10000 }", 4 * MEBIBYTE),
        ] {
            let what = format!("{coding} under {limits}");
            let policy = format!("{}limits: {{ default: {limits} }}\n", policy("block"));
            let upstream = always(streamed(
                &head(coding, "text/plain"),
                bomb.chunks(1000),
                true,
            ))
            .await;
            let lictor = Lictor::spawn(&policy, upstream.address).await;
            let got = ask(&lictor, "GET", "").await;
            assert!(!got.complete, "{what}");
            assert!(
                got.body.len() <= most + 16 * 1024,
                "{what}: {}",
                got.body.len()
            );
            recorded(&lictor, "response-too-large").await;
            let peak = lictor.memory("VmHWM:");
            assert!(peak < 200 * MEBIBYTE as u64, "{what}: {peak} bytes");
        }
        let upstream = always(sized(&head(coding, "text/plain"), &bomb)).await;
        let limits = "limits: { default: { decompressRatio: 2 } }\n";
        let policy = format!("{}{limits}leaks: {{ buffer: 64MiB }}\n", EVERYBODY);
        let policy = policy.replace(
            "buffer: 64MiB",
            "packs: { credentials: flag }, buffer: 64MiB",
        );
        let lictor = Lictor::spawn(&policy, upstream.address).await;
        let got = ask(&lictor, "GET", "").await;
        assert_eq!(got.status(), 502, "{coding}");
        assert_eq!(got.json()["reason"], "RESPONSE_TOO_LARGE", "{coding}");
    }
}

#[tokio::test]
async fn a_small_answer_that_is_large_leaves_while_it_is_judged() {
    let secret = secrets::github_token(35);
    let lines = (0..100_000).map(|line| format!("line {line} of a long text\n"));
    let text = format!("{}{secret}\n", lines.collect::<String>());
    let coded = coded("gzip", text.as_bytes());
    assert!(coded.len() < 1 << 20 && text.len() > 2 << 20);
    let steps = sized(&head("gzip", "text/plain"), &coded);
    let got = through(&policy("redact"), steps, "accept-encoding: gzip\r\n").await;
    assert!(got.complete && got.status() == 200);
    assert_eq!(got.field("content-length"), None);
    assert_eq!(got.field("content-encoding"), None);
    let expected = text.replace(&secret, "ghp_[redacted:github-pat]");
    assert!(got.text() == expected, "{} bytes", got.body.len());
}

#[tokio::test]
async fn what_has_no_body_keeps_the_coding_of_another() {
    for (method, status) in [
        ("HEAD", "200 OK"),
        ("GET", "304 Not Modified"),
        ("GET", "204 No Content"),
    ] {
        for coding in ["gzip", "aws-chunked"] {
            let steps = vec![Step::text(format!(
                "HTTP/1.1 {status}\r\ncontent-encoding: {coding}\r\netag: \"a\"\r\n\r\n"
            ))];
            let upstream = always(steps).await;
            let lictor = Lictor::spawn(&policy("block"), upstream.address).await;
            let got = ask(&lictor, method, "").await;
            assert!(status.starts_with(&got.status().to_string()), "{got:?}");
            assert_eq!(got.field("content-encoding"), Some(coding), "{got:?}");
            assert_eq!(got.field("etag"), Some("\"a\""), "{got:?}");
        }
    }
    for coding in CODINGS {
        let steps = sized(&head(coding, "text/plain"), b"");
        let got = through(&policy("block"), steps, "").await;
        assert_eq!((got.status(), got.body.len()), (200, 0), "{coding}");
        let steps = streamed(&head(coding, "text/plain"), [], true);
        let got = through(&policy("block"), steps, "").await;
        assert!(got.complete && got.body.is_empty(), "{coding}");
    }
}

#[tokio::test]
async fn a_coding_that_nobody_knows_is_refused_where_the_scan_is_on_and_passes_where_it_is_off() {
    let body = b"\x01\x02 whatever this is";
    for coding in ["compress", "gzip, gzip, gzip", "gzip;x"] {
        let steps = sized(&head(coding, "text/plain"), body);
        let got = through(&policy("flag"), steps.clone(), "").await;
        assert_eq!(got.status(), 502, "{coding}");
        assert_eq!(got.json()["reason"], "AGENT_INVALID_RESPONSE", "{coding}");
        let upstream = always(steps).await;
        let lictor = Lictor::spawn(EVERYBODY, upstream.address).await;
        let got = ask(&lictor, "GET", "accept-encoding: gzip\r\n").await;
        assert_eq!(got.body, body);
        assert_eq!(got.field("content-encoding"), Some(coding));
    }
    let coded = coded("gzip", b"left alone");
    let upstream = always(sized(&head("gzip", "text/plain"), &coded)).await;
    let lictor = Lictor::spawn(EVERYBODY, upstream.address).await;
    assert!(ask(&lictor, "GET", "").await.body == coded);
}

#[tokio::test]
async fn trailers_follow_what_was_decoded() {
    let coded = coded("zstd", b"the text");
    let mut bytes = chunked(coded.chunks(3), false);
    bytes.extend(b"0\r\nx-sum: 42\r\n\r\n");
    let head = format!(
        "{}trailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n",
        head("zstd", "text/plain")
    );
    let upstream = always(vec![Step::text(head), Step::Write(bytes)]).await;
    let lictor = Lictor::spawn(&policy("block"), upstream.address).await;
    let mut client = lictor.client().await;
    let request =
        b"GET /page HTTP/1.1\r\nhost: localhost\r\nte: trailers\r\nconnection: te, close\r\n\r\n";
    client.wire.send(request).await.unwrap();
    let mut all = Vec::new();
    while let Some(raw) = within("the answer", client.wire.raw()).await.unwrap() {
        all.extend(raw);
    }
    let all = String::from_utf8(all).unwrap();
    assert!(
        all.contains("the text") && all.ends_with("0\r\nx-sum: 42\r\n\r\n"),
        "{all}"
    );
}

#[tokio::test]
async fn whose_a_task_is_is_learned_from_coded_answers_too() {
    let task = json!({"jsonrpc": "2.0", "id": "r1", "result": {"task": {
        "id": "t-coded", "contextId": "c-coded", "status": {"state": "TASK_STATE_WORKING"}
    }}});
    for coding in ["gzip", "br", "gzip, zstd"] {
        let coded = coded(coding, task.to_string().as_bytes());
        let head = head(coding, "application/json");
        let mut answers = vec![sized(&head, &coded), streamed(&head, coded.chunks(1), true)];
        let upstream = Upstream::scripted(move |_| answers.pop().unwrap()).await;
        let lictor = Lictor::spawn(EVERYBODY, upstream.address).await;
        for _ in 0..2 {
            let mut client = lictor.client().await;
            let request = call("SendMessage", &message("hello"));
            let got = client.exchange("POST", &request).await;
            assert_eq!(got.json(), task, "{coding}");
        }
        eventually("two records with the task", async || {
            let records = lictor.audit();
            let known = records.iter().filter(|record| record["task"] == "t-coded");
            (known.count() == 2).then_some(())
        })
        .await;
    }
}

/// A client that asks for codings by itself, and undoes them by itself.
#[tokio::test]
async fn curl_reads_what_it_is_given() {
    let text = "a text without a secret\n".repeat(50);
    for coding in ["br", "deflate", "gzip", "zstd", "gzip, br"] {
        let coded = coded(coding, text.as_bytes());
        let head = head(coding, "text/plain");
        let mut answers = vec![sized(&head, &coded), streamed(&head, coded.chunks(5), true)];
        let upstream = Upstream::scripted(move |_| answers.pop().unwrap()).await;
        let lictor = Lictor::spawn(&policy("block"), upstream.address).await;
        for _ in 0..2 {
            let mut curl = Command::new("curl");
            let url = format!("http://{}/page", lictor.public);
            curl.args(["--silent", "--show-error", "--fail", "--compressed", &url]);
            let Ok(output) = tokio::task::spawn_blocking(move || curl.output())
                .await
                .unwrap()
            else {
                return; // not installed here
            };
            assert!(output.status.success(), "{coding}: {output:?}");
            assert!(output.stdout == text.as_bytes(), "{coding}: {output:?}");
        }
    }
}
