//! `http.signResponses`: with what answers are signed; and secrets that sign.

use super::identities;
use crate::config::decode::{Fields, bad_value, refuse_literal, text};
use crate::config::diagnostic::Diagnostics;
use crate::config::language::Record;
use crate::config::language::policy::SIGN_RESPONSES;
use crate::config::tree::Entry;
use crate::identity::{AnswerSigning, OwnSigning, SecretSource};

pub(super) fn read(entry: &Entry, report: &mut Diagnostics) -> Option<AnswerSigning> {
    let (what, at) = ("`signResponses`", Some(entry.key.span));
    let mut fields = Fields::of(&SIGN_RESPONSES, &entry.value, what, at, report)?;
    let token = fields.take("workloadToken");
    let token = token.and_then(|entry| identities::path(&entry.value, "`workloadToken`", report));
    let with = key_of(fields, report)?;
    Some(AnswerSigning { with, token })
}

/// What else is signed with a key that has a name.
pub(super) fn read_as(
    record: &'static Record,
    what: &str,
    entry: &Entry,
    report: &mut Diagnostics,
) -> Option<OwnSigning> {
    let at = Some(entry.key.span);
    let fields = Fields::of(record, &entry.value, what, at, report)?;
    key_of(fields, report)
}

fn key_of(mut fields: Fields<'_>, report: &mut Diagnostics) -> Option<OwnSigning> {
    let key = fields.require("key", report);
    let key = key.and_then(|key| secret(key, report));
    let key_id = fields.take("keyid");
    let key_id = key_id.and_then(|entry| visible(entry, "`keyid`", report));
    fields.finish(report);
    Some(OwnSigning { key: key?, key_id })
}

/// A key that nobody may write out, whatever its field is called.
pub(super) fn secret(entry: &Entry, report: &mut Diagnostics) -> Option<SecretSource> {
    if refuse_literal(entry, "use { file: secrets/key.pem }", report) {
        return None;
    }
    identities::secret(entry, report)
}

/// A text that can stand in a signature (RFC 9651, section 3.3.3).
pub(super) fn visible(entry: &Entry, what: &str, report: &mut Diagnostics) -> Option<Box<str>> {
    let text = text(&entry.value, what, report)?;
    if text.len() > 128 || !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        report.push(bad_value(
            &entry.value,
            what,
            "1 to 128 characters of ASCII",
        ));
        return None;
    }
    Some(Box::from(text))
}
