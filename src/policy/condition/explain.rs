//! Why a condition is true, false or without an answer, in one short line with the values put in.

use super::MAX_EXPLANATION;
use super::attribute::{Attributes, Path};
use super::error::EvalError;
use super::evaluate::Evaluation;
use super::program::{Constant, Part, PathIndex, Term, TermNode, Test, TestNode};
use super::shown::{cut, quoted};
use super::value::{Kind, Operand, Value};
use super::window::{Window, hour_and_minute};

/// Walks the deciding parts of a condition, asking the same evaluation as the decision did.
pub(super) struct Explanation<'a, A: ?Sized> {
    pub(super) text: &'a str,
    pub(super) evaluation: Evaluation<'a, A>,
}

impl<'a, A: Attributes + ?Sized> Explanation<'a, A> {
    /// One line about the whole.
    pub(super) fn line(&self, test: &'a Test) -> String {
        let mut parts = Vec::new();
        self.collect(test, false, &mut parts);
        cut_line(&parts.join(" and "))
    }

    /// `negated`: an odd number of `!` stands before it. A comparison that does not hold is then told the other
    /// way round, so that the reader sees what makes the whole true.
    fn collect(&self, test: &'a Test, negated: bool, parts: &mut Vec<String>) {
        let outcome = self.evaluation.test(test);
        match &test.node {
            TestNode::And(tests) => self.deciding(tests, outcome, false, negated, parts),
            TestNode::Or(tests) => self.deciding(tests, outcome, true, negated, parts),
            TestNode::Not(of) => self.collect(of, !negated, parts),
            TestNode::Choose(tests) => {
                let [condition, yes, no] = &**tests;
                match self.evaluation.test(condition) {
                    Ok(true) => self.collect(yes, negated, parts),
                    Ok(false) => self.collect(no, negated, parts),
                    Err(_) => self.collect(condition, negated, parts),
                }
            }
            _ => parts.push(match outcome {
                Ok(holds) => self.fact(test, holds, negated),
                Err(error) => self.trouble(test, error),
            }),
        }
    }

    /// Of a chain the part that decided; where all had to agree, all of them.
    fn deciding(
        &self,
        tests: &'a [Test],
        outcome: Result<bool, EvalError>,
        decides: bool,
        negated: bool,
        parts: &mut Vec<String>,
    ) {
        let deciding = tests
            .iter()
            .find(|test| match (outcome, self.evaluation.test(test)) {
                (Ok(value), found) => value == decides && found == Ok(decides),
                (Err(_), found) => found.is_err(),
            });
        match deciding {
            Some(test) => self.collect(test, negated, parts),
            None => tests
                .iter()
                // More would not fit on the line.
                .take(8)
                .for_each(|test| self.collect(test, negated, parts)),
        }
    }

    fn fact(&self, test: &'a Test, holds: bool, negated: bool) -> String {
        let not = if holds { "" } else { "not " };
        match &test.node {
            TestNode::Always(value) => format!("it is always {value}"),
            TestNode::Compare(comparison, terms) => {
                let [left, right] = &**terms;
                let turned = negated && !holds;
                let comparison = if turned {
                    comparison.negated()
                } else {
                    *comparison
                };
                let (left, right) = (self.valued(left), self.valued(right));
                format!("{left} {} {right}", comparison.as_str())
            }
            TestNode::In(member, _) => {
                let list = self.source(test).rsplit_once(" in ");
                let list = list.map_or_else(|| "the list".to_owned(), |(_, list)| cut(list, 40));
                format!("{} is {not}in {list}", self.valued(member))
            }
            TestNode::Among(terms) => {
                let [member, list] = &**terms;
                format!("{} is {not}in {}", self.valued(member), self.written(list))
            }
            TestNode::Has(path) => {
                let state = if holds { "present" } else { "missing" };
                format!("{} is {state}", self.path(*path))
            }
            TestNode::Part(part, terms) => {
                let [whole, wanted] = &**terms;
                let verb = match (part, holds) {
                    (Part::Anywhere, true) => "contains",
                    (Part::Anywhere, false) => "does not contain",
                    (Part::End, true) => "ends with",
                    (Part::End, false) => "does not end with",
                    (Part::Start, true) => "starts with",
                    (Part::Start, false) => "does not start with",
                };
                format!("{} {verb} {}", self.valued(whole), self.valued(wanted))
            }
            TestNode::Matches(term, pattern) => {
                let verb = if holds { "matches" } else { "does not match" };
                format!("{} {verb} {}", self.valued(term), quoted(pattern.as_str()))
            }
            TestNode::Between(term, window) => self.between(term, window, not),
            TestNode::Within(term, networks) => {
                let networks: Vec<_> = networks.iter().map(ToString::to_string).collect();
                let networks = cut(&networks.join(", "), 60);
                format!("{} is {not}in {networks}", self.valued(term))
            }
            TestNode::Is(term) => format!("{} is {holds}", self.written(term)),
            // Told by its parts.
            TestNode::And(_) | TestNode::Or(_) | TestNode::Not(_) | TestNode::Choose(_) => {
                self.source(test).to_owned()
            }
        }
    }

    fn between(&self, term: &'a Term, window: &Window, not: &str) -> String {
        let clock = match self.evaluation.term(term).and_then(Operand::time) {
            Ok(time) => window.shown(time),
            Err(_) => self.written(term),
        };
        let (from, to) = (hour_and_minute(window.from), hour_and_minute(window.to));
        let on = window.on.as_deref().map(|days| format!(" on {days}"));
        let on = on.unwrap_or_default();
        format!("{clock} is {not}between {from} and {to}{on}")
    }

    /// What stood in the way of an answer.
    fn trouble(&self, test: &'a Test, error: EvalError) -> String {
        let terms: Vec<&Term> = match &test.node {
            TestNode::Compare(_, terms) | TestNode::Among(terms) | TestNode::Part(_, terms) => {
                terms.iter().collect()
            }
            TestNode::In(term, _)
            | TestNode::Matches(term, _)
            | TestNode::Between(term, _)
            | TestNode::Within(term, _)
            | TestNode::Is(term) => vec![term],
            TestNode::Always(_)
            | TestNode::And(_)
            | TestNode::Choose(_)
            | TestNode::Has(_)
            | TestNode::Not(_)
            | TestNode::Or(_) => Vec::new(),
        };
        let blamed = terms.iter().find_map(|term| {
            self.blame(term)
                .filter(|_| self.evaluation.term(term).is_err())
        });
        if let Some(blamed) = blamed {
            return blamed;
        }
        // Each side has a value, and they do not go together.
        let values: Vec<_> = terms
            .iter()
            .filter(|term| !term.is_constant())
            .map(|term| self.of_kind(term))
            .collect();
        match (error, values.as_slice()) {
            (EvalError::Kind, [_, ..]) => {
                let wanted = self.wanted(test, &terms);
                format!("{}{wanted}", values.join(" and "))
            }
            _ => format!("{}: {error}", cut(self.source(test), 60)),
        }
    }

    fn wanted(&self, test: &Test, terms: &[&Term]) -> String {
        let kind = match &test.node {
            TestNode::Compare(..) => terms
                .iter()
                .find_map(|term| term.constant().map(|constant| constant.value().kind())),
            TestNode::Part(..) | TestNode::Matches(..) => Some(Kind::Text),
            TestNode::Among(_) => Some(Kind::List),
            TestNode::Is(_) => Some(Kind::Bool),
            _ => None,
        };
        kind.map(|kind| format!(", not {}", kind.a()))
            .unwrap_or_default()
    }

    /// The innermost term without a value.
    fn blame(&self, term: &'a Term) -> Option<String> {
        let error = self.evaluation.term(term).err()?;
        let inner: Vec<&Term> = match &term.node {
            TermNode::Constant(_) => Vec::new(),
            TermNode::Read(path) => {
                return Some(format!("{} is missing", self.path(*path)));
            }
            TermNode::Clock(of, ..)
            | TermNode::Instant(of)
            | TermNode::Lower(of)
            | TermNode::Negate(of)
            | TermNode::Size(of) => vec![of],
            TermNode::Calculate(_, terms) => terms.iter().collect(),
            TermNode::Choose(parts) => vec![&parts.1, &parts.2],
            TermNode::Test(test) => {
                let mut parts = Vec::new();
                self.collect(test, false, &mut parts);
                return parts.pop();
            }
        };
        let blamed = inner.iter().find_map(|term| self.blame(term));
        Some(blamed.unwrap_or_else(|| {
            let values: Vec<_> = inner
                .iter()
                .filter(|term| !term.is_constant())
                .map(|term| self.valued(term))
                .collect();
            let with = if values.is_empty() {
                String::new()
            } else {
                format!(" ({})", values.join(", "))
            };
            format!("{}: {error}{with}", self.written(term))
        }))
    }

    fn of_kind(&self, term: &'a Term) -> String {
        match self.evaluation.term(term) {
            Ok(value) => format!("{} is {}", self.written(term), value.kind().a()),
            Err(error) => format!("{}: {error}", self.written(term)),
        }
    }

    /// As it is written, and its value unless that is what is written.
    fn valued(&self, term: &'a Term) -> String {
        if let Some(constant) = term.constant() {
            let source = self.written(term);
            return match constant {
                Constant::Text(text) => quoted(text),
                _ => source,
            };
        }
        match self.evaluation.term(term) {
            Ok(value) => format!("{} {}", self.written(term), shown(value)),
            Err(_) => self.written(term),
        }
    }

    fn written(&self, term: &Term) -> String {
        match term.node {
            TermNode::Read(path) => self.path(path),
            _ => squeezed(self.text.get(term.mark.span()).unwrap_or_default()),
        }
    }

    fn source(&self, test: &Test) -> &'a str {
        self.text.get(test.mark.span()).unwrap_or_default()
    }

    fn path(&self, path: PathIndex) -> String {
        self.evaluation
            .paths
            .get(usize::from(path))
            .map(|path: &Path| cut(&path.to_string(), 60))
            .unwrap_or_default()
    }
}

fn shown(operand: Operand<'_>) -> String {
    match operand {
        Operand::Lower(text) => quoted(&cut(text, 40).to_ascii_lowercase()),
        Operand::Plain(Value::Null) => "null".to_owned(),
        Operand::Plain(Value::Bool(value)) => value.to_string(),
        Operand::Plain(Value::Int(value)) => value.to_string(),
        Operand::Plain(Value::Uint(value)) => value.to_string(),
        // As JSON writes it: 2.0 and 1e300, not the three hundred digits.
        Operand::Plain(Value::Float(value)) => format!("{value:?}"),
        Operand::Plain(Value::Text(text)) => quoted(text),
        Operand::Plain(Value::Time(time)) => format!("{time:.0}"),
        Operand::Plain(Value::Duration(span)) => format!("{span:#}"),
        Operand::Plain(Value::Ip(address)) => address.to_canonical().to_string(),
        Operand::Plain(Value::Texts(texts)) => of_size(texts.len()),
        Operand::Plain(Value::Json(serde_json::Value::Array(values))) => of_size(values.len()),
        Operand::Plain(Value::Json(_)) => "(an object)".to_owned(),
    }
}

fn of_size(size: usize) -> String {
    format!("(a list of {size})")
}

/// On one line, however the author broke it.
fn squeezed(source: &str) -> String {
    let words: Vec<_> = source.split_whitespace().take(40).collect();
    cut(&words.join(" "), 60)
}

fn cut_line(line: &str) -> String {
    let mut shown: String = line.chars().take(MAX_EXPLANATION).collect();
    if line.chars().nth(MAX_EXPLANATION).is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}
