//! What policies look for besides what is known: from the file of the policy to the bytes on the wire.

#![cfg(test)]

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::json;

use support::http1::{Message, chunked};
use support::lictor::{EVERYBODY, Lictor, Setup};
use support::upstream::{Step, Upstream};
use support::{eventually, secrets};

mod support;

const HEAD: &str = "HTTP/1.1 200 OK\r\n";

fn policy(leaks: &str) -> String {
    format!("{EVERYBODY}leaks:\n{leaks}")
}

fn employees(action: &str) -> String {
    policy(&format!(
        "  detectors:
    employee-id:
      pattern: '\\bEMP-\\d{{6}}\\b'
      near: [employee, staff]
      check: luhn
      action: {action}
      severity: high
      samples: {{ match: [\"staff EMP-123455\"], noMatch: [\"staff EMP-123456\", EMP-123455] }}\n"
    ))
}

async fn ask(lictor: &Lictor, request: &[u8]) -> Message {
    lictor.client().await.exchange("GET", request).await
}

async fn page(lictor: &Lictor) -> Message {
    ask(lictor, b"GET /page HTTP/1.1\r\nhost: localhost\r\n\r\n").await
}

fn sized(kind: &str, body: &str) -> Vec<Step> {
    let length = body.len();
    vec![Step::text(format!(
        "{HEAD}content-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"
    ))]
}

/// A chat whose deltas are single characters.
fn chat(text: &str) -> Vec<Step> {
    let events: Vec<String> = text
        .chars()
        .map(|letter| {
            let delta = json!({"id": "c1", "choices": [{"index": 0, "delta": {"content": letter.to_string()}}]});
            format!("data: {delta}\n\n")
        })
        .chain(["data: [DONE]\n\n".to_owned()])
        .collect();
    let pieces = events.iter().map(|event| event.as_bytes());
    vec![
        Step::text(format!(
            "{HEAD}content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        )),
        Step::Write(chunked(pieces, true)),
    ]
}

/// What a reader of the chat has.
fn said(got: &Message) -> String {
    let text = got.text();
    let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let events = events.filter_map(|data| serde_json::from_str::<serde_json::Value>(data).ok());
    events
        .filter_map(|event| Some(event["choices"][0]["delta"]["content"].as_str()?.to_owned()))
        .collect()
}

#[tokio::test]
async fn a_detector_of_the_policy_acts_letter_by_letter_and_is_told_of() {
    let steps = chat("Our staff member EMP-123455 is out; EMP-123456 is not one.");
    let agent = Upstream::scripted(move |_| steps.clone()).await;
    let lictor = Lictor::spawn(&employees("redact"), agent.address).await;
    let got = page(&lictor).await;
    assert_eq!(got.status(), 200, "{got:?}");
    assert_eq!(
        said(&got),
        "Our staff member [redacted:employee-id] is out; EMP-123456 is not one."
    );
    let records = eventually("the record", async || {
        let records = lictor.audit();
        (!records.is_empty()).then_some(records)
    })
    .await;
    let finding = &records[0]["findings"][0];
    assert_eq!(finding["detector"], "employee-id", "{finding}");
    assert_eq!(finding["severity"], "high", "{finding}");
    assert!(!records[0].to_string().contains("123455"), "{records:?}");
    let name = "lictor_findings_total{action=\"redact\",detector=\"employee-id\"}";
    assert_eq!(lictor.metric(name).await, Some(1.0));
}

#[tokio::test]
async fn a_block_is_a_refusal_and_a_flag_changes_nothing() {
    let body = json!({"text": "employee EMP-123455"}).to_string();
    for (action, status) in [("block", 502), ("flag", 200), ("redact", 200)] {
        let steps = sized("application/json", &body);
        let agent = Upstream::scripted(move |_| steps.clone()).await;
        let lictor = Lictor::spawn(&employees(action), agent.address).await;
        let got = page(&lictor).await;
        assert_eq!(got.status(), status, "{action} {got:?}");
        match action {
            "block" => assert_eq!(got.json()["reason"], "LEAKAGE_DETECTED"),
            "flag" => assert_eq!(got.text(), body),
            _ => assert_eq!(got.json()["text"], "employee [redacted:employee-id]"),
        }
    }
}

#[tokio::test]
async fn what_callers_send_is_searched_for_it_and_a_reload_changes_what_is_looked_for() {
    let agent = Upstream::json(json!({"fine": true})).await;
    let found = employees("block").replace("leaks:\n", "leaks:\n  direction: request\n");
    let lictor = Lictor::spawn(&found, agent.address).await;
    let body = "staff EMP-123455";
    let request = format!(
        "POST /notes HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(ask(&lictor, request.as_bytes()).await.status(), 403);
    assert!(agent.requests().is_empty());
    lictor.rewrite_policy(&found.replace("EMP-", "PMP-"));
    // A sample does not match any more, so nothing is taken over.
    assert_eq!(ask(&lictor, request.as_bytes()).await.status(), 403);
    lictor.rewrite_policy(&found.replace("EMP", "PMP"));
    eventually("the other pattern", async || {
        (ask(&lictor, request.as_bytes()).await.status() == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_listed_value_passes_until_the_list_changes_and_is_recorded() {
    let steps = sized("text/plain", "pay with 4111 1111 1111 1111 today");
    let agent = Upstream::scripted(move |_| steps.clone()).await;
    let setup = Setup::new(agent.address);
    let list = setup.home().join("cards.txt");
    std::fs::write(&list, "# of our documentation\n4111111111111111\n").unwrap();
    let leaks = format!(
        "  packs: {{ cards: redact }}\n  allow: {{ test-cards: {{ detector: cards, values: {{ file: {} }} }} }}\n",
        list.display()
    );
    let lictor = setup.policy(policy(&leaks)).start().await;
    let got = page(&lictor).await;
    assert_eq!(got.text(), "pay with 4111 1111 1111 1111 today");
    let records = eventually("the record", async || {
        let records = lictor.audit();
        (!records.is_empty()).then_some(records)
    })
    .await;
    let finding = &records[0]["findings"][0];
    assert_eq!(finding["action"], "allow", "{finding}");
    assert_eq!(finding["allowedBy"], "test-cards", "{finding}");
    let name = "lictor_findings_total{action=\"allow\",detector=\"cards.number\"}";
    assert_eq!(lictor.metric(name).await, Some(1.0));
    std::fs::write(&list, "5555555555554444\n").unwrap();
    lictor.signal("-HUP");
    eventually("the other list", async || {
        (page(&lictor).await.text() == "pay with [redacted:cards.number] today").then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_exception_holds_for_answers_to_its_actions() {
    let secret = secrets::github_token(51);
    let steps = sized("text/plain", &secret);
    let agent = Upstream::scripted(move |_| steps.clone()).await;
    let leaks = "  packs: { credentials: block }\n  allow: { docs: { detector: credentials, on: \"http:GET /docs/**\" } }\n";
    let lictor = Lictor::spawn(&policy(leaks), agent.address).await;
    let docs = ask(&lictor, b"GET /docs/a HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert_eq!((docs.status(), docs.text()), (200, secret));
    assert_eq!(page(&lictor).await.status(), 502);
}

#[tokio::test]
async fn names_of_a_dictionary_leave_nowhere_and_stand_in_no_file() {
    let steps = chat("We also serve ACME corp., Globex and Initech.");
    let agent = Upstream::scripted(move |_| steps.clone()).await;
    let setup = Setup::new(agent.address);
    let dictionary = setup.home().join("clients.edm");
    let hash = |names: &str| {
        let list = setup.home().join("clients.txt");
        std::fs::write(&list, names).unwrap();
        let made = Command::new(env!("CARGO_BIN_EXE_lictor"))
            .args(["keys", "dictionary"])
            .arg(&list)
            .arg("--out")
            .arg(&dictionary)
            .output()
            .unwrap();
        std::fs::remove_file(&list).unwrap();
        assert!(made.status.success(), "{made:?}");
        std::fs::read_to_string(&dictionary).unwrap()
    };
    let file = hash("# clients\nAcme Corp\nGlobex\n");
    assert!(!file.to_lowercase().contains("acme"), "{file}");
    let key = std::fs::metadata(setup.home().join("clients.edm.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    let leaks = format!(
        "  detectors: {{ clients: {{ dictionary: {{ file: {} }}, action: redact, severity: high, samples: {{ match: acme corp, noMatch: initech }} }} }}\n",
        dictionary.display()
    );
    let policy = policy(&leaks);
    let home = setup.home().to_owned();
    let lictor = setup.policy(policy).start().await;
    assert_eq!(
        said(&page(&lictor).await),
        "We also serve [redacted:clients]., [redacted:clients] and Initech."
    );
    // Values that stay have the same hashes, and a change is taken over.
    let list = home.join("more.txt");
    std::fs::write(&list, "Acme Corp\nUmbrella\n").unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_lictor"))
        .args(["keys", "dictionary"])
        .arg(&list)
        .arg("--out")
        .arg(home.join("clients.edm"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    lictor.signal("-HUP");
    eventually("the other names", async || {
        let said = said(&page(&lictor).await);
        (said == "We also serve [redacted:clients]., Globex and Initech.").then_some(())
    })
    .await;
}

#[tokio::test]
async fn rules_of_gitleaks_act_as_their_file_and_the_policy_say() {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/gitleaks/rules.toml"
    );
    let leaks = format!(
        "  packs: {{ gitleaks.tailspin-pair: flag }}\n  import: {{ gitleaks: {{ file: {file}, action: redact, skip: skipped }} }}\n"
    );
    let policy = policy(&leaks);
    let cases = [
        (
            "use nwt_q7zt2lw9xc4vb8nm1kj5hg3d now",
            "use [redacted:gitleaks.northwind-token] now",
        ),
        // Too little entropy, a word that stops it, and no end behind it.
        (
            "use nwt_aaaaaaaaaaaaaaaaaaaaaaaa now",
            "use nwt_aaaaaaaaaaaaaaaaaaaaaaaa now",
        ),
        (
            "nwt_q7zt2notarealkey1kj5hg3d .",
            "nwt_q7zt2notarealkey1kj5hg3d .",
        ),
        (
            "nwt_q7zt2lw9xc4vb8nm1kj5hg3dx",
            "nwt_q7zt2lw9xc4vb8nm1kj5hg3dx",
        ),
        (
            "MY_CONTOSO_KEY = \"q7zt2lw9xc4vb8nm1kj5hg3d-0pf6rs_\"",
            "MY_CONTOSO_KEY = \"[redacted:gitleaks.contoso-key]\"",
        ),
        (
            "contoso_example=q7zt2lw9xc4vb8nm1kj5hg3d-0pf6rs_",
            "contoso_example=q7zt2lw9xc4vb8nm1kj5hg3d-0pf6rs_",
        ),
        (
            "tailspin:abcd/ABCDEFGHIJ012345",
            "tailspin:abcd/ABCDEFGHIJ012345",
        ),
        (
            "-----BEGIN ADATUM KEY-----\nq7zt2lw9xc4vb8nm1kj5\n-----END ADATUM",
            "[redacted:gitleaks.adatum-block] ADATUM",
        ),
        ("skp_abcdefghijkl", "skp_abcdefghijkl"),
    ];
    for (text, expected) in cases {
        let steps = chat(text);
        let agent = Upstream::scripted(move |_| steps.clone()).await;
        let lictor = Lictor::spawn(&policy, agent.address).await;
        assert_eq!(said(&page(&lictor).await), expected);
    }
}
