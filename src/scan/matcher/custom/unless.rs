//! What a match is none for all that: placeholders and values that everybody knows.

use regex::bytes::{RegexSet, RegexSetBuilder};

/// Expressions and words of which none may hold.
#[derive(Debug)]
pub struct Unless {
    of_secret: RegexSet,
    of_match: RegexSet,
    /// In small letters.
    words: Box<[Box<[u8]>]>,
}

/// How large the expressions of one detector may become.
const MAX_BYTES: usize = 2 << 20;

impl Unless {
    /// No match where an expression is found in the secret or in all of the match, or a word stands in the secret, whatever
    /// its case.
    ///
    /// # Errors
    /// When an expression cannot be read, or all are too large.
    pub fn new(
        of_secret: &[String],
        of_match: &[String],
        words: &[String],
    ) -> Result<Self, regex::Error> {
        let set = |texts: &[String]| {
            RegexSetBuilder::new(texts)
                .unicode(false)
                .size_limit(MAX_BYTES)
                .dfa_size_limit(MAX_BYTES)
                .build()
        };
        let words = words.iter().filter(|word| !word.is_empty());
        let words = words.map(|word| Box::from(word.to_ascii_lowercase().as_bytes()));
        Ok(Self {
            of_secret: set(of_secret)?,
            of_match: set(of_match)?,
            words: words.collect(),
        })
    }

    /// Whether one holds.
    pub(super) fn holds_for(&self, secret: &[u8], whole: &[u8]) -> bool {
        self.of_secret.is_match(secret) || self.of_match.is_match(whole) || {
            let secret = secret.to_ascii_lowercase();
            let mut words = self.words.iter();
            words.any(|word| memchr::memmem::find(&secret, word).is_some())
        }
    }
}

impl PartialEq for Unless {
    fn eq(&self, other: &Self) -> bool {
        self.of_secret.patterns() == other.of_secret.patterns()
            && self.of_match.patterns() == other.of_match.patterns()
            && self.words == other.words
    }
}

impl Eq for Unless {}
