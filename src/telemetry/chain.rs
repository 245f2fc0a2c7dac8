//! Errors for people who read logs.

use std::error::Error;
use std::fmt::Write as _;

/// An error with what caused it, on one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        // Writing to memory does not fail.
        let _ = write!(text, ": {source}");
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read `keys.json`")]
    struct Outer(#[source] io::Error);

    #[test]
    fn causes_stand_behind_what_they_caused() {
        let error = Outer(io::Error::other("the disk is gone"));
        assert_eq!(chain(&error), "cannot read `keys.json`: the disk is gone");
    }
}
