//! Answers that we sign (RFC 9421, section 2.4): the caller can tell that they are ours, whole, and to its own request.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use jiff::Timestamp;

use super::fields::{INPUT, SIGNATURE};
use super::structured::{self, Bounds};
use super::{
    Component, Derived, Message, Parameter, Plan, Request, SignError, SigningKey, content_digest,
};
use crate::identity::sources::{Contents, Source};
use crate::identity::{Config, KeyStore, KeysError};

/// A file with the key.
#[derive(Debug)]
pub(in crate::identity) struct AnswerKey(SigningKey);

impl Contents for AnswerKey {
    fn parse(document: &[u8]) -> Result<Self, KeysError> {
        Ok(Self(SigningKey::parse(document, None)?))
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
}

/// What an answer is bound to: the parts of its request that outlive it.
#[derive(Debug)]
pub struct Asked {
    method: Method,
    uri: Uri,
    /// `signature` alone.
    headers: HeaderMap,
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
            key: store.answer_key(answers.key.clone()),
            key_id: answers.key_id.clone(),
        })
    }

    pub(in crate::identity) fn asked<B>(&self, request: &http::Request<B>) -> Asked {
        Asked::of(request)
    }

    /// Signs an answer. `content` is all of it, where it is there; a stream is signed by its head alone.
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
        if let Some(content) = content
            && let Ok(digest) = HeaderValue::from_str(&content_digest(content))
        {
            headers.insert("content-digest", digest);
        }
        let signed = self.signed(
            &key.contents.0,
            asked,
            status,
            headers,
            content.is_some(),
            now,
        );
        match signed {
            Ok([input, signature]) => {
                headers.insert(INPUT, input);
                headers.insert(SIGNATURE, signature);
            }
            Err(error) => tracing::debug!(%error, "an answer could not be signed"),
        }
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
            request: Some(Request {
                method: asked.method.as_str(),
                scheme: "https",
                authority: "",
                path: asked.uri.path(),
                query: asked.uri.query(),
                target: None,
                headers: &asked.headers,
            }),
        };
        let signed = plan.sign(&message, key)?;
        let value =
            |text: &str| HeaderValue::from_str(text).map_err(|_| super::SigningKeyError::Signing);
        Ok([value(&signed.input)?, value(&signed.signature)?])
    }
}
