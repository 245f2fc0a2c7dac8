//! Whom the policy serves.

use std::sync::Arc;

use super::config::{Tenant, Tenants};
use super::decide::Step;
use super::question::Question;
use crate::model::{ANONYMOUS, Principal, Reason, Refusal, RuleRef, TenantId};

/// The tenants that are served.
#[derive(Debug)]
pub(super) struct TenantTable {
    tenants: Tenants,
}

impl TenantTable {
    pub(super) const fn new(tenants: Tenants) -> Self {
        Self { tenants }
    }

    /// Refuses callers of tenants that are not served, or not any more.
    pub(super) fn admit(&self, question: &Question<'_>) -> Step<()> {
        let principal = question.principal;
        let Some(tenant) = self.served(principal)? else {
            return Ok(());
        };
        match tenant.until {
            Some(until) if until <= question.at => Err(Box::new(
                Refusal::new(Reason::TenantExpired)
                    .detail(format_args!(
                        "`{}` was served until {until}",
                        principal.tenant
                    ))
                    .rule(Arc::clone(&tenant.rule)),
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// What the policy says of the caller's tenant; `None` where it need not say anything.
    pub(super) fn served(&self, principal: &Principal) -> Step<Option<&Tenant>> {
        if principal.is_anonymous() {
            return Ok(self.listed(&principal.tenant));
        }
        // An issuer that names this tenant would share the counters of callers without a credential.
        let is_reserved = principal.tenant.as_str() == ANONYMOUS;
        let tenant = match &self.tenants {
            Tenants::Any if !is_reserved => return Ok(None),
            Tenants::Listed { others, .. } if !is_reserved => {
                self.listed(&principal.tenant).or(others.as_ref())
            }
            Tenants::Any | Tenants::Listed { .. } => None,
        };
        tenant.map(Some).ok_or_else(|| {
            let detail = format!("tenant `{}` is not served", principal.tenant);
            Box::new(Refusal::new(Reason::TenantUnknown).detail(detail))
        })
    }

    /// The statement about the caller's tenant.
    pub(super) fn statement(&self, principal: &Principal) -> Option<Arc<RuleRef>> {
        let served = self.served(principal).ok()??;
        Some(Arc::clone(&served.rule))
    }

    fn listed(&self, tenant: &TenantId) -> Option<&Tenant> {
        match &self.tenants {
            Tenants::Any => None,
            Tenants::Listed { named, .. } => named.get(tenant),
        }
    }
}
