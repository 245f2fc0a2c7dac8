//! What is said of a field or a word, in an editor and on the reference page alike.

use super::{Field, Presence, Word};

/// What is said of what this version refuses.
const PLANNED: &str = "*Not enforced yet: a file with it does not load.*";

impl Field {
    /// What it means, and what holds without it.
    pub(super) fn text(&self) -> String {
        let mut text = self.doc.to_owned();
        match self.presence {
            Presence::Default(value) => text.push_str(&format!(" Default: `{value}`.")),
            Presence::Otherwise("") => {}
            Presence::Otherwise(words) => text.push_str(&format!(" Without it: {words}.")),
            Presence::Required => text.push_str(" Required."),
        }
        if !self.enforced {
            text.push(' ');
            text.push_str(PLANNED);
        }
        text
    }
}

impl Word {
    /// What it means.
    pub(super) fn text(&self) -> String {
        if self.enforced {
            self.doc.to_owned()
        } else {
            format!("{} {PLANNED}", self.doc)
        }
    }
}
