//! What is done with findings.

use crate::config::language::Word;

/// From weakest to strongest.
pub(in crate::config) static LEAK_ACTIONS: &[Word] = &[
    Word::new("allow", "It is not looked for."),
    Word::new("flag", "It is counted and recorded; the bytes pass."),
    Word::new(
        "redact",
        "The secret part is replaced, e.g. by `[redacted:pii.email]`; JSON stays valid, and a stream keeps its events.",
    ),
    Word::new(
        "block",
        "Before the head has left, the caller gets an error; in a running stream, an event that ends it in good order.",
    ),
];
