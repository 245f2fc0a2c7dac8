//! Regular expressions that authors write: compiled within bounds when the policy loads, and matched in time in
//! proportion to the text.

use std::ops::Range;

use regex::{Regex, RegexBuilder};

/// How large a pattern may become when it is compiled, in bytes.
pub const MAX_PATTERN_BYTES: usize = 256 * 1024;

/// The longest text on which a pattern is tried. Patterns cost time in proportion to the text, but a large
/// pattern's proportion is large, and it is the caller who chooses the text.
pub const MAX_MATCHED_BYTES: usize = 16 * 1024;

/// Groups within groups.
const MAX_NESTING: u32 = 32;

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is not a regular expression.
    #[error("{why}")]
    Syntax {
        /// What is wrong.
        why: String,
        /// Where, in bytes of the text.
        at: Range<usize>,
    },
    /// Compiled, it is larger than [`MAX_PATTERN_BYTES`].
    #[error("a pattern is too large")]
    TooLarge,
}

/// A regular expression that a text matches as a whole.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: Box<str>,
    whole: Regex,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// When it is no regular expression, or one that is too large.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        compile(text)?;
        // In the mode that ignores white space, a comment at the end would swallow what stands behind it.
        let whole = compile(&format!(r"\A(?:{text})\z"))
            .or_else(|_| compile(&format!("\\A(?:{text}\n)\\z")))?;
        Ok(Self {
            text: text.into(),
            whole,
        })
    }

    /// Whether all of the text matches. A text longer than [`MAX_MATCHED_BYTES`] does not.
    pub fn matches(&self, text: &str) -> bool {
        text.len() <= MAX_MATCHED_BYTES && self.whole.is_match(text)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

/// Compiles a pattern that some part of a text matches.
pub(super) fn compile(text: &str) -> Result<Regex, PatternError> {
    let compiled = RegexBuilder::new(text)
        .size_limit(MAX_PATTERN_BYTES)
        .dfa_size_limit(MAX_PATTERN_BYTES)
        .nest_limit(MAX_NESTING)
        .build();
    compiled.map_err(|error| {
        if matches!(error, regex::Error::CompiledTooBig(_)) {
            return PatternError::TooLarge;
        }
        mistake(text).unwrap_or_else(|| PatternError::Syntax {
            why: error.to_string(),
            at: 0..text.len(),
        })
    })
}

/// What is wrong with a text that is no pattern, with its place, which the compiler does not tell.
fn mistake(text: &str) -> Option<PatternError> {
    let mut parser = regex_syntax::ParserBuilder::new()
        .nest_limit(MAX_NESTING)
        .build();
    let (why, span) = match parser.parse(text).err()? {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), *error.span()),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), *error.span()),
        _ => return None,
    };
    Some(PatternError::Syntax {
        why,
        at: span.start.offset..span.end.offset,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_matches_as_a_whole() {
        let cases = [
            ("[A-Z]{3}", "GBP", true),
            ("[A-Z]{3}", "GBPX", false),
            ("[A-Z]{3}", "xGBP", false),
            ("[A-Z]{3}", "GBP\n", false),
            ("a|ab", "ab", true),
            ("a|b", "ab", false),
            ("^a$", "a", true),
            ("(?m)^a$", "a\nb", false),
            ("(?x) a b # c", "ab", true),
            ("(?x) a b # c", "abx", false),
            ("", "", true),
            ("a*", "", true),
        ];
        for (pattern, text, expected) in cases {
            let found = Pattern::parse(pattern).unwrap().matches(text);
            assert_eq!(found, expected, "{pattern} {text:?}");
        }
    }

    #[test]
    fn a_mistake_has_its_place() {
        let wrong = |text| Pattern::parse(text).unwrap_err();
        let PatternError::Syntax { why, at } = wrong("GBP|[A-Z") else {
            panic!("it parses");
        };
        assert_eq!((why.as_str(), at), ("unclosed character class", 4..5));
        // What would be whole only with what is put around it.
        assert!(matches!(wrong("a)|(b"), PatternError::Syntax { .. }));
        assert!(matches!(wrong(r"(a)\1"), PatternError::Syntax { .. }));
        assert!(matches!(wrong("(?=a)"), PatternError::Syntax { .. }));
        assert_eq!(wrong("(a{1000}){1000}"), PatternError::TooLarge);
    }

    #[test]
    fn a_text_that_is_too_long_matches_nothing() {
        let any = Pattern::parse("(?s).*").unwrap();
        assert!(any.matches(&"a".repeat(MAX_MATCHED_BYTES)));
        assert!(!any.matches(&"a".repeat(MAX_MATCHED_BYTES + 1)));
    }
}
