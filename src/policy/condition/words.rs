//! Words that an attribute never is: a protocol that does not exist, a method by a name that is not the
//! canonical one.

use super::ast::{Ast, Literal, Node};
use super::attribute::Attribute;
use super::check::Checker;
use super::error::{ConditionError, Fault};
use super::program::{Constant, Term, TermNode};
use super::shown::ticked;
use super::vocabulary::nearest;
use crate::model::Protocol;

/// What is wrong with a comparison of these two, if one is an attribute that is never what the other says.
pub(super) fn impossible(
    checker: &Checker<'_>,
    left: &Term,
    right: &Term,
) -> Option<ConditionError> {
    [(left, right), (right, left)]
        .into_iter()
        .find_map(|(read, constant)| {
            let Some(Constant::Text(text)) = constant.constant() else {
                return None;
            };
            let (title, label) = never(attribute(checker, read)?, text)?;
            let span = constant.mark.span();
            Some(ConditionError::new(Fault::Value, span, title, label))
        })
}

/// The same for the elements of a list.
pub(super) fn impossible_member(
    checker: &Checker<'_>,
    read: &Term,
    elements: &[Ast],
) -> Option<ConditionError> {
    let attribute = attribute(checker, read)?;
    elements.iter().find_map(|element| {
        let Node::Literal(Literal::Text(text)) = &element.node else {
            return None;
        };
        let (title, label) = never(attribute, text)?;
        let span = element.span.clone();
        Some(ConditionError::new(Fault::Value, span, title, label))
    })
}

fn attribute(checker: &Checker<'_>, term: &Term) -> Option<Attribute> {
    match term.node {
        TermNode::Read(path) => checker
            .paths
            .get(usize::from(path))
            .map(super::attribute::Path::attribute),
        _ => None,
    }
}

/// The title and label of the message, where the attribute is never that text.
fn never(attribute: Attribute, text: &str) -> Option<(String, String)> {
    match attribute {
        Attribute::Protocol => no_protocol(text),
        Attribute::Method => alias(Protocol::ALL, text),
        Attribute::Action => {
            let Some((protocol, rest)) = text.split_once(':') else {
                let title = format!("`action` is never {}", ticked(text));
                return Some((title, "write it as 'protocol:method name'".to_owned()));
            };
            let method = rest.split_once(' ').map_or(rest, |(method, _)| method);
            no_protocol(protocol).or_else(|| {
                let known = Protocol::ALL
                    .iter()
                    .find(|known| known.as_str() == protocol)?;
                alias(std::slice::from_ref(known), method)
            })
        }
        _ => None,
    }
}

fn no_protocol(text: &str) -> Option<(String, String)> {
    let words = || Protocol::ALL.iter().map(|protocol| protocol.as_str());
    if words().any(|word| word == text) {
        return None;
    }
    let label = nearest(text, words()).map_or_else(
        || format!("one of {}", words().collect::<Vec<_>>().join(", ")),
        |near| format!("write '{near}'"),
    );
    Some((format!("there is no protocol {}", ticked(text)), label))
}

/// A method by the name that an older version of its protocol has for it.
fn alias(protocols: &[Protocol], text: &str) -> Option<(String, String)> {
    let methods = || protocols.iter().flat_map(|protocol| protocol.methods());
    // What is an alias in one protocol is the name itself in another: MCP has `tasks/get` as well.
    if methods().any(|(name, _)| *name == text) {
        return None;
    }
    let (name, _) = methods().find(|(_, aliases)| aliases.contains(&text))?;
    let title = format!("{} is an older name, which no call has here", ticked(text));
    Some((title, format!("write `{name}`, for all versions")))
}
