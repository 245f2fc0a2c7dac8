//! The file of a party's keys: their hashes, never the keys.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::str::FromStr as _;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::identity::digest::sha256;
use crate::identity::error::{Excerpt, KeysError};
use crate::identity::json::{self, JsonError};
use crate::identity::sources::Contents;
use crate::model::{PrincipalId, TenantId};

/// Keys that stand in examples and default configurations, so that somebody tries them first. In small letters.
const KNOWN_DEFAULTS: &[&str] = &[
    "0123456789abcdef",
    "1234",
    "12345678",
    "123456789",
    "1234567890",
    "admin",
    "anonymous",
    "anything",
    "api-key",
    "api_key",
    "apikey",
    "change-me",
    "change_me",
    "changeit",
    "changeme",
    "default",
    "demo",
    "demo-key",
    "dev",
    "development",
    "dummy",
    "dummy-key",
    "empty",
    "example",
    "fake",
    "fake-key",
    "foobar",
    "insecure",
    "key",
    "letmein",
    "lm-studio",
    "mysecret",
    "no-key",
    "no-key-required",
    "none",
    "not-needed",
    "nothing",
    "null",
    "ollama",
    "password",
    "placeholder",
    "root",
    "sample",
    "secret",
    "secret-key",
    "sk-1234",
    "sk-123456",
    "sk-default",
    "sk-no-key-required",
    "sk-test",
    "sk-xxxx",
    "super-secret",
    "supersecret",
    "test",
    "test-api-key",
    "test-key",
    "test123",
    "testing",
    "token",
    "undefined",
    "your-api-key",
    "your-api-key-here",
    "your_api_key",
    "your_api_key_here",
];

/// The largest number of keys in one file, some 50 MiB in memory.
const MAX_KEYS: usize = 100_000;

/// The SHA-256 of a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct KeyHash([u8; 32]);

impl KeyHash {
    pub(super) fn of(key: &[u8]) -> Self {
        Self(sha256(key))
    }

    /// 64 hexadecimal digits, as `sha256sum` prints them.
    fn read(text: &str) -> Option<Self> {
        let mut hash = [0; 32];
        hex_digits(text, &mut hash).then_some(Self(hash))
    }
}

/// Not even the hash: of a key that somebody made up it can be found out.
impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(hidden)")
    }
}

fn hex_digits(text: &str, into: &mut [u8]) -> bool {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != into.len() || !rest.is_empty() {
        return false;
    }
    for (to, [high, low]) in into.iter_mut().zip(pairs) {
        let (Some(high), Some(low)) = (digit(*high), digit(*low)) else {
            return false;
        };
        *to = high << 4 | low;
    }
    true
}

/// What stands beside the hash of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: PrincipalId,
    pub(super) tenant: Option<TenantId>,
    pub(super) groups: Vec<Box<str>>,
    pub(super) not_before: Option<Timestamp>,
    pub(super) not_after: Option<Timestamp>,
}

/// All keys of one file.
#[derive(Debug)]
pub(in crate::identity) struct ApiKeys(pub(super) HashMap<KeyHash, Entry>);

impl Contents for ApiKeys {
    const MAX_BYTES: usize = 32 * 1024 * 1024;

    fn parse(document: &[u8]) -> Result<Self, KeysError> {
        let malformed = |text: String| KeysError::Malformed(text.into());
        let file = json::object(document).map_err(|error| match error {
            JsonError::Duplicate(key) => malformed(format!("key `{}` twice", Excerpt::new(&key))),
            JsonError::Malformed => malformed("not a JSON object".to_owned()),
        })?;
        let Some(Value::Array(entries)) = file.get("keys") else {
            return Err(malformed("no array `keys`".to_owned()));
        };
        if entries.len() > MAX_KEYS {
            return Err(malformed(format!("more than {MAX_KEYS} keys")));
        }
        let known: HashSet<_> = KNOWN_DEFAULTS
            .iter()
            .map(|key| KeyHash::of(key.as_bytes()))
            .collect();
        let mut keys = HashMap::with_capacity(entries.len());
        for (number, entry) in (1..).zip(entries) {
            // By its number: a file that is half wrong would let half of the callers in, and nobody would look.
            let wrong = |what: String| malformed(format!("key {number}: {what}"));
            let (hash, entry) = read_entry(entry).map_err(wrong)?;
            if known.contains(&hash) {
                return Err(wrong(
                    "is a well-known default, which anybody tries first".to_owned(),
                ));
            }
            if keys.insert(hash, entry).is_some() {
                return Err(wrong(
                    "has a hash that stands in the file already".to_owned(),
                ));
            }
        }
        if keys.is_empty() {
            return Err(malformed("no key in it".to_owned()));
        }
        Ok(Self(keys))
    }

    fn keys(&self) -> usize {
        self.0.len()
    }
}

fn read_entry(entry: &Value) -> Result<(KeyHash, Entry), String> {
    let Value::Object(fields) = entry else {
        return Err("not an object".to_owned());
    };
    const FIELDS: &[&str] = &["groups", "id", "notAfter", "notBefore", "sha256", "tenant"];
    if let Some(unknown) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        let unknown = Excerpt::new(unknown);
        return Err(format!(
            "unknown field `{unknown}`; there are {}",
            FIELDS.join(", ")
        ));
    }
    let hash = text(fields, "sha256")?.ok_or("`sha256` is missing")?;
    // The text is not shown: somebody may have put the key there.
    let hash = KeyHash::read(hash)
        .ok_or("`sha256` is not 64 digits of 0-9 and a-f; `lictor keys hash` prints them")?;
    let id = text(fields, "id")?.ok_or("`id` is missing")?;
    let id = PrincipalId::new(id).map_err(|error| format!("`id`: {error}"))?;
    let tenant = text(fields, "tenant")?.map(TenantId::new).transpose();
    let tenant = tenant.map_err(|error| format!("`tenant`: {error}"))?;
    let groups = match fields.get("groups") {
        None => Vec::new(),
        Some(Value::Array(groups)) => {
            let groups = groups.iter().map(|group| group.as_str().map(Box::from));
            groups
                .collect::<Option<_>>()
                .ok_or("`groups` is not a list of texts")?
        }
        Some(_) => return Err("`groups` is not a list of texts".to_owned()),
    };
    let (not_before, not_after) = (time(fields, "notBefore")?, time(fields, "notAfter")?);
    if let (Some(from), Some(until)) = (not_before, not_after)
        && from >= until
    {
        return Err("`notBefore` is not before `notAfter`".to_owned());
    }
    let entry = Entry {
        id,
        tenant,
        groups,
        not_before,
        not_after,
    };
    Ok((hash, entry))
}

fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, String> {
    match fields.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("`{name}` is not a text")),
    }
}

fn time(fields: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, String> {
    let Some(text) = text(fields, name)? else {
        return Ok(None);
    };
    let wrong = |_| format!("`{name}` is not a time such as 2027-01-31T00:00:00Z");
    Timestamp::from_str(text).map(Some).map_err(wrong)
}
