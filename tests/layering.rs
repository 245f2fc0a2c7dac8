//! The arrows between the rooms, as `ARCHITECTURE.md` draws them.
//!
//! Within one crate the compiler allows cycles, so this test reads every path that a room writes and
//! fails when a room imports what it must not, or when a pure room reaches for I/O, clocks or async.

#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

/// What anybody may import.
const GROUND: &[&str] = &[
    "clock",
    "drain",
    "heap",
    "model",
    "protobuf",
    "replacement",
    "telemetry",
];

/// Room, what else of ours it may import, and what it must not mention at all.
const ROOMS: &[(&str, &[&str], &[&str])] = &[
    (
        "model",
        &["!"],
        &["tokio", "hyper", "std::fs", "std::net::Tcp", "clock"],
    ),
    ("clock", &["!"], &["hyper", "std::fs"]),
    ("protobuf", &["!"], &["tokio", "hyper", "std::fs"]),
    ("drain", &["!"], &["hyper", "std::fs"]),
    ("heap", &["!"], &["hyper", "std::fs"]),
    ("replacement", &["!"], &["tokio", "hyper"]),
    // Its labels are the closed lists of `model`.
    ("telemetry", &["!", "model"], &["hyper"]),
    (
        "policy",
        &["!", "model"],
        &["tokio", "hyper", "std::fs", "std::net::Tcp", "async fn"],
    ),
    (
        "scan",
        &["!", "model", "protobuf"],
        &[
            "tokio",
            "hyper",
            "std::fs",
            "std::net::Tcp",
            "std::net::Udp",
            "async fn",
        ],
    ),
    (
        "coding",
        &["!"],
        &[
            "tokio",
            "hyper",
            "std::fs",
            "std::net::Tcp",
            "std::net::Udp",
            "async fn",
        ],
    ),
    ("identity", &[], &[]),
    ("protocol", &[], &["tokio", "std::fs"]),
    ("tls", &[], &[]),
    ("http1", &[], &[]),
    ("websocket", &[], &["tokio", "hyper", "std::fs", "async fn"]),
    ("listener", &[], &[]),
    ("ledger", &[], &["hyper"]),
    ("stores", &[], &["hyper"]),
    ("audit", &[], &["hyper"]),
    ("push", &[], &["hyper", "std::fs"]),
    ("quota", &["policy"], &["tokio", "hyper", "std::fs"]),
    ("upstream", &["http1", "quota"], &[]),
    (
        "proxy",
        &[
            "audit",
            "coding",
            "http1",
            "identity",
            "ledger",
            "listener",
            "policy",
            "protocol",
            "push",
            "quota",
            "scan",
            "tls",
            "upstream",
            "websocket",
        ],
        &[],
    ),
    (
        "rehearsal",
        &["!", "model", "policy", "quota", "scan"],
        &["tokio", "hyper", "std::fs", "std::net::Tcp", "async fn"],
    ),
    ("admin", &[], &[]),
    // Its product is each room's config, the admin port's too.
    ("config", &["*", "admin"], &[]),
    ("app", &["*"], &[]),
    ("cli", &["*"], &[]),
    ("quickstart", &["*"], &[]),
];

/// Who may be imported by composition only.
const TOP: &[&str] = &["admin", "app", "cli", "config", "quickstart"];

#[test]
fn rooms_import_only_what_their_arrow_allows() {
    let mut wrong = Vec::new();
    for file in sources(source("")) {
        let room = room_of(&file);
        if room == "lib" || room == "main" {
            continue;
        }
        let Some((_, allowed, forbidden)) = ROOMS.iter().find(|(name, ..)| *name == room) else {
            wrong.push(format!(
                "{}: `{room}` is not a room; add it to the table with its arrows",
                file.display()
            ));
            continue;
        };
        let depth = depth_of(&file);
        for (number, line) in code(&file) {
            for import in imports(&line, depth) {
                if import != room && !may_import(&room, allowed, &import) {
                    wrong.push(format!(
                        "{}:{number}: `{room}` must not import `{import}`",
                        file.display()
                    ));
                }
            }
            for word in *forbidden {
                if mentions(&line, word) {
                    wrong.push(format!(
                        "{}:{number}: `{room}` must not mention `{word}`",
                        file.display()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_check_sees_a_forbidden_import() {
    assert_eq!(imports("use crate::policy::Permit;", 2), ["policy"]);
    assert_eq!(
        imports(
            "    let a = crate::audit::Record::new(crate::model::Call);",
            1
        ),
        ["audit", "model"]
    );
    assert_eq!(imports("use crate::{audit, model};", 1), [UNNAMED]);
    assert!(!may_import("identity", &[], "protocol"));
    assert!(!may_import("policy", &["!", "model"], "clock"));
    assert!(!may_import("proxy", &["audit"], "config"));
    assert!(may_import("identity", &[], "model"));
    assert!(may_import("app", &["*"], "config"));
    assert!(mentions("use tokio::time;", "tokio"));
    assert!(!mentions("let tokios = 1;", "tokio"));
}

#[test]
fn the_check_sees_who_climbs_out_of_a_room() {
    assert_eq!(depth_of(&source("app.rs")), 1);
    assert_eq!(depth_of(&source("audit/mod.rs")), 1);
    assert_eq!(depth_of(&source("audit/line.rs")), 2);
    assert_eq!(depth_of(&source("config/operator/mod.rs")), 2);
    assert_eq!(depth_of(&source("config/operator/read.rs")), 3);

    assert_eq!(imports("use super::policy::Permit;", 1), ["policy"]);
    assert_eq!(imports("use super::super::policy::Permit;", 2), ["policy"]);
    assert_eq!(imports("a(super::super::super::audit::B)", 3), ["audit"]);
    assert_eq!(imports("use super::super::{audit, model};", 2), [UNNAMED]);
    assert_eq!(imports("use super::*;", 1), [UNNAMED]);
    // As far as the room's own root is at home.
    assert_eq!(imports("use super::policy::Permit;", 2), [""; 0]);
    assert_eq!(imports("use super::super::read::Raw;", 3), [""; 0]);
    assert_eq!(imports("pub(super) fn f() {}", 1), [""; 0]);
    // Higher than the crate's root is nowhere.
    assert_eq!(imports("use super::super::policy::Permit;", 1), ["super"]);
}

#[test]
fn only_the_test_module_ends_the_code() {
    let text =
        "use a;\n#[cfg(test)]\nuse b;\nfn c() {} // d\n#[cfg(test)]\nmod tests {\n    use e;";
    let lines: Vec<_> = code_lines(text).into_iter().map(|(_, line)| line).collect();
    assert_eq!(lines, ["use a;", "#[cfg(test)]", "use b;", "fn c() {} "]);
}

fn may_import(room: &str, allowed: &[&str], import: &str) -> bool {
    if allowed.contains(&"*") {
        // `config` is law for everybody above it, and imports nobody of them but for their configs.
        return room != "config" || !TOP.contains(&import) || allowed.contains(&import);
    }
    allowed.contains(&import) || (!allowed.contains(&"!") && GROUND.contains(&import))
}

/// What is reported where a path does not say which room it enters.
const UNNAMED: &str = "{grouped or starred import: write it out}";

/// The rooms that a line of code names: by `crate::room`, or by as many `super::` as lead from `depth`
/// modules below the crate's root up to it.
fn imports(line: &str, depth: usize) -> Vec<String> {
    let absolute = line.split("crate::").skip(1).map(entered);
    let mut found: Vec<String> = absolute.collect();
    let mut rest = line;
    while let Some((_, climb)) = rest.split_once("super::") {
        let mut levels = 1;
        rest = climb;
        // Beyond the root, `super` itself is the name that is reported: no such room exists.
        while let Some(higher) = rest.strip_prefix("super::").filter(|_| levels < depth) {
            levels += 1;
            rest = higher;
        }
        if levels == depth {
            found.push(entered(rest));
            rest = rest.trim_start_matches("super::");
        }
    }
    found
}

/// The first name of a path.
fn entered(path: &str) -> String {
    let inside = |c: &char| c.is_alphanumeric() || *c == '_';
    let name: String = path.chars().take_while(inside).collect();
    if name.is_empty() {
        UNNAMED.to_owned()
    } else {
        name
    }
}

/// How many modules a file's code lies below the crate's root.
fn depth_of(file: &Path) -> usize {
    let below = file.strip_prefix(source("")).unwrap();
    let modules = below.components().count();
    modules - usize::from(below.file_name().is_some_and(|name| name == "mod.rs"))
}

fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path)
}

fn mentions(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line
            .get(at + word.len()..)
            .and_then(|text| text.chars().next());
        let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !inside(before) && (!inside(after) || word.ends_with("Tcp"))
    })
}

/// The lines of a file that are code and not test: comments are cut, and what follows the test module
/// at the bottom is left out.
fn code(file: &Path) -> Vec<(usize, String)> {
    if file.file_name().is_some_and(|name| name == "tests.rs")
        || file
            .components()
            .any(|component| component.as_os_str() == "tests")
    {
        return Vec::new();
    }
    code_lines(&fs::read_to_string(file).unwrap())
}

fn code_lines(text: &str) -> Vec<(usize, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let is_tests = |index: usize| {
        let next = lines.get(index + 1).copied().unwrap_or_default();
        lines[index] == "#[cfg(test)]" && next.starts_with("mod tests")
    };
    (0..lines.len())
        .take_while(|index| !is_tests(*index))
        .map(|index| {
            let code = lines[index].split("//").next().unwrap_or_default();
            (index + 1, code.to_owned())
        })
        .collect()
}

fn room_of(file: &Path) -> String {
    let below = file.strip_prefix(source("")).unwrap();
    let first = below
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

fn sources(folder: PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
