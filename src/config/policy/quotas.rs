//! `quotas`: how much callers may use.

mod measure;

use std::collections::BTreeMap;

use measure::{Measures, RawMeasure, RawNumber, RawRate};

use super::{Draft, actions, add, each_named, mode, rule_ref};
use crate::config::decode::{Fields, list, nearest, not_enforced, texts};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::is_planned;
use crate::config::language::policy::{PER, QUOTA};
use crate::config::tree::{Entry, Node, quoted};
use crate::model::{ActionPattern, Mode, TenantId};
use crate::policy::Effect;
use crate::quota::{self, Count, Dimension, Quota, Rates};

/// A quota as it is written.
pub(super) struct RawQuota {
    mode: Mode,
    tenants: Vec<TenantId>,
    measure: RawMeasure,
    count: Count,
    per: Vec<Dimension>,
    on: Vec<ActionPattern>,
}

impl Draft {
    pub(super) fn read_quotas(&mut self, section: &Entry, report: &mut Diagnostics) {
        for entry in each_named(section, "quota", report) {
            if let Some(mut quota) = read_quota(entry, self.mode, report) {
                quota.tenants = self.fence.as_deref().unwrap_or_default().to_vec();
                add(&mut self.quotas, entry, "quota", quota, report);
            }
        }
    }

    pub(super) fn check_quotas(&self, report: &mut Diagnostics) -> quota::Config {
        let mut quotas = Vec::new();
        for (name, (span, raw)) in &self.quotas {
            let Some(measure) = self.check_measure(&raw.measure, report) else {
                continue;
            };
            if !raw.on.is_empty() && !raw.on.iter().any(|pattern| self.is_granted(pattern)) {
                let title = format_args!("nothing allows what quota {} counts", quoted(name));
                report.push(Diagnostic::warning(Code::IdleQuota, title).at(*span, ""));
            }
            quotas.push(Quota {
                rule: rule_ref(name, *span, report),
                mode: raw.mode,
                measure,
                count: raw.count,
                per: raw.per.clone(),
                tenants: raw.tenants.clone(),
                on: raw.on.clone(),
            });
        }
        quota::Config { quotas }
    }

    /// Each tenant's rate. Callers whose tenant has no tier of its own get what `"*"` has, or else the
    /// slowest rate of all tiers: an unknown tenant must not fare better than a known one.
    fn check_rate(&self, rate: &RawRate, report: &mut Diagnostics) -> Option<Rates> {
        let at = rate.at;
        let number = match &rate.number {
            RawNumber::Fixed(rate) => return Some(Rates::Fixed(*rate)),
            RawNumber::Tier(number) => number,
        };
        let all = self.tiers.values().filter_map(|(_, tier)| tier.get(number));
        let Some(slowest) = all.copied().max_by_key(|rate| rate.interval()) else {
            let title = format_args!("no tier has {}", quoted(number));
            report.push(Diagnostic::error(Code::MissingNumber, title).at(at, ""));
            return None;
        };
        let mut named = BTreeMap::new();
        let mut others = slowest;
        for (name, (span, tenant)) in self.tenants.iter().flatten() {
            let tier = tenant
                .tier
                .as_ref()
                .and_then(|(tier, _)| self.tiers.get(tier));
            let rate = tier.and_then(|(_, tier)| tier.get(number)).copied();
            match (rate, TenantId::new(name)) {
                (Some(rate), _) if name == "*" => others = rate,
                (Some(rate), Ok(tenant)) => {
                    named.insert(tenant, rate);
                }
                (Some(_), Err(_)) => {}
                // A tier that does not exist is a mistake of its own.
                (None, _) if tenant.tier.is_some() && tier.is_none() => {}
                (None, _) => {
                    let title = format_args!(
                        "tenant {} has no tier with {}, which a quota counts by",
                        quoted(name),
                        quoted(number)
                    );
                    report.push(
                        Diagnostic::error(Code::MissingNumber, title)
                            .at(*span, "")
                            .also(at, "asked for here"),
                    );
                }
            }
        }
        Some(Rates::ByTenant { named, others })
    }

    /// Whether some role or rule allows an action of the pattern.
    pub(super) fn is_granted(&self, pattern: &ActionPattern) -> bool {
        let roles = self.roles.values().flat_map(|(_, role)| &role.allow);
        let rules = self.rules.values().map(|(_, rule)| rule);
        let rules = rules
            .filter(|rule| rule.effect == Effect::Allow)
            .flat_map(|rule| &rule.actions);
        let public = ActionPattern::parse("a2a:GetAgentCard").ok();
        roles
            .chain(rules)
            .chain(&public)
            .any(|granted| granted.overlaps(pattern))
    }
}

fn read_quota(entry: &Entry, otherwise: Mode, report: &mut Diagnostics) -> Option<RawQuota> {
    let what = format!("quota {}", quoted(&entry.key.text));
    let mut fields = Fields::of(&QUOTA, &entry.value, &what, Some(entry.key.span), report)?;
    if fields.is_empty(report) {
        return None;
    }
    let refused = fields.is_refused();
    let measures = Measures::take(&mut fields);
    let per = if refused {
        fields.take("per")
    } else {
        fields.require("per", report)
    };
    let on = fields.take("on");
    let mode = mode(&mut fields, otherwise, report);
    let at = fields.at;
    fields.finish(report);
    // All fields are read before any is missed, so that one run tells all mistakes.
    let per = per.map(|per| dimensions(&per.value, report));
    let on = on.map(|on| actions(&on.value, "`on`", report));
    let measure = measures.read(&what, at, refused, report);
    let (measure, count) = measure?;
    Some(RawQuota {
        mode,
        tenants: Vec::new(),
        measure,
        count,
        per: per?,
        on: on
            .into_iter()
            .flatten()
            .map(|(pattern, _)| pattern)
            .collect(),
    })
}

fn dimensions(node: &Node, report: &mut Diagnostics) -> Vec<Dimension> {
    let mut dimensions = Vec::new();
    for (text, span) in texts(node, "`per`", report) {
        match Dimension::ALL.iter().find(|(word, _)| *word == text) {
            Some((_, dimension)) => dimensions.push(*dimension),
            None if is_planned(PER, text) => report.push(not_enforced(text, span)),
            None => {
                let words: Vec<_> = Dimension::ALL.iter().map(|(word, _)| *word).collect();
                let title = format_args!("quotas cannot count by {}", quoted(text));
                let diagnostic = Diagnostic::error(Code::BadValue, title);
                report.push(
                    match meant(text).or_else(|| nearest(text, words.iter().copied())) {
                        Some(meant) => diagnostic.at(span, format_args!("did you mean `{meant}`?")),
                        None => diagnostic.at(span, "").help(format_args!(
                            "they count by one or more of {}",
                            list(&words)
                        )),
                    },
                );
            }
        }
    }
    dimensions.sort_unstable();
    dimensions.dedup();
    dimensions
}

fn meant(text: &str) -> Option<&'static str> {
    match text {
        "caller" | "user" | "client" | "subject" => Some("principal"),
        "ip" | "address" => Some("source"),
        "customer" | "org" => Some("tenant"),
        "method" => Some("action"),
        "skill" | "tool" | "path" => Some("name"),
        "delegation" | "delegate" => Some("pair"),
        "global" | "all" => Some("agent"),
        _ => None,
    }
}
