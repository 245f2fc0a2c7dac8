//! `tenants` and `tiers`: who is served, until when, and with which numbers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Draft, add, each_named, rule_ref};
use crate::config::decode::{self, Fields, bad_value, nearest, text};

use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::TENANT;
use crate::config::source::Span;
use crate::config::tree::{Entry, Kind, Node, quoted};
use crate::model::{ANONYMOUS, TenantId};
use crate::policy;
use crate::quota::Rate;

/// A tenant as it is written.
#[derive(Default)]
pub(super) struct RawTenant {
    until: Option<Timestamp>,
    pub(super) tier: Option<(String, Span)>,
}

/// The numbers of a tier, by the name under which quotas refer to them.
pub(super) type RawTier = BTreeMap<String, Rate>;

impl Draft {
    pub(super) fn read_tenants(&mut self, section: &Entry, report: &mut Diagnostics) {
        let at = Some(section.key.span);
        let Some(mut fields) = Fields::named(&section.value, "`tenants`", at, report) else {
            return;
        };
        if fields.is_empty(report) {
            return;
        }
        for entry in fields.rest() {
            let name = &*entry.key.text;
            if let Err(error) = TenantId::new(name) {
                let title = format_args!("{} is not a tenant: {error}", quoted(name));
                report.push(Diagnostic::error(Code::BadValue, title).at(entry.key.span, ""));
                continue;
            }
            if name == ANONYMOUS {
                let title = "`anonymous` is the tenant of callers without a credential";
                report.push(
                    Diagnostic::error(Code::Contradiction, title)
                        .at(entry.key.span, "")
                        .help("grant to them with a rule: from: { anonymous: true }"),
                );
            }
            let tenant = read_tenant(entry, report);
            let tenants = self.tenants.get_or_insert_default();
            add(tenants, entry, "tenant", tenant, report);
        }
    }

    pub(super) fn read_tiers(&mut self, section: &Entry, report: &mut Diagnostics) {
        for entry in each_named(section, "tier", report) {
            let what = format!("tier {}", quoted(&entry.key.text));
            let at = Some(entry.key.span);
            let Some(mut fields) = Fields::named(&entry.value, &what, at, report) else {
                continue;
            };
            if fields.is_empty(report) {
                continue;
            }
            let mut tier = RawTier::new();
            for number in fields.rest() {
                let what = quoted(&number.key.text);
                if let Some(rate) = decode::rate(&number.value, what, report) {
                    tier.insert(number.key.text.to_string(), rate);
                }
            }
            add(&mut self.tiers, entry, "tier", tier, report);
        }
    }

    pub(super) fn check_tenants(&self, report: &mut Diagnostics) -> policy::Tenants {
        let Some(tenants) = &self.tenants else {
            return policy::Tenants::Any;
        };
        for (_, tenant) in tenants.values() {
            self.check_tier(tenant, report);
        }
        let tenant = |name: &str| {
            let (span, tenant) = tenants.get(name)?;
            Some(policy::Tenant {
                rule: rule_ref(name, *span, report),
                until: tenant.until,
            })
        };
        let named = tenants.keys().filter(|name| *name != "*");
        policy::Tenants::Listed {
            named: named
                .filter_map(|name| Some((TenantId::new(name).ok()?, tenant(name)?)))
                .collect(),
            others: tenant("*"),
        }
    }

    /// Where the policy lists all tenants it serves, another name is a typo; and a typo in a deny would
    /// weaken it.
    pub(super) fn check_tenant(&self, name: &str, at: Span, report: &mut Diagnostics) {
        let Some(tenants) = &self.tenants else {
            return;
        };
        if name == ANONYMOUS || tenants.contains_key(name) || tenants.contains_key("*") {
            return;
        }
        let title = format_args!("there is no tenant {}", quoted(name));
        let diagnostic = Diagnostic::error(Code::UnknownTenant, title);
        report.push(match nearest(name, tenants.keys().map(String::as_str)) {
            Some(meant) => diagnostic.at(at, format_args!("did you mean `{meant}`?")),
            None => diagnostic.at(at, "").help("declare it under `tenants`"),
        });
    }

    fn check_tier(&self, tenant: &RawTenant, report: &mut Diagnostics) {
        let Some((tier, at)) = &tenant.tier else {
            return;
        };
        if self.tiers.contains_key(tier) {
            return;
        }
        let title = format_args!("there is no tier {}", quoted(tier));
        let diagnostic = Diagnostic::error(Code::UnknownTier, title);
        let meant = nearest(tier, self.tiers.keys().map(String::as_str));
        report.push(diagnostic.suggest(*at, meant));
    }
}

fn read_tenant(entry: &Entry, report: &mut Diagnostics) -> RawTenant {
    let mut tenant = RawTenant::default();
    // `acme:` alone says that the tenant is served, which is all there is to say.
    if matches!(&*entry.value.kind, Kind::Null) {
        return tenant;
    }
    let what = format!("tenant {}", quoted(&entry.key.text));
    let Some(mut fields) = Fields::of(&TENANT, &entry.value, &what, Some(entry.key.span), report)
    else {
        return tenant;
    };
    tenant.tier = fields.take("tier").and_then(|tier| {
        let name = text(&tier.value, "`tier`", report)?;
        Some((name.to_owned(), tier.value.span))
    });
    tenant.until = fields.take("until").and_then(|until| {
        let instant = instant(&until.value, report)?;
        if instant <= crate::clock::wall() {
            let title = format_args!("{what} is not served any more");
            let past = Diagnostic::warning(Code::Expired, title);
            report.push(past.at(until.value.span, "in the past"));
        }
        Some(instant)
    });
    fields.finish(report);
    tenant
}

/// A date (its beginning in UTC) or an instant.
fn instant(node: &Node, report: &mut Diagnostics) -> Option<Timestamp> {
    let text = text(node, "`until`", report)?;
    let instant = text.parse::<Timestamp>().ok().or_else(|| {
        // Only `YYYY-MM-DD`: other texts that hold a date would have their time ignored.
        let date = (text.len() == 10).then(|| text.parse::<Date>().ok())??;
        TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()
    });
    if instant.is_none() {
        let expected = "a date such as 2027-01-31 or an instant such as 2027-01-31T18:00:00Z";
        report.push(bad_value(node, "`until`", expected));
    }
    instant
}
