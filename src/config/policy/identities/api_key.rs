//! `apiKey` of an identity: where callers write their key, and where its hash stands.

use http::HeaderName;

use super::{is_taken, path};
use crate::config::decode::{Fields, refuse_literal, text};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::{API_KEY, KEY_FILE};
use crate::config::tree::{Entry, quoted};
use crate::identity::ApiKey;
use crate::model::IdentityName;

pub(super) fn read(entry: &Entry, name: &IdentityName, report: &mut Diagnostics) -> Option<ApiKey> {
    let what = format!("`apiKey` of identity `{name}`");
    let mut fields = Fields::of(&API_KEY, &entry.value, what, Some(entry.key.span), report)?;
    let header = fields.require("header", report);
    let header = header.and_then(|entry| header_name(entry, report));
    let keys = fields.require("keys", report);
    fields.finish(report);
    let keys = keys?;
    // Somebody may have put a key there.
    if refuse_literal(
        keys,
        "use { file: secrets/keys.json }; `lictor keys new` makes it",
        report,
    ) {
        return None;
    }
    let at = Some(keys.key.span);
    let mut fields = Fields::of(&KEY_FILE, &keys.value, "`keys`", at, report)?;
    let file = fields.require("file", report);
    fields.finish(report);
    let file = path(&file?.value, "`file`", report);
    Some(ApiKey {
        header: header?,
        file: file?,
    })
}

/// The field that holds a credential.
pub(super) fn header_name(entry: &Entry, report: &mut Diagnostics) -> Option<HeaderName> {
    let text = text(&entry.value, "`header`", report)?;
    let name = text.parse::<HeaderName>().ok();
    match name {
        Some(name) if !is_taken(&name) => Some(name),
        Some(_) | None => {
            let title = format_args!("{} is no header field for a credential", quoted(text));
            let diagnostic = Diagnostic::error(Code::BadValue, title).at(entry.value.span, "");
            report.push(diagnostic.help("name a field such as x-api-key, or authorization"));
            None
        }
    }
}
