//! Names that the author chooses.

/// What may stand as a key of a mapping.
#[derive(Debug)]
pub(in crate::config) struct Key {
    /// What it names, for the page: `role`.
    pub(super) what: &'static str,
    /// What it looks like (ECMA-262); `None` is an action pattern.
    pub(super) pattern: Option<&'static str>,
    /// Keys that an editor offers.
    pub(super) examples: &'static [&'static str],
}

impl Key {
    /// A name that stands in header fields, metrics and logs, so it is short and plain.
    pub(super) const fn name(what: &'static str) -> Self {
        Self {
            what,
            pattern: Some("^[A-Za-z0-9_.-]{1,64}$"),
            examples: &[],
        }
    }

    /// Any text.
    pub(super) const fn text(what: &'static str) -> Self {
        Self {
            what,
            pattern: Some(r"\S"),
            examples: &[],
        }
    }

    /// An action pattern.
    pub(super) const ACTION: Self = Self {
        what: "action",
        pattern: None,
        examples: &[],
    };

    pub(super) const fn examples(mut self, examples: &'static [&'static str]) -> Self {
        self.examples = examples;
        self
    }
}
