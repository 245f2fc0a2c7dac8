//! Tells whoever waits at a terminal that something goes on.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::clock;

/// How long nothing is said, and between two words.
const EVERY: Duration = Duration::from_secs(1);

/// One line at the bottom of a terminal, written anew.
#[derive(Debug)]
pub(super) struct Progress {
    // The next look at the clock, in units of work, and the next word; `None` where nobody waits.
    next: Option<(u64, Instant)>,
    look: u64,
    told: bool,
}

impl Progress {
    /// Looks at the clock after each `look` units of work.
    pub(super) fn new(look: u64) -> Self {
        let waits = io::stderr().is_terminal();
        Self {
            next: waits.then(|| (look, clock::now() + EVERY)),
            look,
            told: false,
        }
    }

    /// So much is done by now.
    pub(super) fn tell(&mut self, done: u64, words: impl FnOnce(u64) -> String) {
        let Some((look, word)) = &mut self.next else {
            return;
        };
        if done < *look {
            return;
        }
        *look = done + self.look;
        let now = clock::now();
        if now >= *word {
            *word = now + EVERY;
            self.told = true;
            let _closed = write!(io::stderr(), "\r{}\x1b[K", words(done));
        }
    }

    /// What is said next begins at the beginning of the line.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.told) {
            let _closed = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
