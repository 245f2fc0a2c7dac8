//! Which tenant a call of A2A may name (A2A 1.0, section 3.1 of its protobuf: `tenant`).
//!
//! There it is an opaque key by which an agent routes, and whoever sends it is not asked whether it is theirs. Where an
//! agent serves several tenants by it, it has to be the one that the caller's credential says.

use std::sync::Arc;

use crate::model::{Call, Dialect, Reason, Refusal, RuleRef, TenantId};

/// What the policy says of it.
#[derive(Debug, Clone)]
pub struct TenantRule {
    /// The statement, for records.
    pub rule: Arc<RuleRef>,
    /// Where the agent's operations over REST begin, without the slash at its end.
    pub base: Box<str>,
    /// Whether one has to be named.
    pub is_required: bool,
}

impl TenantRule {
    /// Whether a caller of this tenant may make the call.
    ///
    /// # Errors
    /// When it names another, or none where it has to.
    pub(in crate::proxy) fn check(&self, call: &Call, tenant: &TenantId) -> Result<(), Refusal> {
        if !matches!(call.dialect, Dialect::A2a(..)) {
            return Ok(());
        }
        let mut is_named = false;
        if let Some(addressed) = call.addressed.as_deref() {
            let in_path = addressed
                .before
                .as_deref()
                .map(|before| self.in_path(before));
            if in_path == Some(Place::Unknown) {
                return Err(self.refuse("the path is neither the agent's nor that of a tenant"));
            }
            let in_path = match in_path {
                Some(Place::Tenant(name)) => Some(name),
                Some(Place::Base | Place::Unknown) | None => None,
            };
            for named in in_path
                .into_iter()
                .chain(addressed.tenants.iter().map(|it| &**it))
            {
                if named != tenant.as_str() {
                    return Err(self.refuse("another tenant is named than the caller's"));
                }
                is_named = true;
            }
        }
        if self.is_required && !is_named {
            return Err(self.refuse("no tenant is named"));
        }
        Ok(())
    }

    /// What stands before the operation. Letters of another case count for the base, since some frameworks route them
    /// alike; for a tenant they do not.
    fn in_path<'a>(&self, before: &'a str) -> Place<'a> {
        let Some((base, rest)) = before.split_at_checked(self.base.len()) else {
            return Place::Unknown;
        };
        if !base.eq_ignore_ascii_case(&self.base) {
            return Place::Unknown;
        }
        match rest.strip_prefix('/') {
            None if rest.is_empty() => Place::Base,
            Some(name) if !name.contains('/') => Place::Tenant(name),
            None | Some(_) => Place::Unknown,
        }
    }

    fn refuse(&self, detail: &str) -> Refusal {
        Refusal::new(Reason::TenantMismatch)
            .rule(Arc::clone(&self.rule))
            .detail(detail)
    }
}

/// What a path has before the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place<'a> {
    Base,
    Tenant(&'a str),
    /// Some agents would look for a tenant at one end of it, some at the other.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_segment_behind_the_base_is_a_tenant() {
        let rule = |base: &str| TenantRule {
            rule: Arc::new(RuleRef {
                name: Arc::from("a2aTenant"),
                place: None,
            }),
            base: Box::from(base),
            is_required: false,
        };
        let root = rule("");
        assert_eq!(root.in_path("/acme"), Place::Tenant("acme"));
        assert_eq!(root.in_path("/acme/globex"), Place::Unknown);
        let below = rule("/agents/quotes");
        assert_eq!(below.in_path("/agents/quotes"), Place::Base);
        assert_eq!(below.in_path("/Agents/quotes/acme"), Place::Tenant("acme"));
        for path in [
            "/acme",
            "/agents/quotesacme",
            "/agents/quotes/acme/globex",
            "/acme/agents/quotes",
            "/agents/quot\u{e9}s",
        ] {
            assert_eq!(below.in_path(path), Place::Unknown, "{path}");
        }
    }
}
