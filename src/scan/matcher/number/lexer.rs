//! Cuts a text into words, byte by byte: `date_of_birth`, `dateOfBirth` and `Date of birth` are the same three.

/// What is known of the text so far.
#[derive(Debug, Default, Clone)]
pub(super) struct Lexer {
    /// The byte before.
    pub(super) last: u8,
    /// Where the word begins that goes on.
    pub(super) word: Option<u64>,
    /// Where the letters began that it stands in: `dateOf` are two words in a row of letters.
    pub(super) row: u64,
}

impl Lexer {
    /// Takes the byte at an offset. Returns where the word began that ends before it, if one does.
    #[inline]
    pub(super) fn step(&mut self, at: u64, byte: u8, next: Option<u8>) -> Option<u64> {
        let last = std::mem::replace(&mut self.last, byte);
        // The letter of an escape is of no word.
        let is_escape = last == b'\\' && matches!(byte, b'n' | b'r' | b't');
        if !is_of_word(byte) || is_escape {
            return self.word.take();
        }
        if self.word.is_none() {
            (self.word, self.row) = (Some(at), at);
            None
        } else if begins_word(last, byte, next) {
            self.word.replace(at)
        } else {
            None
        }
    }

    /// Whether what the byte is depends on the one behind it.
    pub(super) const fn needs_next(&self, byte: u8) -> bool {
        self.word.is_some() && self.last.is_ascii_uppercase() && byte.is_ascii_uppercase()
    }
}

/// Whether a capital begins a word within letters: behind a small one, or as the last of a row before a small one (`SSNNumber`).
fn begins_word(last: u8, byte: u8, next: Option<u8>) -> bool {
    byte.is_ascii_uppercase()
        && (last.is_ascii_lowercase()
            || (last.is_ascii_uppercase() && next.is_some_and(|next| next.is_ascii_lowercase())))
}

#[inline]
pub(super) const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}
