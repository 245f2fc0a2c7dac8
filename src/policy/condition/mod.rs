//! Conditions: what stands after `when:`.
//!
//! Owns the language (CEL's spelling, a closed vocabulary, no loops), its checks at load, its evaluation and
//! its explanation. Leaves to others: where a text stands in a file (`config`), what an attribute is for a
//! given call ([`Attributes`], the caller's), and what an error means ([`EvalError`]: a deny rule matches, an
//! allow rule does not).
//!
//! A text becomes tokens, an expression, and a small typed tree in which every path is a number: evaluating
//! looks up no name and allocates nothing for the common operators. Its cost is bounded by the text, which is
//! bounded itself, and by the texts that it reads. Pure: the time is an attribute, and the zones come with the
//! program, so that the same condition gives the same answer on every machine.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "an operator names the kinds that it takes, a parser the tokens that it expects: everything else is the mistake"
)]

mod ast;
mod attribute;
mod calls;
mod check;
mod doubts;
mod error;
mod evaluate;
mod explain;
mod fuzz;
mod lexer;
mod parser;
mod program;
mod shown;
#[cfg(test)]
mod tests;
mod text;
mod value;
mod vocabulary;
mod window;
mod words;

use std::fmt;

pub use attribute::{Attribute, Attributes, Key, Path, Phase};
use check::Checker;
pub use error::{ConditionError, EvalError, Fault};
use evaluate::Evaluation;
use explain::Explanation;
#[doc(hidden)]
pub use fuzz::fuzz_condition;
use program::Test;
pub use value::Value;

/// The longest text of a condition.
pub const MAX_BYTES: usize = 4096;

/// How deeply a condition may be nested.
pub const MAX_DEPTH: usize = 32;

/// How many values and operators a condition may have. Together with [`MAX_DEPTH`] it bounds every recursion.
pub const MAX_NODES: usize = 200;

/// How many constants a list may hold.
pub const MAX_LIST: usize = 100;

/// How many steps a path may have.
pub const MAX_KEYS: usize = 16;

/// How many patterns a condition may have: each is memory, and some milliseconds at load.
pub const MAX_PATTERNS: usize = 8;

/// The longest explanation, in characters.
pub const MAX_EXPLANATION: usize = 160;

/// A condition that has been read and checked.
#[derive(Debug, Clone)]
pub struct Condition {
    text: Box<str>,
    root: Test,
    paths: Box<[Path]>,
    doubts: Box<[ConditionError]>,
}

impl Condition {
    /// Reads a condition that is judged in the given phase.
    ///
    /// # Errors
    /// All mistakes that the text has, in the order of their places; only the first one where the text is not
    /// well-formed.
    pub fn parse(text: &str, phase: Phase) -> Result<Self, Vec<ConditionError>> {
        let ast = parser::parse(text).map_err(|error| vec![error])?;
        let mut checker = Checker::new(text, phase);
        let root = checker.test(&ast);
        let mut errors = checker.errors;
        match root {
            Some(root) if errors.is_empty() => Ok(Self::new(text, root, checker.paths)),
            _ => {
                errors.sort_by_key(|error| error.span.start);
                Err(errors)
            }
        }
    }

    fn new(text: &str, root: Test, mut paths: Vec<Path>) -> Self {
        for (path, slot) in paths.iter_mut().zip(0..) {
            path.set_slot(slot);
        }
        Self {
            doubts: doubts::find(text, &root).into_boxed_slice(),
            text: Box::from(text),
            root,
            paths: paths.into_boxed_slice(),
        }
    }

    /// Whether it is true of a call.
    ///
    /// # Errors
    /// When something that decides is missing, is of another kind than its operator takes, or cannot be
    /// calculated. What that means is for the rule's effect to say.
    pub fn evaluate<A: Attributes + ?Sized>(&self, attributes: &A) -> Result<bool, EvalError> {
        self.evaluation(attributes).test(&self.root)
    }

    /// The part that decided, with its values, in at most [`MAX_EXPLANATION`] characters on one line; e.g.
    /// `args.amount 10 > 10000`, `14:02 is between 07:00 and 19:00`, `claims.second_approver is missing`.
    ///
    /// A comparison is told as it is written: of a condition that is false the line shows one that does not hold.
    pub fn explain<A: Attributes + ?Sized>(&self, attributes: &A) -> String {
        let explanation = Explanation {
            text: &self.text,
            evaluation: self.evaluation(attributes),
        };
        explanation.line(&self.root)
    }

    /// What it reads, each path once: all that need be kept of a call so that it can be judged or explained
    /// later.
    pub fn reads(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.paths.iter()
    }

    /// Gives each path the number that [`Path::slot`] tells, so that the conditions of a whole policy can share
    /// one table of values.
    pub fn number(&mut self, mut slot: impl FnMut(&Path) -> u32) {
        for path in &mut self.paths {
            let number = slot(path);
            path.set_slot(number);
        }
    }

    /// Its value where no call can change it: a rule that always, or never, matches.
    pub const fn constant(&self) -> Option<bool> {
        self.root.constant()
    }

    /// What is probably not meant: warnings, in the form of errors.
    pub const fn doubts(&self) -> &[ConditionError] {
        &self.doubts
    }

    /// As its author wrote it.
    pub const fn text(&self) -> &str {
        &self.text
    }

    const fn evaluation<'a, A: ?Sized>(&'a self, attributes: &'a A) -> Evaluation<'a, A> {
        Evaluation {
            paths: &self.paths,
            attributes,
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
