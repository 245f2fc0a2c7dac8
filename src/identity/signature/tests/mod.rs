//! The examples of RFC 9421, a table of bad signatures, and properties.

mod bad;
mod digests;
mod keys;
mod profiles;
mod properties;
mod public_half;
mod values;
mod vectors;

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    Component, Examined, Fields, Message, Nonces, Request, Requirements, Signature, SignatureError,
    Signatures, VerifyingKey,
};

/// When messages of these tests are sent.
const NOW: i64 = 1_780_000_000;

/// A message that owns its parts.
#[derive(Debug, Clone)]
struct Owned {
    method: String,
    scheme: String,
    authority: String,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Owned {
    fn post(target: &str, body: &[u8]) -> Self {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        Self {
            method: "POST".to_owned(),
            scheme: "https".to_owned(),
            authority: "agent.example".to_owned(),
            path: path.to_owned(),
            query,
            headers: HeaderMap::new(),
            body: body.to_vec(),
        }
    }

    fn field(&mut self, name: &str, value: impl AsRef<[u8]>) {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
        self.headers.append(name, value);
    }

    fn request(&self) -> Request<'_> {
        Request {
            method: &self.method,
            scheme: &self.scheme,
            authority: &self.authority,
            path: &self.path,
            query: self.query.as_deref(),
            target: None,
            headers: &self.headers,
        }
    }
}

/// Whatever is signed, at whatever time.
fn lax() -> Requirements {
    Requirements {
        covers: Vec::new(),
        max_age: Duration::from_secs(u32::MAX.into()),
        skew: Duration::from_secs(30),
        nonces: Nonces::Optional,
        expires: false,
    }
}

fn components(texts: &[&str]) -> Vec<Component<'static>> {
    texts
        .iter()
        .map(|text| Component::parse(text).unwrap())
        .collect()
}

/// Examines the only signature and lets the key verify it.
fn verify(
    message: &Message<'_>,
    requirements: &Requirements,
    key: &VerifyingKey,
    body: Option<&[u8]>,
    now: i64,
) -> Result<String, SignatureError> {
    let fields = Fields::of(message.headers())?.ok_or(SignatureError::NotForUs)?;
    let signatures = Signatures::parse(&fields)?;
    let mut ours = signatures.iter();
    let (Some(only), None) = (ours.next(), ours.next()) else {
        return Err(SignatureError::Ambiguous);
    };
    let examined = examine(only, message, requirements, body.is_some(), now)?;
    examined.verify(key)?;
    if let (Some(digest), Some(body)) = (&examined.digest, body) {
        digest.check(body)?;
    }
    Ok(examined.base().to_owned())
}

fn examine<'a>(
    signature: &'a Signature<'_>,
    message: &Message<'_>,
    requirements: &Requirements,
    has_content: bool,
    now: i64,
) -> Result<Examined<'a>, SignatureError> {
    requirements.examine(signature, message, has_content, now)
}
