//! Names: the attribute that a path means, and what somebody may have meant who wrote another.

use super::MAX_KEYS;
use super::ast::{Ast, Literal, Node, Span, Word};
use super::attribute::{Attribute, Key, Path, Phase};
use super::error::{ConditionError, Fault};
use super::shown::{cut, ticked};

/// One step after the first name of a path.
enum Step<'e> {
    Field(&'e Word),
    Index(&'e Ast),
}

/// Whether an expression is written as a path.
pub(super) fn is_path(ast: &Ast) -> bool {
    match &ast.node {
        Node::Name(_) => true,
        Node::Select(of, _) | Node::Index(of, _) => is_path(of),
        _ => false,
    }
}

/// The path that an expression names.
pub(super) fn resolve(ast: &Ast, phase: Phase) -> Result<Path, ConditionError> {
    let mut steps = Vec::new();
    let mut at = ast;
    let root = loop {
        match &at.node {
            Node::Name(name) => break name,
            Node::Select(of, word) => {
                steps.push(Step::Field(word));
                at = of;
            }
            Node::Index(of, key) => {
                steps.push(Step::Index(key));
                at = of;
            }
            _ => {
                return Err(ConditionError::new(
                    Fault::Unsupported,
                    at.span.clone(),
                    "only attributes have fields",
                    "begin with an attribute, such as `args.amount`",
                ));
            }
        }
    };
    steps.reverse();
    let (attribute, rest) = attribute(root, &at.span, &steps, ast)?;
    if !attribute.exists_in(phase) {
        return Err(ConditionError::new(
            Fault::Phase,
            ast.span.clone(),
            format!("`{attribute}` does not exist yet when a request is judged"),
            "exists in allow-lists of leaks only",
        )
        .help("a scan finds something in the answer, long after `when` of a rule is decided"));
    }
    let keys = keys(attribute, rest, ast)?;
    Ok(Path::new(attribute, keys))
}

type Found<'s, 'e> = Result<(Attribute, &'s [Step<'e>]), ConditionError>;

fn attribute<'s, 'e>(
    root: &str,
    root_span: &Span,
    steps: &'s [Step<'e>],
    whole: &Ast,
) -> Found<'s, 'e> {
    if let Some(attribute) = named(root) {
        return Ok((attribute, steps));
    }
    let members = members(root);
    if members.is_empty() {
        return Err(unknown_root(root, root_span, whole));
    }
    let list = || format!("`{root}` has {}", members.join(", "));
    let Some((first, rest)) = steps.split_first() else {
        let id = members.contains(&"id").then_some("id");
        let one = id.or_else(|| members.first().copied()).unwrap_or_default();
        return Err(ConditionError::new(
            Fault::Unknown,
            root_span.clone(),
            format!("`{root}` is no value by itself"),
            format!("write `{root}.{one}`"),
        )
        .help(list()));
    };
    let (name, span) = match first {
        Step::Field(word) => (word.text.as_str(), &word.span),
        Step::Index(key) => match &key.node {
            Node::Literal(Literal::Text(text)) => (text.as_str(), &key.span),
            _ => ("", &key.span),
        },
    };
    if let Some(attribute) = named(&format!("{root}.{name}")) {
        return Ok((attribute, rest));
    }
    let meant = synonym(&format!("{root}.{name}")).or_else(|| {
        nearest(name, members.iter().copied()).map(|member| format!("did you mean `{member}`?"))
    });
    Err(ConditionError::new(
        Fault::Unknown,
        span.clone(),
        format!("`{root}` has no {}", ticked(name)),
        meant.unwrap_or_else(|| "no such attribute".to_owned()),
    )
    .help(list()))
}

fn named(text: &str) -> Option<Attribute> {
    Attribute::ALL
        .iter()
        .copied()
        .find(|attribute| attribute.as_str() == text)
}

fn members(root: &str) -> Vec<&'static str> {
    Attribute::ALL
        .iter()
        .filter_map(|attribute| attribute.as_str().split_once('.'))
        .filter(|(group, _)| *group == root)
        .map(|(_, member)| member)
        .collect()
}

fn unknown_root(root: &str, span: &Span, whole: &Ast) -> ConditionError {
    let title = format!("there is no attribute {}", ticked(root));
    let roots = || {
        Attribute::ALL.iter().map(|attribute| {
            let name = attribute.as_str();
            name.split_once('.').map_or(name, |(group, _)| group)
        })
    };
    let lone = matches!(whole.node, Node::Name(_));
    let meant = synonym(root)
        .or_else(|| {
            // Of `caller.tenant` people often write only the second half.
            let second = |attribute: &&Attribute| {
                attribute.as_str().split_once('.').map(|(_, name)| name) == Some(root)
            };
            let full = Attribute::ALL.iter().filter(second).min_by_key(|found| {
                // The caller is meant where a delegate has the same, the request where a finding has.
                let second = ["actor", "finding"];
                let second = second.iter().any(|group| found.as_str().starts_with(group));
                (second, **found)
            });
            full.filter(|_| lone)
                .map(|full| format!("did you mean `{full}`?"))
        })
        .or_else(|| nearest(root, roots()).map(|name| format!("did you mean `{name}`?")));
    let mut all: Vec<_> = roots().collect();
    all.sort_unstable();
    all.dedup();
    let label = meant.unwrap_or_else(|| "no such attribute; a text stands in quotes".to_owned());
    ConditionError::new(Fault::Unknown, span.clone(), title, label)
        .help(format!("attributes begin with {}", all.join(", ")))
}

fn keys(attribute: Attribute, steps: &[Step<'_>], whole: &Ast) -> Result<Vec<Key>, ConditionError> {
    if attribute == Attribute::RequestHeader {
        return header(steps, whole).map(|name| vec![name]);
    }
    if let Some(step) = steps.first()
        && !attribute.is_document()
    {
        let span = match step {
            Step::Field(word) => word.span.clone(),
            Step::Index(key) => key.span.clone(),
        };
        let what = attribute.kind().a();
        let label = if what == "a list" {
            "write `'…' in caller.groups`"
        } else {
            "leave this out"
        };
        let title = format!("`{attribute}` is {what} and has no fields");
        return Err(ConditionError::new(Fault::Type, span, title, label));
    }
    if steps.len() > MAX_KEYS {
        return Err(ConditionError::new(
            Fault::Limit,
            whole.span.clone(),
            format!("a path has at most {MAX_KEYS} steps"),
            "too long",
        ));
    }
    steps
        .iter()
        .map(|step| match step {
            Step::Field(word) => Ok(Key::Name(Box::from(word.text.as_str()))),
            Step::Index(key) => index(key),
        })
        .collect()
}

fn index(key: &Ast) -> Result<Key, ConditionError> {
    let small = match &key.node {
        Node::Literal(Literal::Text(text)) => return Ok(Key::Name(Box::from(text.as_str()))),
        Node::Literal(Literal::Int(index)) => u32::try_from(*index).ok(),
        _ => None,
    };
    small.map(Key::Index).ok_or_else(|| {
        ConditionError::new(
            Fault::Unsupported,
            key.span.clone(),
            "what stands in `[…]` is a text or a number from 0",
            "write ['name'] or [0]",
        )
        .help("so that it is known at load what a condition reads")
    })
}

fn header(steps: &[Step<'_>], whole: &Ast) -> Result<Key, ConditionError> {
    let (name, span) = match steps {
        [Step::Field(word)] => (word.text.as_str(), &word.span),
        [
            Step::Index(Ast {
                node: Node::Literal(Literal::Text(name)),
                span,
            }),
        ] => (name.as_str(), span),
        _ => {
            return Err(ConditionError::new(
                Fault::Type,
                whole.span.clone(),
                "`request.header` is read by one name",
                "write request.header['x-name']",
            ));
        }
    };
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        return Err(ConditionError::new(
            Fault::Value,
            span.clone(),
            format!("{} is not the name of a header", ticked(name)),
            "names have letters, digits and `-`",
        ));
    }
    let name = name.to_ascii_lowercase();
    if CREDENTIALS.contains(&name.as_str()) {
        return Err(ConditionError::new(
            Fault::Unsupported,
            span.clone(),
            format!("`{name}` carries credentials, which conditions do not read"),
            "ask `claims` or `caller`",
        )
        .help("what a condition reads is shown by `explain` and may be recorded"));
    }
    Ok(Key::Name(name.into_boxed_str()))
}

const CREDENTIALS: &[&str] = &[
    "api-key",
    "authorization",
    "cookie",
    "dpop",
    "proxy-authorization",
    "txn-token",
    "workload-identity-token",
    "workload-proof-token",
    "x-api-key",
    "x-goog-api-key",
];

/// What other languages and gateways call what we know.
fn synonym(name: &str) -> Option<String> {
    let ours = match name {
        "user" | "principal" | "subject" | "sub" | "client" | "identity" | "auth" => "caller.id",
        "caller.name" | "caller.sub" | "caller.subject" | "caller.user" | "caller.principal" => {
            "caller.id"
        }
        "caller.group" | "groups" => "caller.groups",
        "caller.role" | "caller.roles" | "roles" | "role" => {
            return Some("rules for roles stand in `roles`; `caller.rank` is the highest".into());
        }
        "caller.level" | "caller.seniority" | "seniority" => "caller.rank",
        "caller.claims" | "request.auth" | "jwt" | "token" | "claim" => "claims",
        "org" | "tenant" | "caller.org" => "caller.tenant",
        "delegate" | "act" | "behalf" => "actor.id",
        "arguments" | "params" | "body" | "input" | "arg" => "args",
        "tool" | "skill" | "resource" | "request.tool" => "name",
        "now" | "date" | "datetime" | "timestamp" | "request.time" => "time",
        "ip" | "source.address" | "source.addr" | "remote" | "request.ip" | "client_ip" => {
            "source.ip"
        }
        "headers" | "header" | "request.headers" => "request.header['x-name']",
        "url" | "uri" | "request.url" | "request.uri" => "request.path",
        "request.method" => "method",
        "request.protocol" => "protocol",
        "request.action" => "action",
        "request.args" | "request.body" | "request.params" => "args",
        "operation" | "request.operation" => "action",
        "task.status" => "task.state",
        "detector" => "finding.detector",
        _ => return None,
    };
    Some(format!("did you mean `{ours}`?"))
}

/// The nearest of some words, if one is near enough to have been meant.
pub(super) fn nearest<'w>(text: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    // Nobody's typo is this long, and the distance costs the product of the lengths.
    if text.len() > 64 {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    words
        .map(|word| {
            let distance = strsim::osa_distance(&lower, &word.to_ascii_lowercase());
            (distance, word)
        })
        .filter(|(distance, word)| *distance <= (word.len() / 3).clamp(1, 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// The source of a short expression, for labels that repeat it.
pub(super) fn source<'t>(text: &'t str, span: &Span, most: usize) -> Option<&'t str> {
    text.get(span.clone())
        .filter(|source| source.len() <= most && cut(source, most) == **source)
}
