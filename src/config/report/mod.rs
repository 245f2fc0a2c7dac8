//! What is wrong with files, for programs.
//!
//! Owns the formats that other programs read. None of them quotes a file, so that no secret can stand in them.

mod github;
mod json;
mod sarif;

pub use sarif::reference;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::source::Span;

/// A form for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Workflow commands of GitHub Actions, which become annotations of a change.
    Github,
    /// One JSON document.
    Json,
    /// SARIF 2.1.0 (OASIS, 2020), which code scanning reads.
    Sarif,
}

impl Diagnostics {
    /// All of them in a form for programs.
    pub fn format(&self, format: Format) -> String {
        match format {
            Format::Github => github::render(self),
            Format::Json => json::render(self),
            Format::Sarif => sarif::render(self),
        }
    }
}

/// A stretch of a file. Lines and columns count from 1, columns in characters; the end is the first place behind it.
struct Region<'a> {
    file: &'a str,
    start: (usize, usize),
    end: (usize, usize),
}

fn region(all: &Diagnostics, span: Span) -> Option<Region<'_>> {
    let source = all.source(span)?;
    let range = span.range();
    Some(Region {
        file: &source.name,
        start: source.position(range.start),
        end: source.position(range.end.max(range.start)),
    })
}

/// All that is said, the title first, without an excerpt.
fn message(diagnostic: &Diagnostic) -> String {
    let mut text = diagnostic.title().to_owned();
    if let Some((_, label)) = diagnostic.primary()
        && !label.is_empty()
    {
        text.push_str(": ");
        text.push_str(label);
    }
    let (note, help) = diagnostic.advice();
    for (kind, advice) in [("note", note), ("help", help)] {
        if let Some(advice) = advice {
            text.push_str(&format!("\n{kind}: {advice}"));
        }
    }
    text
}
