//! `tenants`: who is served, and until when.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Draft, add, rule_ref};
use crate::config::decode::{Fields, bad_value, text};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::tree::{Entry, Kind, Node, quoted};
use crate::model::{ANONYMOUS, TenantId};
use crate::policy;

impl Draft {
    pub(super) fn read_tenants(&mut self, section: &Entry, report: &mut Diagnostics) {
        let at = Some(section.key.span);
        let Some(mut fields) = Fields::of(&section.value, "`tenants`", at, report) else {
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
            let until = read_tenant(entry, report);
            let tenants = self.tenants.get_or_insert_default();
            add(tenants, entry, "tenant", until, report);
        }
    }

    pub(super) fn check_tenants(&self, report: &Diagnostics) -> policy::Tenants {
        let Some(tenants) = &self.tenants else {
            return policy::Tenants::Any;
        };
        let tenant = |name: &str| {
            let (span, until) = tenants.get(name)?;
            Some(policy::Tenant {
                rule: rule_ref(name, *span, report),
                until: *until,
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
}

fn read_tenant(entry: &Entry, report: &mut Diagnostics) -> Option<Timestamp> {
    // `acme:` alone says that the tenant is served, which is all there is to say.
    if matches!(&*entry.value.kind, Kind::Null) {
        return None;
    }
    let what = format!("tenant {}", quoted(&entry.key.text));
    let mut fields = Fields::of(&entry.value, what, Some(entry.key.span), report)?;
    let until = fields.take("until");
    fields.refuse(&["tier"], report);
    fields.finish(report);
    let until = until?;
    let instant = instant(&until.value, report)?;
    if instant <= crate::clock::wall() {
        let title = format_args!("tenant {} is not served any more", quoted(&entry.key.text));
        report.push(Diagnostic::warning(Code::Expired, title).at(until.value.span, "in the past"));
    }
    Some(instant)
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
