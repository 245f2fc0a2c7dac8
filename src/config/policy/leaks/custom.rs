//! `leaks.detectors`: what authors look for besides what is known.

use std::sync::Arc;

use super::super::condition::Place;
use super::super::{Draft, add, each_named, mode};
use super::{ACTIONS, dictionary, enforced};
use crate::config::decode::{Fields, bad_value, text, texts, word};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::{DETECTOR, LEAK_ACTIONS, SAMPLES, SEVERITY};
use crate::config::source::Span;
use crate::config::tree::{Entry, Node, quoted};
use crate::model::{LeakAction, Mode, Severity};
use crate::scan::{
    self, Cost, Custom, Detectors, Hold, Listed, MAX_WORD_BYTES, Pattern, PatternError, Proof,
    scan_text,
};

/// A detector as it is written.
pub(in crate::config::policy) struct RawCustom {
    what: What,
    /// Where the pattern or the dictionary is.
    at: Span,
    samples: Vec<Sample>,
}

/// What is looked for.
enum What {
    Pattern(Custom),
    Values(Listed),
}

/// A text that a detector is tried on.
struct Sample {
    text: String,
    at: Span,
    is_match: bool,
}

/// More words than say what something is.
const MAX_WORDS: usize = 32;
/// What all automata of a policy may take together.
pub(super) const MAX_AUTOMATA_BYTES: usize = 128 << 20;

const SEVERITIES: &[(&str, Severity)] = &[
    ("low", Severity::Low),
    ("medium", Severity::Medium),
    ("high", Severity::High),
];

impl Draft {
    pub(super) fn read_detectors(&mut self, section: &Entry, report: &mut Diagnostics) {
        for entry in each_named(section, "detector", report) {
            if let Some(custom) = read(entry, self.mode, report) {
                add(&mut self.leaks.custom, entry, "detector", custom, report);
            }
        }
    }

    /// The detectors, tried on their samples and in prose.
    pub(super) fn check_detectors(
        &self,
        known: &[&str],
        report: &mut Diagnostics,
    ) -> (Vec<Custom>, Vec<Listed>) {
        let (mut patterns, mut lists, mut bytes) = (Vec::new(), Vec::new(), 0);
        for (name, (span, raw)) in &self.leaks.custom {
            check_free(name, *span, known, report);
            raw.check_samples(report);
            match &raw.what {
                What::Pattern(custom) => {
                    check_cost(custom, raw.at, report);
                    bytes += custom.pattern.memory_bytes();
                    patterns.push(custom.clone());
                }
                What::Values(listed) => lists.push(listed.clone()),
            }
            if bytes > MAX_AUTOMATA_BYTES {
                let title = "the patterns of all detectors together become too large";
                report.push(
                    Diagnostic::error(Code::BadValue, title)
                        .at(raw.at, "")
                        .help(PatternError::Large.help()),
                );
                break;
            }
        }
        (patterns, lists)
    }
}

/// A name of a pack, or in one, is taken.
fn check_free(name: &str, span: Span, known: &[&str], report: &mut Diagnostics) {
    let first = name.split('.').next();
    let mut taken = known.iter().filter_map(|known| known.split('.').next());
    let is_taken = first == Some(super::gitleaks::PACK) || taken.any(|pack| Some(pack) == first);
    if is_taken {
        let title = format_args!("{} is the name of a pack, or stands in one", quoted(name));
        report.push(
            Diagnostic::error(Code::DefinedTwice, title)
                .at(span, "")
                .help("`packs` says what is done with findings of a pack; call your own detector otherwise"),
        );
    }
}

fn read(entry: &Entry, of_file: Mode, report: &mut Diagnostics) -> Option<RawCustom> {
    let what = format!("detector {}", quoted(&entry.key.text));
    let mut fields = Fields::of(&DETECTOR, &entry.value, &what, Some(entry.key.span), report)?;
    let mode = mode(&mut fields, of_file, report);
    let pattern = fields.take("pattern");
    let dictionary = fields.take("dictionary");
    let (near, proof) = (fields.take("near"), fields.take("check"));
    let of_patterns = [near, proof];
    let near = near.map(|entry| read_near(&entry.value, report));
    let proof = proof.map(|entry| read_proof(&entry.value, report));
    let action = fields.require("action", report);
    let action =
        action.and_then(|entry| word(&entry.value, "`action`", LEAK_ACTIONS, ACTIONS, report));
    let severity = match fields.take("severity") {
        Some(entry) => word(&entry.value, "`severity`", SEVERITY, SEVERITIES, report),
        None => Some(Severity::Medium),
    };
    let samples = fields.take("samples");
    let samples = samples.map(|entry| read_samples(entry, report));
    fields.finish(report);
    let name: Box<str> = Box::from(&*entry.key.text);
    let samples = samples.unwrap_or_default();
    let (what, at) = match (pattern, dictionary) {
        (Some(written), None) => {
            let pattern = read_pattern(&written.value, report);
            let custom = Custom {
                name,
                pattern: Arc::new(pattern?),
                near: near.unwrap_or_default(),
                proof: proof.map_or(Some(None), |proof| proof.map(Some))?,
                unless: None,
                action: enforced(action?, mode),
                severity: severity?,
            };
            (What::Pattern(custom), written.value.span)
        }
        (None, Some(written)) => {
            let dictionary = dictionary::read(written, report);
            if let Some(other) = of_patterns.into_iter().flatten().next() {
                let title = format_args!("{what} has values, and no pattern");
                report.push(
                    Diagnostic::error(Code::Contradiction, title)
                        .at(other.key.span, "this goes with a pattern")
                        .also(written.key.span, "the values"),
                );
            }
            let listed = Listed {
                name,
                dictionary: dictionary?,
                action: enforced(action?, mode),
                severity: severity?,
            };
            (What::Values(listed), written.value.span)
        }
        (Some(_), Some(other)) => {
            let title = format_args!("{what} has a pattern and a dictionary");
            report.push(
                Diagnostic::error(Code::Contradiction, title)
                    .at(other.key.span, "")
                    .help("make two detectors of it"),
            );
            return None;
        }
        (None, None) => {
            let title = format_args!("{what} needs `pattern` or `dictionary`, one of them");
            report.push(Diagnostic::error(Code::MissingField, title).at(entry.key.span, ""));
            return None;
        }
    };
    Some(RawCustom { what, at, samples })
}

fn read_pattern(node: &Node, report: &mut Diagnostics) -> Option<Pattern> {
    let written = text(node, "`pattern`", report)?;
    let error = match Pattern::new(written) {
        Ok(pattern) => return Some(pattern),
        Err(error) => error,
    };
    let diagnostic = match &error {
        PatternError::Syntax { message, at } => {
            let place = Place::of(node, written, report);
            bad_value(node, "`pattern`", "a regular expression").at(place.within(at), message)
        }
        PatternError::Large
        | PatternError::Long
        | PatternError::Short(_)
        | PatternError::WordBoundary => {
            bad_value(node, "`pattern`", "a pattern to look for").at(node.span, &error)
        }
    };
    report.push(diagnostic.help(error.help()));
    None
}

fn read_near(node: &Node, report: &mut Diagnostics) -> Vec<Box<str>> {
    let mut words = Vec::new();
    for (word, at) in texts(node, "`near`", report) {
        if word.len() > MAX_WORD_BYTES || words.len() == MAX_WORDS {
            let title = format_args!(
                "`near` takes up to {MAX_WORDS} words of up to {MAX_WORD_BYTES} bytes"
            );
            report.push(Diagnostic::error(Code::BadValue, title).at(at, ""));
            return words;
        }
        words.push(word.trim().into());
    }
    words
}

fn read_proof(node: &Node, report: &mut Diagnostics) -> Option<Proof> {
    let written = text(node, "`check`", report)?;
    let proof = written.parse().ok();
    if proof.is_none() {
        let names = Proof::NAMES.map(|name| format!("`{name}`")).join(", ");
        let diagnostic = bad_value(node, "`check`", "a check");
        report.push(diagnostic.help(format_args!("write one of {names}")));
    }
    proof
}

fn read_samples(entry: &Entry, report: &mut Diagnostics) -> Vec<Sample> {
    let at = Some(entry.key.span);
    let Some(mut fields) = Fields::of(&SAMPLES, &entry.value, "`samples`", at, report) else {
        return Vec::new();
    };
    if fields.is_empty(report) {
        return Vec::new();
    }
    let mut samples = Vec::new();
    for (name, is_match) in [("match", true), ("noMatch", false)] {
        let Some(entry) = fields.take(name) else {
            continue;
        };
        let written = texts(&entry.value, format_args!("`{name}`"), report);
        samples.extend(written.into_iter().map(|(text, at)| Sample {
            text: text.to_owned(),
            at,
            is_match,
        }));
    }
    fields.finish(report);
    samples
}

impl RawCustom {
    fn check_samples(&self, report: &mut Diagnostics) {
        if self.samples.is_empty() {
            return;
        }
        let (name, custom, listed) = match &self.what {
            What::Pattern(custom) => (&custom.name, vec![custom.clone()], Vec::new()),
            What::Values(listed) => (&listed.name, Vec::new(), vec![listed.clone()]),
        };
        let compiled = Detectors::compile(&scan::Config {
            actions: [(name.clone(), LeakAction::Flag)].into(),
            custom,
            listed,
            exceptions: Vec::new(),
            hold: Hold::default(),
            buffer_bytes: 0,
            fingerprint_key: [0; 32],
        });
        let detectors = match compiled {
            Ok(detectors) => detectors,
            Err(error) => {
                report.push(Diagnostic::error(Code::BadValue, error).at(self.at, ""));
                return;
            }
        };
        for sample in &self.samples {
            let is_found = !scan_text(&detectors, sample.text.as_bytes()).is_empty();
            if is_found == sample.is_match {
                continue;
            }
            let (label, help) = if is_found {
                (
                    "this is found",
                    "narrow the pattern, say what must stand `near`, or move the text to `match`",
                )
            } else {
                (
                    "this is not found",
                    "widen the pattern; `near` and `check` must hold for the text too",
                )
            };
            let title = format_args!(
                "a sample shows that {} does not do what it should",
                quoted(name)
            );
            report.push(
                Diagnostic::error(Code::FailingSample, title)
                    .at(sample.at, label)
                    .also(self.at, "by this")
                    .help(help),
            );
        }
    }
}

/// Tells of what readers would notice.
fn check_cost(custom: &Custom, at: Span, report: &mut Diagnostics) {
    let is_looked_for = custom.action > LeakAction::Allow;
    let Some(cost) = Cost::of(custom).filter(|_| is_looked_for) else {
        return;
    };
    let (name, holds) = (quoted(&custom.name), custom.action > LeakAction::Flag);
    let doubt = |title: String, help| {
        Diagnostic::warning(Code::CostlyDetector, title)
            .at(at, "")
            .help(help)
    };
    if cost.stalls() && holds {
        let title = format!(
            "{name} makes ordinary prose wait: {} of 100 words until the next one is there",
            cost.waiting
        );
        report.push(doubt(
                title,
                "begin the pattern with what is rare, such as a prefix, or name the part that is secret: `order (?P<secret>\\d{6})`",
            ));
    }
    if cost.is_slow() {
        let title = format!(
            "{name} is slow: at each byte of prose {}.{} of its beginnings are under way",
            cost.steps / 100,
            cost.steps / 10 % 10
        );
        report.push(doubt(
            title,
            "begin the pattern with what is rare, or with `\\b`; `.{0,50}` in front says nothing",
        ));
    }
}
