//! What a signature must be like to count, and whether one is.

use std::time::Duration;

use super::base;
use super::component::{Component, Derived, Name};
use super::digest::{CONTENT_DIGEST, ContentDigest};
use super::error::SignatureError;
use super::fields::{Parameters, Signature};
use super::key::VerifyingKey;
use super::message::Message;

/// When something must be covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// In every message.
    Always,
    /// In those with content.
    IfContent,
    /// In those that have the field.
    IfPresent,
    /// In those that have the field: the member of it that has the signature's label, or all of it.
    OwnMember,
}

/// Something that must be covered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// What.
    pub component: Component<'static>,
    /// When.
    pub when: When,
}

/// Whether a signature must have a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nonces {
    /// One that has a nonce counts once; one without can be replayed until it is too old.
    Optional,
    /// Each signature counts once.
    Required,
}

/// What the signatures of one identity must be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirements {
    /// What they must cover.
    pub covers: Vec<Requirement>,
    /// How long ago they may have been made.
    pub max_age: Duration,
    /// How much the sender's clock and ours may differ.
    pub skew: Duration,
    /// Whether each counts once.
    pub nonces: Nonces,
    /// Whether they must say until when they count.
    pub expires: bool,
}

/// A signature that covers enough, and is young enough. Whether its key made it is the last question.
#[derive(Debug)]
pub struct Examined<'a> {
    /// What it says of itself.
    pub parameters: Parameters<'a>,
    /// What the content must hash to, if a digest is covered.
    pub digest: Option<ContentDigest>,
    /// Until when it could be sent again, in seconds since 1970.
    pub until: i64,
    base: String,
    bytes: &'a [u8],
}

impl Examined<'_> {
    /// Whether this key made it.
    ///
    /// # Errors
    /// When it did not, or when the signature says another algorithm.
    pub fn verify(&self, key: &VerifyingKey) -> Result<(), SignatureError> {
        let named = self.parameters.algorithm.as_deref();
        key.verify(named, self.base.as_bytes(), self.bytes)
    }

    /// What is signed.
    pub fn base(&self) -> &str {
        &self.base
    }
}

impl Requirements {
    /// Examines a signature of this message. `has_content` says whether a body follows, be it empty; `now` is
    /// in seconds since 1970.
    ///
    /// # Errors
    /// On the first thing that is not as it must be.
    pub fn examine<'a>(
        &self,
        signature: &'a Signature<'_>,
        message: &Message<'_>,
        has_content: bool,
        now: i64,
    ) -> Result<Examined<'a>, SignatureError> {
        let parameters = signature.parameters()?;
        let components = signature.components()?;
        self.check_coverage(signature.label(), &components, message, has_content)?;
        let until = self.check_time(&parameters, now)?;
        if parameters.nonce.is_none() && self.nonces == Nonces::Required {
            return Err(SignatureError::NonceMissing);
        }
        let digest = match components.iter().any(covers_digest) {
            true => ContentDigest::of(message.headers())?,
            false => None,
        };
        let mut written = String::with_capacity(256);
        signature.write_parameters(&mut written);
        Ok(Examined {
            base: base::write(message, &components, &written)?,
            bytes: signature.bytes(),
            digest,
            until,
            parameters,
        })
    }

    fn check_coverage(
        &self,
        label: &str,
        components: &[Component<'_>],
        message: &Message<'_>,
        has_content: bool,
    ) -> Result<(), SignatureError> {
        if has_content && !components.iter().any(covers_digest) {
            return Err(SignatureError::BodyUnsigned);
        }
        for requirement in &self.covers {
            let wanted = &requirement.component;
            let applies = match requirement.when {
                When::Always => true,
                When::IfContent => has_content,
                When::IfPresent | When::OwnMember => message.headers().contains_key(wanted.name()),
            };
            let is_covered = |component: &Component<'_>| {
                implies(component, wanted)
                    || requirement.when == When::OwnMember
                        && component.name() == wanted.name()
                        && component.key() == Some(label)
            };
            if applies && !components.iter().any(is_covered) {
                return Err(SignatureError::NotCovered(wanted.excerpt()));
            }
        }
        Ok(())
    }

    /// Gives until when the signature could be accepted.
    fn check_time(&self, parameters: &Parameters<'_>, now: i64) -> Result<i64, SignatureError> {
        let created = parameters.created.ok_or(SignatureError::CreatedMissing)?;
        let skew = seconds(self.skew);
        let early = created.saturating_sub(now);
        if early > skew {
            return Err(SignatureError::CreatedInFuture(duration(early)));
        }
        let until = created
            .saturating_add(seconds(self.max_age))
            .saturating_add(skew);
        if now > until {
            return Err(SignatureError::TooOld(duration(now.saturating_sub(until))));
        }
        match parameters.expires {
            Some(expires) if expires < created => Err(SignatureError::ExpiresBeforeCreated),
            Some(expires) if now > expires.saturating_add(skew) => Err(SignatureError::Expired(
                duration(now.saturating_sub(expires)),
            )),
            None if self.expires => Err(SignatureError::ExpiresMissing),
            Some(_) | None => Ok(until),
        }
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

fn duration(seconds: i64) -> Duration {
    Duration::from_secs(seconds.unsigned_abs())
}

/// Whether a digest of the content is covered whole: `;key` would leave out the other digests of the field.
fn covers_digest(component: &Component<'_>) -> bool {
    component.name() == CONTENT_DIGEST && component.key().is_none() && !component.is_of_request()
}

/// Whether covering one thing covers another as well.
fn implies(covered: &Component<'_>, wanted: &Component<'_>) -> bool {
    if covered.is_same(wanted) {
        return true;
    }
    if covered.is_of_request() != wanted.is_of_request() {
        return false;
    }
    match (covered.kind(), wanted.kind()) {
        (Name::Derived(Derived::TargetUri), Name::Derived(wanted)) => matches!(
            wanted,
            Derived::Authority
                | Derived::Path
                | Derived::Query
                | Derived::QueryParam
                | Derived::Scheme
        ),
        (Name::Derived(Derived::RequestTarget), Name::Derived(wanted)) => {
            matches!(wanted, Derived::Path | Derived::Query | Derived::QueryParam)
        }
        (Name::Derived(Derived::Query), Name::Derived(wanted)) => {
            matches!(wanted, Derived::QueryParam)
        }
        // The whole field, whichever way it is written, and a member of it with it.
        (Name::Field(covered_name), Name::Field(wanted_name)) => {
            covered_name == wanted_name && covered.key().is_none()
        }
        (Name::Derived(_) | Name::Field(_), _) => false,
    }
}
