//! `http.push`: where the news of tasks may be pushed to.

use super::{Draft, defined_twice, rule_ref};
use crate::config::decode::{self, Fields, bad_value, one_or_more, word};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::{DELIVER, PRIVATE_ADDRESSES, PUSH, REFUSE, SCHEMES};
use crate::config::source::Span;
use crate::config::tree::{Entry, Kind, quoted};
use crate::model::{Action, ActionPattern, Protocol};
use crate::policy::Effect;
use crate::push::{Config, HostPattern, Rules};

/// As it is written. `None` is `refuse`.
pub(super) type RawPush = Option<RawRules>;

pub(super) struct RawRules {
    schemes: Option<Vec<Scheme>>,
    hosts: Option<Vec<(HostPattern, Span)>>,
    ports: Option<Vec<u16>>,
    allows_private: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

pub(super) fn read(entry: &Entry, report: &mut Diagnostics) -> Option<RawPush> {
    if let Kind::Text { .. } = &*entry.value.kind {
        let words = [("refuse", ())];
        return word(&entry.value, "`push`", REFUSE, &words, report).map(|()| None);
    }
    let at = Some(entry.key.span);
    let mut fields = Fields::of(&PUSH, &entry.value, "`push`", at, report)?;
    let mut rules = RawRules {
        schemes: None,
        hosts: None,
        ports: None,
        allows_private: false,
    };
    if let Some(entry) = fields.take("schemes") {
        let words = [("http", Scheme::Http), ("https", Scheme::Https)];
        let nodes = one_or_more(&entry.value, "`schemes`", report).into_iter();
        let read = nodes.filter_map(|node| word(node, "`schemes`", SCHEMES, &words, report));
        rules.schemes = Some(read.collect());
    }
    if let Some(entry) = fields.take("hosts") {
        rules.hosts = Some(read_hosts(entry, report));
    }
    if let Some(entry) = fields.take("ports") {
        let nodes = one_or_more(&entry.value, "`ports`", report).into_iter();
        let read = nodes.filter_map(|node| decode::number(node, "`ports`", 1..=65535, report));
        rules.ports = Some(read.filter_map(|port| u16::try_from(port).ok()).collect());
    }
    if let Some(entry) = fields.take("privateAddresses") {
        let words = [("deny", false), ("allow", true)];
        let read = word(
            &entry.value,
            "`privateAddresses`",
            PRIVATE_ADDRESSES,
            &words,
            report,
        );
        rules.allows_private = read.unwrap_or_default();
        if rules.allows_private && rules.hosts.is_none() {
            let title = "every caller could have news sent to every service inside";
            report.push(
                Diagnostic::error(Code::Contradiction, title)
                    .at(entry.key.span, "")
                    .help("list the `hosts` that have private addresses"),
            );
        }
    }
    if let Some(entry) = fields.take("deliver") {
        let words = [("agent", ())];
        let _agent = word(&entry.value, "`deliver`", DELIVER, &words, report);
    }
    fields.finish(report);
    Some(Some(rules))
}

fn read_hosts(entry: &Entry, report: &mut Diagnostics) -> Vec<(HostPattern, Span)> {
    let mut hosts: Vec<(HostPattern, Span)> = Vec::new();
    for node in one_or_more(&entry.value, "`hosts`", report) {
        let Some(text) = decode::text(node, "`hosts`", report) else {
            continue;
        };
        match HostPattern::parse(text) {
            Err(error) => report.push(bad_value(node, "`hosts`", error)),
            Ok(host) => match hosts.iter().find(|(other, _)| *other == host) {
                Some((_, first)) => {
                    report.push(defined_twice(
                        &format!("host {}", quoted(text)),
                        node.span,
                        *first,
                    ));
                }
                None => hosts.push((host, node.span)),
            },
        }
    }
    hosts
}

impl Draft {
    /// What registrations must be like, if that is said.
    pub(super) fn check_push(&self, report: &mut Diagnostics) -> Option<Config> {
        let Some((at, raw)) = self.http.push() else {
            self.doubt_push(report);
            return None;
        };
        let rule = rule_ref("push", *at, report);
        let Some(raw) = raw else {
            return Some(Config::Refuse(rule));
        };
        let schemes = raw.schemes.as_deref().unwrap_or(&[Scheme::Https]);
        let hosts = raw.hosts.as_ref();
        Some(Config::Check(Rules {
            rule,
            allows_http: schemes.contains(&Scheme::Http),
            allows_https: schemes.contains(&Scheme::Https),
            hosts: hosts.map(|hosts| hosts.iter().map(|(host, _)| host.clone()).collect()),
            ports: raw.ports.clone(),
            allows_private: raw.allows_private,
        }))
    }

    /// Who grants registrations by name means them, and should say whither. `a2a:*` and sends are granted everywhere, and
    /// are no sign that an agent pushes at all.
    fn doubt_push(&self, report: &mut Diagnostics) {
        let roles = self.roles.values();
        let roles = roles.map(|(span, role)| (*span, role.allow.as_slice()));
        let rules = self.rules.values();
        let rules = rules.filter(|(_, rule)| rule.effect == Effect::Allow);
        let rules = rules.map(|(span, rule)| (*span, rule.actions.as_slice()));
        let Some((at, _)) = roles
            .chain(rules)
            .find(|(_, patterns)| patterns.iter().any(names_push))
        else {
            return;
        };
        let title = "callers may have news pushed to any address, inside ones too";
        report.push(
            Diagnostic::warning(Code::Lax, title)
                .at(at, "grants registrations")
                .help("say whither: http: { push: { hosts: [...] } }"),
        );
    }
}

fn names_push(pattern: &ActionPattern) -> bool {
    let may = |method| pattern.may_match(&Action::known(Protocol::A2a, method));
    may("CreateTaskPushNotificationConfig") && !may("SendMessage")
}
