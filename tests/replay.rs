//! Decisions that a running lictor made, explained and made again out of its audit records.
//!
//! After a wanted change of words, `LICTOR_BLESS=1 cargo test --test replay` writes the outputs anew.

#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

use lictor::identity::Algorithm;
use lictor::identity::mint::TokenMinter;
use serde_json::{Value, json};

use command::{Output, lictor_in};
use support::lictor::{Lictor, Setup};
use support::upstream::{Step, Upstream};

#[path = "support/command.rs"]
mod command;
mod support;

/// What decided the calls. The place of the first rule is the one that outputs show.
const RULES: &str = r#"
rules:
  big-wires-need-two:
    deny: a2a:SendMessage
    when: args.metadata.amount > 10000 && !has(claims.second_approver)
  only-the-rates-desk:
    deny: a2a:CancelTask
    when: request.header['x-desk'] != 'rates'
  no-legacy:
    deny: http:POST /legacy
"#;

fn policy(keys: &Path, capture: &str, rest: &str) -> String {
    let keys = keys.display();
    format!(
        "lictor: v1\naudit: {{ capture: {capture} }}\nidentities:\n  corp:\n    \
         jwt: {{ issuer: \"https://idp.example\", jwks: {{ file: \"{keys}\" }}, audience: [agent] }}\n\
         roles:\n  desk: {{ allow: [\"a2a:*\", \"http:GET /pages/**\"], to: {{ identity: corp }} }}\n\
         quotas:\n  pages: {{ rate: 1/hour, per: principal, on: \"http:GET /pages/**\" }}\n{rest}"
    )
}

struct Stage {
    lictor: Lictor,
    _agent: Upstream,
    minter: TokenMinter,
    home: PathBuf,
    keys: PathBuf,
}

impl Stage {
    async fn new(capture: &str) -> Self {
        Self::under(capture, RULES).await
    }

    async fn under(capture: &str, rest: &str) -> Self {
        let answer =
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
        let agent = Upstream::scripted(move |_| vec![Step::text(answer)]).await;
        let minter = TokenMinter::generate(Algorithm::Es256).unwrap();
        let setup = Setup::new(agent.address);
        let home = setup.home().to_owned();
        let keys = home.join("jwks.json");
        fs::write(&keys, minter.jwks()).unwrap();
        let lictor = setup.policy(policy(&keys, capture, rest)).start().await;
        Self {
            lictor,
            _agent: agent,
            minter,
            home,
            keys,
        }
    }

    async fn send(&self, head: &str, fields: &str, body: &str) -> u16 {
        let method = head.split(' ').next().unwrap();
        let request = format!(
            "{head} HTTP/1.1\r\nhost: agent\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{fields}\r\n{body}",
            body.len()
        );
        let mut client = self.lictor.client().await;
        client.exchange(method, request.as_bytes()).await.status()
    }

    /// A call of ana, whose token says this besides.
    async fn call(&self, head: &str, fields: &str, claims: &Value, body: &str) -> u16 {
        #[expect(clippy::disallowed_methods, reason = "a token says when it was made")]
        let now = std::time::SystemTime::now();
        let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let mut all = json!({"iss": "https://idp.example", "aud": "agent", "sub": "ana", "iat": now, "exp": now + 600});
        all.as_object_mut()
            .unwrap()
            .extend(claims.as_object().unwrap().clone());
        let fields = format!(
            "authorization: Bearer {}\r\n{fields}",
            self.minter.mint(&all).unwrap()
        );
        self.send(head, &fields, body).await
    }

    /// One call of each kind, and their records.
    async fn day(&self) -> Vec<Value> {
        let wire = |amount: u64| {
            rpc(
                "SendMessage",
                &json!({"message": {"messageId": "m"}, "metadata": {"amount": amount}}),
            )
        };
        let none = json!({});
        self.call("POST /", "", &none, &wire(7)).await;
        self.call("POST /", "", &none, &wire(20_000)).await;
        self.call(
            "POST /",
            "",
            &json!({"second_approver": "bob"}),
            &wire(30_000),
        )
        .await;
        self.call("POST /legacy", "", &none, &wire(3)).await;
        self.call(
            "POST /",
            "",
            &none,
            &rpc("GetTask", &json!({"id": "somebody-elses"})),
        )
        .await;
        self.call(
            "POST /",
            "x-desk: bonds\r\n",
            &none,
            &rpc("CancelTask", &json!({"id": "t"})),
        )
        .await;
        self.call("GET /pages/a%20b", "", &none, "").await;
        self.call("GET /pages/too-many", "", &none, "").await;
        self.send("GET /pages/c", "", "").await;
        self.send("GET /pages/d", "authorization: Bearer forged\r\n", "")
            .await;
        support::eventually("all records", async || {
            let records = self.lictor.audit();
            (records.len() == 10).then_some(records)
        })
        .await
    }

    /// Policies that are not those that decided, in a folder of this name.
    fn other(&self, name: &str, rest: &str) {
        let folder = self.home.join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(
            folder.join("policy.yaml"),
            policy(&self.keys, "decision", rest),
        )
        .unwrap();
    }

    fn lictor(&self, arguments: &[&str]) -> Output {
        lictor_in(&self.home, arguments)
    }

    fn explain(&self, record: &Value, policies: &str) -> Output {
        let id = record["decisionId"].as_str().unwrap();
        let from = ["--audit", "audit.jsonl", "--policies", policies];
        self.lictor(&[&["explain", "--decision", id][..], &from].concat())
    }
}

fn rpc(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
}

/// Compares with the output that is written down, without what differs every time.
fn compare(name: &str, found: &str) {
    let mut text = String::new();
    for line in found.split_inclusive('\n') {
        let words = line.split_inclusive(' ').map(|word| {
            let (bare, end) = word.split_at(word.trim_end_matches([' ', '\n', ',']).len());
            let hash = bare.trim_matches(['(', ')']);
            let is_hex =
                |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            if bare.parse::<std::net::SocketAddr>().is_ok() {
                format!("ADDRESS{end}")
            } else if bare.parse::<jiff::Timestamp>().is_ok() {
                format!("TIME{end}")
            } else if bare.len() == 32 && is_hex(bare) {
                format!("ID{end}")
            } else if hash.len() == 6 && is_hex(hash) {
                format!("{}{end}", bare.replace(hash, "######"))
            } else {
                word.to_owned()
            }
        });
        text.extend(words);
    }
    command::compare(&command::data("replay").join(name), &text);
}

#[tokio::test]
async fn a_record_holds_what_conditions_read_and_nothing_else() {
    let stage = Stage::new("decision").await;
    let records = stage.day().await;
    let captured: Vec<_> = records.iter().map(|record| &record["captured"]).collect();
    let header = "request.header['x-desk']";
    assert_eq!(
        *captured[0],
        json!({"values": {"args.metadata.amount": 7}, "missing": ["claims.second_approver", header]})
    );
    assert_eq!(
        *captured[2],
        json!({
            "values": {"args.metadata.amount": 30_000, "claims.second_approver": "bob"}, "missing": [header],
        })
    );
    assert_eq!(
        *captured[5],
        json!({"values": {header: "bonds"}, "missing": ["args.metadata.amount", "claims.second_approver"]})
    );
    assert_eq!(
        *captured[6],
        json!({"values": {}, "missing": ["args", "claims.second_approver", header]})
    );
    // A document that is not there is told once.
    assert_eq!(
        *captured[8],
        json!({"values": {}, "missing": ["args", "claims", header]})
    );
    // The policy was not asked.
    assert_eq!(
        (captured[9], &records[9]["facts"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        records[0]["facts"],
        json!({"task": "absent", "context": "absent"})
    );
    assert_eq!(
        records[4]["facts"],
        json!({"task": "notMine", "context": "absent"})
    );
}

#[tokio::test]
async fn without_being_asked_to_records_hold_nothing_of_a_body() {
    let stage = Stage::new("off").await;
    let records = stage.day().await;
    assert!(
        records
            .iter()
            .all(|record| record.get("captured").is_none())
    );
    assert!(records[0].get("facts").is_some());
    // What its conditions read is not told, so half of the day cannot be decided again.
    let found = stage.lictor(&["replay", "audit.jsonl", "--policies", "policies"]);
    compare("off.txt", &found.messages);
    assert_eq!((found.code, &*found.data), (Some(0), ""));
}

#[tokio::test]
async fn the_same_policies_decide_the_same() {
    let stage = Stage::new("decision").await;
    let records = stage.day().await;
    let found = stage.lictor(&["replay", "audit.jsonl", "--policies", "policies"]);
    assert_eq!(
        (found.code, &*found.data),
        (Some(0), ""),
        "{}",
        found.messages
    );
    compare("same.txt", &found.messages);
    // One by one, and by `explain` too.
    for record in &records[..9] {
        let found = stage.explain(record, "policies");
        let passed = record["decision"] == "allow" || record["reason"] == "rate-limited";
        assert_eq!(
            found.code,
            Some(i32::from(!passed)),
            "{record}\n{}",
            found.data
        );
        assert!(
            found.data.contains("by these very policies"),
            "{}",
            found.data
        );
    }
}

#[tokio::test]
async fn other_policies_are_told_by_what_they_decide_otherwise() {
    let stage = Stage::new("decision").await;
    let records = stage.day().await;
    let stricter = RULES
        .replace("10000", "5")
        .replace("no-legacy", "no-pages")
        .replace("http:POST /legacy", "http:GET /pages/a*");
    stage.other("new", &stricter);
    let found = stage.lictor(&["replay", "audit.jsonl", "--policies", "new"]);
    compare("changed.txt", &format!("{}{}", found.data, found.messages));
    assert_eq!(found.code, Some(1));
    let short = stage.lictor(&["replay", "audit.jsonl", "--policies", "new", "--show", "0"]);
    assert!(short.data.contains("… and 1 more"), "{}", short.data);

    let found = stage.lictor(&[
        "replay",
        "audit.jsonl",
        "--policies",
        "new",
        "--format",
        "json",
    ]);
    let lines = found
        .data
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = lines.collect();
    assert_eq!(lines.len(), 3, "{}", found.data);
    assert_eq!(lines[0]["decisionId"], records[0]["decisionId"]);
    assert_eq!(lines[0]["was"]["rule"]["name"], "desk");
    assert_eq!(lines[0]["now"]["rule"], "big-wires-need-two");
    assert_eq!(lines[0]["now"]["file"], "new/policy.yaml");
    assert_eq!(
        lines[1]["now"],
        json!({
            "decision": "allow", "reason": null, "rule": "desk", "file": "new/policy.yaml", "line": 7,
        })
    );

    let found = stage.explain(&records[0], "new");
    compare("explain-otherwise.txt", &found.data);
    assert_eq!(found.code, Some(1));
}

#[tokio::test]
async fn what_was_not_captured_is_named_and_not_guessed() {
    let stage = Stage::new("decision").await;
    let records = stage.day().await;
    let reading = RULES.replace(
        "args.metadata.amount > 10000",
        "args.metadata.currency != 'GBP'",
    );
    stage.other("new", &reading);
    let found = stage.lictor(&["replay", "audit.jsonl", "--policies", "new"]);
    compare("unknown.txt", &format!("{}{}", found.data, found.messages));
    assert_eq!(found.code, Some(0));
    let found = stage.explain(&records[0], "new");
    compare("explain-unknown.txt", &found.data);
    assert_eq!(found.code, Some(3));
    // A call that names no arguments at all has no currency either.
    assert_eq!(stage.explain(&records[6], "new").code, Some(0));
    // Nobody asked the policy about a forged token.
    let found = stage.explain(&records[9], "new");
    compare("explain-before.txt", &found.data);
    assert_eq!(found.code, Some(1));
}

#[tokio::test]
async fn a_decision_is_found_in_files_that_were_rotated_away() {
    let stage = Stage::new("decision").await;
    let records = stage.day().await;
    let id = records[1]["decisionId"].as_str().unwrap();
    fs::copy(stage.home.join("audit.jsonl"), stage.home.join("old.jsonl")).unwrap();
    fs::write(stage.home.join("audit.jsonl.1"), "").unwrap();
    let from = [
        "--policies",
        "policies",
        "--audit",
        "audit.jsonl.1",
        "old.jsonl",
    ];
    // As people write such an id elsewhere.
    let id = uuid::Uuid::parse_str(id).unwrap().hyphenated();
    let id = id.to_string().to_uppercase();
    let found = stage.lictor(&[&["explain", "--decision", &id][..], &from].concat());
    assert_eq!(found.code, Some(1), "{}", found.messages);
    let missing = "0".repeat(32);
    let found = stage.lictor(&[&["explain", "--decision", &missing][..], &from].concat());
    assert_eq!((found.code, &*found.data), (Some(3), ""));
    assert!(
        found.messages.contains("`audit.jsonl.1`, `old.jsonl`"),
        "{}",
        found.messages
    );

    // Where lictor.yaml says it lies, it is looked for there.
    let state = stage.home.display();
    fs::write(
        stage.home.join("lictor.yaml"),
        format!(
            "lictor: v1\nstateDir: \"{state}\"\nupstream: {{ url: \"http://127.0.0.1:9\" }}\npolicies: {{ path: policies }}\n"
        ),
    )
    .unwrap();
    let id = records[1]["decisionId"].as_str().unwrap();
    let found = stage.lictor(&["explain", "--decision", id, "--format", "json"]);
    assert_eq!(found.code, Some(1), "{}", found.messages);
    let explained: Value = serde_json::from_str(&found.data).unwrap();
    assert_eq!(explained["recorded"]["sameGeneration"], true);
    assert_eq!(explained["recorded"]["sameAnswer"], true);
    assert_eq!(explained["recorded"]["record"]["decisionId"], id);
}

#[tokio::test]
async fn a_file_with_anything_in_it_is_read_to_its_end() {
    let stage = Stage::new("decision").await;
    stage.day().await;
    let text = fs::read_to_string(stage.home.join("audit.jsonl")).unwrap();
    let torn = text.trim_end().rsplit_once('\n').unwrap().1;
    let mixed = format!(
        "hello\n{text}{{\"v\":1,\"kind\":\"loss\",\"records\":3}}\n{{\"v\":9,\"kind\":\"call\"}}\n\u{0}\n{}",
        torn.get(..100).unwrap()
    );
    fs::write(stage.home.join("mixed.jsonl"), mixed).unwrap();
    let found = stage.lictor(&["replay", "mixed.jsonl", "--policies", "policies"]);
    compare("mixed.txt", &found.messages);
    assert_eq!((found.code, &*found.data), (Some(0), ""));

    // Of nothing follows nothing.
    fs::write(stage.home.join("empty.jsonl"), "").unwrap();
    let found = stage.lictor(&["replay", "empty.jsonl", "--policies", "policies"]);
    assert_eq!(found.code, Some(3), "{}", found.messages);
    assert!(
        found.messages.contains("nothing could be compared"),
        "{}",
        found.messages
    );
    for (arguments, code) in [
        (
            &["replay", "missing.jsonl", "--policies", "policies"][..],
            3,
        ),
        (&["replay", "mixed.jsonl", "--policies", "missing"], 3),
        (&["replay", "mixed.jsonl"], 2),
        (&["replay", "--policies", "policies"], 2),
    ] {
        assert_eq!(stage.lictor(arguments).code, Some(code), "{arguments:?}");
    }
}

/// What decided calls of tools.
const TOOLS: &str = r#"
rules:
  server: { allow: http:POST /mcp, from: { identity: corp } }
tools:
  wire: { args: { amount: { max: 100 } } }
"#;

#[tokio::test]
async fn arguments_of_tools_are_judged_again_as_far_as_they_are_kept() {
    let stage = Stage::under("decision", TOOLS).await;
    let none = json!({});
    for (name, arguments) in [
        ("wire", r#"{"amount": 50.10, "note": "for lunch"}"#),
        ("wire", r#"{"amount": 500}"#),
        ("read", r#"{"path": "/etc/passwd"}"#),
    ] {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{name}","arguments":{arguments}}}}}"#
        );
        stage.call("POST /mcp", "", &none, &body).await;
    }
    let records = support::eventually("all records", async || {
        let records = stage.lictor.audit();
        (records.len() == 3).then_some(records)
    })
    .await;
    let kept: Vec<_> = records
        .iter()
        .map(|record| &record["captured"]["values"]["tool"])
        .collect();
    let given = json!({"json": r#"{"amount":50.10,"note":null}"#});
    assert_eq!(
        *kept[0],
        json!({"name": "wire", "given": given, "omitted": ["note"]})
    );
    assert_eq!(*kept[2], json!({"name": "read", "given": "unkept"}));
    assert_eq!(records[1]["reason"], "argument-denied");

    let replay = |rest: &str| {
        stage.other("new", rest);
        stage.lictor(&["replay", "audit.jsonl", "--policies", "new"])
    };
    let same = replay(TOOLS);
    assert_eq!((same.code, &*same.data), (Some(0), ""), "{}", same.messages);
    assert!(
        same.messages.contains("3 compared, 0 differ"),
        "{}",
        same.messages
    );
    let found = stage.explain(&records[1], "new");
    assert_eq!(found.code, Some(1), "{}", found.data);
    assert!(found.data.contains("argument-denied"), "{}", found.data);

    let stricter = replay(&TOOLS.replace("100", "50"));
    assert_eq!(stricter.code, Some(1), "{}", stricter.messages);
    assert!(stricter.data.contains("wire: 1 call"), "{}", stricter.data);
    let laxer = replay(&TOOLS.replace("100", "500"));
    assert!(laxer.data.contains("now allowed: 1 call"), "{}", laxer.data);

    for (rest, lacking) in [
        (TOOLS.replace("amount:", "note:"), "`note` of `wire`"),
        (TOOLS.replace("wire:", "read:"), "what `read` is given"),
    ] {
        let found = replay(&rest);
        let summary = &found.messages;
        assert!(summary.contains(lacking), "{summary}");
        assert!(summary.contains("1 not captured"), "{summary}");
    }
}
