//! Words that must stand close to a match.

/// How many bytes before and after a match are looked at.
pub(super) const REACH: u64 = 64;

/// The longest word.
pub const MAX_WORD_BYTES: usize = 32;

/// Words, in small letters.
#[derive(Debug)]
pub(super) struct Near(Vec<Box<[u8]>>);

impl Near {
    pub(super) fn new(words: &[Box<str>]) -> Self {
        let words = words.iter().map(|word| word.to_ascii_lowercase());
        Self(words.map(|word| Box::from(word.as_bytes())).collect())
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How much of the text before a match is looked at: a byte more, which says whether a word begins there.
    pub(super) fn behind(&self) -> u64 {
        if self.is_empty() { 1 } else { REACH + 1 }
    }

    /// Whether one of them begins in a text at or behind `from` and ends in it. It begins where a word does, or a part
    /// of a name (`staff_id`, `theStaffId`); what goes on behind it does not matter (`employees`).
    pub(super) fn stands_in(&self, text: &[u8], from: usize) -> bool {
        self.0.iter().any(|word| {
            text.windows(word.len())
                .enumerate()
                .skip(from)
                .any(|(at, part)| part.eq_ignore_ascii_case(word) && begins(text, at))
        })
    }
}

fn begins(text: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|at| text.get(at));
    let first = text.get(at);
    before.is_none_or(|before| {
        !before.is_ascii_alphabetic()
            || (before.is_ascii_lowercase() && first.is_some_and(u8::is_ascii_uppercase))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_begins_where_a_part_of_a_name_does() {
        let near = Near::new(&[Box::from("Staff"), Box::from("personal no")]);
        for text in [
            "staff: ",
            "my_staff_id",
            "theStaffId",
            "STAFF",
            "Personal No. ",
        ] {
            assert!(near.stands_in(text.as_bytes(), 0), "{text}");
        }
        for text in ["overstaffed", "sta ff", "personal", ""] {
            assert!(!near.stands_in(text.as_bytes(), 0), "{text}");
        }
        // The byte before the reach says whether a word begins, and is not one itself.
        assert!(!near.stands_in(b"staff", 1) && near.stands_in(b" staff", 1));
    }
}
