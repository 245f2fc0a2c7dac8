//! Who calls.

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;

use super::name::{IdentityName, PrincipalId, TenantId};

/// The name under which callers without a credential appear: as identity, as tenant and as id.
pub const ANONYMOUS: &str = "anonymous";

/// A verified caller, or the named principal `anonymous`.
///
/// A caller is the pair of identity and id: what one issuer says never grants what another's callers
/// hold, so both take part in every comparison, quota key and ownership record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Which source of callers vouches for it.
    pub identity: IdentityName,
    /// Who it is within that identity.
    pub id: PrincipalId,
    /// The party whose rules and quotas apply.
    pub tenant: TenantId,
    /// Groups that the identity asserts, in the order of the credential.
    pub groups: Vec<Box<str>>,
    /// Those claims of the token that some condition of the policy reads; `None` where none does, or the
    /// credential has none.
    pub claims: Option<Arc<serde_json::Value>>,
    /// With what it proved who it is.
    pub credential: Credential,
}

/// What is known of a credential, for whoever has to take it back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credential {
    /// The id of the key that signed it.
    pub key: Option<Arc<str>>,
    /// When it was issued.
    pub issued: Option<Timestamp>,
}

impl Principal {
    /// The caller without a credential. It holds nothing unless a rule names it.
    pub fn anonymous() -> Arc<Self> {
        static PRINCIPAL: LazyLock<Arc<Principal>> = LazyLock::new(|| {
            let anonymous = "the constant `anonymous` is a valid name";
            #[expect(clippy::expect_used, reason = "a constant, covered by a test")]
            Arc::new(Principal {
                identity: IdentityName::new(ANONYMOUS).expect(anonymous),
                id: PrincipalId::new(ANONYMOUS).expect(anonymous),
                tenant: TenantId::new(ANONYMOUS).expect(anonymous),
                groups: Vec::new(),
                claims: None,
                credential: Credential::default(),
            })
        });
        Arc::clone(&PRINCIPAL)
    }

    /// Whether this is the caller without a credential.
    pub fn is_anonymous(&self) -> bool {
        self.identity.as_str() == ANONYMOUS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anonymous_is_a_named_principal() {
        let principal = Principal::anonymous();
        assert!(principal.is_anonymous());
        assert_eq!(principal.tenant.as_str(), "anonymous");
    }
}
