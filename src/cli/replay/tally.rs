//! What all decisions came to.
//!
//! Bounded by the policies and not by the files: so many differences are kept of each statement, and the others
//! counted.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use super::super::recorded::Unusable;
use super::difference::Difference;
use crate::audit::read::Strange;
use crate::rehearsal::Unknown;

/// Why a record was not compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Uncompared {
    /// Somebody else had refused or answered the call before.
    NotAsked,
    /// A statement reads what was not captured.
    Unknown {
        paths: String,
        by: String,
    },
    Unusable(Unusable),
}

/// Differences by what decides now.
#[derive(Debug, Default)]
struct Group {
    place: Option<String>,
    count: u64,
    lines: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) struct Tally {
    show: usize,
    records: u64,
    same: u64,
    denied: BTreeMap<(String, Option<String>), Group>,
    allowed: BTreeMap<(String, Option<String>), Group>,
    uncompared: BTreeMap<Uncompared, u64>,
    // How many, and where the first stands.
    strange: BTreeMap<Strange, (u64, String)>,
}

impl Tally {
    pub(super) fn new(show: usize) -> Self {
        Self {
            show,
            ..Self::default()
        }
    }

    pub(super) const fn records(&self) -> u64 {
        self.records
    }

    pub(super) fn differing(&self) -> u64 {
        let groups = self.denied.values().chain(self.allowed.values());
        groups.map(|group| group.count).sum()
    }

    pub(super) fn compared(&self) -> u64 {
        self.same + self.differing()
    }

    pub(super) const fn same(&mut self) {
        self.records += 1;
        self.same += 1;
    }

    pub(super) fn uncompared(&mut self, why: Uncompared) {
        self.records += 1;
        *self.uncompared.entry(why).or_default() += 1;
    }

    pub(super) fn unknown(&mut self, needs: &[Unknown<'_>]) {
        let mut paths: Vec<_> = needs.iter().map(|need| need.value.clone()).collect();
        paths.sort();
        paths.dedup();
        let mut by: Vec<_> = needs.iter().map(|need| need.rule.to_string()).collect();
        by.sort();
        by.dedup();
        self.uncompared(Uncompared::Unknown {
            paths: paths.join(", "),
            by: by.join(", "),
        });
    }

    pub(super) fn differs(&mut self, difference: &Difference<'_>, keeps_lines: bool) {
        self.records += 1;
        let groups = match difference.now {
            Ok(_) => &mut self.allowed,
            Err(_) => &mut self.denied,
        };
        let (name, place) = difference.decided_by();
        let group = groups.entry((name.to_owned(), place.clone())).or_default();
        group.place = place;
        group.count += 1;
        if keeps_lines && group.lines.len() < self.show {
            group.lines.push(difference.line());
        }
    }

    /// A line that is no record.
    pub(super) fn strange(&mut self, strange: Strange, file: &Path, line: u64) {
        let first = || (0, format!("{}:{line}", file.display()));
        self.strange.entry(strange).or_insert_with(first).0 += 1;
    }

    /// What differs, for people: now denied, then now allowed, each by what decides.
    pub(super) fn differences(&self) -> String {
        let mut text = String::new();
        for (title, groups) in [("now denied", &self.denied), ("now allowed", &self.allowed)] {
            if groups.is_empty() {
                continue;
            }
            let all = groups.values().map(|group| group.count).sum();
            let _infallible = writeln!(text, "{title}: {}", counted(all, "call"));
            for ((name, _), group) in groups {
                group.show(name, &mut text);
            }
        }
        text
    }

    /// What everything came to. The first line has the numbers, the others say what was not compared.
    pub(super) fn summary(&self) -> String {
        let (compared, differing) = (self.compared(), self.differing());
        let mut text = format!(
            "{}, {compared} compared, {differing} differ",
            counted(self.records, "record")
        );
        let left = self.records - compared;
        if left > 0 {
            let _infallible = write!(text, "; {left} not compared:");
        }
        for (why, count) in &self.uncompared {
            let why = match why {
                Uncompared::NotAsked => {
                    "refused or answered before the policy was asked".to_owned()
                }
                Uncompared::Unknown { paths, by } => {
                    format!("not captured: {paths}, which decides by {by}")
                }
                Uncompared::Unusable(why) => why.to_string(),
            };
            let _infallible = write!(text, "\n  {count} {why}");
        }
        for (strange, (count, first)) in &self.strange {
            let lines = counted(*count, "line");
            let _infallible = write!(text, "\n  {lines} skipped: {strange} (first: {first})");
        }
        text
    }
}

impl Group {
    fn show(&self, name: &str, text: &mut String) {
        let head = format!("{name}: {}", counted(self.count, "call"));
        let place = self.place.as_deref().unwrap_or_default();
        let line = format!("  {head:<44} {place}");
        let _infallible = writeln!(text, "{}", line.trim_end());
        for line in &self.lines {
            let _infallible = writeln!(text, "    {line}");
        }
        let more = self.count - self.lines.len() as u64;
        if more > 0 {
            let _infallible = writeln!(text, "    … and {more} more");
        }
    }
}

/// `1 call`, `2 calls`.
fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
