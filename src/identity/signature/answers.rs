//! Answers that we sign (RFC 9421, section 2.4): the caller can tell that they are ours, whole, and to its own request.

mod workload;

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use jiff::Timestamp;

use super::fields::{INPUT, SIGNATURE};
use super::structured::{self, Bounds};
use super::{
    Component, Derived, Message, Parameter, Plan, Request, SignError, Signed, SigningKey,
    SigningKeyError, content_digest,
};
use crate::identity::digest::{self, Thumbprint};
use crate::identity::jwt::workload::OwnToken;
use crate::identity::sources::{Contents, Source};
use crate::identity::{Config, KeyStore, KeysError};

/// A file with the key.
#[derive(Debug)]
pub(in crate::identity) struct AnswerKey {
    key: SigningKey,
    /// Of its public half, if it has one.
    thumbprint: Option<Thumbprint>,
}

impl Contents for AnswerKey {
    fn parse(document: &[u8]) -> Result<Self, KeysError> {
        let key = SigningKey::parse(document, None)?;
        let public = key.public_jwk();
        Ok(Self {
            thumbprint: public.and_then(|jwk| digest::thumbprint(&jwk)),
            key,
        })
    }

    fn keys(&self) -> usize {
        1
    }
}

/// What signs the answers of one snapshot.
#[derive(Debug)]
pub(in crate::identity) struct Answers {
    key: Arc<Source<AnswerKey>>,
    key_id: Option<Box<str>>,
    /// The token that says whose the key is.
    token: Option<Arc<Source<OwnToken>>>,
}

/// What an answer is bound to: the parts of its request that outlive it.
#[derive(Debug)]
pub struct Asked {
    method: Method,
    uri: Uri,
    /// `signature` alone.
    headers: HeaderMap,
    /// The nonce of the signature of a workload.
    nonce: Option<Box<str>>,
}

impl Asked {
    fn of<B>(request: &http::Request<B>) -> Self {
        let mut headers = HeaderMap::new();
        for line in request.headers().get_all(SIGNATURE) {
            headers.append(SIGNATURE, line.clone());
        }
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers,
            nonce: None,
        }
    }

    /// The same as a signature covers it.
    fn request(&self) -> Request<'_> {
        Request {
            method: self.method.as_str(),
            scheme: "https",
            authority: "",
            path: self.uri.path(),
            query: self.uri.query(),
            target: None,
            headers: &self.headers,
        }
    }

    /// The signature of the request, where it has one that can be covered: one member by its label, or all of several.
    fn signature(&self) -> Option<Component<'static>> {
        let whole = Component::field(SIGNATURE).ok()?.with(Parameter::Req);
        let value = Component::value_of(&self.headers, &whole).ok()?;
        let bounds = Bounds {
            members: 8,
            items: 0,
            parameters: 8,
        };
        match structured::dictionary(&value, bounds).as_deref() {
            Ok([(label, _)]) => Some(whole.with(Parameter::Key(String::from(*label).into()))),
            Ok(_) | Err(_) => Some(whole),
        }
    }
}

impl Answers {
    pub(in crate::identity) fn new(config: &Config, store: &KeyStore) -> Option<Self> {
        let answers = config.answers.as_ref()?;
        Some(Self {
            key: store.answer_key(answers.with.key.clone()),
            key_id: answers.with.key_id.clone(),
            token: answers.token.as_deref().map(|file| store.own_token(file)),
        })
    }

    pub(in crate::identity) fn asked<B>(&self, request: &http::Request<B>) -> Asked {
        let nonce = self.token.as_ref();
        Asked {
            nonce: nonce.and_then(|_| workload::nonce(request.headers())),
            ..Asked::of(request)
        }
    }

    /// Signs an answer. `content` is all of it, be it nothing; a stream, whose content is not there yet, is signed by its head
    /// alone.
    ///
    /// What cannot be signed leaves unsigned: whoever wants a signature notices, and whoever does not is served. That no
    /// key could be loaded shows in readiness.
    pub(in crate::identity) fn sign(
        &self,
        asked: &Asked,
        status: StatusCode,
        headers: &mut HeaderMap,
        content: Option<&[u8]>,
        now: Timestamp,
    ) {
        // Of what the agent signed, something may have changed on the way.
        headers.remove(INPUT);
        headers.remove(SIGNATURE);
        let Some(key) = self.key.loaded() else {
            return;
        };
        if let Some(nonce) = &asked.nonce {
            // In that profile what has content and no digest does not count, so a stream is better not signed at all.
            if let (Some(token), Some(content)) = (&self.token, content) {
                let answer = workload::Answer {
                    asked,
                    nonce,
                    status,
                    content,
                };
                let signed = answer.sign(&key.contents, token, headers, now);
                finish(signed, headers);
            }
            return;
        }
        let content = content.filter(|content| !content.is_empty());
        if let Some(content) = content
            && let Ok(digest) = HeaderValue::from_str(&content_digest(content))
        {
            headers.insert("content-digest", digest);
        }
        let key = &key.contents.key;
        let signed = self.signed(key, asked, status, headers, content.is_some(), now);
        finish(signed, headers);
    }

    fn signed(
        &self,
        key: &SigningKey,
        asked: &Asked,
        status: StatusCode,
        headers: &HeaderMap,
        has_content: bool,
        now: Timestamp,
    ) -> Result<[HeaderValue; 2], SignError> {
        let mut covers = vec![Component::derived(Derived::Status)];
        if headers.contains_key(CONTENT_TYPE) {
            covers.push(Component::field("content-type")?);
        }
        if has_content {
            covers.push(Component::field("content-digest")?);
        }
        for derived in [Derived::Method, Derived::Path, Derived::Query] {
            covers.push(Component::derived(derived).with(Parameter::Req));
        }
        let bound = asked.headers.contains_key(SIGNATURE);
        covers.extend(asked.signature().filter(|_| bound));
        let named = || key.name();
        let key_id = self.key_id.clone().or_else(named).unwrap_or_default();
        let plan = Plan {
            label: "lictor",
            covers: &covers,
            created: Some(now.as_second()),
            key_id: Some(&key_id),
            tag: Some("lictor"),
            ..Plan::default()
        };
        let message = Message::Response {
            status: status.as_u16(),
            headers,
            request: Some(asked.request()),
        };
        fields(&plan.sign(&message, key)?)
    }
}

/// The two fields of a signature.
fn fields(signed: &Signed) -> Result<[HeaderValue; 2], SignError> {
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| SigningKeyError::Signing);
    Ok([value(&signed.input)?, value(&signed.signature)?])
}

fn finish(signed: Result<[HeaderValue; 2], SignError>, headers: &mut HeaderMap) {
    match signed {
        Ok([input, signature]) => {
            headers.insert(INPUT, input);
            headers.insert(SIGNATURE, signature);
        }
        Err(error) => tracing::debug!(%error, "an answer could not be signed"),
    }
}
