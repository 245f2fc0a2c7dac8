//! `limits`: how large and how slow a call may be.

use std::time::Duration;

use super::{Draft, action, defined_twice};
use crate::config::decode::{self, Fields};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::{LIMIT, LIMITS};
use crate::config::source::Span;
use crate::config::tree::{Entry, quoted};
use crate::model::ActionPattern;
use crate::policy::LimitOverride;

/// All limits as they are written.
#[derive(Default)]
pub(super) struct RawLimits {
    default: Option<(Span, LimitOverride)>,
    patterns: Vec<(ActionPattern, Span, LimitOverride)>,
}

/// Bodies are held in memory while they are judged, so no policy may ask for more than this.
const MAX_REQUEST_BYTES: u64 = 64 << 20;
const MAX_RESPONSE_BYTES: u64 = 1 << 40;
const MAX_TIME: Duration = Duration::from_secs(7 * 86_400);

impl Draft {
    pub(super) fn read_limits(&mut self, section: &Entry, report: &mut Diagnostics) {
        let at = Some(section.key.span);
        let Some(mut fields) = Fields::of(&LIMITS, &section.value, "`limits`", at, report) else {
            return;
        };
        if fields.is_empty(report) {
            return;
        }
        let default = fields.take("default");
        for entry in default.into_iter().chain(fields.rest()) {
            let Some(limits) = read_limit(entry, report) else {
                continue;
            };
            let span = entry.key.span;
            if &*entry.key.text == "default" {
                match &self.limits.default {
                    Some((first, _)) => {
                        report.push(defined_twice("the default limit", span, *first));
                    }
                    None => self.limits.default = Some((span, limits)),
                }
            } else if let Some(pattern) = action(&entry.key.text, span, report) {
                self.limits.add(pattern, span, limits, report);
            }
        }
    }
}

impl RawLimits {
    pub(super) fn default(&self) -> LimitOverride {
        self.default.map(|(_, limits)| limits).unwrap_or_default()
    }

    /// The limits by pattern. Two that are equally specific must agree where both apply.
    pub(super) fn check(&self, report: &mut Diagnostics) -> Vec<(ActionPattern, LimitOverride)> {
        for (at, (pattern, span, limits)) in self.patterns.iter().enumerate() {
            for (other, first, earlier) in self.patterns.iter().take(at) {
                let tied = pattern.specificity() == other.specificity() && pattern.overlaps(other);
                if let (true, Some(field)) = (tied, conflict(limits, earlier)) {
                    let title = format_args!(
                        "`{pattern}` and `{other}` set `{field}` differently and are equally specific"
                    );
                    report.push(
                        Diagnostic::error(Code::LimitConflict, title)
                            .at(*span, "")
                            .also(*first, ""),
                    );
                }
            }
        }
        let patterns = self.patterns.iter();
        patterns
            .map(|(pattern, _, limits)| (pattern.clone(), *limits))
            .collect()
    }

    fn add(
        &mut self,
        pattern: ActionPattern,
        span: Span,
        limits: LimitOverride,
        report: &mut Diagnostics,
    ) {
        let same = self.patterns.iter().find(|(other, ..)| *other == pattern);
        if let Some((_, first, _)) = same {
            report.push(defined_twice(
                &format!("the limit of `{pattern}`"),
                span,
                *first,
            ));
            return;
        }
        self.patterns.push((pattern, span, limits));
    }
}

fn read_limit(entry: &Entry, report: &mut Diagnostics) -> Option<LimitOverride> {
    let what = format!("limit {}", quoted(&entry.key.text));
    let mut fields = Fields::of(&LIMIT, &entry.value, what, Some(entry.key.span), report)?;
    if fields.is_empty(report) {
        return None;
    }
    let mut limits = LimitOverride::default();
    if let Some(entry) = fields.take("request") {
        let bytes = decode::bytes(&entry.value, "`request`", MAX_REQUEST_BYTES, report);
        limits.request_bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
    }
    if let Some(entry) = fields.take("response") {
        limits.response_bytes =
            decode::bytes(&entry.value, "`response`", MAX_RESPONSE_BYTES, report);
    }
    if let Some(entry) = fields.take("time") {
        limits.time = time(entry, "`time`", report);
    }
    if let Some(entry) = fields.take("idle") {
        limits.idle = time(entry, "`idle`", report);
    }
    if let Some(entry) = fields.take("jsonDepth") {
        let depth = decode::number(&entry.value, "`jsonDepth`", 1..=128, report);
        limits.json_depth = depth.and_then(|depth| usize::try_from(depth).ok());
    }
    if let Some(entry) = fields.take("decompressRatio") {
        limits.decompress_ratio =
            decode::number(&entry.value, "`decompressRatio`", 1..=10_000, report);
    }
    fields.finish(report);
    Some(limits)
}

fn time(entry: &Entry, what: &str, report: &mut Diagnostics) -> Option<Duration> {
    let time = decode::duration(&entry.value, what, report)?;
    if time > MAX_TIME {
        report.push(decode::bad_value(&entry.value, what, "at most `7d`"));
        return None;
    }
    Some(time)
}

/// The first field that both set, differently.
fn conflict(left: &LimitOverride, right: &LimitOverride) -> Option<&'static str> {
    fn differ<T: PartialEq>(left: Option<T>, right: Option<T>) -> bool {
        matches!((left, right), (Some(left), Some(right)) if left != right)
    }
    [
        ("request", differ(left.request_bytes, right.request_bytes)),
        (
            "response",
            differ(left.response_bytes, right.response_bytes),
        ),
        ("time", differ(left.time, right.time)),
        ("idle", differ(left.idle, right.idle)),
        ("jsonDepth", differ(left.json_depth, right.json_depth)),
        (
            "decompressRatio",
            differ(left.decompress_ratio, right.decompress_ratio),
        ),
    ]
    .into_iter()
    .find_map(|(field, differs)| differs.then_some(field))
}
