//! Answers to workloads (draft-ietf-wimse-http-signature, section 3): signed with the key of a token that goes with them, and
//! bound to the nonce of the request.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;

use super::super::{
    Component, Derived, Fields, Message, Parameter, Plan, Profile, SignError, Signatures,
    SigningKeyError, content_digest,
};
use super::{AnswerKey, Asked, fields};
use crate::identity::jwt::workload::{FIELD, OwnToken};
use crate::identity::sources::Source;

/// How long a signed answer counts: "on the order of minutes".
const LIFE: Duration = Duration::from_mins(5);

/// The nonce of the request's signature, if a workload signed it.
pub(super) fn nonce(headers: &HeaderMap) -> Option<Box<str>> {
    let fields = Fields::of(headers).ok()??;
    let signatures = Signatures::parse(&fields).ok()?;
    let tag = Profile::Wimse.tag();
    let mut signatures = signatures.iter();
    let signature = signatures.find(|signature| signature.tag() == tag)?;
    let parameters = signature.parameters().ok()?;
    parameters.nonce.as_deref().map(Box::from)
}

/// An answer to a workload.
pub(super) struct Answer<'a> {
    pub(super) asked: &'a Asked,
    pub(super) nonce: &'a str,
    pub(super) status: StatusCode,
    /// All of it.
    pub(super) content: &'a [u8],
}

impl Answer<'_> {
    /// Puts token and digest into the head, and gives the signature of it.
    pub(super) fn sign(
        &self,
        key: &AnswerKey,
        token: &Arc<Source<OwnToken>>,
        headers: &mut HeaderMap,
        now: Timestamp,
    ) -> Result<[HeaderValue; 2], SignError> {
        headers.remove(&FIELD);
        let token = token.loaded().ok_or(SigningKeyError::Signing)?;
        // Such a signature would not verify, or not count.
        if !token.contents.is_good(key.thumbprint, now) {
            return Err(SigningKeyError::Signing.into());
        }
        let mut covers = vec![Component::derived(Derived::Status)];
        // Older drafts have `@request-target` in place of the two behind it.
        let asked = [
            Derived::Method,
            Derived::RequestTarget,
            Derived::Path,
            Derived::Query,
        ];
        covers.extend(asked.map(|part| Component::derived(part).with(Parameter::Req)));
        if headers.contains_key(CONTENT_TYPE) {
            covers.push(Component::field("content-type")?);
        }
        if !self.content.is_empty() {
            let digest = HeaderValue::from_str(&content_digest(self.content));
            headers.insert(
                "content-digest",
                digest.map_err(|_| SigningKeyError::Signing)?,
            );
            covers.push(Component::field("content-digest")?);
        }
        headers.insert(FIELD.clone(), token.contents.value().clone());
        covers.push(Component::field("workload-identity-token")?);
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|_| SigningKeyError::Signing)?;
        let nonce = URL_SAFE_NO_PAD.encode(nonce);
        let created = now.as_second();
        let life = i64::try_from(LIFE.as_secs()).unwrap_or_default();
        let plan = Plan {
            label: "wimse",
            covers: &covers,
            created: Some(created),
            expires: Some(created.saturating_add(life)),
            nonce: Some(&nonce),
            tag: Profile::Wimse.tag(),
            request_nonce: Some(self.nonce),
            ..Plan::default()
        };
        let message = Message::Response {
            status: self.status.as_u16(),
            headers,
            request: Some(self.asked.request()),
        };
        fields(&plan.sign(&message, &key.key)?)
    }
}
