//! The compiled form: a small tree in which every name is resolved, every constant converted and every kind
//! that can be known is checked.

use ipnet::IpNet;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use regex::Regex;

use super::ast::{Arithmetic, Comparison, Span};
use super::value::{Kind, Operand, Value};
use super::window::Window;

/// Where something stands in the text, for explanations. A text has less than 2^16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    start: u16,
    end: u16,
}

impl Mark {
    pub(super) fn of(span: &Span) -> Self {
        let short = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
        Self {
            start: short(span.start),
            end: short(span.end),
        }
    }

    pub(super) fn span(self) -> Span {
        usize::from(self.start)..usize::from(self.end)
    }
}

/// Something that is true or false.
#[derive(Debug, Clone)]
pub(super) struct Test {
    pub(super) mark: Mark,
    pub(super) node: TestNode,
}

#[derive(Debug, Clone)]
pub(super) enum TestNode {
    Always(bool),
    And(Box<[Test]>),
    Or(Box<[Test]>),
    Not(Box<Test>),
    Choose(Box<[Test; 3]>),
    Compare(Comparison, Box<[Term; 2]>),
    /// In a list of constants.
    In(Box<Term>, Members),
    /// In a list that the call brings.
    Among(Box<[Term; 2]>),
    Has(PathIndex),
    Part(Part, Box<[Term; 2]>),
    Matches(Box<Term>, Box<Regex>),
    Between(Box<Term>, Box<Window>),
    Within(Box<Term>, Box<[IpNet]>),
    /// A value that has to be true or false.
    Is(Box<Term>),
}

/// Something with a value.
#[derive(Debug, Clone)]
pub(super) struct Term {
    pub(super) mark: Mark,
    pub(super) kind: Kind,
    pub(super) node: TermNode,
}

#[derive(Debug, Clone)]
pub(super) enum TermNode {
    Constant(Constant),
    Read(PathIndex),
    Size(Box<Term>),
    Lower(Box<Term>),
    Negate(Box<Term>),
    Calculate(Arithmetic, Box<[Term; 2]>),
    Clock(Box<Term>, ClockField, TimeZone),
    /// An instant from a text, or from the seconds since 1970.
    Instant(Box<Term>),
    Choose(Box<(Test, Term, Term)>),
    Test(Box<Test>),
}

/// The place of a path in the list of what a condition reads.
pub(super) type PathIndex = u16;

#[derive(Debug, Clone)]
pub(super) enum Constant {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Box<str>),
    Time(Timestamp),
    Duration(SignedDuration),
}

impl Constant {
    pub(super) const fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Float(value) => Value::Float(*value),
            Self::Text(text) => Value::Text(text),
            Self::Time(time) => Value::Time(*time),
            Self::Duration(span) => Value::Duration(*span),
        }
    }

    /// The constant that a value is; `None` for values that no constant can be.
    pub(super) fn of(operand: Operand<'_>) -> Option<Self> {
        Some(match operand {
            Operand::Lower(text) => Self::Text(text.to_ascii_lowercase().into_boxed_str()),
            Operand::Plain(Value::Null) => Self::Null,
            Operand::Plain(Value::Bool(value)) => Self::Bool(value),
            Operand::Plain(Value::Int(value)) => Self::Int(value),
            Operand::Plain(Value::Float(value)) => Self::Float(value),
            Operand::Plain(Value::Text(text)) => Self::Text(Box::from(text)),
            Operand::Plain(Value::Time(time)) => Self::Time(time),
            Operand::Plain(Value::Duration(span)) => Self::Duration(span),
            Operand::Plain(Value::Uint(_) | Value::Texts(_) | Value::Ip(_) | Value::Json(_)) => {
                return None;
            }
        })
    }
}

impl Term {
    pub(super) const fn constant(&self) -> Option<&Constant> {
        match &self.node {
            TermNode::Constant(constant) => Some(constant),
            _ => None,
        }
    }

    pub(super) const fn is_constant(&self) -> bool {
        self.constant().is_some()
    }
}

impl Test {
    pub(super) const fn constant(&self) -> Option<bool> {
        match self.node {
            TestNode::Always(value) => Some(value),
            _ => None,
        }
    }

    /// Whether it has a value that no call changes. What it is made of is folded already.
    pub(super) fn reads_nothing(&self) -> bool {
        match &self.node {
            TestNode::Always(_) => true,
            TestNode::Has(_) => false,
            TestNode::And(tests) | TestNode::Or(tests) => {
                tests.iter().all(|test| test.constant().is_some())
            }
            TestNode::Not(test) => test.constant().is_some(),
            TestNode::Choose(tests) => tests.iter().all(|test| test.constant().is_some()),
            TestNode::Compare(_, terms) | TestNode::Among(terms) | TestNode::Part(_, terms) => {
                terms.iter().all(Term::is_constant)
            }
            TestNode::In(term, _)
            | TestNode::Matches(term, _)
            | TestNode::Between(term, _)
            | TestNode::Within(term, _)
            | TestNode::Is(term) => term.is_constant(),
        }
    }
}

/// Which part of a text another one is looked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Anywhere,
    End,
    Start,
}

/// What CEL reads off a time, counted as CEL counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClockField {
    /// Of the month, from 1.
    Date,
    /// Of the month, from 0.
    DayOfMonth,
    /// From 0, which is Sunday.
    DayOfWeek,
    /// From 0.
    DayOfYear,
    FullYear,
    Hours,
    Milliseconds,
    Minutes,
    /// From 0, which is January.
    Month,
    Seconds,
}

/// The constants of a list.
#[derive(Debug, Clone)]
pub(super) enum Members {
    /// Sorted.
    Texts(Box<[Box<str>]>),
    Others(Box<[Constant]>),
}

/// So few texts are compared faster one by one than by halves.
const FEW: usize = 8;

impl Members {
    pub(super) fn new(constants: Vec<Constant>) -> Self {
        let texts: Option<Vec<Box<str>>> = constants
            .iter()
            .map(|constant| match constant {
                Constant::Text(text) => Some(text.clone()),
                _ => None,
            })
            .collect();
        match texts {
            Some(mut texts) => {
                texts.sort_unstable();
                texts.dedup();
                Self::Texts(texts.into_boxed_slice())
            }
            None => Self::Others(constants.into_boxed_slice()),
        }
    }

    pub(super) fn holds(&self, operand: Operand<'_>) -> bool {
        let same = |value| super::value::equal(operand, Operand::Plain(value)) == Ok(true);
        match (self, operand) {
            (Self::Texts(texts), Operand::Plain(Value::Text(text))) if texts.len() > FEW => texts
                .binary_search_by(|member| (**member).cmp(text))
                .is_ok(),
            (Self::Texts(texts), Operand::Plain(Value::Text(text))) => {
                texts.iter().any(|member| **member == *text)
            }
            (Self::Texts(texts), _) => texts.iter().any(|member| same(Value::Text(member))),
            (Self::Others(constants), _) => constants.iter().any(|constant| same(constant.value())),
        }
    }
}
