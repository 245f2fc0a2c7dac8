//! `http.a2aTenant`: which tenant a call of A2A may name.

use super::rule_ref;
use crate::config::decode::{self, Fields, bad_value};
use crate::config::diagnostic::Diagnostics;
use crate::config::language::policy::{A2A_TENANT, NAMED_TENANT};
use crate::config::source::Span;
use crate::config::tree::{Entry, Kind};
use crate::proxy::hygiene::TenantRule;

/// As it is written.
pub(super) struct RawTenant {
    may: May,
    base: Box<str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum May {
    Match,
    Pass,
    Require,
}

const WORDS: &[(&str, May)] = &[
    ("pass", May::Pass),
    ("match", May::Match),
    ("require", May::Require),
];

pub(super) fn read(entry: &Entry, report: &mut Diagnostics) -> Option<RawTenant> {
    if let Kind::Text { .. } = &*entry.value.kind {
        let may = decode::word(&entry.value, "`a2aTenant`", A2A_TENANT, WORDS, report)?;
        return Some(RawTenant {
            may,
            base: Box::default(),
        });
    }
    let at = Some(entry.key.span);
    let mut fields = Fields::of(&NAMED_TENANT, &entry.value, "`a2aTenant`", at, report)?;
    let mut read = RawTenant {
        may: May::Match,
        base: Box::default(),
    };
    if let Some(entry) = fields.take("may") {
        let may = decode::word(&entry.value, "`may`", A2A_TENANT, WORDS, report);
        read.may = may.unwrap_or(read.may);
    }
    if let Some(entry) = fields.take("basePath")
        && let Some(text) = decode::text(&entry.value, "`basePath`", report)
    {
        let base = text.strip_suffix('/').unwrap_or(text);
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"%?#;\\".contains(&byte);
        let is_path = base.is_empty() || base.starts_with('/');
        match is_path && !base.contains("//") && base.bytes().all(plain) {
            true => read.base = Box::from(base),
            false => report.push(bad_value(
                &entry.value,
                "`basePath`",
                "a path without escapes, such as `/agents/quotes`",
            )),
        }
    }
    fields.finish(report);
    Some(read)
}

/// What is enforced of it.
pub(super) fn check(raw: Option<(Span, RawTenant)>, report: &Diagnostics) -> Option<TenantRule> {
    let (span, RawTenant { may, base }) = raw?;
    (may != May::Pass).then(|| TenantRule {
        rule: rule_ref("a2aTenant", span, report),
        base,
        is_required: may == May::Require,
    })
}
