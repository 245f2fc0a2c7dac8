//! Workflow commands of GitHub Actions: `::error file=…,line=…::message`, one to a line.

use std::fmt::Write;

use super::{message, region};
use crate::config::diagnostic::{Diagnostic, Diagnostics, Severity};

pub(super) fn render(all: &Diagnostics) -> String {
    let mut text = String::new();
    for diagnostic in all.iter() {
        one(all, diagnostic, &mut text);
    }
    text
}

fn one(all: &Diagnostics, diagnostic: &Diagnostic, text: &mut String) {
    let level = match diagnostic.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let place = diagnostic.primary();
    let place = place.and_then(|(span, _)| region(all, span));
    let mut properties = Vec::new();
    if let Some(place) = place {
        properties.push(format!("file={}", property(place.file)));
        properties.push(format!("line={}", place.start.0));
        properties.push(format!("endLine={}", place.end.0));
        // Columns of several lines are not taken.
        if place.start.0 == place.end.0 {
            properties.push(format!("col={}", place.start.1));
            properties.push(format!("endColumn={}", place.end.1));
        }
    }
    properties.push(format!("title={}", property(diagnostic.code())));
    let message = data(&message(diagnostic));
    let _infallible = writeln!(text, "::{level} {}::{message}", properties.join(","));
}

/// A line break would end the command, and whatever came after it could be a command of its own.
fn data(text: &str) -> String {
    let text = text.replace('%', "%25");
    text.replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_said_begins_a_command() {
        assert_eq!(data("a%b\r\n::error::c"), "a%25b%0D%0A::error::c");
        assert_eq!(property("a,b:c\n"), "a%2Cb%3Ac%0A");
    }
}
