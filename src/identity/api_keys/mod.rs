//! API keys: a text in a header field that is a secret by itself.
//!
//! Only hashes are kept. They are SHA-256 without salt, which is enough for keys that `lictor keys new` makes: 256
//! random bits cannot be guessed, however fast the hash is.

mod document;
mod mint;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use jiff::Timestamp;

use crate::model::{Credential, Principal};

use super::sources::Source;
use super::{Config, CredentialError, DEFAULT_TENANT, Identity, KeyStore, Kind};

use document::{Entry, KeyHash};

pub(super) use document::ApiKeys;
pub use mint::{KeyEntry, MadeKey, key_sha256};

/// The longest key that is looked at.
const MAX_KEY_BYTES: usize = 1024;

/// All identities whose callers send keys.
#[derive(Debug)]
pub(super) struct Keys {
    holders: Vec<Holder>,
}

/// One identity.
#[derive(Debug)]
struct Holder {
    identity: Identity,
    header: HeaderName,
    source: Arc<Source<ApiKeys>>,
    /// The callers whom the keys make, as of one version of the file.
    known: ArcSwapOption<Known>,
}

#[derive(Debug)]
struct Known {
    generation: u64,
    callers: HashMap<KeyHash, Caller>,
}

#[derive(Debug)]
struct Caller {
    principal: Result<Arc<Principal>, CredentialError>,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
}

impl Keys {
    pub(super) fn new(config: &Config, store: &KeyStore) -> Self {
        let holder = |identity: &Identity| match &identity.kind {
            Kind::ApiKey(key) => Some(Holder {
                identity: identity.clone(),
                header: key.header.clone(),
                source: store.api_keys(&key.file),
                known: ArcSwapOption::empty(),
            }),
            Kind::Jwt(_) | Kind::Mtls(_) | Kind::Signature(_) => None,
        };
        Self {
            holders: config.identities.iter().filter_map(holder).collect(),
        }
    }

    /// Who sent a request with this head, if a field for keys is there. `authorization` is looked at elsewhere, because
    /// what stands there can be a token as well.
    pub(super) async fn authenticate(
        &self,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Option<Arc<Principal>>, CredentialError> {
        let mut found: Option<Arc<Principal>> = None;
        for (at, holder) in self.holders.iter().enumerate() {
            let is_seen = |earlier: &Holder| earlier.header == holder.header;
            if holder.header == AUTHORIZATION || self.holders.iter().take(at).any(is_seen) {
                continue;
            }
            let mut fields = headers.get_all(&holder.header).iter();
            let Some(field) = fields.next() else { continue };
            if fields.next().is_some() {
                return Err(CredentialError::KeyRepeated);
            }
            let key = self.find(&holder.header, field.as_bytes(), now).await?;
            let key = key.ok_or(CredentialError::KeyUnknown)?;
            if found.as_ref().is_some_and(|found| *found != key) {
                return Err(CredentialError::KeysDiffer);
            }
            found = Some(key);
        }
        Ok(found)
    }

    /// Whether a key can stand in this field.
    pub(super) fn reads(&self, header: &HeaderName) -> bool {
        self.holders.iter().any(|holder| holder.header == header)
    }

    /// The fields that hold keys.
    pub(super) fn fields(&self) -> impl Iterator<Item = &HeaderName> {
        self.holders.iter().map(|holder| &holder.header)
    }

    /// Whose key this is; `None` for nobody's.
    pub(super) async fn find(
        &self,
        header: &HeaderName,
        key: &[u8],
        now: Timestamp,
    ) -> Result<Option<Arc<Principal>>, CredentialError> {
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            return Ok(None);
        }
        let hash = KeyHash::of(key);
        let mut missing = None;
        for holder in self.holders.iter().filter(|holder| holder.header == header) {
            match holder.known().await {
                Ok(known) => {
                    if let Some(caller) = known.callers.get(&hash) {
                        return caller.at(now).map(Some);
                    }
                }
                Err(error) => missing = Some(error),
            }
        }
        // A file that is not there may hold the very key.
        missing.map_or(Ok(None), Err)
    }
}

impl Caller {
    fn at(&self, now: Timestamp) -> Result<Arc<Principal>, CredentialError> {
        if self.not_before.is_some_and(|from| now < from) {
            return Err(CredentialError::KeyNotYetValid);
        }
        if self.not_after.is_some_and(|until| now >= until) {
            return Err(CredentialError::KeyExpired);
        }
        self.principal.clone()
    }
}

impl Holder {
    /// The callers of the file as it is now. They are made anew by the first call after a change.
    async fn known(&self) -> Result<Arc<Known>, CredentialError> {
        if self.source.loaded().is_none() {
            self.source.refetch().await;
        }
        let unavailable = || CredentialError::KeysUnavailable(self.identity.name.as_str().into());
        let loaded = self.source.loaded().ok_or_else(unavailable)?;
        if let Some(known) = self.known.load_full()
            && known.generation == loaded.generation
        {
            return Ok(known);
        }
        let ApiKeys(entries) = &loaded.contents;
        let callers = entries
            .iter()
            .map(|(hash, entry)| (*hash, self.caller(entry)));
        let known = Arc::new(Known {
            generation: loaded.generation,
            callers: callers.collect(),
        });
        self.known.store(Some(Arc::clone(&known)));
        Ok(known)
    }

    fn caller(&self, entry: &Entry) -> Caller {
        let tenant = entry
            .tenant
            .as_ref()
            .map_or(DEFAULT_TENANT, |tenant| tenant.as_str());
        let principal = self.identity.speak_for(tenant).map(|tenant| {
            Arc::new(Principal {
                identity: self.identity.name.clone(),
                id: entry.id.clone(),
                tenant,
                groups: entry.groups.clone(),
                claims: None,
                credential: Credential {
                    key: Some(Arc::from(entry.id.as_str())),
                    issued: entry.not_before,
                },
            })
        });
        Caller {
            principal,
            not_before: entry.not_before,
            not_after: entry.not_after,
        }
    }
}
