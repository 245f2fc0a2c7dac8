//! SARIF 2.1.0.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Region, message, region};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics, Severity};

pub(super) fn render(all: &Diagnostics) -> String {
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "lictor",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": Code::ALL.iter().copied().map(rule).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": all.iter().map(|each| result(all, each)).collect::<Vec<_>>(),
        }],
    });
    format!("{document:#}\n")
}

/// Section 3.49: what a code stands for.
fn rule(code: Code) -> Value {
    json!({
        "id": code.as_str(),
        "name": format!("{code:?}"),
        "shortDescription": { "text": code.meaning() },
        "help": { "text": code.remedy() },
    })
}

/// Section 3.27: one mistake.
fn result(all: &Diagnostics, diagnostic: &Diagnostic) -> Value {
    let code = diagnostic.code();
    let places = |place: Option<(_, &str)>| -> Vec<Value> {
        let region = place.and_then(|(span, label)| Some((region(all, span)?, label)));
        region
            .iter()
            .map(|(region, label)| location(region, label))
            .collect()
    };
    json!({
        "ruleId": code,
        "ruleIndex": Code::ALL.iter().position(|known| known.as_str() == code),
        "level": match diagnostic.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "message": { "text": message(diagnostic) },
        "locations": places(diagnostic.primary()),
        "relatedLocations": places(diagnostic.secondary()),
    })
}

/// Section 3.28.
fn location(region: &Region<'_>, label: &str) -> Value {
    let mut location = json!({
        "physicalLocation": {
            "artifactLocation": { "uri": reference(region.file) },
            "region": {
                "startLine": region.start.0,
                "startColumn": region.start.1,
                "endLine": region.end.0,
                "endColumn": region.end.1,
            },
        },
    });
    if let (false, Some(location)) = (label.is_empty(), location.as_object_mut()) {
        location.insert("message".into(), json!({ "text": label }));
    }
    location
}

/// A path as a reference (RFC 3986): relative stays relative, so that it is found wherever the files lie.
pub fn reference(path: &str) -> String {
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        // A colon in the first segment would make a scheme of it.
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _infallible = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_reference() {
        assert_eq!(reference("a b/ü:1.yaml"), "a%20b/%C3%BC%3A1.yaml");
        assert_eq!(reference("/etc/lictor/p.yaml"), "file:///etc/lictor/p.yaml");
    }
}
