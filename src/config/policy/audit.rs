//! `audit`: what records hold besides what they always hold, and of which calls there are any.

use super::{Draft, set};
use crate::audit::{Capture, Decisions};
use crate::config::decode::{Fields, bad_value, not_enforced, text, texts, word};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::{AUDIT, CAPTURE, DECISIONS};
use crate::config::source::Span;
use crate::config::tree::{Entry, quoted};
use crate::policy::Reads;
use crate::policy::condition::{Condition, Phase};

use super::condition::is_planned;

/// `audit` as it is written.
#[derive(Default)]
pub(super) struct RawAudit {
    capture: Option<(Span, Capture)>,
    decisions: Option<(Span, Decisions)>,
    include: Option<(Span, Reads)>,
}

impl RawAudit {
    pub(super) fn capture(&self) -> Capture {
        self.capture.map(|(_, capture)| capture).unwrap_or_default()
    }

    pub(super) fn decisions(&self) -> Decisions {
        let decisions = self.decisions.map(|(_, decisions)| decisions);
        decisions.unwrap_or_default()
    }

    /// What is recorded whether a condition reads it or not.
    pub(super) fn include(&self) -> Reads {
        let include = self.include.as_ref();
        include.map(|(_, reads)| reads.clone()).unwrap_or_default()
    }
}

impl Draft {
    pub(super) fn read_audit(&mut self, section: &Entry, report: &mut Diagnostics) {
        let at = Some(section.key.span);
        let Some(mut fields) = Fields::of(&AUDIT, &section.value, "`audit`", at, report) else {
            return;
        };
        if fields.is_empty(report) {
            return;
        }
        if let Some(entry) = fields.take("capture") {
            let words = [("off", Capture::Off), ("decision", Capture::Decision)];
            let capture = word(&entry.value, "`capture`", CAPTURE, &words, report);
            set(&mut self.audit.capture, entry, capture, report);
        }
        if let Some(entry) = fields.take("decisions") {
            let decisions = read_decisions(entry, report);
            set(&mut self.audit.decisions, entry, decisions, report);
        }
        if let Some(entry) = fields.take("include") {
            let include = read_include(entry, report);
            set(&mut self.audit.include, entry, Some(include), report);
        }
        fields.finish(report);
    }
}

/// A word, or a share of what is plain.
fn read_decisions(entry: &Entry, report: &mut Diagnostics) -> Option<Decisions> {
    let text = text(&entry.value, "`decisions`", report)?;
    let Some(share) = text.strip_prefix("sample") else {
        let words = [
            ("all", Decisions::All),
            ("denied-and-changed", Decisions::NotPlain),
        ];
        return word(&entry.value, "`decisions`", DECISIONS, &words, report);
    };
    let share = share
        .strip_prefix(' ')
        .and_then(|share| share.strip_suffix('%'));
    let share = share.and_then(|share| share.parse::<f64>().ok());
    let share = share.filter(|share| *share > 0.0 && *share < 100.0);
    if share.is_none() {
        let expected = "`all`, `denied-and-changed` or a share such as `sample 1%`";
        report.push(bad_value(&entry.value, "`decisions`", expected));
    }
    share.map(|share| Decisions::Sample(share / 100.0))
}

/// Attributes, by their paths as conditions spell them.
fn read_include(entry: &Entry, report: &mut Diagnostics) -> Reads {
    let mut paths = Vec::new();
    for (text, span) in texts(&entry.value, "`include`", report) {
        let mistake = |title: &str| Diagnostic::error(Code::UnknownAttribute, title).at(span, "");
        match Condition::parse(&format!("has({text})"), Phase::Request) {
            Ok(parsed) => match parsed.reads().collect::<Vec<_>>()[..] {
                [path] if is_planned(path.attribute()) => {
                    report.push(not_enforced(path.attribute().as_str(), span));
                }
                [_] => paths.push(parsed),
                _ => {
                    let title = format!("{} is not one attribute of a call", quoted(text));
                    report.push(mistake(&title).help("name one, such as `args.amount`"));
                }
            },
            Err(errors) => {
                for error in errors {
                    let mistake = mistake(&error.title);
                    report.push(match error.help {
                        Some(help) => mistake.help(help),
                        None => {
                            mistake.help("name attributes as conditions do, such as `args.amount`")
                        }
                    });
                }
            }
        }
    }
    Reads::of(paths.iter())
}

#[cfg(test)]
mod tests {
    use crate::audit::Decisions;
    use crate::config::{Policies, parse_policy};

    fn read(audit: &str) -> Result<Policies, String> {
        let policy = format!(
            "lictor: v1\nrules:\n  all: {{ allow: \"a2a:*\", from: {{ anonymous: true }} }}\naudit: {audit}\n"
        );
        parse_policy("audit.yaml", &policy, &[]).map_err(|report| report.excerpts(false))
    }

    #[test]
    fn decisions_are_a_word_or_a_share() {
        for (text, decisions) in [
            ("all", Decisions::All),
            ("denied-and-changed", Decisions::NotPlain),
            ("sample 1%", Decisions::Sample(0.01)),
            ("sample 0.5%", Decisions::Sample(0.005)),
            ("sample 99%", Decisions::Sample(0.99)),
        ] {
            let read = read(&format!("{{ decisions: {text} }}")).unwrap();
            assert_eq!(read.decisions, decisions, "{text}");
        }
        for text in [
            "some",
            "sample",
            "sample 0%",
            "sample 100%",
            "sample -1%",
            "sample 1",
            "sample x%",
        ] {
            let error = read(&format!("{{ decisions: \"{text}\" }}")).unwrap_err();
            assert!(error.contains("decisions"), "{text}: {error}");
        }
    }

    #[test]
    fn only_attributes_of_a_call_are_included_and_no_credentials() {
        let read_as = |paths: &str| read(&format!("{{ include: [{paths}] }}"));
        let good = read_as("claims.sub, args.amount, \"request.header['x-desk']\"").unwrap();
        let spelt: Vec<_> = good
            .include
            .untold
            .iter()
            .map(|(_, text)| &**text)
            .collect();
        assert_eq!(spelt.len(), 3, "{spelt:?}");
        assert!(good.identity.claims.iter().any(|claim| &**claim == "sub"));
        for (paths, said) in [
            ("body.amount", "body"),
            ("\"args.a) || has(args.b\"", "not one attribute"),
            ("finding.path", "finding.path"),
            ("\"request.header['authorization']\"", "shown by `explain`"),
            ("\"request.header['Cookie']\"", "shown by `explain`"),
            ("\"\"", "include"),
        ] {
            let error = read_as(paths).unwrap_err();
            assert!(error.contains(said), "{paths}: {error}");
        }
    }
}
