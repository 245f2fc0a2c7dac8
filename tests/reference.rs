//! The reference pages say what the description of the language says.
//!
//! After a change of it, `LICTOR_BLESS=1 cargo test --test reference` writes the pages anew.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and these are their helpers"
)]

use std::fs;
use std::path::{Path, PathBuf};

use lictor::config::{Code, Diagnostics, Document, Example, check};

#[test]
fn the_reference_pages_are_up_to_date() {
    compare("policy-reference.md", &Document::Policy.reference());
    compare("operator-reference.md", &Document::Operator.reference());
}

#[test]
fn every_refusal_is_on_its_page() {
    compare("errors.md", &lictor::proxy::errors_page());
}

#[test]
fn every_detector_is_on_its_page() {
    compare("detectors.md", &lictor::scan::detectors_page());
}

fn compare(name: &str, page: &str) {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let path = docs.join(name);
    if std::env::var_os("LICTOR_BLESS").is_some() {
        fs::write(&path, page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/{name} is not what the language is: write it anew with LICTOR_BLESS=1"
    );
}

#[test]
fn a_schema_is_the_same_every_time() {
    for document in [Document::Policy, Document::Operator] {
        assert_eq!(document.schema(), document.schema());
    }
}

/// Each code with its meaning, its remedy, the smallest file with the mistake, and what is said of that.
#[test]
fn every_code_is_explained_by_an_example_that_has_it() {
    let mut page = INTRO.to_owned();
    for code in Code::ALL.iter().copied() {
        let (text, meaning, remedy) = (code.as_str(), code.meaning(), code.remedy());
        page.push_str(&format!("\n## {text}\n\n{meaning}\n\n{remedy}\n\n"));
        let (kind, file, said) = shown(code);
        page.push_str(&format!("```{kind}\n{file}```\n\n```text\n{said}```\n"));
    }
    compare("diagnostics.md", &page);
}

/// An example as it is shown, and the messages with the code.
fn shown(code: Code) -> (&'static str, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let (kind, shown, name, text) = match code.example() {
        Example::Policy(yaml) => ("yaml", yaml, "policy.yaml", whole(yaml)),
        Example::Operator(yaml) => ("yaml", yaml, "lictor.yaml", whole(yaml)),
        Example::Outside(command) => ("sh", command, "", String::new()),
    };
    let path = folder.path().join(name);
    if name.is_empty() {
        let missing = command_path(shown);
        let said = said(code, &check(&[missing], &[]));
        return (kind, format!("{shown}\n"), said);
    }
    fs::write(&path, text).unwrap();
    let diagnostics = check(&[path], &["credentials.github-pat"]);
    let folder = format!("{}/", folder.path().display());
    (
        kind,
        shown.to_owned(),
        said(code, &diagnostics).replace(&folder, ""),
    )
}

/// What is left out of an example because it is long.
fn whole(yaml: &str) -> String {
    yaml.replace('\u{2026}', &"*a, ".repeat(1000))
}

fn command_path(command: &str) -> PathBuf {
    command.rsplit(' ').next().unwrap().into()
}

fn said(code: Code, diagnostics: &Diagnostics) -> String {
    assert!(
        diagnostics
            .iter()
            .any(|diagnostic| diagnostic.code() == code.as_str()),
        "the example of {} says {diagnostics}",
        code.as_str()
    );
    let text = diagnostics.excerpts(false);
    let of_code = format!("[{}]", code.as_str());
    let messages = text.split_inclusive("\n\n");
    let message = messages
        .into_iter()
        .find(|message| message.contains(&of_code))
        .unwrap();
    let lines = message.trim_end().lines();
    // An excerpt that is itself too long for a page.
    let lines = lines.map(|line| line.chars().take(160).collect::<String>());
    lines.map(|line| format!("{}\n", line.trim_end())).collect()
}

const INTRO: &str = "# What is wrong, by code

`lictor check` and `lictor run` name each mistake by a code, which stays the same over versions. An error keeps a policy from loading. A warning
does not, unless `lictor check --deny-warnings` says so: then the policy loads and is probably not what its author meant. Below stands for each
code what it means, what to do, the smallest file that has it, and what is said of that file.
";
