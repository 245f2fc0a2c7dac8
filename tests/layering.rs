//! The arrows between the rooms, as `ARCHITECTURE.md` draws them.
//!
//! Within one crate the compiler allows cycles, so this test reads every path that a room writes and
//! fails when a room imports what it must not, or when a pure room reaches for I/O, clocks or async.

use std::fs;
use std::path::{Path, PathBuf};

/// What anybody may import.
const GROUND: &[&str] = &["clock", "drain", "model", "telemetry"];

/// Room, what else of ours it may import, and what it must not mention at all.
const ROOMS: &[(&str, &[&str], &[&str])] = &[
    (
        "model",
        &["!"],
        &["tokio", "hyper", "std::fs", "std::net::Tcp", "clock"],
    ),
    ("clock", &["!"], &["hyper", "std::fs"]),
    ("drain", &["!"], &["hyper", "std::fs"]),
    ("telemetry", &["!"], &["hyper"]),
    (
        "policy",
        &["!", "model"],
        &["tokio", "hyper", "std::fs", "std::net::Tcp", "async fn"],
    ),
    (
        "scan",
        &["!", "model"],
        &["tokio", "hyper", "std::fs", "std::net", "async fn"],
    ),
    ("identity", &[], &[]),
    ("protocol", &[], &["tokio", "std::fs"]),
    ("tls", &[], &[]),
    ("listener", &[], &[]),
    ("ledger", &[], &["hyper"]),
    ("audit", &[], &["hyper"]),
    ("quota", &["policy"], &["tokio", "hyper", "std::fs"]),
    ("upstream", &["quota"], &[]),
    (
        "proxy",
        &[
            "audit", "identity", "ledger", "listener", "policy", "protocol", "quota", "scan",
            "tls", "upstream",
        ],
        &[],
    ),
    ("admin", &[], &[]),
    ("config", &["*"], &[]),
    ("app", &["*"], &[]),
    ("cli", &["*"], &[]),
    ("quickstart", &["*"], &[]),
];

/// Who may be imported by composition only.
const TOP: &[&str] = &["admin", "app", "cli", "config", "quickstart"];

#[test]
fn rooms_import_only_what_their_arrow_allows() {
    let mut wrong = Vec::new();
    for file in sources(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
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
        for (number, line) in code(&file) {
            for import in imports(&line) {
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
    assert_eq!(imports("use crate::policy::Permit;"), ["policy"]);
    assert_eq!(
        imports("    let a = crate::audit::Record::new(crate::model::Call);"),
        ["audit", "model"]
    );
    assert_eq!(
        imports("use crate::{audit, model};"),
        ["{grouped or starred import: write it out}"]
    );
    assert!(!may_import("identity", &[], "protocol"));
    assert!(!may_import("policy", &["!", "model"], "clock"));
    assert!(!may_import("proxy", &["audit"], "config"));
    assert!(may_import("identity", &[], "model"));
    assert!(may_import("app", &["*"], "config"));
    assert!(mentions("use tokio::time;", "tokio"));
    assert!(!mentions("let tokios = 1;", "tokio"));
}

fn may_import(room: &str, allowed: &[&str], import: &str) -> bool {
    if allowed.contains(&"*") {
        // `config` is law for everybody above it, and imports nobody of them.
        return room != "config" || !TOP.contains(&import);
    }
    allowed.contains(&import) || (!allowed.contains(&"!") && GROUND.contains(&import))
}

/// The rooms that a line of code names, by `crate::room`. Leaving a room by `super::super` is not
/// possible without naming a sibling, so paths that climb to the crate root are reported as such.
fn imports(line: &str) -> Vec<String> {
    line.split("crate::")
        .skip(1)
        .map(|rest| {
            let name: String = rest
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            if name.is_empty() {
                "{grouped or starred import: write it out}".to_owned()
            } else {
                name
            }
        })
        .collect()
}

fn mentions(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line
            .get(at + word.len()..)
            .and_then(|text| text.chars().next());
        let inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !inside(before) && !(inside(after) && !word.ends_with("Tcp"))
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
    let text = fs::read_to_string(file).unwrap();
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .map(|(index, line)| {
            (
                index + 1,
                line.split("//").next().unwrap_or_default().to_owned(),
            )
        })
        .collect()
}

fn room_of(file: &Path) -> String {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let below = file.strip_prefix(src).unwrap();
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
