//! What must become of a call.

use super::super::Draft;
use super::super::leaks::check_detector;
use super::{RawTest, named};
use crate::config::decode::{Fields, nearest, number, word};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::{EXPECT, OUTCOME};
use crate::config::source::Span;
use crate::config::tree::{Entry, Kind, quoted};
use crate::model::Reason;
use crate::policy::Effect;
use crate::rehearsal::Expect;

/// An expectation as it is written.
pub(super) struct RawExpect {
    expect: Expect,
    at: Span,
}

/// Why a policy refuses by itself, without a rule that says so.
const REASONS: &[Reason] = &[
    Reason::ArgumentDenied,
    Reason::CredentialMissing,
    Reason::DefaultDeny,
    Reason::OperationUnsupported,
    Reason::SeniorityTooLow,
    Reason::TaskNotFound,
    Reason::TenantExpired,
    Reason::TenantUnknown,
];

/// The card that everybody may read, unless a rule denies it.
const PUBLIC: &str = "public-agent-card";

pub(super) fn read(entry: &Entry, report: &mut Diagnostics) -> Option<RawExpect> {
    let at = entry.value.span;
    let expect = match &*entry.value.kind {
        Kind::Map(_) => return read_outcome(entry, report),
        Kind::Null | Kind::Text { .. } | Kind::List(_) => {
            let words = [("allow", Expect::Allow(None)), ("deny", Expect::Deny(None))];
            let words = words.each_ref().map(|(word, expect)| (*word, expect));
            word(&entry.value, "`expect`", EXPECT, &words, report)?.clone()
        }
    };
    Some(RawExpect { expect, at })
}

fn read_outcome(entry: &Entry, report: &mut Diagnostics) -> Option<RawExpect> {
    let at = Some(entry.key.span);
    let mut fields = Fields::of(&OUTCOME, &entry.value, "`expect`", at, report)?;
    if fields.is_empty(report) {
        return None;
    }
    let after = fields.take("after");
    let passed = after.and_then(|entry| number(&entry.value, "`after`", 0..=100_000, report));
    let passed = passed.and_then(|passed| u32::try_from(passed).ok());
    let kinds = ["allow", "deny", "throttle", "block", "redact", "flag"];
    let written: Vec<_> = kinds
        .into_iter()
        .filter_map(|kind| Some((kind, fields.take(kind)?)))
        .collect();
    fields.finish(report);
    let (kind, outcome) = match written.as_slice() {
        [one] => *one,
        [(_, first), (_, second), ..] => {
            let title = "`expect` says two things at once";
            let diagnostic = Diagnostic::error(Code::Contradiction, title);
            report.push(
                diagnostic
                    .at(second.key.span, "")
                    .also(first.key.span, "")
                    .help("make two tests of it"),
            );
            return None;
        }
        [] => {
            let title = "`expect` does not say what must become of the call";
            let diagnostic = Diagnostic::error(Code::Empty, title).at(entry.key.span, "");
            report.push(
                diagnostic.help("write `allow`, `deny`, or for example { deny: no-exports }"),
            );
            return None;
        }
    };
    if let (Some(after), true) = (after, kind != "throttle") {
        let title = "`after` counts the calls before a quota refuses";
        report.push(
            Diagnostic::error(Code::Contradiction, title)
                .at(after.key.span, "it goes with `throttle`"),
        );
    }
    let what = format!("`{kind}`");
    let (name, at) = named(&outcome.value, &what, report)?;
    let name: Box<str> = name.into();
    let expect = match kind {
        "allow" => Expect::Allow(Some(name)),
        "deny" => Expect::Deny(Some(name)),
        "block" => Expect::Block(name),
        "redact" => Expect::Redact(name),
        "flag" => Expect::Flag(name),
        _ => Expect::Throttle {
            quota: name,
            after: passed,
        },
    };
    Some(RawExpect { expect, at })
}

impl Draft {
    /// Whether what is expected can be at all.
    pub(super) fn check_expect(
        &self,
        raw: &RawExpect,
        test: &RawTest,
        known: &[&str],
        report: &mut Diagnostics,
    ) -> Option<Expect> {
        let (at, times) = (raw.at, test.times);
        match &raw.expect {
            Expect::Allow(None) | Expect::Deny(None) => {}
            Expect::Allow(Some(name)) => {
                let roles = self.roles.keys().map(String::as_str);
                let names: Vec<_> = roles
                    .chain(self.rules_that(Effect::Allow))
                    .chain([PUBLIC])
                    .collect();
                check_name(
                    name,
                    &names,
                    "no role and no rule that allows is called",
                    at,
                    report,
                )?;
            }
            Expect::Deny(Some(name)) => {
                let reasons = REASONS.iter().map(|reason| reason.as_str());
                let tools = self.tool_names().map(|(name, _)| name);
                let denying = self.rules_that(Effect::Deny).chain(tools);
                let names: Vec<_> = denying.chain(reasons).collect();
                let title = "no rule that denies and no tool is called";
                check_name(name, &names, title, at, report)?;
            }
            Expect::Throttle { quota, after } => {
                let names: Vec<_> = self.quotas.keys().map(String::as_str).collect();
                check_name(quota, &names, "there is no quota", at, report)?;
                if after.is_some_and(|after| after >= times) {
                    let title = "this quota is asked no further call that it could refuse";
                    report.push(
                        Diagnostic::error(Code::NeverMatches, title)
                            .at(at, "")
                            .help(format_args!(
                                "`times` is {times}; it must be more than `after`"
                            )),
                    );
                    return None;
                }
            }
            Expect::Block(name) | Expect::Flag(name) | Expect::Redact(name) => {
                if !check_detector(name, at, known, report) {
                    return None;
                }
                if test.answer.is_none() {
                    let title = "no answer is scanned: the test has no `response`";
                    let diagnostic = Diagnostic::error(Code::NeverMatches, title).at(at, "");
                    report.push(
                        diagnostic
                            .help("say what the agent answers: response: { sample: github-pat }"),
                    );
                    return None;
                }
            }
        }
        Some(raw.expect.clone())
    }

    fn rules_that(&self, effect: Effect) -> impl Iterator<Item = &str> {
        let rules = self.rules.iter();
        rules
            .filter(move |(_, (_, rule))| rule.effect == effect)
            .map(|(name, _)| name.as_str())
    }
}

fn check_name(
    name: &str,
    known: &[&str],
    title: &str,
    at: Span,
    report: &mut Diagnostics,
) -> Option<()> {
    if known.contains(&name) {
        return Some(());
    }
    let title = format_args!("{title} {}", quoted(name));
    let diagnostic = Diagnostic::error(Code::UnknownStatement, title);
    let meant = nearest(name, known.iter().copied());
    report.push(diagnostic.suggest(at, meant));
    None
}
