//! Identifiers: text becomes one of these at the edge, once, and is trusted inside.

use std::fmt;
use std::num::NonZeroU128;
use std::sync::Arc;

use uuid::Uuid;

/// The longest identifier that we accept from a peer, in bytes. Ids in the field are UUIDs or URLs;
/// the bound keeps the ledger's memory a product of its entry count.
const MAX_ID_BYTES: usize = 512;

/// Why a text is not a valid identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Control characters would travel into logs and headers.
    #[error("control characters are not allowed")]
    ControlCharacter,
    /// Nothing can be identified by nothing.
    #[error("must not be empty")]
    Empty,
    /// Longer than any id in the field; the limit bounds the ledger's memory.
    #[error("longer than {MAX_ID_BYTES} bytes")]
    TooLong,
}

fn check(text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > MAX_ID_BYTES {
        return Err(NameError::TooLong);
    }
    if text.chars().any(char::is_control) {
        return Err(NameError::ControlCharacter);
    }
    Ok(())
}

macro_rules! name {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Accepts any non-empty text of at most 512 bytes without control characters.
            ///
            /// # Errors
            /// When the text is empty, too long, or holds a control character.
            pub fn new(text: &str) -> Result<Self, NameError> {
                check(text)?;
                Ok(Self(Arc::from(text)))
            }

            /// The text as it was given.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The id of a conversation (A2A `contextId`). Carries no identity of its own.
    ContextId
);
name!(
    /// The name that a policy gives to a source of callers (`identities:` key).
    IdentityName
);
name!(
    /// The id of a caller within its identity, e.g. the `sub` of a token.
    PrincipalId
);
name!(
    /// The id under which one exchange appears in every log (`x-request-id`).
    RequestId
);
name!(
    /// The id of a session of MCP (`Mcp-Session-Id`), and the path at which it was begun: elsewhere it is another one.
    SessionId
);
name!(
    /// The id of a task (A2A `Task.id`, MCP `taskId`).
    TaskId
);
name!(
    /// The party whose rules and quotas apply.
    TenantId
);

/// Names one decision; the caller may quote it, and the audit record carries it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct DecisionId(Uuid);

impl DecisionId {
    /// Wraps a fresh UUID (version 7, so that ids sort by time).
    pub const fn new(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The id as it is shown, without an allocation.
    pub fn text<'buffer>(&self, buffer: &'buffer mut [u8; 32]) -> &'buffer str {
        self.0.simple().encode_lower(buffer)
    }

    /// The id as a number.
    pub const fn as_u128(self) -> u128 {
        self.0.as_u128()
    }
}

/// Names one trace, through all services that a request passes (W3C Trace Context, section 3.2.2.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(NonZeroU128);

impl TraceId {
    /// Zero names nothing (section 3.2.2.3), so the type has none.
    pub const fn new(number: NonZeroU128) -> Self {
        Self(number)
    }

    /// The id as it is shown, without an allocation.
    pub fn text<'buffer>(&self, buffer: &'buffer mut [u8; 32]) -> &'buffer str {
        Uuid::from_u128(self.0.get()).simple().encode_lower(buffer)
    }

    /// The id as a number.
    pub const fn as_u128(self) -> u128 {
        self.0.get()
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut [0; 32]))
    }
}

impl From<DecisionId> for RequestId {
    /// An exchange whose caller gave it no id has the decision's.
    fn from(id: DecisionId) -> Self {
        Self(Arc::from(id.text(&mut [0; 32])))
    }
}

impl fmt::Debug for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut [0; 32]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_never_become_a_name() {
        assert_eq!(TaskId::new("a\r\nb"), Err(NameError::ControlCharacter));
        assert_eq!(TaskId::new(""), Err(NameError::Empty));
        assert_eq!(TaskId::new(&"x".repeat(513)), Err(NameError::TooLong));
        assert_eq!(
            TaskId::new("task-1").map(|id| id.to_string()),
            Ok("task-1".to_owned())
        );
    }
}
