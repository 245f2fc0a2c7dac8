//! `lictor test` and `lictor explain` as their users meet them: the real binary, its output and its exit codes.
//!
//! After a wanted change of words, `LICTOR_BLESS=1 cargo test --test proof` writes the outputs anew.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and these are their helpers"
)]

use std::fs;

use serde_json::Value;

use command::{Output, lictor_in};

#[path = "support/command.rs"]
mod command;

fn lictor(arguments: &[&str]) -> Output {
    lictor_in(&command::data("proof"), arguments)
}

/// Compares with the output that is written down.
fn compare(name: &str, found: &str) {
    command::compare(&command::data("proof").join(name), found);
}

#[test]
fn tests_that_pass_say_nothing_but_their_number() {
    let found = lictor(&["test", "policies"]);
    assert_eq!(
        (found.code, &*found.data),
        (Some(0), ""),
        "{}",
        found.messages
    );
    assert_eq!(
        found.messages,
        "14 tests, 14 passed, 0 failed; 1 of 6 rules never hit: probes\n"
    );
    let found = lictor(&["test", "--coverage", "policies"]);
    assert_eq!(found.data, "never hit: probes (policies/desk.yaml:25)\n");
}

#[test]
fn a_failure_says_what_was_expected_what_came_and_why() {
    let found = lictor(&["test", "failing.yaml"]);
    compare("failing.txt", &format!("{}{}", found.data, found.messages));
    assert_eq!(found.code, Some(1));
}

#[test]
fn some_tests_are_chosen_by_name() {
    let found = lictor(&["test", "-k", "wire", "failing.yaml"]);
    assert_eq!(found.messages, "3 tests, 0 passed, 3 failed\n");
    let found = lictor(&["test", "-k", "nothing like it", "failing.yaml"]);
    assert_eq!((found.code, &*found.data), (Some(2), ""));
}

#[test]
fn the_exit_code_says_how_it_went() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| lictor_in(folder.path(), arguments);
    assert_eq!(run(&["test"]).code, Some(2));
    assert_eq!(run(&["test", "missing.yaml"]).code, Some(3));
    fs::write(folder.path().join("typo.yaml"), "lictor: v1\ntest: {}\n").unwrap();
    let found = run(&["test", "typo.yaml"]);
    assert!(
        found.data.contains("did you mean `tests`?"),
        "{}",
        found.data
    );
    assert_eq!(
        (found.code, &*found.messages),
        (Some(1), "1 error, 0 warnings in 1 file\n")
    );
    fs::write(folder.path().join("untested.yaml"), "lictor: v1\n").unwrap();
    let found = run(&["test", "untested.yaml"]);
    assert_eq!(
        (found.code, &*found.messages),
        (Some(0), "0 tests, 0 passed, 0 failed\n")
    );
}

#[test]
fn continuous_integration_gets_junit() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.xml");
    let found = lictor(&["test", "--junit", report.to_str().unwrap(), "failing.yaml"]);
    assert_eq!(found.code, Some(1));
    compare("failing.xml", &fs::read_to_string(report).unwrap());
    let found = lictor(&["test", "--junit", "missing/report.xml", "failing.yaml"]);
    assert_eq!(found.code, Some(3));
}

/// The agent's name, and so its seniority, is the one of the operator's file.
#[test]
fn an_operators_file_names_the_agent_and_its_policies() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "policy.yaml",
        "lictor: v1\nseniority: { treasury: { callerAtLeast: 1 } }\nrules: { all: { allow: a2a:GetTask } }\n\
         identities: { corp: { jwt: { issuer: \"https://idp.example\", audience: a } } }\n\
         tests: { juniors: { as: { id: ana }, do: a2a:GetTask, expect: { deny: seniority-too-low } } }\n",
    );
    write(
        "lictor.yaml",
        "lictor: v1\nagent: { name: treasury }\nupstream: { url: \"http://127.0.0.1:9\" }\npolicies: { path: policy.yaml }\n",
    );
    let code = |arguments: &[&str]| lictor_in(folder.path(), arguments).code;
    assert_eq!(code(&["test"]), Some(0));
    assert_eq!(code(&["test", "policy.yaml"]), Some(1));
    assert_eq!(
        code(&["test", "--agent", "treasury", "policy.yaml"]),
        Some(0)
    );
}

/// What `explain` says: a word for the file, and the arguments.
const EXPLAINED: &[(&str, &[&str])] = &[
    (
        "allow",
        &[
            "--as",
            "ana",
            "--do",
            "a2a:SendMessage quote-equity",
            "--args",
            "{\"amount\": 10}",
        ],
    ),
    ("allow-inherited", &["--as", "ana", "--do", "a2a:tasks/get"]),
    (
        "deny-rule",
        &["--as", "eve", "--do", "a2a:SendMessage quote-export"],
    ),
    (
        "deny-default",
        &[
            "--as",
            "corp/rob@acme staff",
            "--do",
            "a2a:SendMessage quote-equity",
            "--args",
            "{\"amount\": 10}",
        ],
    ),
    (
        "deny-seniority",
        &[
            "--as",
            "ana",
            "--do",
            "a2a:SendMessage quote-equity",
            "--args",
            "{\"amount\": 10}",
            "--agent",
            "treasury-agent",
        ],
    ),
    (
        "deny-expired",
        &[
            "--as",
            "eve",
            "--do",
            "a2a:GetTask",
            "--at",
            "2099-02-01T00:00:00Z",
        ],
    ),
    (
        "deny-anonymous",
        &[
            "--as",
            "anonymous",
            "--do",
            "http:GET /healthz",
            "--from",
            "192.0.2.7",
        ],
    ),
    (
        "allow-anonymous",
        &[
            "--as",
            "anonymous",
            "--do",
            "http:GET /healthz",
            "--from",
            "10.1.2.3",
        ],
    ),
    (
        "deny-rule.json",
        &[
            "--as",
            "eve",
            "--do",
            "a2a:SendMessage quote-export",
            "--format",
            "json",
            "--at",
            "2026-01-01T12:00:00Z",
        ],
    ),
    (
        "deny-condition",
        &[
            "--as",
            "ana",
            "--do",
            "a2a:SendMessage quote-equity",
            "--args",
            "{\"amount\": 10001}",
        ],
    ),
    ("who-may", &["--who-may", "a2a:Send*"]),
    (
        "deny-request",
        &["--as", "ana", "--request", "saved/quote.http"],
    ),
    (
        "deny-request-curl",
        &["--as", "anonymous", "--request", "saved/curl.txt"],
    ),
    (
        "deny-request-malformed",
        &["--as", "ana", "--request", "saved/two-methods.http"],
    ),
];

#[test]
fn explanations_read_as_they_are_written_down() {
    for (name, arguments) in EXPLAINED {
        let mut all = vec!["explain", "--policies", "policies"];
        all.extend(*arguments);
        let found = lictor(&all);
        let file = match name.contains('.') {
            true => format!("explain-{name}"),
            false => format!("explain-{name}.txt"),
        };
        assert_eq!(found.messages, "", "{name}");
        // It changes with every file of the policy.
        let data = match found.data.split_once("generation ") {
            Some((head, tail)) if !name.contains('.') => {
                let (hash, tail) = tail.split_once('\n').unwrap();
                assert_eq!(hash.len(), 6, "{hash}");
                format!("{head}generation ######\n{tail}")
            }
            _ => found.data.clone(),
        };
        let data = match serde_json::from_str::<Value>(&data) {
            Ok(mut document) if document.get("generation").is_some() => {
                document["generation"] = "…".into();
                format!("{document:#}\n")
            }
            _ => data,
        };
        compare(&file, &data);
        for credential in ["not-a-real-token", "hidden"] {
            assert!(!found.data.contains(credential), "{name}");
        }
        let expected = i32::from(name.starts_with("deny"));
        assert_eq!(found.code, Some(expected), "{name}");
    }
}

/// Arguments of tools: what tests say of them, and what an explanation says that would have to change.
#[test]
fn arguments_of_tools_are_tested_and_explained() {
    let found = lictor(&["test", "--coverage", "tools.yaml"]);
    compare("tools.txt", &format!("{}{}", found.data, found.messages));
    assert_eq!(found.code, Some(1));
    let wire = |arguments: &[&str]| {
        let asked = [
            "--as",
            "ana",
            "--do",
            "http:POST /mcp",
            "--tool",
            "wire_transfer",
        ];
        let mut all = vec![
            "explain",
            "--policies",
            "tools.yaml",
            "--at",
            "2026-01-01T12:00:00Z",
        ];
        all.extend(asked);
        all.extend(arguments);
        lictor(&all)
    };
    let args = r#"{"amount": 9007199254740994, "currency": "usd", "reference": "A", "fee": 1}"#;
    let found = wire(&["--args", args]);
    let (head, tail) = found.data.split_once("generation ").unwrap();
    let told = format!(
        "{head}generation ######\n{}",
        tail.split_once('\n').unwrap().1
    );
    compare("tools-explain.txt", &told);
    assert_eq!(found.code, Some(1));
    let document: Value =
        serde_json::from_str(&wire(&["--args", args, "--format", "json"]).data).unwrap();
    assert_eq!(document["reason"], "argument-denied");
    assert_eq!(document["tool"]["rule"]["line"], 11);
    assert_eq!(document["tool"]["wrong"][0]["argument"], "amount");
    let good = r#"{"amount": 5, "currency": "GBP", "reference": "A", "recipient": {"iban": "GB33BUKB20201555555555"}}"#;
    let found = wire(&["--args", good]);
    assert!(
        found
            .data
            .contains("wire_transfer: arguments as they must be"),
        "{}",
        found.data
    );
    assert_eq!(found.code, Some(0));
    let who =
        |pattern: &str| lictor(&["explain", "--policies", "tools.yaml", "--who-may", pattern]).data;
    assert!(who("http:POST /mcp").contains("the arguments of tool wire_transfer are looked at"));
    assert!(
        !who("http:GET /mcp").contains("tool"),
        "{}",
        who("http:GET /mcp")
    );
    let found = lictor(&[
        "explain",
        "--policies",
        "tools.yaml",
        "--as",
        "ana",
        "--do",
        "a2a:GetTask",
        "--tool",
        "x",
    ]);
    assert_eq!(found.code, Some(2));
    assert!(
        found
            .messages
            .contains("--tool goes with --do 'http:POST /path'"),
        "{}",
        found.messages
    );
}

#[test]
fn a_question_that_makes_no_sense_is_one_of_usage() {
    let ask = |arguments: &[&str]| {
        let mut all = vec!["explain", "--policies", "policies"];
        all.extend(arguments);
        let found = lictor(&all);
        assert_eq!((found.code, &*found.data), (Some(2), ""));
        found.messages
    };
    assert!(
        ask(&["--as", "anna", "--do", "a2a:GetTask"]).contains("`anna` is nobody under `people`")
    );
    assert!(ask(&["--as", "ana", "--do", "a2a:Get*"]).contains("--who-may takes patterns"));
    assert!(ask(&["--as", "ana", "--do", "a2a:GetTaks"]).contains("did you mean `GetTask`?"));
    assert!(ask(&["--as", "ana"]).contains("--do"));
    assert!(
        ask(&["--as", "ana", "--request", "failing.txt"]).contains("not the head of a request")
    );
    assert!(ask(&["--decision", "7"]).contains("32 hexadecimal digits"));
    let id = "0192f5c1-a7e8-7c3b-9d5e-4f60718293a4";
    assert!(ask(&["--decision", id]).contains("name the audit files with --audit"));
    assert!(
        ask(&["--as", "ana", "--do", "a2a:GetTask", "--at", "noon"])
            .contains("2026-01-31T18:00:00Z")
    );
}

/// Whose tests fail does not start, and the message is the one of `lictor test`.
#[test]
fn a_policy_whose_tests_fail_does_not_start() {
    let state = tempfile::tempdir().unwrap();
    let found = lictor(&[
        "run",
        "--upstream",
        "http://127.0.0.1:9",
        "--policies",
        "failing.yaml",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--state-dir",
        state.path().to_str().unwrap(),
    ]);
    assert_eq!(found.code, Some(1), "{}", found.messages);
    assert!(
        found.messages.contains("FAIL interns may wire"),
        "{}",
        found.messages
    );
    assert!(
        found.messages.contains("failing.yaml:27"),
        "{}",
        found.messages
    );
}

#[test]
fn who_is_revoked_is_refused_whatever_the_rest_says_and_tests_are_played_without() {
    let folder = tempfile::tempdir().unwrap();
    let policy = "lictor: v1
identities: { corp: { jwt: { issuer: \"https://idp.example\", audience: agent } } }
roles: { all: { allow: a2a:GetTask, to: { identity: corp } } }
revoke: { lost-laptop: { principal: ana } }
people: { ana: { identity: corp } }
tests: { ana may read: { as: ana, do: a2a:GetTask, expect: allow } }
";
    fs::write(folder.path().join("p.yaml"), policy).unwrap();
    let run = |arguments: &[&str]| lictor_in(folder.path(), arguments);
    let explain = [
        "explain",
        "--policies",
        "p.yaml",
        "--as",
        "ana",
        "--do",
        "a2a:GetTask",
    ];
    let found = run(&explain);
    assert_eq!(found.code, Some(1), "{}", found.messages);
    let first = found.data.lines().next().unwrap();
    assert!(first.starts_with("DENY 403  revoked"), "{}", found.data);
    assert!(found.data.contains("principal `ana`"), "{}", found.data);
    assert!(found.data.contains("p.yaml:4"), "{}", found.data);
    let json = run(&[&explain[..], &["--format", "json"]].concat());
    let json: Value = serde_json::from_str(&json.data).unwrap();
    assert_eq!(
        (&json["reason"], &json["rule"]["name"]),
        (&"revoked".into(), &"lost-laptop".into())
    );
    assert_eq!(run(&["test", "p.yaml"]).code, Some(0));
}
