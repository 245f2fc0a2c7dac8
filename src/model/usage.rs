//! What a model used for a call.

/// How many tokens a call used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenUse {
    /// What the model read.
    pub input: u64,
    /// What it wrote.
    pub output: u64,
    /// Both, and what else the API counts.
    pub total: u64,
}
