//! `leaks`: what must not leave.

mod allow;
mod custom;
mod dictionary;
mod gitleaks;

use std::collections::BTreeMap;

use self::allow::RawException;
use self::custom::RawCustom;
use super::{Draft, add, set};
use crate::config::decode::{self, Fields, list, nearest, word};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::{AT_BOUND, DIRECTION, HOLD, LEAK_ACTIONS, LEAKS, PACKS};
use crate::config::source::Span;
use crate::config::tree::{Entry, quoted};
use crate::model::{LeakAction, Mode};
use crate::scan::{self, AtBound, Custom, Directions, Hold};

/// `leaks` as it is written.
#[derive(Default)]
pub(super) struct RawLeaks {
    packs: super::Named<LeakAction>,
    pub(super) custom: super::Named<RawCustom>,
    exceptions: super::Named<RawException>,
    /// Rules of other scanners, and where their file is named.
    imported: Option<(Span, (Span, Vec<Custom>))>,
    hold: Option<(Span, Hold)>,
    buffer: Option<(Span, u64)>,
    directions: Option<(Span, Directions)>,
}

/// Bodies of known length up to this are judged before the head leaves, unless the policy says otherwise.
const DEFAULT_BUFFER_BYTES: usize = 1 << 20;
const MAX_BUFFER_BYTES: u64 = 64 << 20;
const MAX_HOLD_BYTES: u64 = 1 << 20;

#[derive(Clone, Copy)]
enum Direction {
    Request,
    Response,
}

const DIRECTIONS: &[(&str, Direction)] = &[
    ("response", Direction::Response),
    ("request", Direction::Request),
];

const ACTIONS: &[(&str, LeakAction)] = &[
    ("allow", LeakAction::Allow),
    ("flag", LeakAction::Flag),
    ("redact", LeakAction::Redact),
    ("block", LeakAction::Block),
];

impl Draft {
    pub(super) fn read_leaks(&mut self, section: &Entry, report: &mut Diagnostics) {
        let at = section.key.span;
        let Some(mut fields) = Fields::of(&LEAKS, &section.value, "`leaks`", Some(at), report)
        else {
            return;
        };
        if fields.is_empty(report) {
            return;
        }
        if let Some(entry) = fields.take("packs") {
            self.leaks.read_packs(entry, self.mode, report);
        }
        if let Some(entry) = fields.take("detectors") {
            self.read_detectors(entry, report);
        }
        if let Some(entry) = fields.take("import") {
            self.read_import(entry, report);
        }
        if let Some(entry) = fields.take("allow") {
            self.read_exceptions(entry, report);
        }
        if let Some(entry) = fields.take("hold") {
            let hold = read_hold(entry, report);
            set(&mut self.leaks.hold, entry, hold, report);
        }
        if let Some(entry) = fields.take("buffer") {
            let buffer = decode::bytes(&entry.value, "`buffer`", MAX_BUFFER_BYTES, report);
            set(&mut self.leaks.buffer, entry, buffer, report);
        }
        if let Some(entry) = fields.take("direction") {
            let directions = read_directions(entry, report);
            set(&mut self.leaks.directions, entry, directions, report);
        }
        fields.finish(report);
    }

    /// Which way is searched.
    pub(super) fn directions(&self) -> Directions {
        let directions = self.leaks.directions;
        directions
            .map(|(_, directions)| directions)
            .unwrap_or_default()
    }

    /// What packs, tests and exceptions may name: what is known, and what the policy describes itself.
    pub(super) fn detector_names<'a>(&'a self, known: &[&'a str]) -> Vec<&'a str> {
        let own = self.leaks.custom.keys().map(String::as_str);
        let imported = self.leaks.imported.iter();
        let imported = imported.flat_map(|(_, (_, rules))| rules);
        let imported = imported.map(|rule| &*rule.name);
        known.iter().copied().chain(own).chain(imported).collect()
    }

    pub(super) fn check_leaks(
        &self,
        built_in: &[&str],
        known: &[&str],
        report: &mut Diagnostics,
    ) -> scan::Config {
        let (mut custom, listed) = self.check_detectors(built_in, report);
        custom.extend(self.check_imported(report));
        let mut actions: BTreeMap<Box<str>, LeakAction> = BTreeMap::new();
        for (name, (span, action)) in &self.leaks.packs {
            check_detector(name, *span, known, report);
            actions.insert(Box::from(name.as_str()), *action);
        }
        let buffer = self.leaks.buffer.map(|(_, bytes)| bytes);
        let mut config = scan::Config {
            actions,
            custom,
            listed,
            exceptions: Vec::new(),
            hold: self.leaks.hold.map(|(_, hold)| hold).unwrap_or_default(),
            buffer_bytes: buffer
                .and_then(|bytes| usize::try_from(bytes).ok())
                .unwrap_or(DEFAULT_BUFFER_BYTES),
            // The key is state, not policy: `app` puts it in.
            fingerprint_key: [0; 32],
        };
        config.exceptions = self.check_exceptions(known, &config, report);
        config
    }
}

impl RawLeaks {
    pub(super) const fn exceptions(&self) -> &super::Named<RawException> {
        &self.exceptions
    }

    /// The packs of a file in shadow mode are looked for, counted and told of, and change nothing.
    fn read_packs(&mut self, section: &Entry, mode: Mode, report: &mut Diagnostics) {
        let at = Some(section.key.span);
        let Some(mut fields) = Fields::of(&PACKS, &section.value, "`packs`", at, report) else {
            return;
        };
        if fields.is_empty(report) {
            return;
        }
        for entry in fields.rest() {
            let what = quoted(&entry.key.text);
            if let Some(action) = word(&entry.value, what, LEAK_ACTIONS, ACTIONS, report) {
                let action = enforced(action, mode);
                add(&mut self.packs, entry, "pack", action, report);
            }
        }
    }
}

/// In shadow mode nothing is more than told of.
fn enforced(action: LeakAction, mode: Mode) -> LeakAction {
    match mode {
        Mode::Enforce => action,
        Mode::Shadow => action.min(LeakAction::Flag),
    }
}

/// Whether there is such a pack or detector; a mistake if not.
pub(super) fn check_detector(
    name: &str,
    at: Span,
    known: &[&str],
    report: &mut Diagnostics,
) -> bool {
    if is_known(name, known) {
        return true;
    }
    let title = format_args!("there is no pack or detector {}", quoted(name));
    let mut packs: Vec<&str> = Vec::new();
    for pack in known.iter().filter_map(|name| name.split('.').next()) {
        if !packs.contains(&pack) {
            packs.push(pack);
        }
    }
    let meant = nearest(name, known.iter().chain(&packs).copied());
    let diagnostic = Diagnostic::error(Code::UnknownDetector, title).suggest(at, meant);
    report.push(match meant {
        Some(_) => diagnostic,
        None => diagnostic.help(format_args!(
            "write {}, or one of their detectors; docs/leaks.md lists them",
            list(&packs)
        )),
    });
    false
}

/// A pack is known when a detector of it is.
fn is_known(name: &str, known: &[&str]) -> bool {
    known.iter().any(|detector| {
        let rest = detector.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

fn read_directions(entry: &Entry, report: &mut Diagnostics) -> Option<Directions> {
    let mut directions = Directions {
        answers: false,
        requests: false,
    };
    for node in decode::one_or_more(&entry.value, "`direction`", report) {
        match word(node, "`direction`", DIRECTION, DIRECTIONS, report)? {
            Direction::Response => directions.answers = true,
            Direction::Request => directions.requests = true,
        }
    }
    Some(directions)
}

fn read_hold(entry: &Entry, report: &mut Diagnostics) -> Option<Hold> {
    let mut hold = Hold::default();
    let mut fields = Fields::of(&HOLD, &entry.value, "`hold`", Some(entry.key.span), report)?;
    if let Some(entry) = fields.take("bytes") {
        let bytes = decode::bytes(&entry.value, "`bytes`", MAX_HOLD_BYTES, report)?;
        hold.bytes = usize::try_from(bytes).ok()?;
    }
    if let Some(entry) = fields.take("time") {
        hold.time = decode::duration(&entry.value, "`time`", report)?;
    }
    if let Some(entry) = fields.take("atBound") {
        let words = [("block", AtBound::Block), ("release", AtBound::Release)];
        hold.at_bound = word(&entry.value, "`atBound`", AT_BOUND, &words, report)?;
    }
    fields.finish(report);
    Some(hold)
}
