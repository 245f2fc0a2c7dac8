//! What loads, and is probably not what its author meant.

use std::collections::BTreeMap;

use super::ast::Comparison;
use super::error::{ConditionError, Fault};
use super::program::{Constant, PathIndex, Term, TermNode, Test, TestNode};
use super::shown::ticked;
use super::value::{Kind, Operand, equal};

/// Looks through a compiled condition.
pub(super) fn find(text: &str, test: &Test) -> Vec<ConditionError> {
    let mut doubts = Vec::new();
    if let Some(value) = test.constant() {
        let (title, label) = if value {
            ("a condition is true of every call", "always true")
        } else {
            ("a condition is true of no call", "always false")
        };
        doubts.push(ConditionError::new(
            Fault::Value,
            0..text.len(),
            title,
            label,
        ));
    }
    let mut kinds = BTreeMap::new();
    walk(text, test, &mut kinds, &mut doubts);
    doubts
}

/// With which kind of constant each path was first compared.
type Kinds = BTreeMap<PathIndex, Kind>;

fn walk(text: &str, test: &Test, kinds: &mut Kinds, doubts: &mut Vec<ConditionError>) {
    match &test.node {
        TestNode::And(tests) => {
            exclude(text, tests, Comparison::Equal, doubts);
            tests
                .iter()
                .for_each(|test| walk(text, test, kinds, doubts));
        }
        TestNode::Or(tests) => {
            exclude(text, tests, Comparison::NotEqual, doubts);
            tests
                .iter()
                .for_each(|test| walk(text, test, kinds, doubts));
        }
        TestNode::Not(test) => walk(text, test, kinds, doubts),
        TestNode::Choose(tests) => tests
            .iter()
            .for_each(|test| walk(text, test, kinds, doubts)),
        TestNode::Compare(_, terms) => {
            let Some((path, constant, term)) = fixed(terms) else {
                return;
            };
            let kind = constant.value().kind();
            let first = *kinds.entry(path).or_insert(kind);
            let told = [Kind::Number, Kind::Text];
            if first != kind && told.contains(&first) && told.contains(&kind) {
                let title = format!(
                    "one value is compared with {} and with {}",
                    first.a(),
                    kind.a()
                );
                let label = format!("this is {}; the other is {}", kind.a(), first.a());
                doubts.push(ConditionError::new(
                    Fault::Type,
                    term.mark.span(),
                    title,
                    label,
                ));
            }
        }
        TestNode::Always(_)
        | TestNode::Among(_)
        | TestNode::Between(..)
        | TestNode::Has(_)
        | TestNode::In(..)
        | TestNode::Is(_)
        | TestNode::Matches(..)
        | TestNode::Part(..)
        | TestNode::Within(..) => {}
    }
}

/// `x == 1 && x == 2` is never true, `x != 1 || x != 2` always.
fn exclude(text: &str, tests: &[Test], comparison: Comparison, doubts: &mut Vec<ConditionError>) {
    let mut seen: BTreeMap<PathIndex, &Constant> = BTreeMap::new();
    for test in tests {
        let TestNode::Compare(found, terms) = &test.node else {
            continue;
        };
        let Some((path, constant, _)) = fixed(terms).filter(|_| *found == comparison) else {
            continue;
        };
        let first = *seen.entry(path).or_insert(constant);
        let plain = |constant: &'_ Constant| equal_to(first, constant);
        if !plain(constant) {
            let span = test.mark.span();
            let shown = ticked(text.get(span.clone()).unwrap_or_default());
            let (title, label) = if comparison == Comparison::Equal {
                (
                    format!("{shown} contradicts what stands before it"),
                    "never true together; write `||`, or `in […]`",
                )
            } else {
                (
                    format!("{shown} is true wherever what stands before it is not"),
                    "always true together; write `&&`, or `!(x in […])`",
                )
            };
            doubts.push(ConditionError::new(Fault::Value, span, title, label));
            return;
        }
    }
}

fn equal_to(left: &Constant, right: &Constant) -> bool {
    equal(Operand::Plain(left.value()), Operand::Plain(right.value())) == Ok(true)
}

/// A path and the constant that it is compared with.
fn fixed(terms: &[Term; 2]) -> Option<(PathIndex, &Constant, &Term)> {
    let [left, right] = terms;
    match (&left.node, &right.node) {
        (TermNode::Read(path), TermNode::Constant(constant)) => Some((*path, constant, right)),
        (TermNode::Constant(constant), TermNode::Read(path)) => Some((*path, constant, left)),
        _ => None,
    }
}
