//! What the ledger knows of the objects that a call names, as plain values for the policy.

/// Whose a named object is, seen from the caller.
///
/// Foreign, unknown and missing are one value on purpose: nobody may learn from an answer that an
/// object of somebody else exists (A2A 1.0, sections 3.3.2 and 13.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ownership {
    /// The call names no object of this kind.
    #[default]
    Absent,
    /// The caller owns it.
    Mine,
    /// Somebody else owns it, or nobody is known to.
    NotMine,
}

/// What is remembered of the objects that a call names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Facts {
    /// The tasks that the call names: the worst of them counts.
    pub task: Ownership,
    /// The context that the call names. One that is unknown may be chosen by the caller, and is
    /// claimed for it before anything is forwarded, so it is `Mine` here.
    pub context: Ownership,
    /// The session that the call belongs to.
    pub session: Ownership,
}
