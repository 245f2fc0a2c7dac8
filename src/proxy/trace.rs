//! The trace that a call is part of (W3C Trace Context, Level 1, and W3C Baggage).
//!
//! lictor is one step of the trace: it keeps the caller's trace id, tells the agent a parent id of its own, and
//! says nothing of it to the caller (`traceresponse` is in no recommendation). Whatever is not exactly as the
//! standard has it begins a new trace instead of travelling on.

use std::num::{NonZeroU64, NonZeroU128};

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::model::{DecisionId, TraceId};

/// The step of a trace that a call is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trace {
    id: TraceId,
    // What the agent takes for its parent.
    span: NonZeroU64,
    flags: u8,
    // Whether `tracestate` belongs to this trace and is well-formed.
    keeps_state: bool,
}

impl Trace {
    /// The trace that the caller's fields name, or else a new one. `is_trusted` is whether the caller may name one.
    pub(super) fn begin(headers: &HeaderMap, decision: DecisionId, is_trusted: bool) -> Self {
        let named = is_trusted.then(|| parent(headers)).flatten();
        let id = decision.as_u128();
        // Half of the id of a decision is its time; in the other half are 62 bits that no other decision has.
        let [.., b8, b9, b10, b11, b12, b13, b14, b15] = id.to_be_bytes();
        let span = u64::from_be_bytes([b8, b9, b10, b11, b12, b13, b14, b15]);
        // A UUID is never zero, and neither is its lower half: the variant is in it (RFC 9562, section 4.1).
        let span = NonZeroU64::new(span).unwrap_or(NonZeroU64::MIN);
        match named {
            Some((id, flags)) => Self {
                id,
                span,
                flags,
                keeps_state: is_state(headers),
            },
            None => Self {
                id: TraceId::new(NonZeroU128::new(id).unwrap_or(NonZeroU128::MIN)),
                span,
                // Agents commonly do as their parent does: without the flag they would trace nothing.
                flags: SAMPLED,
                keeps_state: false,
            },
        }
    }

    pub(super) const fn id(&self) -> TraceId {
        self.id
    }

    /// Tells the agent. Baggage passes only of a caller that `is_known`: agents act on it, and it would be the one
    /// field of a stranger that travels through all services behind us.
    pub(super) fn towards_agent(&self, headers: &mut HeaderMap, is_known: bool) {
        if let Ok(value) = HeaderValue::from_bytes(&self.text()) {
            headers.insert(TRACEPARENT, value);
        }
        if !self.keeps_state {
            headers.remove(TRACESTATE);
        }
        if headers.contains_key(BAGGAGE) && !(is_known && is_baggage(headers)) {
            headers.remove(BAGGAGE);
        }
    }

    /// `traceparent` in version 00 (section 3.2.2).
    fn text(&self) -> [u8; LENGTH] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        let fields = [
            (3..35, self.id.as_u128()),
            (36..52, u128::from(self.span.get())),
            (53..55, u128::from(self.flags)),
        ];
        for (place, number) in fields {
            put_hex(number, text.get_mut(place).unwrap_or_default());
        }
        text
    }
}

/// The trace and its flags, if exactly one `traceparent` is there and well-formed (section 3.2.2).
fn parent(headers: &HeaderMap) -> Option<(TraceId, u8)> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let (text, rest) = value.as_bytes().split_first_chunk::<LENGTH>()?;
    let mut fields = text.split(|byte| *byte == b'-');
    let mut field = |digits| hex(fields.next()?, digits);
    let (version, id, parent, flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
    // Later versions may only add to the end; 255 is none (section 4.3).
    let is_whole = match (version, rest) {
        (0xff, _) => false,
        (_, []) => true,
        (0, _) => false,
        (_, [next, ..]) => *next == b'-',
    };
    let id = NonZeroU128::new(id)?;
    if !is_whole || parent == 0 {
        return None;
    }
    // Flags that nobody has defined are not passed on (section 3.2.2.5).
    let flags = u8::try_from(flags).ok()? & KNOWN_FLAGS;
    Some((TraceId::new(id), flags))
}

/// A number of so many digits. Capitals are none (section 3.2.2).
fn hex(text: &[u8], digits: usize) -> Option<u128> {
    if text.len() != digits {
        return None;
    }
    text.iter().try_fold(0, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

fn put_hex(mut number: u128, place: &mut [u8]) {
    for digit in place.iter_mut().rev() {
        let nibble = usize::from((number & 0xf) as u8);
        *digit = b"0123456789abcdef".get(nibble).copied().unwrap_or(b'0');
        number >>= 4;
    }
}

/// Whether all of `tracestate` is well-formed and within its limits (section 3.3.1). Where it is not, it goes
/// whole: half a state means something else.
fn is_state(headers: &HeaderMap) -> bool {
    let mut keys = [&b""[..]; MAX_STATES];
    let (mut used, mut bytes) = (0, 0);
    for value in headers.get_all(TRACESTATE) {
        bytes += value.len();
        // Empty members are allowed.
        for member in members(value).filter(|member| !member.is_empty()) {
            let Some((key, value)) = pair(member) else {
                return false;
            };
            // Unused places are empty, and no key is.
            let is_new = is_state_key(key) && !keys.contains(&key);
            match keys.get_mut(used) {
                Some(place) if is_new && is_state_value(value) => *place = key,
                Some(_) | None => return false,
            }
            used += 1;
        }
    }
    bytes <= MAX_STATE_BYTES
}

/// `key`, or `tenant@system` (section 3.3.1.3.1).
fn is_state_key(key: &[u8]) -> bool {
    let begins = |first: &u8| first.is_ascii_lowercase() || first.is_ascii_digit();
    let goes_on = |byte: &u8| begins(byte) || b"_-*/@".contains(byte);
    key.len() <= 256
        && key.first().is_some_and(begins)
        && key.iter().all(goes_on)
        && memchr::memchr_iter(b'@', key).count() <= 1
}

/// Printable ASCII without `=` (section 3.3.1.3.2). Commas have been cut at.
fn is_state_value(value: &[u8]) -> bool {
    let printable = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'=';
    (1..=256).contains(&value.len()) && value.iter().all(printable)
}

/// Whether all of `baggage` is well-formed and within its limits (W3C Baggage, section 3.3).
fn is_baggage(headers: &HeaderMap) -> bool {
    let (mut count, mut bytes) = (0, 0);
    for value in headers.get_all(BAGGAGE) {
        bytes += value.len() + 1;
        for member in members(value) {
            count += 1;
            let plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t') && !b"\"\\".contains(byte);
            let is_key = |key: &[u8]| HeaderName::from_bytes(key.trim_ascii_end()).is_ok();
            if !member.iter().all(plain) || !pair(member).is_some_and(|(key, _)| is_key(key)) {
                return false;
            }
        }
    }
    count <= MAX_BAGGAGE && bytes <= MAX_BAGGAGE_BYTES
}

fn members(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let members = value.as_bytes().split(|byte| *byte == b',');
    members.map(<[u8]>::trim_ascii)
}

fn pair(member: &[u8]) -> Option<(&[u8], &[u8])> {
    let (key, value) = member.split_at_checked(memchr::memchr(b'=', member)?)?;
    Some((key, value.split_first()?.1))
}

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// `traceparent` in version 00.
const LENGTH: usize = 55;

/// The caller may have recorded it (section 3.2.2.5.1).
const SAMPLED: u8 = 1;

/// That, and that the id is random (Level 2, section 3.2.2.5.2), which is nothing that we could know better.
const KNOWN_FLAGS: u8 = SAMPLED | 2;

/// Section 3.3.1.1.
const MAX_STATES: usize = 32;
/// What everybody must be able to pass on (section 3.3.1.5); of more we pass on nothing.
const MAX_STATE_BYTES: usize = 512;

/// W3C Baggage, section 3.3.2: what everybody must be able to pass on.
const MAX_BAGGAGE: usize = 64;
const MAX_BAGGAGE_BYTES: usize = 8192;

#[cfg(test)]
mod tests {
    use http::header::HeaderMap;
    use uuid::Uuid;

    use super::*;

    const ID: &str = "0af7651916cd43dd8448eb211c80319c";
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn fields(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn decision() -> DecisionId {
        DecisionId::new(Uuid::from_u128(0x0199_aaaa_bbbb_7ccc_8ddd_eeee_ffff_0001))
    }

    fn begin(headers: &HeaderMap) -> Trace {
        Trace::begin(headers, decision(), true)
    }

    /// What the agent gets of these fields.
    fn arrives(given: &[(&'static str, &str)], is_known: bool) -> HeaderMap {
        let mut headers = fields(given);
        begin(&headers).towards_agent(&mut headers, is_known);
        headers
    }

    #[test]
    fn a_trace_goes_on_with_a_parent_of_ours() {
        let headers = arrives(
            &[("traceparent", PARENT), ("tracestate", "a=1,b@c=2")],
            true,
        );
        let ours = "00-0af7651916cd43dd8448eb211c80319c-8dddeeeeffff0001-01";
        assert_eq!(headers["traceparent"], ours);
        assert_eq!(headers["tracestate"], "a=1,b@c=2");
        assert_eq!(
            begin(&fields(&[("traceparent", PARENT)])).id().to_string(),
            ID
        );
    }

    #[test]
    fn without_one_a_trace_begins() {
        let headers = arrives(&[("tracestate", "a=1")], true);
        let ours = "00-0199aaaabbbb7ccc8dddeeeeffff0001-8dddeeeeffff0001-01";
        assert_eq!(headers["traceparent"], ours);
        assert!(
            !headers.contains_key("tracestate"),
            "it belongs to no trace"
        );
    }

    #[test]
    fn who_is_not_trusted_names_no_trace() {
        let headers = fields(&[("traceparent", PARENT)]);
        let trace = Trace::begin(&headers, decision(), false);
        assert_ne!(trace.id().to_string(), ID);
    }

    // The cases of the W3C's own suite (trace-context, test/test.py), as far as they are about one message.
    #[test]
    fn a_parent_is_read_as_the_standard_has_it_or_not_at_all() {
        let named = |text: &str| {
            let trace = begin(&fields(&[("traceparent", text)]));
            (trace.id().to_string() == ID).then_some(trace.flags)
        };
        let cases: &[(&str, Option<u8>)] = &[
            (PARENT, Some(1)),
            (
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
                Some(0),
            ),
            (
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03",
                Some(3),
            ),
            (
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff",
                Some(3),
            ),
            (
                "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                Some(1),
            ),
            (
                "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what",
                Some(1),
            ),
            (
                "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
                Some(1),
            ),
            (
                "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.what",
                None,
            ),
            (
                "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                None,
            ),
            (
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what",
                None,
            ),
            (
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.",
                None,
            ),
            (
                "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
                None,
            ),
            ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", None),
            (
                "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                None,
            ),
            (
                "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                None,
            ),
            (
                "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
                None,
            ),
            (
                "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331a-01",
                None,
            ),
            (
                "00-.af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                None,
            ),
            (
                "0.-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                None,
            ),
            (
                "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01",
                None,
            ),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(named(text), *expected, "{text}");
        }
        let two = fields(&[("traceparent", PARENT), ("traceparent", PARENT)]);
        assert_ne!(begin(&two).id().to_string(), ID);
    }

    #[test]
    fn a_state_is_passed_on_whole_or_not_at_all() {
        let many = |count: usize| {
            let members: Vec<_> = (0..count).map(|n| format!("k{n}=1")).collect();
            members.join(",")
        };
        let long = |length: usize| format!("a={}", "x".repeat(length));
        let (full, over) = (many(32), many(33));
        let (value, too_long) = (long(256), long(257));
        let key = format!("{}=1", "k".repeat(257));
        let cases: &[(&[&str], bool)] = &[
            (&["a=1"], true),
            (&["a=1", "b=2"], true),
            (&["a=1 , b=2,,\tc=3", ""], true),
            (&["0a/b*c_d-e@f=!~ x"], true),
            (&[&full], true),
            (&[&value], true),
            (&[&over], false),
            (&["a=1,a=2"], false),
            (&["a=1", "a=2"], false),
            (&["A=1"], false),
            (&["a"], false),
            (&["a="], false),
            (&["=1"], false),
            (&["a=1=2"], false),
            (&["a b=1"], false),
            (&["a@b@c=1"], false),
            (&["@b=1"], false),
            (&[&too_long], false),
            (&[&key], false),
            (&[&value, &value.replace('a', "b")], false),
        ];
        for (states, passes) in cases {
            let mut given = vec![("traceparent", PARENT)];
            given.extend(states.iter().map(|state| ("tracestate", *state)));
            let headers = arrives(&given, true);
            let arrived = headers.get_all("tracestate").iter().count();
            assert_eq!(
                arrived,
                if *passes { states.len() } else { 0 },
                "{states:?}"
            );
        }
    }

    #[test]
    fn baggage_is_bounded_and_only_for_the_known() {
        let many: Vec<_> = (0..65).map(|n| format!("k{n}=1")).collect();
        let heavy = format!("a={}", "x".repeat(8192));
        let cases: &[(&str, bool)] = &[
            ("userId=alice", true),
            ("userId = alice ; ttl=3 , b=%20", true),
            (&many[..64].join(","), true),
            (&many.join(","), false),
            (&heavy, false),
            ("a", false),
            ("=b", false),
            ("a b=c", false),
            ("a=\"b\"", false),
            ("a=1,,b=2", false),
        ];
        for (baggage, passes) in cases {
            let headers = arrives(&[("baggage", baggage)], true);
            assert_eq!(headers.contains_key("baggage"), *passes, "{baggage}");
        }
        let headers = arrives(&[("baggage", "userId=alice")], false);
        assert!(!headers.contains_key("baggage"));
    }
}
