//! New keys, and the entries of their file.

use std::fmt;

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use jiff::Timestamp;
use serde_json::Value;

use crate::identity::digest::{hex, sha256};
use crate::identity::error::KeysError;
use crate::identity::json as strict;
use crate::identity::sources::Contents as _;

use super::ApiKeys;

/// By which a key is known for one of ours, to people and to scanners of secrets.
const PREFIX: &str = "lictor_";

/// A key that was just made. It is kept nowhere.
pub struct MadeKey(String);

impl fmt::Debug for MadeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MadeKey(hidden)")
    }
}

impl MadeKey {
    /// Makes a key of 256 random bits; `None` when the system has no randomness to give.
    pub fn random() -> Option<Self> {
        let mut bits = [0; 32];
        SystemRandom::new().fill(&mut bits).ok()?;
        Some(Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bits))))
    }

    /// The key, for the one who is to have it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What stands in the file in place of the key.
    pub fn sha256(&self) -> String {
        key_sha256(self.0.as_bytes())
    }
}

/// The SHA-256 of a key in hexadecimal digits: what stands in the file in place of the key.
pub fn key_sha256(key: &[u8]) -> String {
    hex(&sha256(key))
}

/// What the file of keys says of one.
#[derive(Debug, Clone)]
pub struct KeyEntry {
    /// Who has the key.
    pub id: String,
    /// Its SHA-256, by [`key_sha256`].
    pub sha256: String,
    /// The party that it belongs to.
    pub tenant: Option<String>,
    /// The groups that it is in.
    pub groups: Vec<String>,
    /// From when on it counts.
    pub not_before: Option<Timestamp>,
    /// Until when.
    pub not_after: Option<Timestamp>,
}

impl KeyEntry {
    /// The entry as it stands in the file: JSON on one line.
    pub fn line(&self) -> String {
        self.json().to_string()
    }

    /// The file with this entry behind those that it has; a new file without one.
    ///
    /// # Errors
    /// When the file is no file of keys, or would be none with this entry.
    pub fn added_to(&self, file: Option<&[u8]>) -> Result<String, KeysError> {
        let entries = match file {
            Some(file) => {
                let _keys = ApiKeys::parse(file)?;
                strict::object(file)
                    .ok()
                    .and_then(|mut file| file.remove("keys"))
            }
            None => None,
        };
        let entries = entries
            .iter()
            .flat_map(|entries| entries.as_array())
            .flatten();
        let lines: Vec<_> = entries
            .cloned()
            .chain([self.json()])
            .map(|entry| format!("  {entry}"))
            .collect();
        // One line for each, so that a change of one is seen as that.
        let text = format!("{{ \"keys\": [\n{}\n] }}\n", lines.join(",\n"));
        let _keys = ApiKeys::parse(text.as_bytes())?;
        Ok(text)
    }

    fn json(&self) -> Value {
        let mut entry = serde_json::json!({ "id": self.id, "sha256": self.sha256 });
        let time = |time: Option<Timestamp>| time.map(|time| serde_json::json!(time.to_string()));
        let optional = [
            (
                "tenant",
                self.tenant.as_ref().map(|tenant| serde_json::json!(tenant)),
            ),
            (
                "groups",
                (!self.groups.is_empty()).then(|| serde_json::json!(self.groups)),
            ),
            ("notBefore", time(self.not_before)),
            ("notAfter", time(self.not_after)),
        ];
        if let Some(fields) = entry.as_object_mut() {
            fields.extend(
                optional
                    .into_iter()
                    .filter_map(|(name, value)| Some((name.to_owned(), value?))),
            );
        }
        entry
    }
}
