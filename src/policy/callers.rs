//! Whether a caller is one of those whom a statement means, and if not, what it lacks.

use std::fmt;
use std::net::IpAddr;

use super::config::{Callers, Sources};
use super::question::Question;

/// Why a statement does not mean a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mismatch {
    /// It means only callers without a credential.
    Known,
    /// It means only callers with a credential.
    Anonymous,
    /// It means callers of this identity.
    Identity(String),
    /// It means callers in one of these groups.
    Groups(Vec<String>),
    /// It means callers with one of these ids.
    Ids(Vec<String>),
    /// It means callers of one of these tenants.
    Tenants(Vec<String>),
    /// It means calls from one of these networks.
    Networks(Vec<String>),
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known => f.write_str("is for callers without a credential"),
            Self::Anonymous => f.write_str("needs a credential"),
            Self::Identity(identity) => write!(f, "needs identity {identity}"),
            Self::Groups(groups) => write!(f, "needs group {}", groups.join(" or ")),
            Self::Ids(ids) => write!(f, "needs id {}", ids.join(" or ")),
            Self::Tenants(tenants) => write!(f, "needs tenant {}", tenants.join(" or ")),
            Self::Networks(networks) => write!(f, "needs a call from {}", networks.join(" or ")),
        }
    }
}

impl Callers {
    /// Whether every condition that is set holds.
    pub(super) fn include(&self, question: &Question<'_>) -> bool {
        self.has_identity(question)
            && self.has_group(question)
            && self.has_id(question)
            && self.has_tenant(question)
    }

    /// The first condition that does not hold.
    pub(super) fn mismatch(&self, question: &Question<'_>) -> Option<Mismatch> {
        if !self.has_identity(question) {
            return self
                .identity
                .as_ref()
                .map(|wanted| Mismatch::Identity(wanted.to_string()));
        }
        if !self.has_tenant(question) {
            return Some(Mismatch::Tenants(texts(&self.tenants)));
        }
        if !self.has_group(question) {
            return Some(Mismatch::Groups(texts(&self.groups)));
        }
        (!self.has_id(question)).then(|| Mismatch::Ids(texts(&self.ids)))
    }

    fn has_identity(&self, question: &Question<'_>) -> bool {
        let identity = self.identity.as_ref();
        identity.is_none_or(|identity| *identity == question.principal.identity)
    }

    fn has_group(&self, question: &Question<'_>) -> bool {
        let mut groups = question.principal.groups.iter();
        self.groups.is_empty() || groups.any(|group| self.groups.contains(group))
    }

    fn has_id(&self, question: &Question<'_>) -> bool {
        let id = question.principal.id.as_str();
        self.ids.is_empty() || self.ids.iter().any(|glob| glob.matches(id))
    }

    fn has_tenant(&self, question: &Question<'_>) -> bool {
        self.tenants.is_empty() || self.tenants.contains(&question.principal.tenant)
    }
}

impl Sources {
    /// Whether an allow means the caller: one without a credential only where it says so, and an unknown
    /// source in no network.
    pub(super) fn may_be_allowed(&self, question: &Question<'_>) -> bool {
        (self.anonymous || !question.principal.is_anonymous())
            && self.callers.include(question)
            && (self.cidrs.is_empty() || source(question).is_some_and(|source| self.holds(source)))
    }

    /// Why an allow does not mean the caller.
    pub(super) fn allow_mismatch(&self, question: &Question<'_>) -> Option<Mismatch> {
        if !self.anonymous && question.principal.is_anonymous() {
            return Some(Mismatch::Anonymous);
        }
        self.callers.mismatch(question).or_else(|| {
            (!self.may_be_allowed(question)).then(|| Mismatch::Networks(texts(&self.cidrs)))
        })
    }

    /// Whether a deny means the caller: an unknown source is one that cannot be ruled out.
    pub(super) fn must_be_denied(&self, question: &Question<'_>) -> bool {
        (!self.anonymous || question.principal.is_anonymous())
            && self.callers.include(question)
            && (self.cidrs.is_empty() || source(question).is_none_or(|source| self.holds(source)))
    }

    /// Why a deny does not mean the caller.
    pub(super) fn deny_mismatch(&self, question: &Question<'_>) -> Option<Mismatch> {
        if self.anonymous && !question.principal.is_anonymous() {
            return Some(Mismatch::Known);
        }
        self.callers.mismatch(question).or_else(|| {
            (!self.must_be_denied(question)).then(|| Mismatch::Networks(texts(&self.cidrs)))
        })
    }

    fn holds(&self, source: IpAddr) -> bool {
        self.cidrs.iter().any(|cidr| cidr.contains(&source))
    }
}

impl fmt::Display for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut conditions = Vec::new();
        if let Some(identity) = &self.identity {
            conditions.push(format!("identity {identity}"));
        }
        let lists = [
            ("tenant", texts(&self.tenants)),
            ("group", texts(&self.groups)),
            ("id", texts(&self.ids)),
        ];
        let written = lists.iter().filter(|(_, values)| !values.is_empty());
        conditions.extend(written.map(|(what, values)| format!("{what} {}", values.join(" or "))));
        if conditions.is_empty() {
            return f.write_str("every caller with a credential");
        }
        f.write_str(&conditions.join(", "))
    }
}

impl fmt::Display for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.anonymous {
            f.write_str("everybody, also without a credential")?;
        } else {
            write!(f, "{}", self.callers)?;
        }
        if self.cidrs.is_empty() {
            return Ok(());
        }
        write!(f, ", from {}", texts(&self.cidrs).join(" or "))
    }
}

fn texts<T: fmt::Display>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

/// The dual-stack form of an IPv4 address must not slip past a rule about IPv4.
fn source(question: &Question<'_>) -> Option<IpAddr> {
    question.source.map(|source| source.to_canonical())
}
