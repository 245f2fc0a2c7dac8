//! Header fields by which a request claims to be another one.

use http::header::{HeaderMap, HeaderName};
use http::request::Parts;

/// Fields that common frameworks take for the method.
static METHODS: [HeaderName; 3] = [
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-method-override"),
];

/// Fields that some take for the target.
static TARGETS: [HeaderName; 2] = [
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-rewrite-url"),
];

/// The field that names another method or target than the request line, if one does.
pub(super) fn contradiction(parts: &Parts) -> Option<&'static HeaderName> {
    // All of them begin so, and most requests have no such field at all.
    if !parts
        .headers
        .keys()
        .any(|name| name.as_str().starts_with('x'))
    {
        return None;
    }
    let method = parts.method.as_str().as_bytes();
    let target = parts.uri.path_and_query();
    let target = target.map_or("/", |target| target.as_str()).as_bytes();
    let differs = |name: &HeaderName, expected: &[u8]| {
        let mut values = parts.headers.get_all(name).iter();
        values.any(|value| value.as_bytes().trim_ascii() != expected)
            || is_spelt_with_underscores(&parts.headers, name)
    };
    let methods = METHODS.iter().map(|name| (name, method));
    let targets = TARGETS.iter().map(|name| (name, target));
    methods
        .chain(targets)
        .find(|(name, expected)| differs(name, expected))
        .map(|(name, _)| name)
}

/// Whether the field is there as `x_http_method_override`, which servers that hand fields to programs as
/// variables read as the same name. Nobody writes it so who means well.
pub(super) fn is_spelt_with_underscores(headers: &HeaderMap, name: &HeaderName) -> bool {
    let name = name.as_str();
    let same = |theirs: &str| {
        theirs.len() == name.len()
            && theirs.contains('_')
            && theirs
                .bytes()
                .zip(name.bytes())
                .all(|(theirs, ours)| theirs == ours || (theirs == b'_' && ours == b'-'))
    };
    headers.keys().any(|theirs| same(theirs.as_str()))
}
