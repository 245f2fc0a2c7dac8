//! Whose something is.

use crate::model::{IdentityName, Principal, PrincipalId, TenantId};

/// Who owns an object. The tenant counts too: the same caller under another tenant is another party.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Owner {
    pub(super) identity: IdentityName,
    pub(super) id: PrincipalId,
    pub(super) tenant: TenantId,
}

impl Owner {
    pub(super) fn new(principal: &Principal) -> Self {
        Self {
            identity: principal.identity.clone(),
            id: principal.id.clone(),
            tenant: principal.tenant.clone(),
        }
    }

    pub(super) fn is(&self, principal: &Principal) -> bool {
        self.id == principal.id
            && self.identity == principal.identity
            && self.tenant == principal.tenant
    }
}
