//! Results as JUnit XML, as CI systems read it: one suite, one case for each test.

use std::fmt::Write as _;

use crate::rehearsal::{Outcome, Report};

pub(super) fn render(report: &Report<'_>) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let (tests, failures) = (report.outcomes.len(), report.failures().count());
    let _infallible = writeln!(
        xml,
        "<testsuites>\n<testsuite name=\"lictor\" tests=\"{tests}\" failures=\"{failures}\">"
    );
    for outcome in &report.outcomes {
        xml.push_str(&case(outcome));
    }
    xml.push_str("</testsuite>\n</testsuites>\n");
    xml
}

fn case(outcome: &Outcome<'_>) -> String {
    let rule = &outcome.test.rule;
    let name = escaped(&rule.name);
    let place = rule.place.as_ref().map(|place| {
        let (file, line) = (escaped(&place.file), place.line);
        format!(" classname=\"{file}\" file=\"{file}\" line=\"{line}\"")
    });
    let place = place.unwrap_or_default();
    if outcome.passed() {
        return format!("<testcase name=\"{name}\"{place}/>\n");
    }
    let message = format!("expected {}, got {}", outcome.test.expect, outcome.got);
    format!(
        "<testcase name=\"{name}\"{place}>\n<failure message=\"{}\">{}</failure>\n</testcase>\n",
        escaped(&message),
        escaped(&outcome.why.join("\n"))
    )
}

/// Text of XML (XML 1.0, section 2.4). Control characters, which XML has no way to write, cannot stand in names.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' => safe.push('\n'),
            control if control.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}
