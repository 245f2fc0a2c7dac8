//! `dictionary` of a detector: exact values, as hashes in a file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::identities;
use crate::config::beside;
use crate::config::decode::Fields;
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::DICTIONARY;
use crate::config::source::Span;
use crate::config::tree::Entry;
use crate::scan::Dictionary;

/// Two million values.
const MAX_FILE_BYTES: u64 = 80 << 20;
const MAX_KEY_BYTES: u64 = 1024;

/// Reads the file, and the key beside it.
pub(super) fn read(entry: &Entry, report: &mut Diagnostics) -> Option<Arc<Dictionary>> {
    let at = Some(entry.key.span);
    let mut fields = Fields::of(&DICTIONARY, &entry.value, "`dictionary`", at, report)?;
    let file = fields.require("file", report);
    fields.finish(report);
    let file = file?;
    let path = identities::path(&file.value, "`file`", report)?;
    let span = file.value.span;
    let key = contents(&key_path(&path), MAX_KEY_BYTES, "the key", span, report)?;
    let text = contents(&path, MAX_FILE_BYTES, "the dictionary", span, report)?;
    let read = Dictionary::read_key(&key).and_then(|key| Dictionary::read(&text, key));
    match read {
        Ok(dictionary) => Some(Arc::new(dictionary)),
        Err(error) => {
            let title = format_args!("the dictionary cannot be used: {error}");
            report.push(
                Diagnostic::error(Code::BadValue, title)
                    .at(span, "")
                    .help("make it with `lictor keys dictionary VALUES --out FILE`"),
            );
            None
        }
    }
}

fn contents(
    path: &Path,
    most: u64,
    what: &str,
    at: Span,
    report: &mut Diagnostics,
) -> Option<String> {
    let read = beside::read(path, most).and_then(|bytes| {
        String::from_utf8(bytes).map_err(|_| std::io::Error::other("it is not UTF-8"))
    });
    match read {
        Ok(text) => Some(text),
        Err(error) => {
            let title = format_args!("{what} cannot be read: {error}");
            report.push(
                Diagnostic::error(Code::Unreadable, title)
                    .at(at, "")
                    .help("`lictor keys dictionary` writes FILE and FILE.key; a path is relative to the policy file that names it"),
            );
            None
        }
    }
}

fn key_path(dictionary: &Path) -> PathBuf {
    let mut path = dictionary.as_os_str().to_owned();
    path.push(".key");
    PathBuf::from(path)
}
