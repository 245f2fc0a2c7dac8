//! Header fields on the way to the agent and back.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use http::header::{self, Entry, HeaderMap, HeaderName, HeaderValue};
use http::request;

use crate::identity::PROOF_FIELD;
use crate::model::{Finding, LeakAction, Principal, Reason, Refusal, RequestId};
use crate::scan::{Detectors, may_be_session, scan_text};
use crate::upstream::strip_hop_by_hop;

use super::connection::Inlet;
use super::reply::REQUEST_ID;
use super::spoofable::{is_same, is_spoofable};
use super::toll::Toll;

/// How the agent learns who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityHeaders {
    /// Carries the tenant.
    pub tenant: HeaderName,
    /// Carries the principal's id.
    pub principal: HeaderName,
    /// Carries the request id.
    pub request_id: HeaderName,
    /// Carries what lictor asserts, if it does.
    pub assertion: Option<HeaderName>,
    /// Fields with credentials that the agent gets all the same, because the operator wants it.
    pub passed: Vec<HeaderName>,
}

impl Default for IdentityHeaders {
    fn default() -> Self {
        Self {
            tenant: HeaderName::from_static("x-customer-id"),
            principal: HeaderName::from_static("x-user-id"),
            request_id: REQUEST_ID,
            assertion: None,
            passed: Vec::new(),
        }
    }
}

impl IdentityHeaders {
    /// Makes the caller's fields into those that the agent gets: nothing hop-by-hop, no credential, no
    /// identity but the verified one.
    pub(super) fn towards_agent(
        &self,
        parts: &mut request::Parts,
        principal: &Principal,
        request_id: &RequestId,
        inlet: &Inlet,
        scanned: bool,
    ) {
        let headers = &mut parts.headers;
        strip_hop_by_hop(headers);
        // HTTP/2 says where in `:authority`; HTTP/1.1 needs a `Host` (RFC 9113, section 8.3.1).
        if let Some(authority) = parts.uri.authority() {
            set(headers, &header::HOST, authority.as_str());
        }
        join_cookies(headers);
        self.remove_spoofed(headers);
        set(headers, &self.tenant, principal.tenant.as_str());
        set(headers, &self.principal, principal.id.as_str());
        set(headers, &self.request_id, request_id.as_str());
        headers.insert(FORWARDED_FOR, address(inlet.source.ip()));
        let scheme = if inlet.is_tls { "https" } else { "http" };
        headers.insert(FORWARDED_PROTO, HeaderValue::from_static(scheme));
        if let Some(host) = &inlet.host {
            headers.insert(FORWARDED_HOST, host.clone());
        }
        if scanned {
            // What is coded cannot be read, and two clean ranges can carry one secret.
            headers.insert(
                header::ACCEPT_ENCODING,
                HeaderValue::from_static("identity"),
            );
            headers.remove(header::RANGE);
            headers.remove(header::IF_RANGE);
            if headers.contains_key(&GRPC_ACCEPT_ENCODING) {
                ask_for_plain_messages(headers);
            }
        }
    }

    /// Takes the caller's credentials off: a secret that the agent never had cannot be got out of it. `fields` are those
    /// in which the identities look for them.
    pub(super) fn remove_credentials<'a>(
        &self,
        headers: &mut HeaderMap,
        fields: impl Iterator<Item = &'a HeaderName>,
    ) {
        let usual = [&header::AUTHORIZATION].into_iter().chain(&USUAL_KEYS);
        for field in usual
            .chain(fields)
            .filter(|field| !self.passed.contains(field))
        {
            headers.remove(field);
        }
    }

    /// Makes the agent's trailers into those that the caller gets: nobody but lictor speaks of the caller or
    /// the decision, and what must not leave does not. `None` when nothing is left.
    ///
    /// # Errors
    /// When a finding blocks.
    pub(super) fn judge_trailers(
        &self,
        mut trailers: Box<HeaderMap>,
        detectors: Option<&Detectors>,
        found: &mut Vec<Finding>,
    ) -> Result<Option<Box<HeaderMap>>, Refusal> {
        self.remove_spoofed(&mut trailers);
        towards_caller(&mut trailers);
        if let Some(detectors) = detectors {
            scan(&mut trailers, detectors, found).map_err(|detector| {
                Refusal::new(Reason::LeakageDetected)
                    .detail(format_args!("found {detector} in the trailers"))
            })?;
        }
        Ok((!trailers.is_empty()).then_some(trailers))
    }

    /// Makes the caller's trailers into those that the agent may get.
    /// `fields` are those in which the identities look for credentials: nothing that came this late was verified.
    pub(super) fn caller_trailers<'a>(
        &self,
        trailers: &mut HeaderMap,
        fields: impl Iterator<Item = &'a HeaderName>,
    ) {
        self.remove_spoofed(trailers);
        self.remove_credentials(trailers, [&PROOF_FIELD].into_iter().chain(fields));
    }

    fn remove_spoofed(&self, headers: &mut HeaderMap) {
        let doomed: Vec<HeaderName> = headers
            .keys()
            .filter(|name| self.is_ours(name.as_str()))
            .cloned()
            .collect();
        for name in doomed {
            if let Entry::Occupied(entry) = headers.entry(name) {
                entry.remove_entry_mult();
            }
        }
    }

    /// Whether only lictor may set the field.
    fn is_ours(&self, name: &str) -> bool {
        let ours = [&self.tenant, &self.principal, &self.request_id];
        let mut ours = ours.into_iter().chain(&self.assertion);
        ours.any(|ours| is_same(name, ours.as_str())) || is_spoofable(name)
    }
}

/// Asks an agent of gRPC for messages that can be read (gRPC over HTTP/2, "Requests").
pub(super) fn ask_for_plain_messages(headers: &mut HeaderMap) {
    let identity = HeaderValue::from_static("identity");
    headers.insert(&GRPC_ACCEPT_ENCODING, identity);
}

static GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// Where clients of models write a key, whether anybody asks for one or not.
static USUAL_KEYS: [HeaderName; 3] = [
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// One field of all cookies: HTTP/2 may split it, and over HTTP/1.1 there must be one (RFC 9113, section
/// 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut values = headers.get_all(header::COOKIE).iter();
    let (Some(first), true) = (values.next(), values.next().is_some()) else {
        return;
    };
    let mut joined = first.as_bytes().to_vec();
    for value in headers.get_all(header::COOKIE).iter().skip(1) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(value.as_bytes());
    }
    match HeaderValue::from_bytes(&joined) {
        Ok(value) => headers.insert(header::COOKIE, value),
        // Values that were each allowed are allowed together; without that, no cookie is the safe answer.
        Err(_) => headers.remove(header::COOKIE),
    };
}

/// Makes the agent's fields into those that the caller gets: nobody but lictor names a decision, and
/// nobody sends the caller past lictor (RFC 7838).
pub(super) fn towards_caller(headers: &mut HeaderMap) {
    headers.remove(&DECISION_ID);
    headers.remove(header::ALT_SVC);
}

/// Looks for what must not leave in the fields of an answer. A field with something to redact goes whole:
/// half a field means something else.
///
/// # Errors
/// When a finding blocks.
pub(super) fn screen(
    headers: &mut HeaderMap,
    detectors: &Detectors,
    toll: &mut Toll,
) -> Result<(), Refusal> {
    let mut found = Vec::new();
    let scanned = scan(headers, detectors, &mut found);
    toll.found(found);
    scanned.map_err(|detector| {
        Refusal::new(Reason::LeakageDetected).detail(format_args!("found {detector} in the head"))
    })
}

fn scan(
    headers: &mut HeaderMap,
    detectors: &Detectors,
    found: &mut Vec<Finding>,
) -> Result<(), &'static str> {
    // Nearly always nothing is there, and one pass over all is cheaper than one over each.
    let mut all = Vec::with_capacity(512);
    for (name, value) in headers.iter().filter(|(name, _)| !is_framing(name)) {
        all.extend_from_slice(name.as_str().as_bytes());
        all.extend_from_slice(b": ");
        all.extend_from_slice(value.as_bytes());
        all.push(b'\n');
    }
    if all.is_empty() || scan_text(detectors, &all).is_empty() {
        return Ok(());
    }
    let mut doomed = Vec::new();
    for (name, value) in headers.iter().filter(|(name, _)| !is_framing(name)) {
        let line = [name.as_str().as_bytes(), b": ", value.as_bytes()].concat();
        let mut findings = scan_text(detectors, &line);
        if *name == header::SET_COOKIE {
            findings.retain(|finding| !may_be_session(finding.detector));
        }
        if findings
            .iter()
            .any(|finding| finding.action >= LeakAction::Redact)
        {
            doomed.push(name.clone());
        }
        found.extend(findings.into_iter().map(|finding| Finding {
            channel: Arc::from(format!("header {name}")),
            ..finding
        }));
    }
    if let Some(blocking) = found
        .iter()
        .find(|finding| finding.action == LeakAction::Block)
    {
        return Err(blocking.detector);
    }
    for name in doomed {
        headers.remove(name);
    }
    Ok(())
}

/// Fields of numbers and dates, which nearly every answer has.
fn is_framing(name: &HeaderName) -> bool {
    *name == header::CONTENT_LENGTH || *name == header::DATE || *name == header::CONTENT_TYPE
}

/// Lets no cache between keep for all what was made for one caller (RFC 9111, section 5.2.2.7).
pub(super) fn keep_to_one(headers: &mut HeaderMap) {
    let mut values = headers.get_all(header::CACHE_CONTROL).iter();
    let keeps = |value: &HeaderValue| {
        let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
        ["no-cache", "no-store", "private"]
            .iter()
            .any(|word| text.contains(word))
    };
    if values.any(|value| !keeps(value)) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
    }
}

/// Fields that a body no longer keeps when it may be changed on its way.
pub(super) fn remove_digests(headers: &mut HeaderMap) {
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::ETAG);
    for name in [
        "accept-ranges",
        "content-digest",
        "content-md5",
        "digest",
        "repr-digest",
    ] {
        headers.remove(name);
    }
}

fn set(headers: &mut HeaderMap, name: &HeaderName, value: &str) {
    match HeaderValue::from_str(value) {
        Ok(value) => {
            headers.insert(name.clone(), value);
        }
        // Names are free of control characters; what else cannot stand in a header is percent-free
        // text that `from_bytes` takes as opaque bytes (RFC 9110, section 5.5).
        Err(_) => match HeaderValue::from_bytes(value.as_bytes()) {
            Ok(value) => {
                headers.insert(name.clone(), value);
            }
            Err(_) => {
                headers.remove(name);
            }
        },
    }
}

/// An address as text, without the general formatter, which takes more than a thousand instructions for one.
fn address(address: IpAddr) -> HeaderValue {
    let shown = match address {
        IpAddr::V4(address) => {
            let mut shown = BytesMut::with_capacity("255.255.255.255".len());
            for (index, part) in address.octets().into_iter().enumerate() {
                if index > 0 {
                    shown.put_u8(b'.');
                }
                shown.put_slice(itoa::Buffer::new().format(part).as_bytes());
            }
            shown.freeze()
        }
        IpAddr::V6(address) => address.to_string().into(),
    };
    // An address has none of the characters that may not stand in a field.
    HeaderValue::from_maybe_shared(shown).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

static DECISION_ID: HeaderName = HeaderName::from_static("lictor-decision-id");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

#[cfg(test)]
mod tests {
    use super::*;

    fn arrived(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        for (name, value) in fields {
            parts.headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        let request_id = RequestId::new("r-1").unwrap();
        let inlet = Inlet {
            source: "192.0.2.7:1".parse().unwrap(),
            agent: super::super::agents::Chosen::default(),
            is_tls: false,
            client: None,
            trusting: None,
            host: None,
            takes_back: false,
            listener: None,
            bounds: super::super::connection::Bounds::of(&crate::listener::Config::new(
                ([127, 0, 0, 1], 0).into(),
            )),
        };
        let names = IdentityHeaders {
            passed: vec![HeaderName::from_static("x-goog-api-key")],
            ..IdentityHeaders::default()
        };
        names.towards_agent(
            &mut parts,
            &Principal::anonymous(),
            &request_id,
            &inlet,
            true,
        );
        let own = [HeaderName::from_static("x-desk-key")];
        names.remove_credentials(&mut parts.headers, own.iter());
        parts.headers
    }

    #[test]
    fn identity_in_any_spelling_never_passes() {
        let headers = arrived(&[
            ("x-user-id", "root"),
            ("x-user-id", "admin"),
            ("x_user_id", "root"),
            ("x-customer_id", "acme"),
            ("x-lictor-anything", "1"),
            ("x-lictor_mixed", "1"),
            ("x.user.id", "root"),
            ("x-auth-request-user", "root"),
            ("x-forwarded-for", "127.0.0.1"),
            ("forwarded", "for=127.0.0.1"),
        ]);
        assert_eq!(
            headers.get_all("x-user-id").iter().collect::<Vec<_>>(),
            ["anonymous"]
        );
        assert_eq!(headers.get("x-customer-id").unwrap(), "anonymous");
        assert_eq!(headers.get("x-forwarded-for").unwrap(), "192.0.2.7");
        assert_eq!(headers.get("x-forwarded-proto").unwrap(), "http");
        for name in [
            "x_user_id",
            "x-customer_id",
            "x-lictor-anything",
            "x-lictor_mixed",
            "x.user.id",
            "x-auth-request-user",
            "forwarded",
        ] {
            assert!(!headers.contains_key(name), "{name}");
        }
    }

    #[test]
    fn the_agent_never_sees_the_credential_and_is_never_asked_for_a_range() {
        let headers = arrived(&[
            ("authorization", "Bearer x"),
            ("x-api-key", "x"),
            ("x-desk-key", "x"),
            ("x-goog-api-key", "wanted"),
            ("range", "bytes=0-9"),
            ("if-range", "x"),
            ("accept-encoding", "gzip"),
            ("a2a-version", "1.0"),
        ]);
        for name in [
            "authorization",
            "x-api-key",
            "x-desk-key",
            "range",
            "if-range",
        ] {
            assert!(!headers.contains_key(name), "{name}");
        }
        assert_eq!(headers.get("x-goog-api-key").unwrap(), "wanted");
        assert_eq!(headers.get("accept-encoding").unwrap(), "identity");
        assert_eq!(headers.get("a2a-version").unwrap(), "1.0");
    }

    #[test]
    fn no_credential_comes_with_the_trailers() {
        let mut trailers = HeaderMap::new();
        for name in [
            "authorization",
            "dpop",
            "x-api-key",
            "x-user-id",
            "x-desk-key",
            "x-checksum",
        ] {
            trailers.append(name, HeaderValue::from_static("x"));
        }
        let own = [HeaderName::from_static("x-desk-key")];
        IdentityHeaders::default().caller_trailers(&mut trailers, own.iter());
        assert_eq!(trailers.keys().collect::<Vec<_>>(), ["x-checksum"]);
    }
}
