//! What lictor itself says of a caller, signed, so that an agent need not trust header fields alone.
//!
//! A short-lived JWT (RFC 7519) by a key that is made when the process starts and never leaves it; the admin port serves
//! its public half as a JWKS. Signing takes longer than all else that a small call costs, so an assertion is used for
//! half of its life.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use foldhash::quality::RandomState;
use hashbrown::{Equivalent, HashMap};
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::json;

use crate::model::Principal;

use super::Algorithm;
use super::mint::{MintError, TokenMinter};

/// Callers whose assertions are kept. More of them at once are signed for anew, each time.
const MAX_KEPT: usize = 4096;

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
}

/// Signs assertions.
pub struct Assertions {
    config: AssertionConfig,
    signer: TokenMinter,
    kept: Mutex<HashMap<Who, Kept, RandomState>>,
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
    until: Timestamp,
}

impl Assertions {
    /// Makes a key.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new(config: AssertionConfig) -> Result<Self, MintError> {
        Ok(Self {
            config,
            signer: TokenMinter::generate(Algorithm::Es256)?,
            kept: Mutex::default(),
        })
    }

    /// The field that carries an assertion.
    pub const fn header(&self) -> &HeaderName {
        &self.config.header
    }

    /// The key set by which assertions are verified (RFC 7517).
    pub fn jwks(&self) -> String {
        self.signer.jwks()
    }

    /// What the agent is told of this caller.
    ///
    /// # Errors
    /// When the library fails to sign.
    pub fn of(&self, principal: &Principal, now: Timestamp) -> Result<HeaderValue, MintError> {
        let who = Whom::of(principal);
        if let Some(kept) = self
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&who)
            && now < kept.until
        {
            return Ok(kept.value.clone());
        }
        let value = self.sign(principal, now)?;
        let until = now.saturating_add(self.config.lifetime / 2).unwrap_or(now);
        let kept = Kept {
            value: value.clone(),
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

    fn sign(&self, principal: &Principal, now: Timestamp) -> Result<HeaderValue, MintError> {
        let issued = now.as_second();
        let lifetime = i64::try_from(self.config.lifetime.as_secs()).unwrap_or_default();
        let header = json!({
            "alg": Algorithm::Es256.as_str(), "kid": self.signer.key_id(), "typ": "JWT",
        });
        let claims = json!({
            "iss": self.config.issuer, "aud": self.config.audience,
            "sub": principal.id.as_str(), "tenant": principal.tenant.as_str(),
            "identity": principal.identity.as_str(), "groups": principal.groups,
            "iat": issued, "exp": issued.saturating_add(lifetime),
        });
        let token = self
            .signer
            .sign(header.to_string().as_bytes(), claims.to_string().as_bytes())?;
        let mut value = HeaderValue::try_from(token).map_err(|_| MintError)?;
        value.set_sensitive(true);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

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

    #[test]
    fn an_assertion_is_used_for_half_of_its_life_and_by_nobody_else() {
        let assertions = Assertions::new(AssertionConfig {
            header: HeaderName::from_static("x-lictor-assertion"),
            issuer: "lictor".to_owned(),
            audience: "agent".to_owned(),
            lifetime: Duration::from_secs(60),
        })
        .unwrap();
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
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
}
