//! `import.gitleaks`: rules of another scanner, in its own format.

use std::sync::Arc;

use toml_edit::{Document, Item, Table};

use super::super::{Draft, identities, is_name};
use super::custom::MAX_AUTOMATA_BYTES;
use super::{ACTIONS, enforced};
use crate::config::beside;
use crate::config::decode::{Fields, nearest, texts, word};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::{GITLEAKS, IMPORT, LEAK_ACTIONS};
use crate::config::source::Span;
use crate::config::tree::{Entry, quoted};
use crate::model::{LeakAction, Severity};
use crate::scan::{Custom, Pattern, Proof, Unless};

/// The pack that rules of gitleaks make.
pub(super) const PACK: &str = "gitleaks";

const MAX_FILE_BYTES: u64 = 4 << 20;
const MAX_RULES: usize = 2000;

/// What all rules of a file leave out.
#[derive(Default)]
struct Allowlists {
    /// Expressions for the secret, and for the whole match.
    of_secret: Vec<String>,
    of_match: Vec<String>,
    stop_words: Vec<String>,
}

impl Draft {
    pub(super) fn read_import(&mut self, section: &Entry, report: &mut Diagnostics) {
        let at = Some(section.key.span);
        let Some(mut fields) = Fields::of(&IMPORT, &section.value, "`import`", at, report) else {
            return;
        };
        let gitleaks = fields.require("gitleaks", report);
        fields.finish(report);
        let Some((at, rules)) = gitleaks.and_then(|entry| self.read_gitleaks(entry, report)) else {
            return;
        };
        super::super::set(&mut self.leaks.imported, section, Some((at, rules)), report);
    }

    /// The rules, if their automata are not too much.
    pub(super) fn check_imported(&self, report: &mut Diagnostics) -> Vec<Custom> {
        let Some((_, (at, rules))) = &self.leaks.imported else {
            return Vec::new();
        };
        let bytes: usize = rules.iter().map(|rule| rule.pattern.memory_bytes()).sum();
        if bytes > MAX_AUTOMATA_BYTES {
            let title = format_args!(
                "the rules become too large: {} MiB of automata",
                bytes >> 20
            );
            report.push(
                Diagnostic::error(Code::BadValue, title)
                    .at(*at, "")
                    .help("name rules that you do not need under `skip`"),
            );
        }
        rules.clone()
    }

    fn read_gitleaks(
        &self,
        entry: &Entry,
        report: &mut Diagnostics,
    ) -> Option<(Span, Vec<Custom>)> {
        let at = Some(entry.key.span);
        let mut fields = Fields::of(&GITLEAKS, &entry.value, "`gitleaks`", at, report)?;
        let file = fields.require("file", report);
        let action = fields.require("action", report);
        let action =
            action.and_then(|entry| word(&entry.value, "`action`", LEAK_ACTIONS, ACTIONS, report));
        let skip = fields.take("skip");
        let skip = skip.map(|entry| texts(&entry.value, "`skip`", report));
        fields.finish(report);
        let (file, action) = (file?, enforced(action?, self.mode));
        let span = file.value.span;
        let path = identities::path(&file.value, "`file`", report)?;
        let unread = |error: &dyn std::fmt::Display| {
            let title = format_args!("the rules cannot be read: {error}");
            Diagnostic::error(Code::Unreadable, title).at(span, "")
        };
        let text = match beside::read(&path, MAX_FILE_BYTES).map(String::from_utf8) {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => {
                report.push(unread(&error));
                return None;
            }
            Err(error) => {
                report.push(unread(&error));
                return None;
            }
        };
        let document = match Document::parse(text.as_str()) {
            Ok(document) => document,
            Err(error) => {
                let message = error.to_string();
                let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
                report.push(unread(&message));
                return None;
            }
        };
        let skip = skip.unwrap_or_default();
        let rules = take(document.as_table(), &skip, action, span, report);
        Some((span, rules))
    }
}

/// The rules that can be taken. Each other is named, with the reason.
fn take(
    file: &Table,
    skip: &[(&str, Span)],
    action: LeakAction,
    at: Span,
    report: &mut Diagnostics,
) -> Vec<Custom> {
    let of_all = Allowlists::of(file);
    let rules: Vec<&Table> = tables(file.get("rules")).collect();
    let ids: Vec<&str> = rules.iter().filter_map(|rule| text(rule, "id")).collect();
    for (id, span) in skip {
        if !ids.contains(id) {
            let title = format_args!("there is no rule {} in the file", quoted(id));
            let meant = nearest(id, ids.iter().copied());
            report.push(Diagnostic::error(Code::UnknownDetector, title).suggest(*span, meant));
        }
    }
    if rules.is_empty() || rules.len() > MAX_RULES {
        let title = format_args!(
            "a file has 1 to {MAX_RULES} `[[rules]]`, and this one has {}",
            rules.len()
        );
        report.push(Diagnostic::error(Code::Empty, title).at(at, ""));
        return Vec::new();
    }
    let mut taken: Vec<Custom> = Vec::new();
    for rule in rules {
        let id = text(rule, "id").unwrap_or("(without an id)");
        if skip.iter().any(|(skipped, _)| *skipped == id) {
            continue;
        }
        let custom = match taken
            .iter()
            .any(|other| other.name.ends_with(&format!(".{id}")))
        {
            true => Err("another rule has its id".to_owned()),
            false => custom(rule, id, &of_all, action),
        };
        match custom {
            Ok(custom) => taken.push(custom),
            Err(why) => {
                let title = format_args!("rule {} of gitleaks is left out: {why}", quoted(id));
                report.push(
                    Diagnostic::warning(Code::NotEnforced, title)
                        .at(at, "")
                        .help("name it under `skip`, or write a detector of your own in its place"),
                );
            }
        }
    }
    taken
}

fn custom(
    rule: &Table,
    id: &str,
    of_all: &Allowlists,
    action: LeakAction,
) -> Result<Custom, String> {
    if !is_name(id) || id.contains('.') {
        return Err("its id is no name".to_owned());
    }
    if rule.contains_key("path") {
        return Err("it asks for the path of a file, and an answer has none".to_owned());
    }
    let regex = text(rule, "regex").ok_or("it has no regex")?;
    let group = rule.get("secretGroup").and_then(Item::as_integer);
    let group = group.and_then(|group| usize::try_from(group).ok());
    let group = group.filter(|group| *group > 0).unwrap_or(1);
    let pattern = Pattern::of_gitleaks(regex, group).map_err(|error| error.to_string())?;
    let entropy = rule.get("entropy").and_then(|entropy| {
        let whole = entropy
            .as_integer()
            .and_then(|bits| u8::try_from(bits).ok());
        entropy.as_float().or_else(|| whole.map(f64::from))
    });
    let proof = match entropy.filter(|entropy| *entropy > 0.0) {
        Some(entropy) => {
            let proof = format!("entropy>{entropy}").parse::<Proof>();
            Some(proof.map_err(|_| "no text has so much entropy".to_owned())?)
        }
        None => None,
    };
    let mut allowlists = Allowlists::of(rule);
    allowlists.add(of_all);
    let unless = Unless::new(
        &allowlists.of_secret,
        &allowlists.of_match,
        &allowlists.stop_words,
    );
    Ok(Custom {
        name: format!("{PACK}.{id}").into(),
        pattern: Arc::new(pattern),
        near: Vec::new(),
        proof,
        unless: Some(Arc::new(unless.map_err(|error| {
            let error = error.to_string();
            let last = error.lines().last().unwrap_or_default();
            format!("an expression of its allowlist cannot be read: {last}")
        })?)),
        action,
        severity: Severity::High,
    })
}

impl Allowlists {
    /// Those of a table, in the spelling of today and in that of before. What speaks of paths and commits says nothing of an
    /// answer; a list that must hold as a whole is taken only where nothing else is in it.
    fn of(table: &Table) -> Self {
        let mut all = Self::default();
        for list in tables(table.get("allowlists")).chain(tables(table.get("allowlist"))) {
            let needs_all =
                text(list, "condition").is_some_and(|it| it.eq_ignore_ascii_case("and"));
            let is_of_files = ["paths", "commits"]
                .iter()
                .any(|name| list.contains_key(name));
            // Rules of the file that it is about alone: fewer would be found than the file says.
            if (needs_all && is_of_files) || list.contains_key("targetRules") {
                continue;
            }
            let (regexes, words) = (texts_of(list, "regexes"), texts_of(list, "stopwords"));
            if needs_all && !regexes.is_empty() && !words.is_empty() {
                continue;
            }
            match text(list, "regexTarget") {
                Some("match") => all.of_match.extend(regexes),
                // A line is more than is looked at.
                Some("line") => {}
                Some(_) | None => all.of_secret.extend(regexes),
            }
            all.stop_words.extend(words);
        }
        all
    }

    fn add(&mut self, other: &Self) {
        self.of_secret.extend_from_slice(&other.of_secret);
        self.of_match.extend_from_slice(&other.of_match);
        self.stop_words.extend_from_slice(&other.stop_words);
    }
}

fn tables(item: Option<&Item>) -> impl Iterator<Item = &Table> {
    let many = item.and_then(Item::as_array_of_tables);
    let one = item.and_then(Item::as_table);
    many.into_iter().flat_map(|tables| tables.iter()).chain(one)
}

fn text<'a>(table: &'a Table, name: &str) -> Option<&'a str> {
    table.get(name).and_then(Item::as_str)
}

fn texts_of(table: &Table, name: &str) -> Vec<String> {
    let array = table.get(name).and_then(Item::as_array);
    let texts = array.into_iter().flat_map(|array| array.iter());
    texts
        .filter_map(|text| Some(text.as_str()?.to_owned()))
        .collect()
}
