//! What several processes have in common: owners in a store, asked when this process does not know.
//!
//! A call that names what it owns and used here before costs no question, but one an hour. Whatever is claimed is claimed in the
//! store, before the call is forwarded: the store alone decides between two.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::model::Principal;

use super::file::Kind;
use super::table::Owned;

/// A store of owners that several processes have in common, and that outlives each of them. Keys and values are short
/// texts, which tell nothing to who does not know what they are made of.
pub trait SharedOwners: fmt::Debug + Send + Sync {
    /// Whether it answers now, as far as is known.
    fn answers(&self) -> bool;

    /// What is there, for each key.
    fn look(&self, keys: Vec<String>) -> Asking<'_, Vec<Option<String>>>;

    /// Sets a key for so long if it is not there; if it is, tells what is. Of several who do so at once, one sets it.
    fn claim(&self, key: String, value: String, keep: Duration) -> Asking<'_, Option<String>>;

    /// Sets a key for so long, whatever is there.
    fn put(&self, key: String, value: String, keep: Duration) -> Asking<'_, ()>;
}

/// What comes of a question, within a bounded time: an answer, or why there is none.
pub type Asking<'a, T> = Pin<Box<dyn Future<Output = Result<T, Box<str>>> + Send + 'a>>;

/// The store, and the agent whose objects are meant.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) owners: Arc<dyn SharedOwners>,
    pub(super) agent: Box<str>,
}

/// What the store says of an object, from where a caller stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The caller's.
    Mine,
    /// Somebody else's.
    NotMine,
    /// Nobody's.
    Nobodys,
    /// Kept for the caller, and the agent has not named it yet.
    Reserved,
}

impl Shared {
    pub(super) fn key<K: Owned>(&self, object: &K) -> String {
        let kind = match K::KIND {
            Kind::Context => "context",
            Kind::Session => "session",
            Kind::Task => "task",
        };
        format!("own:{}", digest(&[&self.agent, kind, object.text()]))
    }
}

/// A caller as it stands in the store.
#[derive(Debug)]
pub(super) struct Mark(String);

impl Mark {
    pub(super) fn new(principal: &Principal) -> Self {
        Self(digest(&[
            principal.identity.as_str(),
            principal.id.as_str(),
            principal.tenant.as_str(),
        ]))
    }

    /// The value of what is the caller's.
    pub(super) fn owned(&self) -> String {
        format!("o{}", self.0)
    }

    /// The value of what is kept for the caller.
    pub(super) fn reserved(&self) -> String {
        format!("r{}", self.0)
    }

    pub(super) fn found(&self, value: Option<&str>) -> Found {
        match value {
            None | Some("") => Found::Nobodys,
            Some(value) if value.strip_prefix('o') == Some(&self.0) => Found::Mine,
            Some(value) if value.strip_prefix('r') == Some(&self.0) => Found::Reserved,
            Some(_) => Found::NotMine,
        }
    }
}

/// 32 hexadecimal digits. Callers choose ids: two that are equal here (2^64 tries) are one object, so that who finds them
/// shares it with nobody but itself.
fn digest(parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        // Lengths keep `ab` + `c` apart from `a` + `bc`.
        hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut hex = hasher.finalize().to_hex().to_string();
    hex.truncate(32);
    hex
}
