//! What people copy is true: every policy on a page or among the recipes is checked and plays its tests, and every command that a page shows
//! with its output is run.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and these are their helpers"
)]

use std::fs;
use std::path::{Path, PathBuf};

use command::{Output, lictor_in};

#[path = "support/command.rs"]
mod command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Pages with examples, and what stands on them. That of mistakes shows wrong ones, and has a test of its own.
fn pages() -> Vec<(PathBuf, String)> {
    let entries = fs::read_dir(root().join("docs")).unwrap();
    let mut pages: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    pages.retain(|page| page.extension().is_some_and(|found| found == "md"));
    pages.retain(|page| !page.ends_with("diagnostics.md"));
    pages.extend(["README.md", "policies/README.md"].map(|page| root().join(page)));
    pages.sort();
    let read = |page: PathBuf| {
        let text = fs::read_to_string(&page).unwrap();
        (page, text)
    };
    pages.into_iter().map(read).collect()
}

/// What stands in the fences of one kind, with the line on which each begins.
fn blocks<'a>(page: &'a str, kind: &str) -> Vec<(usize, &'a str)> {
    let opening = format!("```{kind}\n");
    let mut found = Vec::new();
    for (at, _) in page.match_indices(&opening) {
        let (before, rest) = page.split_at(at + opening.len());
        let (block, _) = rest.split_once("```").unwrap();
        found.push((before.lines().count() + 1, block));
    }
    found
}

/// Every recipe: a file, or a folder of files that add up.
fn recipes() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("policies")).unwrap();
    let mut recipes: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    recipes.retain(|path| path.is_dir() || path.extension().is_some_and(|found| found == "yaml"));
    recipes.sort();
    recipes
}

fn is_operators(yaml: &str) -> bool {
    let begins = |line: &str| line.starts_with("upstream:") || line.starts_with("listeners:");
    yaml.lines().any(begins)
}

/// A block as a file by itself. What it takes from elsewhere lies beside it.
fn as_file(folder: &Path, yaml: &str) -> String {
    let name = if is_operators(yaml) {
        "lictor.yaml"
    } else {
        "policy.yaml"
    };
    // An excerpt of an operator's file leaves out what every such file has.
    let needed = match is_operators(yaml) && !yaml.contains("\nupstream:") {
        true => "upstream: { url: \"http://127.0.0.1:9000\" }\n",
        false => "",
    };
    fs::write(folder.join(name), format!("{yaml}{needed}")).unwrap();
    let policies = folder.join("policies");
    fs::create_dir_all(&policies).unwrap();
    fs::write(policies.join("policy.yaml"), "lictor: v1\n").unwrap();
    name.to_owned()
}

/// Each block that is a whole file is one without a doubt, and its tests pass.
#[test]
fn every_policy_on_a_page_is_checked_and_tested() {
    let mut count = 0;
    let mut wrong = Vec::new();
    for (page, text) in pages() {
        for (line, block) in blocks(&text, "yaml") {
            // Other programs have files of YAML too, and some excerpts are no files.
            if !block.contains("lictor: v1\n") {
                continue;
            }
            count += 1;
            let folder = tempfile::tempdir().unwrap();
            let file = as_file(folder.path(), block);
            let checked = lictor_in(folder.path(), &["check", "--deny-warnings", &file]);
            let tested = lictor_in(folder.path(), &["test", &file]);
            for Output {
                code,
                data,
                messages,
            } in [checked, tested]
            {
                if code != Some(0) {
                    wrong.push(format!("{}:{line}\n{data}{messages}", page.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 10, "only {count} examples");
}

/// Each recipe is without a doubt, its tests pass, and they reach all that it says. The list of recipes is whole.
#[test]
fn every_recipe_is_checked_tested_and_listed() {
    let list = fs::read_to_string(root().join("policies/README.md")).unwrap();
    let recipes = recipes();
    assert!(recipes.len() >= 6, "only {} recipes", recipes.len());
    for recipe in recipes {
        let below = recipe.strip_prefix(root()).unwrap().display().to_string();
        let checked = lictor_in(root(), &["check", "--deny-warnings", &below]);
        assert_eq!(
            checked.code,
            Some(0),
            "{}{}",
            checked.data,
            checked.messages
        );
        let tested = lictor_in(root(), &["test", "--coverage", &below]);
        let said = format!("{}{}", tested.data, tested.messages);
        assert_eq!(tested.code, Some(0), "{said}");
        assert!(
            !said.contains("never hit") && !said.starts_with("0 tests"),
            "{below}: {said}"
        );
        let name = recipe.file_name().unwrap().to_string_lossy();
        assert!(
            list.contains(&format!("]({name})")),
            "{name} is not in the list"
        );
    }
}

/// Where a page shows what `lictor` says, it says so: of the last policy that stands before it on the page. What needs a
/// running proxy, its records or another program is left to tests of those.
#[test]
fn every_command_with_its_output_is_run() {
    let mut count = 0;
    for (page, text) in pages() {
        for (line, block) in blocks(&text, "console") {
            let policies = blocks(&text, "yaml").into_iter();
            let mut before =
                policies.filter(|(at, block)| *at < line && block.contains("lictor: v1\n"));
            let folder = tempfile::tempdir().unwrap();
            fs::create_dir(folder.path().join("policies")).unwrap();
            if let Some((_, policy)) = before.next_back() {
                fs::write(folder.path().join("policies/desk.yaml"), policy).unwrap();
            }
            for (command, shown) in commands(block) {
                let found = lictor_in(folder.path(), &words(command));
                let said = format!("{}{}", found.data, found.messages);
                let place = format!("{}:{line}", page.display());
                assert_eq!(
                    unversioned(&said),
                    unversioned(&shown),
                    "{place}: {command} says\n{said}"
                );
                count += 1;
            }
        }
    }
    assert!(count >= 4, "only {count} commands");
}

/// The hash of a policy changes with every letter of it.
fn unversioned(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| match line.split_once("generation ") {
            Some((head, _)) => format!("{head}generation\n"),
            None => format!("{line}\n"),
        });
    lines.collect()
}

/// `$ lictor …`, and the lines below it, of commands that need nothing but a policy.
fn commands(block: &str) -> Vec<(&str, String)> {
    const NEED_MORE: &[&str] = &["run ", "replay ", "scan ", "--decision ", "--request "];
    let mut found = Vec::new();
    let mut lines = block.lines().peekable();
    while let Some(line) = lines.next() {
        let mut shown = String::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
            shown.push_str(line);
            shown.push('\n');
        }
        let command = line.strip_prefix("$ lictor ");
        let alone = |command: &&str| !NEED_MORE.iter().any(|needed| command.contains(needed));
        found.extend(command.filter(alone).map(|command| (command, shown)));
    }
    found
}

/// The words of a command, as a shell splits them: `'…'` is one.
fn words(command: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for (number, part) in command.split('\'').enumerate() {
        match number % 2 {
            0 => words.extend(part.split_whitespace()),
            _ => words.push(part),
        }
    }
    words
}

#[test]
fn a_command_is_split_as_a_shell_does() {
    let command = "explain --as ana --do 'http:POST /mcp' --args '{\"a\": 1}' --format json";
    let expected = [
        "explain",
        "--as",
        "ana",
        "--do",
        "http:POST /mcp",
        "--args",
        "{\"a\": 1}",
        "--format",
        "json",
    ];
    assert_eq!(words(command), expected);
}
