//! The files that were read, and places in them.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::Place;

/// A stretch of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) file: u32,
    pub(super) start: u32,
    pub(super) end: u32,
}

impl Span {
    /// The whole stretch in bytes.
    pub(super) const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// One file.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// As it was given, or found below what was given.
    pub(super) name: Arc<str>,
    /// Where it lies, for paths that are relative to it.
    pub(super) folder: PathBuf,
    pub(super) text: Arc<str>,
    /// What may be a secret and is never shown.
    hidden: Vec<Range<usize>>,
    line_starts: Vec<usize>,
}

impl Source {
    pub(super) fn new(path: &Path, text: &str) -> Self {
        let line_starts = std::iter::once(0)
            .chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1))
            .collect();
        Self {
            name: Arc::from(path.to_string_lossy()),
            folder: path.parent().unwrap_or_else(|| Path::new("")).to_owned(),
            hidden: hidden_by_look(text),
            text: Arc::from(text),
            line_starts,
        }
    }

    /// Never shows this stretch.
    pub(super) fn hide(&mut self, range: Range<usize>) {
        self.hidden.push(range);
    }

    /// The number of the line that holds this byte, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.line_starts
            .partition_point(|start| *start <= at)
            .max(1)
    }

    /// The line and the column of a byte, both from 1. Columns are counted in characters.
    pub(super) fn position(&self, at: usize) -> (usize, usize) {
        let at = self.text.floor_char_boundary(at);
        let line = self.line(at);
        let start = self.line_range(line).start;
        let before = self.text.get(start..at).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// The first byte of a line and of the next.
    pub(super) fn line_range(&self, line: usize) -> Range<usize> {
        let start = |line: usize| self.line_starts.get(line - 1).copied();
        let end = start(line + 1).unwrap_or(self.text.len());
        start(line).unwrap_or(end)..end
    }

    /// The text of some lines with what is hidden replaced by as many asterisks.
    pub(super) fn shown(&self, range: Range<usize>) -> String {
        let bytes = self.text.as_bytes().get(range.clone()).unwrap_or_default();
        let mut shown = bytes.to_vec();
        for hidden in &self.hidden {
            let start = hidden.start.max(range.start) - range.start;
            let end = hidden.end.min(range.end).saturating_sub(range.start);
            for byte in shown.iter_mut().take(end).skip(start) {
                if *byte != b'\n' {
                    *byte = b'*';
                }
            }
        }
        String::from_utf8_lossy(&shown).into_owned()
    }

    /// The place as audit records show it.
    pub(super) fn place(&self, span: Span) -> Place {
        Place {
            file: Arc::clone(&self.name),
            line: u32::try_from(self.line(span.start as usize)).unwrap_or(u32::MAX),
        }
    }
}

/// Words that name a secret when they are keys.
pub(super) const SECRET_KEYS: &[&str] = &[
    "apikey",
    "clientsecret",
    "hmac",
    "passphrase",
    "password",
    "secret",
    "sharedkey",
    "token",
];

/// Hides what looks like the value of a secret, without understanding the file: its syntax may be what
/// is wrong with it. What the tree knows to be a secret is hidden besides.
fn hidden_by_look(text: &str) -> Vec<Range<usize>> {
    let mut hidden = Vec::new();
    let mut line_start = 0;
    let mut in_key = false;
    for line in text.split_inclusive('\n') {
        let lower = line.to_ascii_lowercase();
        if lower.contains("-----begin") {
            in_key = true;
        }
        if in_key {
            hidden.push(line_start..line_start + line.len());
        }
        if lower.contains("-----end") {
            in_key = false;
        }
        for (at, word) in SECRET_KEYS
            .iter()
            .flat_map(|word| lower.match_indices(word))
        {
            let after = lower.get(at + word.len()..).unwrap_or_default();
            let Some(value) = after.trim_start_matches(['"', '\'', ' ']).strip_prefix(':') else {
                continue;
            };
            // `{ file: ... }` and `{ env: ... }` name a secret and hold none.
            if !value.trim_start().starts_with('{') && !value.trim().is_empty() {
                hidden.push(line_start + line.len() - value.len()..line_start + line.len());
            }
        }
        // User and password in an address: `scheme://user:password@host`.
        if let (Some(scheme), Some(at)) = (line.find("://"), line.rfind('@'))
            && scheme < at
            && line.get(scheme..at).is_some_and(|part| part.contains(':'))
        {
            hidden.push(line_start + scheme + 3..line_start + at);
        }
        line_start += line.len();
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        let text = "a: 1\ntoken: hunter2\nurl: redis://u:hunter2@h\nk: {secret: hunter2}\nb: |\n  -----BEGIN PRIVATE KEY-----\n  hunter2\n";
        let source = Source::new(Path::new("p.yaml"), text);
        let shown = source.shown(0..text.len());
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("a: 1\ntoken:"), "{shown}");
        assert_eq!(shown.len(), text.len());
        let reference = Source::new(Path::new("p.yaml"), "token: { file: x/y }\n");
        assert!(reference.shown(0..20).contains("x/y"));
    }
}
