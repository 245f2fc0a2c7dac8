//! Whole files: those that are shown to people, and those that are known to be broken.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::super::json::from_tree;
use super::{OPERATOR, POLICY, Subject, subjects};
use crate::config::diagnostic::Diagnostics;
use crate::config::tree;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: impl AsRef<Path>, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

/// Every file of either kind that somebody may take as an example, with where it stands.
fn examples() -> Vec<(String, String)> {
    let mut examples = Vec::new();
    for folder in ["policies", "tests/data/policy", "tests/data/check/sound"] {
        for path in files(folder, "yaml") {
            let text = fs::read_to_string(&path).unwrap();
            examples.push((path.display().to_string(), text));
        }
    }
    let mut pages = files("docs", "md");
    pages.push(root().join("README.md"));
    for path in pages {
        // That page shows mistakes.
        if path.ends_with("diagnostics.md") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for (at, block) in text.split("```yaml\n").enumerate().skip(1) {
            let block = block.split("```").next().unwrap();
            // Other programs have files of YAML too, and some excerpts are no files.
            if block.contains("lictor: v1\n") {
                examples.push((format!("{}, block {at}", path.display()), block.to_owned()));
            }
        }
    }
    examples
}

fn json(text: &str) -> Option<Json> {
    let mut report = Diagnostics::default();
    tree::parse(0, text, &mut report).map(|node| from_tree(&node))
}

fn subject_of<'a>(file: &Json, subjects: &'a [Subject; 2]) -> &'a Subject {
    let keys = file.as_object().unwrap().keys();
    let [policy, operator] = subjects;
    let of_one = |key: &String| match (POLICY.field(key), OPERATOR.field(key)) {
        (None, Some(_)) => 1,
        (Some(_), None) => -1,
        _ => 0,
    };
    if keys.map(of_one).sum::<i32>() > 0 {
        operator
    } else {
        policy
    }
}

/// Of a folder's files one alone may not load, and each is valid.
#[test]
fn every_part_of_a_recipe_is_valid() {
    let [policy, _] = subjects();
    let entries = fs::read_dir(root().join("policies")).unwrap();
    let folders = entries.map(|entry| entry.unwrap().path());
    let parts: Vec<_> = folders
        .filter(|path| path.is_dir())
        .flat_map(|folder| files(folder, "yaml"))
        .collect();
    assert!(!parts.is_empty());
    for path in parts {
        let file = json(&fs::read_to_string(&path).unwrap()).unwrap();
        let errors = policy.schema_errors(&file);
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
    }
}

#[test]
fn every_example_is_valid_and_loads() {
    let subjects = subjects();
    let examples = examples();
    assert!(examples.len() >= 8, "only {} examples", examples.len());
    for (name, text) in examples {
        let file = json(&text).unwrap_or_else(|| panic!("{name} is no YAML"));
        let subject = subject_of(&file, &subjects);
        let errors = subject.schema_errors(&file);
        assert!(errors.is_empty(), "{name}: {errors:#?}");
        let found = subject.reader(&text);
        assert_eq!(found.errors(), 0, "{name}: {found}");
    }
}

/// What a schema can know: names and kinds of fields, and the look of values. It knows nothing of what stands
/// elsewhere, nor of what must not be asked of this version.
const KNOWN_TO_SCHEMA: &[&str] = &["L0102", "L0104", "L0105", "L0201"];

#[test]
fn what_a_schema_can_know_it_refuses_too() {
    let subjects = subjects();
    let mut count = 0;
    for path in files("tests/data/messages", "yaml") {
        let text = fs::read_to_string(&path).unwrap();
        let Some(file) = json(&text).filter(Json::is_object) else {
            continue;
        };
        let name = path.file_name().unwrap().to_string_lossy();
        let [policy, operator] = &subjects;
        let subject = if name.starts_with("operator-") {
            operator
        } else {
            policy
        };
        let found = subject.reader(&text);
        if found
            .iter()
            .any(|each| KNOWN_TO_SCHEMA.contains(&each.code()))
        {
            assert!(!subject.schema_errors(&file).is_empty(), "{name}: {found}");
            count += 1;
        }
    }
    assert!(count >= 8, "only {count} files");
}
