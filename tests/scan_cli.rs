//! `lictor scan` as it is typed: what it finds, what it lets through, and exit codes.
//!
//! Secrets are drawn when the tests run; none lies here.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and these are their helpers"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use lictor::scan::sample;
use serde_json::Value;
use tempfile::TempDir;

use command::{Output, lictor_in};

#[path = "support/command.rs"]
mod command;

fn token(seed: u64) -> String {
    sample("credentials.github-pat", seed).unwrap()
}

/// What of a token must not be seen; the rest of it names its maker.
fn secret(token: &str) -> &str {
    token.strip_prefix("ghp_").unwrap()
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn start(arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lictor"));
    let command = command.arg("scan").args(arguments);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.stderr(Stdio::piped()).spawn().unwrap()
}

/// Runs it with this on standard input.
fn piped(arguments: &[&str], input: &str) -> Output {
    let mut child = start(arguments);
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let _stopped_reading = writer.join().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Output {
        code: output.status.code(),
        data: text(output.stdout),
        messages: text(output.stderr),
    }
}

fn scan(folder: &Path, arguments: &[&str]) -> Output {
    lictor_in(folder, &[&["scan"], arguments].concat())
}

fn lines(found: &Output) -> Vec<Value> {
    let lines = found.data.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn people_get_a_line_that_says_where_and_what() {
    let token = token(1);
    let text = format!("# Übersicht\n\nCI läuft mit {token} seit März.\n");
    let folder = folder(&[("notes/ci.md", &text), ("clean.txt", "nothing here\n")]);
    let found = scan(folder.path(), &["."]);
    assert_eq!(
        found.data,
        "./notes/ci.md:3:18: critical credentials.github-pat: ghp_****, 36 bytes\n"
    );
    assert_eq!(found.messages, "1 finding in 1 of 2 inputs\n");
    assert_eq!(found.code, Some(1));
    let clean = scan(folder.path(), &["clean.txt"]);
    assert_eq!((clean.code, &*clean.data), (Some(0), ""));
    assert_eq!(clean.messages, "0 findings\n");
}

#[test]
fn the_secret_is_told_to_nobody() {
    let token = token(2);
    let mail = "rosa.klein@acme-corp.io";
    let stream = format!(
        "data: {{\"{token}\": 1, \"text\": \"ask {mail}\"}}\n\ndata: {{\"x\": {{\"{token}\": \"{token}\"}}}}\n\n"
    );
    let json = format!("{{\"{token}\": \"{mail}\", \"{mail}\": [\"{token}\"]}}");
    let folder = folder(&[("a.sse", &stream), ("b.json", &json), ("c.txt", &token)]);
    for form in [
        &["."][..],
        &["--json", "."],
        &["--sarif", "."],
        &["--trace", "--chunk", "3", "."],
    ] {
        let found = scan(folder.path(), form);
        assert_eq!(found.code, Some(1), "{form:?}: {}", found.messages);
        let said = found.data + &found.messages;
        assert!(said.contains("github-pat") && said.contains("pii.email"));
        for told in [secret(&token), "rosa", "klein"] {
            assert!(!said.contains(told), "{form:?}: {said}");
        }
    }
}

#[test]
fn programs_get_one_finding_a_line() {
    let (first, second) = (token(3), token(4));
    let text = format!("a {first}\nb {second}\n{first}\n");
    let folder = folder(&[("a.log", &text)]);
    let found = lines(&scan(folder.path(), &["--json", "a.log"]));
    let fields = |name: &str| -> Vec<_> { found.iter().map(|each| each[name].clone()).collect() };
    assert_eq!(fields("line"), [1, 2, 3]);
    assert_eq!(fields("column"), [7, 7, 5]);
    assert_eq!(fields("endColumn"), [43, 43, 41]);
    assert_eq!(fields("length"), [36, 36, 36]);
    assert!(
        fields("detector")
            .iter()
            .all(|name| name == "credentials.github-pat")
    );
    // Equal secrets can be told from different ones, and from nothing else.
    let prints = fields("fingerprint");
    assert!(prints[0] == prints[2] && prints[0] != prints[1]);
    for each in &found {
        let span = usize::try_from(each["offset"].as_u64().unwrap()).unwrap()
            ..usize::try_from(each["endOffset"].as_u64().unwrap()).unwrap();
        assert!([secret(&first), secret(&second)].contains(&text.get(span).unwrap()));
    }
}

#[test]
fn code_scanning_gets_sarif() {
    let folder = folder(&[("a b.env", &format!("TOKEN={}\n", token(5)))]);
    for (arguments, results) in [
        (&["--sarif", "a b.env"][..], 1),
        (&["--sarif", "--packs", "cards", "a b.env"], 0),
    ] {
        let found = scan(folder.path(), arguments);
        let log: Value = serde_json::from_str(&found.data).unwrap();
        assert_eq!(log["version"], "2.1.0");
        assert!(log["$schema"].as_str().unwrap().contains("sarif-2.1.0"));
        let run = &log["runs"][0];
        assert_eq!(run["tool"]["driver"]["name"], "lictor");
        assert_eq!(run["columnKind"], "unicodeCodePoints");
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        let found = run["results"].as_array().unwrap();
        assert_eq!(found.len(), results);
        for result in found {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[index]["id"], result["ruleId"]);
            assert_eq!(result["level"], "error");
            assert!(
                result["message"]["text"]
                    .as_str()
                    .unwrap()
                    .contains("ghp_****")
            );
            let place = &result["locations"][0]["physicalLocation"];
            assert_eq!(place["artifactLocation"]["uri"], "a%20b.env");
            assert_eq!(place["region"]["startLine"], 1);
            assert_eq!(place["region"]["startColumn"], 11);
            assert_eq!(place["region"]["endColumn"], 47);
        }
    }
}

#[test]
fn a_filter_changes_nothing_but_secrets() {
    let token = token(6);
    let text = format!("\u{feff}first\r\n\ttoken: {token}\r\nlast, without an end");
    for chunk in ["1", "7", "65536"] {
        let found = piped(&["--redact", "--chunk", chunk], &text);
        assert_eq!(
            found.data,
            text.replace(secret(&token), "[redacted:github-pat]")
        );
        assert_eq!((found.code, &*found.messages), (Some(1), "1 finding\n"));
    }
    let clean = text.replace(&token, "none");
    let found = piped(&["--redact", "-"], &clean);
    assert_eq!((found.code, found.data), (Some(0), clean));
    let odd = [0xff, 0, b'{', 0xc3, b'\n', 0xfe];
    let mut child = start(&["--redact"]);
    child.stdin.take().unwrap().write_all(&odd).unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, odd);
}

#[test]
fn a_filter_answers_as_lines_come_and_keeps_what_is_not_decided() {
    let token = token(7);
    let (head, tail) = token.split_at(20);
    let mut child = start(&["--redact"]);
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    writeln!(stdin, "ready").unwrap();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    write!(stdin, "{head}").unwrap();
    stdin.flush().unwrap();
    writeln!(stdin, "{tail}").unwrap();
    drop(stdin);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "ghp_[redacted:github-pat]\n");
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn what_passes_is_not_kept() {
    let mut child = start(&["--redact"]);
    let status = format!("/proc/{}/status", child.id());
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut block = vec![0; 1 << 16];
        let mut total = 0;
        while let Ok(read @ 1..) = stdout.read(&mut block) {
            total += read;
        }
        total
    });
    let line =
        "2026-03-14T09:26:53Z INFO request took 31 ms, wrote 4711 rows to the north branch\n";
    let megabyte = line.repeat(1 + (1 << 20) / line.len());
    let mut resident = || {
        stdin.write_all(megabyte.as_bytes()).unwrap();
        let status = fs::read_to_string(&status).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap();
        let kilobytes = line.split_whitespace().nth(1).unwrap();
        kilobytes.parse::<u64>().unwrap()
    };
    resident();
    let before = resident();
    let after = (0..14).map(|_| resident()).max().unwrap();
    drop(stdin);
    assert!(after < before + 4096, "{before} KB, then {after} KB");
    assert_eq!(reader.join().unwrap(), 16 * megabyte.len());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_folder_is_walked_without_what_is_not_text_and_not_there() {
    let token = token(8);
    let elsewhere = folder(&[("outside.txt", &token)]);
    let folder = folder(&[
        ("b/two.txt", &token),
        ("a.txt", &token),
        (".git/config", &token),
        ("image.png", &format!("\0\u{1}{token}")),
    ]);
    #[cfg(unix)]
    std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("link")).unwrap();
    let files = |arguments: &[&str]| -> Vec<String> {
        let found = scan(folder.path(), arguments);
        let files = found
            .data
            .lines()
            .map(|line| line.split(':').next().unwrap().to_owned());
        files.collect()
    };
    assert_eq!(files(&["."]), ["./a.txt", "./b/two.txt"]);
    assert_eq!(
        files(&["--all", "."]),
        ["./.git/config", "./a.txt", "./b/two.txt", "./image.png"]
    );
    // Whoever names a thing means it.
    assert_eq!(
        files(&["image.png", ".git", "link"]),
        ["image.png", ".git/config", "link/outside.txt"]
    );
    let found = scan(folder.path(), &["."]);
    assert!(
        found.messages.contains("1 binary file left out"),
        "{}",
        found.messages
    );
}

#[test]
fn a_secret_in_pieces_is_found_and_redacted_where_it_stands() {
    let token = token(9);
    let delta = |text: &str| {
        format!(
            "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"
        )
    };
    let (head, tail) = token.split_at(13);
    let stream = delta("use ") + &delta(head) + &delta(tail) + &delta(" today");
    let folder = folder(&[("answer", &stream)]);
    let found = lines(&scan(folder.path(), &["--json", "answer"]));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["line"], 3);
    assert_eq!(found[0]["length"], 36);
    assert_eq!(found[0]["endLine"], 5);
    let clean = scan(folder.path(), &["--redact", "answer"]);
    let wanted = stream
        .replace(secret(head), "[redacted:github-pat]")
        .replace(tail, "");
    assert_eq!(clean.data, wanted);
    // As text the pieces have nothing to do with each other.
    let found = scan(
        folder.path(),
        &["--as", "text", "--packs", "credentials", "answer"],
    );
    assert_eq!(found.code, Some(0));
}

#[test]
fn escapes_are_read_where_the_form_has_them() {
    let token = token(10);
    let escaped: String = token
        .chars()
        .map(|c| format!("\\u{:04x}", u32::from(c)))
        .collect();
    let json = format!("{{\"before\":\"{}\",\"a\":\"{escaped}\"}}", "x".repeat(300));
    let begin = json.find("\\u").unwrap() as u64;
    let found = lines(&piped(&["--json"], &json));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["offset"], begin + 4 * 6);
    assert_eq!(found[0]["endOffset"], begin + 40 * 6);
    let clean: Value = serde_json::from_str(&piped(&["--redact"], &json).data).unwrap();
    assert_eq!(clean["a"], "ghp_[redacted:github-pat]");
}

#[test]
fn packs_say_what_is_looked_for() {
    let text = format!("{} rosa.klein@acme-corp.io\n", token(11));
    let detectors = |arguments: &[&str]| -> Vec<Value> {
        let arguments = [&["--json"], arguments].concat();
        let found = lines(&piped(&arguments, &text));
        found
            .into_iter()
            .map(|mut each| each["detector"].take())
            .collect()
    };
    assert_eq!(detectors(&[]), ["credentials.github-pat", "pii.email"]);
    assert_eq!(detectors(&["--packs", "pii"]), ["pii.email"]);
    assert_eq!(
        detectors(&["--packs", "pii,credentials.github-pat"]).len(),
        2
    );
    assert_eq!(
        detectors(&["--packs", "pii,credentials,pii.email=allow"]),
        ["credentials.github-pat"]
    );
    let flagged = piped(&["--redact", "--packs", "pii=flag"], &text);
    assert_eq!((flagged.code, flagged.data), (Some(1), text.clone()));
    let unknown = piped(&["--packs", "pie"], "");
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown.messages.contains("no pack or detector `pie`"),
        "{}",
        unknown.messages
    );
    assert_eq!(piped(&["--packs", "pii=maybe"], "").code, Some(2));
}

#[test]
fn a_policy_says_what_is_looked_for() {
    let policy = "lictor: v1\nleaks:\n  packs: { credentials: block, pii.email: flag }\n";
    let folder = folder(&[
        ("p.yaml", policy),
        ("none.yaml", "lictor: v1\n"),
        ("wrong.yaml", "lictor: v1\nleeks: 1\n"),
        (
            "a.txt",
            &format!("a@acme-corp.io {} b@acme-corp.io\n", token(12)),
        ),
    ]);
    let found = lines(&scan(
        folder.path(),
        &["--json", "--policy", "p.yaml", "a.txt"],
    ));
    let actions: Vec<_> = found
        .iter()
        .map(|each| each["action"].as_str().unwrap())
        .collect();
    assert_eq!(
        actions.iter().filter(|action| **action == "block").count(),
        1
    );
    assert_eq!(
        actions.iter().filter(|action| **action == "flag").count(),
        2
    );
    // There is nobody to refuse, so that a block redacts.
    let clean = scan(folder.path(), &["--redact", "--policy", "p.yaml", "a.txt"]);
    assert_eq!(
        clean.data,
        "a@acme-corp.io ghp_[redacted:github-pat] b@acme-corp.io\n"
    );
    assert_eq!(
        scan(folder.path(), &["--policy", "none.yaml", "a.txt"]).code,
        Some(1)
    );
    let wrong = scan(folder.path(), &["--policy", "wrong.yaml", "a.txt"]);
    assert!(wrong.data.contains("leeks") && wrong.code == Some(1));
}

#[test]
fn a_trace_says_what_waited_and_for_whom() {
    let token = token(13);
    let text = format!("see {token} and more, with ghp_none\n");
    let found = piped(
        &["--trace", "--chunk", "4", "--packs", "credentials"],
        &text,
    );
    let said = &found.messages;
    assert!(
        said.contains(
            "trace: stdin:1:9 (byte 8): up to 36 bytes waited over 10 feeds (3..12) for "
        ),
        "{said}"
    );
    assert!(
        said.contains("credentials.github-pat; found credentials.github-pat"),
        "{said}"
    );
    assert!(said.contains("let go"), "{said}");
    assert!(
        said.contains(&format!(
            "{} bytes in {} feeds; ",
            text.len(),
            text.len().div_ceil(4)
        )),
        "{said}"
    );
}

#[test]
fn exit_codes_say_how_it_went() {
    let folder = folder(&[("a.txt", &token(14)), ("b.txt", "")]);
    let code = |arguments: &[&str]| scan(folder.path(), arguments).code;
    assert_eq!(code(&["b.txt"]), Some(0));
    assert_eq!(code(&["a.txt"]), Some(1));
    for usage in [
        &["--json", "--sarif", "a.txt"][..],
        &["--redact", "--json", "a.txt"],
        &["--redact", "a.txt", "b.txt"],
        &["--redact", "."],
        &["--chunk", "0", "a.txt"],
        &["--as", "xml", "a.txt"],
    ] {
        assert_eq!(code(usage), Some(2), "{usage:?}");
    }
    let missing = scan(folder.path(), &["missing", "a.txt"]);
    assert_eq!(missing.code, Some(3));
    assert!(missing.data.contains("a.txt:1"), "what can be read is read");
    assert!(
        missing.messages.contains("1 not read to the end"),
        "{}",
        missing.messages
    );
}

#[test]
fn what_cannot_be_judged_is_not_let_out() {
    let deep = "[".repeat(3000);
    let found = piped(&["--redact"], &deep);
    assert_eq!(found.code, Some(3));
    assert!(
        found.data.len() < 3000 && found.messages.contains("nested too deeply"),
        "{}",
        found.messages
    );
}
