//! Which version of A2A a request says that it speaks.

use std::borrow::Cow;

use http::HeaderName;
use http::request::Parts;

use crate::model::A2aVersion;

use super::path;

/// The field and the query parameter (A2A 1.0, section 3.6.1).
const NAME: &str = "a2a-version";
static FIELD: HeaderName = HeaderName::from_static(NAME);

/// The versions that the head names. More than one is a contradiction only if their shapes differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Asserted {
    v0: bool,
    v1: bool,
}

impl Asserted {
    pub(super) fn from_parts(parts: &Parts) -> Self {
        let mut asserted = Self::default();
        for value in parts.headers.get_all(&FIELD) {
            asserted.add(&String::from_utf8_lossy(value.as_bytes()));
        }
        for (name, value) in parts.uri.query().into_iter().flat_map(pairs) {
            if unescape(name).eq_ignore_ascii_case(NAME) {
                asserted.add(&unescape(value));
            }
        }
        asserted
    }

    /// Whether a call of this shape is what the head says.
    ///
    /// No version is 0.3 by the letter of the standard, but the recorded clients of 0.3 and agents of
    /// 1.0 live without it, and the method alone tells the shape: so nothing contradicts nothing. A
    /// version that we do not know contradicts nothing either: which ones the agent serves only the
    /// agent knows, and it answers with the error that its clients understand.
    pub(super) const fn agrees_with(self, version: A2aVersion) -> bool {
        match version {
            A2aVersion::V0_1 | A2aVersion::V0_3 => !self.v1,
            A2aVersion::V1_0 => !self.v0,
        }
    }

    /// The one that is named.
    pub(super) const fn version(self) -> Option<A2aVersion> {
        match (self.v0, self.v1) {
            (true, false) => Some(A2aVersion::V0_3),
            (false, true) => Some(A2aVersion::V1_0),
            (false, false) | (true, true) => None,
        }
    }

    fn add(&mut self, values: &str) {
        for value in values.split(',').map(str::trim) {
            // Patch numbers are not considered (A2A 1.0, section 3.6).
            match value.split('.').next() {
                Some("0") => self.v0 = true,
                Some("1") => self.v1 = true,
                Some(_) | None => {}
            }
        }
    }
}

/// The text of one part of a query; what does not decode names no version.
fn unescape(part: &str) -> Cow<'_, str> {
    if !part.contains('%') {
        return Cow::Borrowed(part);
    }
    let decoded = path::unescape(part);
    let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    Cow::Owned(decoded.unwrap_or_default())
}

fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter_map(|pair| pair.split_once('='))
}
