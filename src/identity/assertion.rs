//! What lictor itself says of a caller, signed, so that an agent need not trust header fields alone.
//!
//! A short-lived JWT (RFC 7519); the admin port serves the public half of its key as a JWKS. The key is the operator's, in a
//! file that instances share and that is read again when it changes, or else one that is made when the process starts and
//! never leaves it. A key that was replaced stays in the JWKS as long as something that it signed counts. Signing takes
//! longer than all else that a small call costs, so an assertion is used for half of its life.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use foldhash::quality::RandomState;
use hashbrown::{Equivalent, HashMap};
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::model::Principal;

use super::own_key::OwnKey;
use super::signature::SigningKeyError;
use super::sources::{Loaded, Source};
use super::{KeyStore, SecretSource};

/// Callers whose assertions are kept. More of them at once are signed for anew, each time.
const MAX_KEPT: usize = 4096;

/// Former keys that are told. Of more, those whose assertions end first are told no more: that many keys within the life of
/// one assertion are a mistake.
const MAX_FORMER: usize = 16;

/// What is added to the end of the last assertion by a key: agents allow for clocks that differ.
const GRACE: Duration = Duration::from_secs(60);

/// What the operator says of assertions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssertionConfig {
    /// The field that carries it.
    pub header: HeaderName,
    /// Who says it: `iss`.
    pub issuer: String,
    /// For whom: `aud`.
    pub audience: String,
    /// How long one counts.
    pub lifetime: Duration,
    /// Where the private key lies; without it the process makes its own.
    pub key: Option<SecretSource>,
}

/// Why nothing can be said of callers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// The key was not read.
    #[error("the key `{source_name}` of `identityHeaders.assertion` cannot be used: {why}")]
    Key {
        /// The file or the variable.
        source_name: Box<str>,
        /// What is wrong with it.
        why: Box<str>,
    },
    /// The key is not there.
    #[error("the key of `identityHeaders.assertion` is not loaded")]
    Missing,
    /// The library failed to make a key or to sign, or the field cannot hold the token.
    #[error("no assertion could be signed")]
    Signing,
}

impl From<SigningKeyError> for AssertionError {
    fn from(_: SigningKeyError) -> Self {
        Self::Signing
    }
}

/// Signs assertions.
pub struct Assertions {
    config: AssertionConfig,
    key: Key,
    kept: Mutex<HashMap<Who, Kept, RandomState>>,
    told: Mutex<Told>,
}

enum Key {
    File(Arc<Source<OwnKey>>),
    Own(Box<OwnKey>),
}

/// The key that signs now, as it was when somebody asked.
enum Signer<'a> {
    File(Arc<Loaded<OwnKey>>),
    Own(&'a OwnKey),
}

/// The keys by which assertions are verified that may still count.
#[derive(Debug, Default)]
struct Told {
    current: Option<ToldKey>,
    /// At most [`MAX_FORMER`].
    former: Vec<ToldKey>,
}

#[derive(Debug)]
struct ToldKey {
    generation: u64,
    jwk: Map<String, Value>,
    /// Until when something counts that it signed.
    until: Timestamp,
}

impl fmt::Debug for Assertions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assertions")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Whom an assertion is about. Groups are told as well, so they take part.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Who {
    identity: Box<str>,
    id: Box<str>,
    tenant: Box<str>,
    groups: Vec<Box<str>>,
}

/// The same, borrowed from the caller: nothing is copied to look one up. It hashes as [`Who`] does.
#[derive(Debug, Hash)]
struct Whom<'a> {
    identity: &'a str,
    id: &'a str,
    tenant: &'a str,
    groups: &'a [Box<str>],
}

impl<'a> Whom<'a> {
    fn of(principal: &'a Principal) -> Self {
        Self {
            identity: principal.identity.as_str(),
            id: principal.id.as_str(),
            tenant: principal.tenant.as_str(),
            groups: &principal.groups,
        }
    }

    fn keep(&self) -> Who {
        Who {
            identity: self.identity.into(),
            id: self.id.into(),
            tenant: self.tenant.into(),
            groups: self.groups.to_vec(),
        }
    }
}

impl Equivalent<Who> for Whom<'_> {
    fn equivalent(&self, who: &Who) -> bool {
        *self.identity == *who.identity
            && *self.id == *who.id
            && *self.tenant == *who.tenant
            && *self.groups == *who.groups
    }
}

#[derive(Debug)]
struct Kept {
    value: HeaderValue,
    /// Of the key: what another one signed is not used any more.
    generation: u64,
    until: Timestamp,
}

impl Assertions {
    /// Takes the key from the store and waits for it, or makes one.
    ///
    /// # Errors
    /// When the key cannot be read, and when the system has no randomness.
    pub async fn open(config: AssertionConfig, store: &KeyStore) -> Result<Self, AssertionError> {
        let key = match config.key.clone() {
            None => Key::Own(Box::new(OwnKey::generate()?)),
            Some(place) => {
                let source = store.own_key(place);
                if source.loaded().is_none() {
                    source.refetch().await;
                }
                if source.loaded().is_none() {
                    let state = source.state();
                    return Err(AssertionError::Key {
                        source_name: state.source,
                        why: state.error.unwrap_or_else(|| Box::from("not loaded yet")),
                    });
                }
                Key::File(source)
            }
        };
        Ok(Self {
            config,
            key,
            kept: Mutex::default(),
            told: Mutex::default(),
        })
    }

    /// The field that carries an assertion.
    pub const fn header(&self) -> &HeaderName {
        &self.config.header
    }

    /// The keys by which assertions are verified: the one that signs now, then those of which something may still count.
    pub fn public_keys(&self, now: Timestamp) -> Vec<Value> {
        let Ok(signer) = self.key.signer() else {
            return Vec::new();
        };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.turn_to(&signer, now);
        told.keys()
    }

    /// What the agent is told of this caller.
    ///
    /// # Errors
    /// When the library fails to sign.
    pub fn of(&self, principal: &Principal, now: Timestamp) -> Result<HeaderValue, AssertionError> {
        let who = Whom::of(principal);
        let signer = self.key.signer()?;
        if let Some(kept) = self
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&who)
            && now < kept.until
            && kept.generation == signer.generation()
        {
            return Ok(kept.value.clone());
        }
        // First it is told, then it counts.
        self.will_sign(&signer, now);
        let value = self.sign(signer.key(), principal, now)?;
        let until = now.saturating_add(self.config.lifetime / 2).unwrap_or(now);
        let kept = Kept {
            value: value.clone(),
            generation: signer.generation(),
            until,
        };
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_KEPT {
            all.retain(|_, kept| now < kept.until);
        }
        if all.len() < MAX_KEPT {
            all.insert(who.keep(), kept);
        }
        Ok(value)
    }

    fn will_sign(&self, signer: &Signer<'_>, now: Timestamp) {
        let ends = self.config.lifetime + GRACE;
        let until = now.saturating_add(ends).unwrap_or(Timestamp::MAX);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.turn_to(signer, now);
        // A call that still has the key from before signs with what is a former key by now.
        let Told { current, former } = &mut *told;
        let mut keys = current.iter_mut().chain(former);
        if let Some(key) = keys.find(|key| key.generation == signer.generation()) {
            key.until = key.until.max(until);
        }
    }

    fn sign(
        &self,
        key: &OwnKey,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<HeaderValue, AssertionError> {
        let issued = now.as_second();
        let lifetime = i64::try_from(self.config.lifetime.as_secs()).unwrap_or_default();
        let header = json!({ "alg": key.algorithm(), "kid": key.name(), "typ": "JWT" });
        let claims = json!({
            "iss": self.config.issuer, "aud": self.config.audience,
            "sub": principal.id.as_str(), "tenant": principal.tenant.as_str(),
            "identity": principal.identity.as_str(), "groups": principal.groups,
            "iat": issued, "exp": issued.saturating_add(lifetime),
        });
        let (protected, claims) = (
            URL_SAFE_NO_PAD.encode(header.to_string()),
            claims.to_string(),
        );
        let signature = key.sign(&protected, &claims)?;
        let token = format!("{protected}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims));
        let mut value = HeaderValue::try_from(token).map_err(|_| AssertionError::Signing)?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl Key {
    fn signer(&self) -> Result<Signer<'_>, AssertionError> {
        match self {
            Self::File(source) => {
                let loaded = source.loaded().ok_or(AssertionError::Missing)?;
                Ok(Signer::File(loaded))
            }
            Self::Own(key) => Ok(Signer::Own(key)),
        }
    }
}

impl Signer<'_> {
    fn key(&self) -> &OwnKey {
        match self {
            Self::File(loaded) => &loaded.contents,
            Self::Own(key) => key,
        }
    }

    fn generation(&self) -> u64 {
        match self {
            Self::File(loaded) => loaded.generation,
            Self::Own(_) => 0,
        }
    }
}

impl Told {
    /// Makes this key the current one, unless it was replaced already.
    fn turn_to(&mut self, signer: &Signer<'_>, now: Timestamp) {
        self.former.retain(|key| now < key.until);
        let generation = signer.generation();
        let is_newer = |key: &ToldKey| key.generation < generation;
        if self.current.as_ref().is_some_and(|key| !is_newer(key)) {
            return;
        }
        let key = signer.key();
        let before = self.current.replace(ToldKey {
            generation,
            jwk: key.jwk(key.name()),
            until: now,
        });
        self.former.extend(before.filter(|key| now < key.until));
        if self.former.len() > MAX_FORMER {
            self.former.sort_by_key(|key| key.until);
            self.former.remove(0);
        }
    }

    /// Each name once: a file may be given back an earlier key.
    fn keys(&self) -> Vec<Value> {
        let mut keys: Vec<Value> = Vec::new();
        for key in self.current.iter().chain(self.former.iter().rev()) {
            let is_told = |told: &Value| told.get("kid") == key.jwk.get("kid");
            if !keys.iter().any(is_told) {
                keys.push(Value::Object(key.jwk.clone()));
            }
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::identity::signature::public_halves;
    use crate::identity::sources::Timing;
    use crate::model::{Credential, IdentityName, PrincipalId, TenantId};

    fn caller(id: &str, groups: &[&str]) -> Arc<Principal> {
        Arc::new(Principal {
            identity: IdentityName::new("corp").unwrap(),
            id: PrincipalId::new(id).unwrap(),
            tenant: TenantId::new("acme").unwrap(),
            groups: groups.iter().copied().map(Box::from).collect(),
            claims: None,
            credential: Credential::default(),
        })
    }

    fn config(key: Option<&std::path::Path>) -> AssertionConfig {
        AssertionConfig {
            header: HeaderName::from_static("x-lictor-assertion"),
            issuer: "lictor".to_owned(),
            audience: "agent".to_owned(),
            lifetime: Duration::from_secs(60),
            key: key.map(|path| SecretSource::File(path.to_owned())),
        }
    }

    fn store() -> KeyStore {
        let timing = Timing {
            file_poll: Duration::from_millis(10),
            file_cool_down: Duration::ZERO,
            ..Timing::default()
        };
        KeyStore::with_timing(tokio::runtime::Handle::current(), timing)
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn names(assertions: &Assertions, now: Timestamp) -> Vec<String> {
        let name = |key: Value| key["kid"].as_str().unwrap().to_owned();
        assertions.public_keys(now).into_iter().map(name).collect()
    }

    fn name_in(assertion: &HeaderValue) -> String {
        let header = assertion.to_str().unwrap().split('.').next().unwrap();
        let header = URL_SAFE_NO_PAD.decode(header).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        header["kid"].as_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn an_assertion_is_used_for_half_of_its_life_and_by_nobody_else() {
        let assertions = Assertions::open(config(None), &store()).await.unwrap();
        let first = assertions.of(&caller("ana", &["staff"]), at(0)).unwrap();
        assert_eq!(
            assertions.of(&caller("ana", &["staff"]), at(29)).unwrap(),
            first
        );
        assert_ne!(
            assertions.of(&caller("ana", &["staff"]), at(30)).unwrap(),
            first
        );
        assert_ne!(
            assertions
                .of(&caller("ana", &["staff", "admins"]), at(0))
                .unwrap(),
            first
        );
        assert_ne!(
            assertions.of(&caller("bob", &["staff"]), at(0)).unwrap(),
            first
        );
        for number in 0..MAX_KEPT + 10 {
            assertions
                .of(&caller(&number.to_string(), &[]), at(0))
                .unwrap();
        }
        assert!(assertions.kept.lock().unwrap().len() <= MAX_KEPT);
    }

    #[tokio::test]
    async fn two_processes_with_one_file_say_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        std::fs::write(&path, &key).unwrap();
        let (one, other) = (store(), store());
        let one = Assertions::open(config(Some(&path)), &one).await.unwrap();
        let other = Assertions::open(config(Some(&path)), &other).await.unwrap();
        assert_eq!(one.public_keys(at(0)), other.public_keys(at(0)));
        // What `lictor keys jwks` prints of the file is what the admin port tells.
        let printed = public_halves(key.as_bytes(), None).unwrap();
        let printed: Vec<_> = printed.into_iter().map(Value::Object).collect();
        assert_eq!(one.public_keys(at(0)), printed);
    }

    #[tokio::test]
    async fn a_key_that_was_replaced_is_told_until_all_that_it_signed_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        let write = || {
            let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
            crate::replacement::replace(&path, key.as_bytes()).unwrap();
        };
        write();
        let store = store();
        let assertions = Assertions::open(config(Some(&path)), &store).await.unwrap();
        let ana = caller("ana", &[]);
        let before = name_in(&assertions.of(&ana, at(0)).unwrap());
        assert_eq!(names(&assertions, at(0)), [&*before]);

        write();
        let mut after = before.clone();
        while after == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
            // What the old key signed is used no more, although half of its life is not over.
            after = name_in(&assertions.of(&ana, at(10)).unwrap());
        }
        assert_eq!(names(&assertions, at(10)), [&*after, &*before]);
        // The last assertion by the old key is of second 10 at the latest: 60 seconds, and a minute for clocks.
        assert_eq!(names(&assertions, at(119)), [&*after, &*before]);
        assert_eq!(names(&assertions, at(131)), [&*after]);

        // A file that cannot be used changes nothing.
        crate::replacement::replace(&path, b"no key").unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(name_in(&assertions.of(&ana, at(200)).unwrap()), after);

        // More keys than anybody needs are not all told.
        for number in 0..MAX_FORMER + 4 {
            write();
            let known = after.clone();
            while after == known {
                tokio::time::sleep(Duration::from_millis(5)).await;
                let caller = caller(&number.to_string(), &[]);
                after = name_in(&assertions.of(&caller, at(201)).unwrap());
            }
        }
        assert_eq!(names(&assertions, at(201)).len(), MAX_FORMER + 1);
    }

    #[tokio::test]
    async fn no_key_is_no_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        for contents in [None, Some(&b"-----BEGIN nothing"[..]), Some(&[7; 40])] {
            if let Some(contents) = contents {
                std::fs::write(&path, contents).unwrap();
            }
            let error = Assertions::open(config(Some(&path)), &store()).await;
            let error = error.unwrap_err().to_string();
            assert!(
                error.contains("key.pem` of `identityHeaders.assertion` cannot"),
                "{error}"
            );
        }
    }
}
