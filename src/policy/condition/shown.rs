//! Foreign text in messages: short, on one line, and without a character that a terminal would obey.

use std::fmt::Write as _;

/// As much of the text as fits in `most` characters, with an ellipsis where it goes on.
pub(super) fn cut(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == most {
            shown.push('…');
            break;
        }
        match c {
            '\'' | '"' | '\\' => shown.push(c),
            // Covers control characters, and what turns the direction of a line.
            _ => {
                let _ = write!(shown, "{}", c.escape_debug());
            }
        }
    }
    shown
}

/// In backticks, as messages show what an author wrote.
pub(super) fn ticked(text: &str) -> String {
    format!("`{}`", cut(text, 40))
}

/// The most characters of one value.
const VALUE: usize = 32;

/// In quotes, as explanations show a value of kind text.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", cut(text, VALUE))
}
