//! `lictor init`: what it writes is right from the first moment, and nothing that was there is touched.

#![cfg(test)]

use std::fs;
use std::path::Path;

use command::{Output, lictor_in};

#[path = "support/command.rs"]
mod command;

fn init(folder: &Path, arguments: &[&str]) -> Output {
    let mut all = vec!["init"];
    all.extend(arguments);
    lictor_in(folder, &all)
}

#[test]
fn what_is_written_passes_its_check_and_its_tests() {
    for (agent, tests) in [("a2a", 5), ("http", 7), ("mcp", 8)] {
        let folder = tempfile::tempdir().unwrap();
        let found = init(folder.path(), &["--for", agent]);
        assert_eq!((found.code, &*found.messages), (Some(0), ""), "{agent}");
        assert!(
            found.data.starts_with("wrote policies/policy.yaml\n"),
            "{}",
            found.data
        );
        assert!(
            found.data.contains("lictor test policies/policy.yaml"),
            "{}",
            found.data
        );

        // As a stranger types it next: the defaults find what was written.
        let checked = lictor_in(folder.path(), &["check", "--deny-warnings"]);
        assert_eq!(checked.code, Some(0), "{agent}\n{}", checked.data);
        let tested = lictor_in(folder.path(), &["test"]);
        assert_eq!(tested.code, Some(0), "{agent}\n{}", tested.data);
        assert_eq!(
            tested.messages,
            format!("{tests} tests, {tests} passed, 0 failed\n")
        );

        let policies = folder.path().join("policies");
        let policy = fs::read_to_string(policies.join("policy.yaml")).unwrap();
        let modeline = "# yaml-language-server: $schema=./lictor.schema.json\n";
        assert!(policy.starts_with(modeline), "{policy}");
        let schema = fs::read_to_string(policies.join("lictor.schema.json")).unwrap();
        assert_eq!(schema, lictor_in(folder.path(), &["schema"]).data);
    }
}

#[test]
fn nothing_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("policies")).unwrap();
    fs::write(path("policies/desk.yml"), "mine").unwrap();
    let found = init(folder.path(), &[]);
    assert_eq!((found.code, &*found.data), (Some(1), ""));
    assert!(
        found
            .messages
            .contains("`policies/desk.yml` is there already"),
        "{}",
        found.messages
    );
    assert!(
        found.messages.contains("lictor init other/"),
        "{}",
        found.messages
    );
    assert!(!path("policies/policy.yaml").exists());

    let found = init(folder.path(), &["policies/desk.yml"]);
    assert_eq!(found.code, Some(1));
    assert!(
        found.messages.contains("name another file"),
        "{}",
        found.messages
    );
    assert_eq!(
        fs::read_to_string(path("policies/desk.yml")).unwrap(),
        "mine"
    );

    fs::write(path("notes.txt"), "mine").unwrap();
    assert_eq!(init(folder.path(), &["notes.txt"]).code, Some(1));
    assert_eq!(init(folder.path(), &["notes.txt/below"]).code, Some(3));
    assert_eq!(fs::read_to_string(path("notes.txt")).unwrap(), "mine");
}

#[test]
fn a_schema_that_is_there_stays() {
    let folder = tempfile::tempdir().unwrap();
    let schema = folder.path().join("lictor.schema.json");
    fs::write(&schema, "{}").unwrap();
    let found = init(folder.path(), &["desk.yaml"]);
    assert_eq!(found.code, Some(0), "{}", found.messages);
    assert!(
        found.data.contains("lictor schema > ./lictor.schema.json"),
        "{}",
        found.data
    );
    assert_eq!(fs::read_to_string(&schema).unwrap(), "{}");
    assert_eq!(
        lictor_in(folder.path(), &["test", "desk.yaml"]).code,
        Some(0)
    );

    // One that is right is nobody's concern.
    fs::write(&schema, lictor_in(folder.path(), &["schema"]).data).unwrap();
    let found = init(folder.path(), &["other.yaml"]);
    assert_eq!(found.code, Some(0));
    assert!(!found.data.contains("lictor schema >"), "{}", found.data);
}
