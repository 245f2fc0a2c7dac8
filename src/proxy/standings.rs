//! How much is left of a caller's quotas, as header fields.

use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::model::{QuotaUnit, Standing};

use super::hygiene::RateLimitFields;

/// `RateLimit` (draft-ietf-httpapi-ratelimit-headers, section 4).
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers, section 3).
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What clients looked at before there was a draft. They hold one number each.
const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
/// Seconds from now, as most who send it mean it, and not an instant.
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Tells the caller how much is left, on success too.
pub(super) fn tell(headers: &mut HeaderMap, standings: &[Standing], fields: RateLimitFields) {
    if standings.is_empty() {
        return;
    }
    if fields == RateLimitFields::Both {
        tell_scarcest(headers, standings);
    }
    let room = standings.iter().map(|standing| standing.quota.len() + 48);
    let room: usize = room.sum();
    let (mut policy, mut limit) = (Vec::with_capacity(room), Vec::with_capacity(room));
    for standing in standings {
        name(&mut policy, &standing.quota);
        number(&mut policy, b'q', Some(standing.limit));
        number(&mut policy, b'w', standing.window.map(whole_seconds));
        policy.extend_from_slice(unit(standing.unit));
        name(&mut limit, &standing.quota);
        number(&mut limit, b'r', Some(standing.remaining));
        number(&mut limit, b't', standing.reset.map(whole_seconds));
    }
    // The agent's own fields stay: both are lists, and the caller must fit in all of them.
    for (name, value) in [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, limit)] {
        if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(value)) {
            headers.append(name, value);
        }
    }
}

/// The name of an item of a list of quotas. Written by hand, because every answer under a quota has
/// two of each. Names come from the policy, whose decoder allows letters, digits, `-`, `_` and `.` only, so
/// that they need no escaping in a string (RFC 9651, section 3.3.3).
fn name(list: &mut Vec<u8>, quota: &str) {
    if !list.is_empty() {
        list.extend_from_slice(b", ");
    }
    list.push(b'"');
    list.extend_from_slice(quota.as_bytes());
    list.push(b'"');
}

/// A parameter of an item.
fn number(list: &mut Vec<u8>, key: u8, number: Option<u64>) {
    if let Some(number) = number {
        list.extend_from_slice(&[b';', key, b'=']);
        list.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
    }
}

/// What is counted, where it is not requests, of which everybody thinks first.
const fn unit(unit: QuotaUnit) -> &'static [u8] {
    match unit {
        QuotaUnit::ConcurrentRequests => b";qu=\"concurrent-requests\"",
        QuotaUnit::Requests => b"",
        // The draft has none for these: ones of ours, which say whose they are.
        QuotaUnit::LiveTasks => b";qu=\"lictor-live-tasks\"",
        QuotaUnit::Tasks => b";qu=\"lictor-tasks\"",
        QuotaUnit::Tokens => b";qu=\"lictor-tokens\"",
    }
}

/// The same for the quota of which the smallest share is left; of several equals the first, which on a refusal is
/// the one that refuses. What the agent says of itself in these fields gives way: a caller reads one number.
fn tell_scarcest(headers: &mut HeaderMap, standings: &[Standing]) {
    let scarcest = standings.iter().min_by(|one, other| {
        let share =
            |one: &Standing, other: &Standing| u128::from(one.remaining) * u128::from(other.limit);
        share(one, other).cmp(&share(other, one))
    });
    let Some(scarcest) = scarcest else {
        return;
    };
    headers.insert(LIMIT, HeaderValue::from(scarcest.limit));
    headers.insert(REMAINING, HeaderValue::from(scarcest.remaining));
    let reset = scarcest.reset.map_or(0, whole_seconds);
    headers.insert(RESET, HeaderValue::from(reset));
}

/// Seconds as the fields carry them, rounded up: an early retry would be refused again.
pub(super) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn standing(quota: &str, limit: u64, remaining: u64, reset: u64) -> Standing {
        Standing {
            quota: Arc::from(quota),
            limit,
            remaining,
            reset: Some(Duration::from_secs(reset)),
            window: Some(Duration::from_secs(60)),
            unit: QuotaUnit::Requests,
        }
    }

    #[test]
    fn every_quota_is_told_and_the_scarcest_alone_in_the_old_fields() {
        let standings = [
            standing("wide", 1000, 400, 30),
            standing("narrow", 10, 3, 9),
            standing("other", 10, 3, 8),
        ];
        let mut headers = HeaderMap::new();
        tell(&mut headers, &standings, RateLimitFields::Standard);
        assert_eq!(headers.len(), 2);
        tell(&mut headers, &standings, RateLimitFields::Both);
        let fields = [
            (
                "ratelimit-policy",
                r#""wide";q=1000;w=60, "narrow";q=10;w=60, "other";q=10;w=60"#,
            ),
            (
                "ratelimit",
                r#""wide";r=400;t=30, "narrow";r=3;t=9, "other";r=3;t=8"#,
            ),
            ("x-ratelimit-limit", "10"),
            ("x-ratelimit-remaining", "3"),
            ("x-ratelimit-reset", "9"),
        ];
        for (name, value) in fields {
            assert_eq!(headers.get(name).unwrap(), value);
        }
    }

    #[test]
    fn a_number_of_calls_at_once_has_no_window() {
        let parallel = Standing {
            reset: None,
            window: None,
            unit: QuotaUnit::ConcurrentRequests,
            ..standing("parallel", 8, 3, 0)
        };
        let mut headers = HeaderMap::new();
        tell(&mut headers, &[parallel], RateLimitFields::Both);
        let policy = r#""parallel";q=8;qu="concurrent-requests""#;
        assert_eq!(headers.get("ratelimit-policy").unwrap(), policy);
        assert_eq!(headers.get("ratelimit").unwrap(), r#""parallel";r=3"#);
        assert_eq!(headers.get("x-ratelimit-reset").unwrap(), "0");
    }

    #[test]
    fn seconds_are_rounded_up() {
        assert_eq!(whole_seconds(Duration::from_millis(1)), 1);
        assert_eq!(whole_seconds(Duration::from_secs(2)), 2);
    }
}
