//! `lictor check` and `lictor schema` as they are typed: output, where it goes, and exit codes.
//!
//! After a wanted change, `LICTOR_BLESS=1 cargo test --test check` writes the outputs anew.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and these are their helpers"
)]

use std::fs;

use serde_json::Value;

use command::{Output, lictor_in};

#[path = "support/command.rs"]
mod command;

/// Runs in `tests/data/check`.
fn lictor(arguments: &[&str]) -> Output {
    lictor_in(&command::data("check"), arguments)
}

/// Compares with the output that is written down.
fn compare(name: &str, found: &str) {
    command::compare(&command::data("check").join(name), found);
}

#[test]
fn people_get_excerpts_and_a_line_that_counts() {
    let found = lictor(&["check", "lictor.yaml", "policies"]);
    compare("expected.txt", &found.data);
    assert_eq!(found.messages, "7 errors, 2 warnings in 3 files\n");
    assert_eq!(found.code, Some(1));
    assert!(!found.data.contains('\u{1b}'), "colour is for terminals");
}

#[test]
fn programs_get_one_json_document() {
    let found = lictor(&["check", "--format", "json", "policies"]);
    compare("expected.json", &found.data);
    let document: Value = serde_json::from_str(&found.data).unwrap();
    let all = document["diagnostics"].as_array().unwrap();
    assert_eq!(all.len(), 8);
    let typo = all.iter().find(|each| each["code"] == "L0102").unwrap();
    assert_eq!(typo["file"], "policies/10-base.yaml");
    assert_eq!((&typo["line"], &typo["column"]), (&7.into(), &14.into()));
    assert_eq!(typo["end"]["column"], 18);
    assert_eq!(typo["label"], "did you mean `allow`?");
    assert_eq!(
        (found.code, &*found.messages),
        (Some(1), "6 errors, 2 warnings in 2 files\n")
    );
}

#[test]
fn actions_get_commands_with_one_line_each() {
    let found = lictor(&["check", "--format", "github", "policies"]);
    compare("expected.github", &found.data);
    assert_eq!(found.data.lines().count(), 8);
    let commands = found.data.lines();
    let begins = |line: &str| line.starts_with("::error ") || line.starts_with("::warning ");
    assert!(commands.clone().all(begins), "{}", found.data);
    assert_eq!(found.code, Some(1));
}

#[test]
fn code_scanning_gets_sarif() {
    let found = lictor(&["check", "--format", "sarif", "policies"]);
    let mut log: Value = serde_json::from_str(&found.data).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &mut log["runs"][0];
    // What the specification requires of each: section 3.19 (driver), 3.49 (rule), 3.27 (result).
    let driver = run["tool"]["driver"].as_object_mut().unwrap();
    assert_eq!(driver["name"], "lictor");
    driver.remove("version");
    driver.remove("semanticVersion");
    let rules = driver.remove("rules").unwrap();
    let rules = rules.as_array().unwrap();
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(
            !rules[index]["shortDescription"]["text"]
                .as_str()
                .unwrap()
                .is_empty()
        );
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        assert!(place["region"]["startLine"].as_u64().unwrap() >= 1);
    }
    compare("expected.sarif", &format!("{log:#}\n"));
    assert_eq!(found.code, Some(1));
}

#[test]
fn the_exit_code_says_how_it_went() {
    let code = |arguments: &[&str]| lictor(arguments).code;
    assert_eq!(code(&["check", "sound"]), Some(0));
    assert_eq!(code(&["check", "--deny-warnings", "sound"]), Some(1));
    assert_eq!(code(&["check", "--format", "yaml", "sound"]), Some(2));
    assert_eq!(code(&["check", "missing"]), Some(3));
    // What can be read is judged all the same.
    let found = lictor(&["check", "missing", "policies"]);
    assert!(found.data.contains("L0001") && found.data.contains("L0102"));
    assert_eq!(found.code, Some(3));
}

#[test]
fn without_paths_what_run_would_read_is_checked() {
    let found = lictor(&["check"]);
    assert!(found.data.contains("`always` is not one of") && found.data.contains("L0110"));
    let empty = tempfile::tempdir().unwrap();
    let found = lictor_in(empty.path(), &["check"]);
    assert_eq!((found.code, found.data.is_empty()), (Some(2), true));
    fs::create_dir(empty.path().join("policies")).unwrap();
    fs::write(empty.path().join("policies/a.yaml"), "lictor: v1\n").unwrap();
    assert_eq!(lictor_in(empty.path(), &["check"]).code, Some(0));
}

#[test]
fn a_file_that_is_named_twice_is_read_once() {
    let file = "sound/policy.yaml";
    let found = lictor(&["check", file, "sound", file, "./sound/policy.yaml"]);
    assert_eq!(
        (found.code, &*found.messages),
        (Some(0), "0 errors, 1 warning in 1 file\n")
    );
}

#[test]
fn no_format_shows_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let text = "lictor: v1\nupstream: { url: \"http://127.0.0.1:9\" }\nadmin: { token: hunter2 }\n\
                stores: { redis: { url: \"redis://u:hunter2@h\" } }\n";
    fs::write(folder.path().join("lictor.yaml"), text).unwrap();
    for format in ["text", "json", "sarif", "github"] {
        let found = lictor_in(folder.path(), &["check", "--format", format]);
        assert!(found.data.contains("L0301"), "{}", found.data);
        assert!(!found.data.contains("hunter2"), "{}", found.data);
    }
}

#[test]
fn a_schema_is_data() {
    for file in ["policy", "operator"] {
        let found = lictor(&["schema", file]);
        assert_eq!((found.code, &*found.messages), (Some(0), ""));
        let schema: Value = serde_json::from_str(&found.data).unwrap();
        assert_eq!(schema["additionalProperties"], false);
    }
    assert_eq!(lictor(&["schema", "agent"]).code, Some(2));
}
