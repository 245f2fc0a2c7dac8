//! Remembers short texts that were read by themselves and held nothing.
//!
//! The events of a stream repeat their keys and ids thousands of times. The texts are compared, not their
//! hashes, so nobody can make one pass for another.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;

/// Texts that are remembered; a power of two.
const SLOTS: usize = 128;
/// Longer ones are not: an id has 36.
const MAX_BYTES: usize = 47;

/// What a name and its text are noted as.
#[derive(Debug)]
pub(super) struct Named {
    bytes: [u8; MAX_BYTES],
    length: usize,
}

impl Named {
    /// None if they are too long together.
    pub(super) fn new(name: &[u8], text: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_BYTES];
        let length = 1 + name.len() + text.len();
        let (first, rest) = bytes.get_mut(..length)?.split_first_mut()?;
        let (start, end) = rest.split_at_mut_checked(name.len())?;
        // Says where the name ends.
        *first = u8::try_from(name.len()).ok()?;
        start.copy_from_slice(name);
        end.copy_from_slice(text);
        Some(Self { bytes, length })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Texts that are known to hold nothing.
#[derive(Debug, Default)]
pub(super) struct Known {
    slots: Vec<Slot>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    length: u8,
    bytes: [u8; MAX_BYTES],
}

impl Known {
    /// Whether this very text was noted.
    pub(super) fn holds(&self, text: &[u8]) -> bool {
        self.slots.get(place(text)).is_some_and(|slot| {
            usize::from(slot.length) == text.len() && slot.bytes.starts_with(text)
        })
    }

    /// Remembers a text, in the place of an older one.
    pub(super) fn note(&mut self, text: &[u8]) {
        let mut bytes = [0; MAX_BYTES];
        let (Some(start), Ok(length)) = (bytes.get_mut(..text.len()), u8::try_from(text.len()))
        else {
            return;
        };
        start.copy_from_slice(text);
        let slot = Slot { length, bytes };
        if self.slots.is_empty() {
            let none = Slot {
                length: 0,
                bytes: [0; MAX_BYTES],
            };
            self.slots.resize(SLOTS, none);
        }
        if let Some(place) = self.slots.get_mut(place(text)) {
            *place = slot;
        }
    }
}

fn place(text: &[u8]) -> usize {
    let mut hasher = FixedState::with_seed(0).build_hasher();
    hasher.write(text);
    usize::try_from(hasher.finish()).unwrap_or_default() % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_texts_are_told_apart() {
        let bytes = |name: &str, text: &str| {
            let named = Named::new(name.as_bytes(), text.as_bytes());
            named.map(|named| named.bytes().to_vec())
        };
        assert_ne!(bytes("ab", "c"), bytes("a", "bc"));
        assert!(bytes("key", &"v".repeat(43)).is_some());
        assert_eq!(bytes("key", &"v".repeat(44)), None);
    }

    #[test]
    fn only_the_very_text_is_known() {
        let mut known = Known::default();
        assert!(!known.holds(b"taskId"));
        known.note(b"taskId");
        known.note(&[b'a'; 48]);
        assert!(known.holds(b"taskId"));
        assert!(!known.holds(b"taskIds"));
        assert!(!known.holds(&[b'a'; 48]));
    }
}
