//! Policies that change under a running lictor: what comes into force, what does not, and what becomes of the
//! answers that run meanwhile.

#![cfg(test)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;

use support::client::{Client, call, message};
use support::http1::chunked;
use support::lictor::{EVERYBODY, Lictor, Setup, TOKEN};
use support::upstream::{EVENT_STREAM, Step, Upstream};
use support::{eventually, within};

mod support;

/// An agent that begins an answer, and goes on when the test says so.
async fn waiting(head: &'static str) -> (Upstream, Arc<Notify>) {
    let go_on = Arc::new(Notify::new());
    let told = Arc::clone(&go_on);
    let upstream = Upstream::scripted(move |_| {
        vec![
            Step::text(head),
            Step::Write(chunked([b"data: {\"first\":1}\n\n".as_slice()], false)),
            Step::Wait(Arc::clone(&told)),
            Step::Write(chunked([b"data: {\"second\":2}\n\n".as_slice()], true)),
        ]
    })
    .await;
    (upstream, go_on)
}

/// A lictor with a desk.
async fn with_desk(upstream: &Upstream, policy: &str) -> Lictor {
    let setup = Setup::new(upstream.address).policy(policy);
    setup.with_desk().start().await
}

async fn generation(lictor: &Lictor) -> u64 {
    let report = lictor
        .at_the_desk("GET", "/v1/policies", Some(TOKEN), "")
        .await;
    report.json()["generation"].as_u64().unwrap()
}

/// The notes on policies, once there are so many.
async fn notes(lictor: &Lictor, count: usize) -> Vec<Value> {
    eventually("the attempt to be recorded", async || {
        let notes = lictor.notes("policies");
        (notes.len() >= count).then_some(notes)
    })
    .await
}

#[tokio::test]
async fn a_stream_that_new_policies_refuse_ends_with_one_event_that_says_so() {
    let (upstream, _go_on) = waiting(EVENT_STREAM).await;
    let lictor = Lictor::spawn(EVERYBODY, upstream.address).await;
    let mut client = lictor.client().await;
    let request = call("SendStreamingMessage", &message("hi"));
    client.wire.send(&request).await.unwrap();
    let mut answer = client.wire.response_head().await.unwrap();
    lictor.rewrite_policy(&format!(
        "{EVERYBODY}  no-streams: {{ deny: a2a:SendStreamingMessage, say: Streams are closed. }}\n"
    ));
    within(
        "the stream to end",
        client.wire.response_body(&mut answer, "POST"),
    )
    .await
    .unwrap();
    assert!(answer.complete);
    let events = answer.events();
    assert_eq!(events.first().map(String::as_str), Some("{\"first\":1}"));
    let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
    assert_eq!(events.len(), 2, "{events:?}");
    let said = last.to_string();
    assert!(said.contains("PERMISSION_DENIED"), "{said}");
    assert!(said.contains("Streams are closed."), "{said}");
    let record = eventually("the record", async || lictor.audit().pop()).await;
    assert_eq!(record["decision"], "allow");
    assert_eq!(record["outcome"], "withdrawn");
    assert_eq!(record["reason"], "deny-rule");
    assert_eq!(record["rule"]["name"], "no-streams");
}

#[tokio::test]
async fn an_answer_that_is_no_stream_of_events_is_broken_off() {
    const PAGE: &str =
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n";
    let (upstream, _go_on) = waiting(PAGE).await;
    let lictor = Lictor::spawn(EVERYBODY, upstream.address).await;
    let mut client = lictor.client().await;
    client
        .wire
        .send(b"GET /page HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut answer = client.wire.response_head().await.unwrap();
    lictor.rewrite_policy(&EVERYBODY.replace("/**", "/other/**"));
    let ended = within("its end", client.wire.response_body(&mut answer, "POST")).await;
    assert!(ended.is_err() || !answer.complete, "{answer:?}");
    let record = eventually("the record", async || lictor.audit().pop()).await;
    assert_eq!(record["outcome"], "withdrawn");
    assert_eq!(record["reason"], "credential-missing");
}

#[tokio::test]
async fn a_stream_that_stays_allowed_notices_nothing() {
    let (upstream, go_on) = waiting(EVENT_STREAM).await;
    let lictor = with_desk(&upstream, EVERYBODY).await;
    let mut client = lictor.client().await;
    let request = call("SendStreamingMessage", &message("hi"));
    client.wire.send(&request).await.unwrap();
    let mut answer = client.wire.response_head().await.unwrap();
    for number in 2..4 {
        lictor.rewrite_policy(&format!(
            "{EVERYBODY}  no-{number}: {{ deny: a2a:CancelTask }}\n"
        ));
        eventually("the reload", async || {
            (generation(&lictor).await == number).then_some(())
        })
        .await;
    }
    go_on.notify_one();
    within("the rest", client.wire.response_body(&mut answer, "POST"))
        .await
        .unwrap();
    assert!(answer.complete);
    assert_eq!(answer.events(), ["{\"first\":1}", "{\"second\":2}"]);
}

#[tokio::test]
async fn an_answer_that_comes_after_its_right_was_taken_back_stays_with_us() {
    let go_on = Arc::new(Notify::new());
    let told = Arc::clone(&go_on);
    let upstream = Upstream::scripted(move |_| {
        vec![
            Step::Wait(Arc::clone(&told)),
            Step::text("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nanswer"),
        ]
    })
    .await;
    let lictor = with_desk(&upstream, EVERYBODY).await;
    let mut client = lictor.client().await;
    client
        .wire
        .send(b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    eventually("the agent to be asked", async || {
        upstream.requests().pop().map(|_| ())
    })
    .await;
    lictor.rewrite_policy(&format!(
        "{EVERYBODY}  closed: {{ deny: \"http:GET /slow\" }}\n"
    ));
    eventually("the reload", async || {
        (generation(&lictor).await == 2).then_some(())
    })
    .await;
    go_on.notify_one();
    let answer = within("an answer", client.wire.response("GET"))
        .await
        .unwrap();
    assert_eq!(answer.status(), 403);
    assert!(!answer.text().contains("answer"), "{}", answer.text());
}

#[tokio::test]
async fn every_attempt_is_recorded_with_what_was_and_what_is_in_force() {
    let upstream = Upstream::json(serde_json::json!({})).await;
    let lictor = with_desk(&upstream, EVERYBODY).await;
    let start = notes(&lictor, 1).await.remove(0);
    assert_eq!(
        (&start["cause"], &start["result"]),
        (&"start".into(), &"loaded".into())
    );
    assert_eq!(
        start["added"],
        serde_json::json!(["rule agents", "rule pages"])
    );
    assert!(start.get("previous").is_none());

    lictor.rewrite_policy(&EVERYBODY.replace("pages:", "sites:"));
    let changed = notes(&lictor, 2).await.remove(1);
    assert_eq!(
        (&changed["cause"], &changed["result"]),
        (&"change".into(), &"loaded".into())
    );
    assert_eq!(changed["previous"], start["generation"]);
    assert_eq!(changed["generation"]["number"], 2);
    assert_eq!(changed["added"], serde_json::json!(["rule sites"]));
    assert_eq!(changed["removed"], serde_json::json!(["rule pages"]));

    lictor.rewrite_policy(&EVERYBODY.replace("allow:", "alow:"));
    let refused = notes(&lictor, 3).await.remove(2);
    assert_eq!(refused["result"], "refused");
    assert_eq!(refused["generation"], changed["generation"]);
    assert!(
        refused["problem"].as_str().unwrap().contains("error"),
        "{refused}"
    );
    assert_ne!(refused["attempted"], changed["generation"]["hash"]);
    let report = lictor
        .at_the_desk("GET", "/v1/policies", Some(TOKEN), "")
        .await
        .json();
    let diagnostics = &report["lastAttempt"]["outcome"]["diagnostics"];
    assert!(
        diagnostics
            .as_str()
            .unwrap()
            .contains("did you mean `allow`?"),
        "{report}"
    );
    assert_eq!(report["generation"], 2);

    lictor.signal("-HUP");
    let told = notes(&lictor, 4).await.remove(3);
    assert_eq!(
        (&told["cause"], &told["result"]),
        (&"signal".into(), &"refused".into())
    );

    // Back to what runs: nothing to do, and nothing wrong any more.
    lictor.rewrite_policy(&EVERYBODY.replace("pages:", "sites:"));
    let back = notes(&lictor, 5).await.remove(4);
    assert_eq!(back["result"], "unchanged");
    assert_eq!(back["generation"], changed["generation"]);
    assert_eq!(
        lictor.metric("lictor_policy_reload_success").await,
        Some(1.0)
    );
}

#[tokio::test]
async fn policies_that_fail_their_tests_do_not_come_into_force() {
    let upstream = Upstream::json(serde_json::json!({})).await;
    let lictor = with_desk(&upstream, EVERYBODY).await;
    lictor.rewrite_policy(&format!(
        "{EVERYBODY}tests:\n  nobody reads: {{ as: anonymous, do: \"http:GET /\", expect: {{ deny: default-deny }} }}\n"
    ));
    let refused = notes(&lictor, 2).await.remove(1);
    assert_eq!(refused["result"], "refused");
    assert!(
        refused["problem"].as_str().unwrap().contains("tests"),
        "{refused}"
    );
    assert_eq!(generation(&lictor).await, 1);
    assert_eq!(lictor.client().await.get("/").await.status(), 200);
    // Nor does a process start with them.
    let setup = Setup::new(upstream.address).policy(format!(
        "{EVERYBODY}tests:\n  nobody reads: {{ as: anonymous, do: \"http:GET /\", expect: {{ deny: default-deny }} }}\n"
    ));
    let (status, said) = setup.fail().await;
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("nobody reads"), "{said}");
}

/// Writes a version as the kubelet does: a new folder, a new link under another name, a rename over the old one.
fn swap(root: &Path, version: u32, text: &str) {
    let folder = root.join(format!("..{version}"));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("policy.yaml"), text).unwrap();
    let _first = fs::remove_file(root.join("..data_tmp"));
    symlink(format!("..{version}"), root.join("..data_tmp")).unwrap();
    fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    if version > 1 {
        fs::remove_dir_all(root.join(format!("..{}", version - 1))).unwrap();
    }
}

/// Asks for what is allowed, which must be served, and for what only broken policies allow.
async fn keep_asking(address: std::net::SocketAddr, over: Arc<AtomicBool>) -> u32 {
    let mut served = 0;
    while !over.load(Ordering::Relaxed) {
        let mut client = Client::connect(address).await;
        for _ in 0..20 {
            assert_eq!(client.get("/open/1").await.status(), 200);
            assert_eq!(client.get("/secret").await.status(), 403);
            served += 2;
        }
    }
    served
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_changes_loses_no_request_and_applies_no_broken_file() {
    let policy = |number: u32| {
        format!(
            "lictor: v1\nrules:\n  open: {{ allow: \"http:GET /open/**\", from: {{ anonymous: true }} }}\n  no-{number}: {{ deny: \"http:GET /secret\" }}\n"
        )
    };
    // It would open everything, and is wrong.
    let broken = |number: u32| {
        format!(
            "lictor: v1\nrules:\n  all-{number}: {{ allow: \"http:* /**\", from: {{ anonymous: true }} }}\n  typo: {{ denny: \"http:GET /x\" }}\n"
        )
    };
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let upstream = Upstream::scripted(move |_| vec![Step::text(answer)]).await;
    let lictor = with_desk(&upstream, &policy(0)).await;
    // From a file to a link to one, as in a pod.
    let root = lictor.policies();
    swap(&root, 1, &policy(1));
    symlink("..data/policy.yaml", root.join("linked.yaml")).unwrap();
    fs::remove_file(root.join("policy.yaml")).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..4)
        .map(|_| tokio::spawn(keep_asking(lictor.public, Arc::clone(&over))))
        .collect();
    for number in 2..122 {
        let text = if number % 3 == 0 {
            broken(number)
        } else {
            policy(number)
        };
        if number % 2 == 0 {
            swap(&root, number, &text);
        } else {
            // An editor that writes in place, in two steps.
            let file = root.join(format!("..{}", number - 1)).join("policy.yaml");
            let half = text.split_at(text.len() / 2).0;
            fs::write(&file, half).unwrap();
            fs::write(&file, &text).unwrap();
            // What `swap` takes away next.
            fs::rename(
                root.join(format!("..{}", number - 1)),
                root.join(format!("..{number}")),
            )
            .unwrap();
            let _last = fs::remove_file(root.join("..data_tmp"));
            symlink(format!("..{number}"), root.join("..data_tmp")).unwrap();
            fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    swap(&root, 122, &policy(122));
    eventually("the last one to be in force", async || {
        let last = lictor.notes("policies").pop()?;
        let added = last["added"].as_array()?;
        added.contains(&"rule no-122".into()).then_some(())
    })
    .await;
    over.store(true, Ordering::Relaxed);
    let mut served = 0;
    for caller in callers {
        served += caller.await.unwrap();
    }
    assert!(served > 0);
    let loaded = lictor.notes("policies");
    let names = loaded.iter().map(|note| note["added"].to_string());
    assert!(names.into_iter().all(|added| !added.contains("all-")));
}
