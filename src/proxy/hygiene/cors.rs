//! Cross-origin resource sharing, spoken for the agent (Fetch, section 3.2).

use std::sync::Arc;

use http::Method;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};
use http::request::Parts;

use crate::model::RuleRef;

use super::config::CorsConfig;
use super::origin::Origins;

/// What browsers are told, ready to be inserted.
#[derive(Debug)]
pub(super) struct Cors {
    pub(super) rule: Arc<RuleRef>,
    origins: Origins,
    credentials: bool,
    expose: HeaderValue,
    methods: HeaderValue,
    headers: HeaderValue,
    max_age: Option<HeaderValue>,
}

impl Cors {
    pub(super) fn compile(config: CorsConfig) -> Self {
        Self {
            rule: config.rule,
            origins: config.origins,
            credentials: config.credentials,
            expose: listed(OURS.iter().chain(&config.expose)),
            methods: listed(&config.methods),
            headers: listed(&config.headers),
            max_age: config.max_age.map(|age| HeaderValue::from(age.as_secs())),
        }
    }

    /// What to call the request's origin if its page may read the answer.
    pub(super) fn grant(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut origins = headers.get_all(ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (Some(origin), None) => self.origins.find(origin).cloned(),
            (_, Some(_)) | (None, None) => None,
        }
    }

    /// What an answer says, be it the agent's or ours.
    pub(super) fn apply(&self, headers: &mut HeaderMap, granted: Option<&HeaderValue>) {
        if !self.origins.is_any() {
            vary(headers);
        }
        let Some(origin) = granted else {
            return;
        };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, self.expose.clone());
        if self.credentials {
            headers.insert(
                ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
        }
    }

    /// What the answer to a preflight says besides.
    pub(super) fn permit(&self, headers: &mut HeaderMap) {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, self.headers.clone());
        if let Some(max_age) = &self.max_age {
            headers.insert(ACCESS_CONTROL_MAX_AGE, max_age.clone());
        }
    }
}

/// Whether a browser asks for permission (Fetch, section 3.2.2).
pub(super) fn is_preflight(parts: &Parts) -> bool {
    parts.method == Method::OPTIONS
        && parts.headers.contains_key(ORIGIN)
        && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// What the agent itself says to pages of other origins: two that speak of it contradict each other.
pub(super) fn remove(headers: &mut HeaderMap) {
    for name in &FIELDS {
        headers.remove(name);
    }
}

/// A cache must not give one page what was meant for another (Fetch, section 3.2.6).
fn vary(headers: &mut HeaderMap) {
    let names = headers
        .get_all(VARY)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii);
    let is_said = |name: &[u8]| name == b"*" || name.eq_ignore_ascii_case(b"origin");
    if !names.into_iter().any(is_said) {
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
}

/// Names as a field carries them.
fn listed<'a, T: AsRef<str> + 'a>(names: impl IntoIterator<Item = &'a T>) -> HeaderValue {
    let names: Vec<&str> = names.into_iter().map(AsRef::as_ref).collect();
    let text = names.join(", ");
    // Methods and names are tokens, which may stand in a field.
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

static FIELDS: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

/// Fields that a client reacts to, whatever the agent is.
static OURS: [HeaderName; 6] = [
    HeaderName::from_static("lictor-decision-id"),
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    HeaderName::from_static("retry-after"),
    HeaderName::from_static("www-authenticate"),
    HeaderName::from_static("x-request-id"),
];
