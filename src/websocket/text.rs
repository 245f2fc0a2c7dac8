//! UTF-8 in pieces.

/// Checks a text that comes in pieces, cut anywhere (RFC 3629).
#[derive(Debug, Default)]
pub(super) struct Utf8 {
    /// The beginning of a character whose end has not come.
    partial: [u8; 4],
    length: usize,
}

impl Utf8 {
    /// Whether the text is one so far.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> bool {
        while self.length > 0 {
            let Some((byte, rest)) = bytes.split_first() else {
                return true;
            };
            bytes = rest;
            if !self.push(*byte) {
                return false;
            }
        }
        match std::str::from_utf8(bytes) {
            Ok(_) => true,
            Err(error) if error.error_len().is_some() => false,
            Err(error) => {
                let rest = bytes.get(error.valid_up_to()..).unwrap_or_default();
                rest.iter().all(|byte| self.push(*byte))
            }
        }
    }

    /// Whether the text ends at a character.
    pub(super) const fn is_whole(&self) -> bool {
        self.length == 0
    }

    fn push(&mut self, byte: u8) -> bool {
        // INVARIANT: no valid beginning is longer than three bytes, so there is always room for one more.
        let Some(slot) = self.partial.get_mut(self.length) else {
            return false;
        };
        *slot = byte;
        self.length += 1;
        let begun = self.partial.get(..self.length).unwrap_or_default();
        match std::str::from_utf8(begun) {
            Ok(_) => self.length = 0,
            Err(error) if error.error_len().is_some() => return false,
            Err(_) => {}
        }
        true
    }
}
