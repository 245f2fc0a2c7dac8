//! What is wrong with a condition, and why one could not be evaluated.

use std::ops::Range;

/// One mistake in the text of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionError {
    /// What kind of mistake it is.
    pub fault: Fault,
    /// Where, in bytes of the text; may be empty at its end.
    pub span: Range<usize>,
    /// What is wrong, in one line.
    pub title: String,
    /// What stands at the place: most often what to write.
    pub label: String,
    /// What else the author may want to know.
    pub help: Option<String>,
}

/// Kinds of mistakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Longer, deeper or larger than a condition may be.
    Limit,
    /// The attribute exists in another phase.
    Phase,
    /// Not well-formed.
    Syntax,
    /// Kinds that do not go together.
    Type,
    /// No such attribute or function.
    Unknown,
    /// Part of CEL, and not of conditions.
    Unsupported,
    /// A text that is not what its place asks for: a zone, a network, a pattern.
    Value,
}

impl ConditionError {
    pub(super) fn new(
        fault: Fault,
        span: Range<usize>,
        title: impl Into<String>,
        label: impl Into<String>,
    ) -> Self {
        Self {
            fault,
            span,
            title: title.into(),
            label: label.into(),
            help: None,
        }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Why a condition has no answer for a call. It is the rule's effect that says what this means: a deny rule
/// matches, an allow rule does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// Divided by zero.
    #[error("a number is divided by zero")]
    DivisionByZero,
    /// A value is not of the kind that its operator takes.
    #[error("a value is not of the kind that is asked for")]
    Kind,
    /// Nothing is known under a path.
    #[error("a value is missing")]
    Missing,
    /// The result of a calculation has no place in a number or a time, or would be rounded.
    #[error("a number is too large")]
    Overflow,
    /// A text is too long for a pattern; see [`MAX_MATCHED_BYTES`](crate::policy::MAX_MATCHED_BYTES).
    #[error("a text is too long for a pattern")]
    TooLong,
}
