//! What an expression means: names to attributes, kinds against operators, constants folded. Goes on after a
//! mistake, so that an author sees all of them.

use super::ast::{Arithmetic, Ast, Binary, Comparison, Literal, Node, Span};
use super::attribute::{Nothing, Path, Phase};
use super::error::{ConditionError, EvalError, Fault};
use super::evaluate::{Evaluation, timestamp};
use super::program::{Constant, Mark, Members, PathIndex, Term, TermNode, Test, TestNode};
use super::shown::ticked;
use super::value::Kind;
use super::vocabulary::{resolve, source};
use super::window::{duration, time_of_day};
use super::words;

/// Compiles one expression.
#[derive(Debug)]
pub(super) struct Checker<'t> {
    pub(super) text: &'t str,
    pub(super) phase: Phase,
    pub(super) paths: Vec<Path>,
    pub(super) errors: Vec<ConditionError>,
    pub(super) patterns: usize,
}

/// `None`: a mistake has been recorded.
pub(super) type Checked<T> = Option<T>;

impl<'t> Checker<'t> {
    pub(super) const fn new(text: &'t str, phase: Phase) -> Self {
        Self {
            text,
            phase,
            paths: Vec::new(),
            errors: Vec::new(),
            patterns: 0,
        }
    }

    /// Something that must be true or false.
    pub(super) fn test(&mut self, ast: &Ast) -> Checked<Test> {
        let node = match &ast.node {
            Node::Literal(Literal::Bool(value)) => TestNode::Always(*value),
            Node::And(parts) => return self.chain(ast, parts, false),
            Node::Or(parts) => return self.chain(ast, parts, true),
            Node::Not(of) => TestNode::Not(Box::new(self.test(of)?)),
            Node::Choose(parts) => {
                let [condition, yes, no] = &**parts;
                let parts = (self.test(condition), self.test(yes), self.test(no));
                let (condition, yes, no) = (parts.0?, parts.1?, parts.2?);
                TestNode::Choose(Box::new([condition, yes, no]))
            }
            Node::Binary(Binary::Compare(comparison), left, right) => {
                self.compare(*comparison, left, right)?
            }
            Node::Binary(Binary::In, member, list) => self.membership(member, list)?,
            Node::Call(target, word, arguments) => {
                match self.call(ast, target.as_deref(), word, arguments)? {
                    Meaning::Test(node) => node,
                    Meaning::Term(kind, node) => {
                        let term = self.done(ast, kind, node);
                        self.truth(ast, term)?
                    }
                }
            }
            Node::Binary(Binary::Calculate(_), ..)
            | Node::Index(..)
            | Node::List(_)
            | Node::Literal(_)
            | Node::Name(_)
            | Node::Negate(_)
            | Node::Select(..) => {
                let term = self.term(ast);
                self.truth(ast, term)?
            }
        };
        self.folded(ast, node)
    }

    /// Something that has a value.
    pub(super) fn term(&mut self, ast: &Ast) -> Checked<Term> {
        let (kind, node) = match &ast.node {
            Node::Literal(literal) => constant(literal),
            Node::Name(_) | Node::Select(..) | Node::Index(..) => {
                let path = self.path(ast)?;
                let kind = self.paths.get(usize::from(path))?.attribute().kind();
                (kind, TermNode::Read(path))
            }
            Node::List(_) => {
                let title = "a list stands only on the right of `in`";
                return self.wrong(Fault::Type, &ast.span, title, "write `x in […]`");
            }
            Node::Negate(of) => {
                let of = self.term(of)?;
                let kinds = [Kind::Any, Kind::Duration, Kind::Number];
                self.wants(&of, &kinds, "`-` takes a number")?;
                (of.kind, TermNode::Negate(Box::new(of)))
            }
            Node::Binary(Binary::Calculate(operator), left, right) => {
                self.calculation(ast, *operator, left, right)?
            }
            Node::Choose(parts) => self.choice(ast, parts)?,
            Node::Call(target, word, arguments) => {
                match self.call(ast, target.as_deref(), word, arguments)? {
                    Meaning::Term(kind, node) => (kind, node),
                    Meaning::Test(node) => {
                        let test = self.folded(ast, node)?;
                        (Kind::Bool, TermNode::Test(Box::new(test)))
                    }
                }
            }
            Node::Binary(Binary::Compare(_) | Binary::In, ..)
            | Node::And(_)
            | Node::Not(_)
            | Node::Or(_) => (Kind::Bool, TermNode::Test(Box::new(self.test(ast)?))),
        };
        self.done(ast, kind, node)
    }

    /// Replaces by its value what no call can change.
    fn done(&mut self, ast: &Ast, kind: Kind, node: TermNode) -> Checked<Term> {
        let mut term = Term {
            mark: Mark::of(&ast.span),
            kind,
            node,
        };
        let fixed = match &term.node {
            TermNode::Constant(_) | TermNode::Read(_) => false,
            TermNode::Clock(of, ..)
            | TermNode::Instant(of)
            | TermNode::Lower(of)
            | TermNode::Negate(of)
            | TermNode::Size(of) => of.is_constant(),
            TermNode::Calculate(_, terms) => terms.iter().all(Term::is_constant),
            TermNode::Choose(parts) => {
                parts.0.constant().is_some() && parts.1.is_constant() && parts.2.is_constant()
            }
            TermNode::Test(test) => test.constant().is_some(),
        };
        if fixed {
            let value = nothing().term(&term).map(Constant::of);
            match value {
                Ok(Some(value)) => term.node = TermNode::Constant(value),
                Ok(None) => {}
                Err(error) => return self.never(&ast.span, error),
            }
        }
        Some(term)
    }

    fn folded(&mut self, ast: &Ast, node: TestNode) -> Checked<Test> {
        let mut test = Test {
            mark: Mark::of(&ast.span),
            node,
        };
        if test.reads_nothing() {
            match nothing().test(&test) {
                Ok(value) => test.node = TestNode::Always(value),
                Err(error) => return self.never(&ast.span, error),
            }
        }
        Some(test)
    }

    fn never<T>(&mut self, span: &Span, error: EvalError) -> Checked<T> {
        let title = format!("this never has a value: {error}");
        self.wrong(Fault::Value, span, title, "for any call")
    }

    fn chain(&mut self, ast: &Ast, parts: &[Ast], decides: bool) -> Checked<Test> {
        let parts: Vec<_> = parts.iter().map(|part| self.test(part)).collect();
        let mut tests = parts.into_iter().collect::<Option<Vec<_>>>()?;
        let decided = tests.iter().any(|test| test.constant() == Some(decides));
        // What decides nothing is left out, and what decides alone is all that is left.
        tests.retain(|test| test.constant().is_none());
        let node = match tests.len() {
            _ if decided => TestNode::Always(decides),
            0 => TestNode::Always(!decides),
            _ if decides => TestNode::Or(tests.into_boxed_slice()),
            _ => TestNode::And(tests.into_boxed_slice()),
        };
        self.folded(ast, node)
    }

    /// A value where something must be true or false.
    fn truth(&mut self, ast: &Ast, term: Checked<Term>) -> Checked<TestNode> {
        let term = term?;
        let label = match term.kind {
            Kind::Any | Kind::Bool => return Some(TestNode::Is(Box::new(term))),
            Kind::Number => "compare it, as in `… > 0`",
            Kind::Text => "compare it, as in `… == 'a text'`",
            Kind::List => "write `x in …`",
            Kind::Ip => "write `cidr(source.ip, '10.0.0.0/8')`",
            Kind::Time | Kind::Duration => "compare it, as in `… > …`",
            Kind::Null | Kind::Object => "write `x == null`",
        };
        let title = format!(
            "a condition is true or false, and {} is {}",
            self.shown(&ast.span),
            term.kind.a()
        );
        self.wrong(Fault::Type, &ast.span, title, label)
    }

    fn compare(&mut self, comparison: Comparison, left: &Ast, right: &Ast) -> Checked<TestNode> {
        let terms = (self.term(left), self.term(right));
        let (left, right) = (terms.0?, terms.1?);
        for (term, other) in [(&left, &right), (&right, &left)] {
            if let Some(error) = self.incomparable(comparison, term, other) {
                self.errors.push(error);
                return None;
            }
        }
        if let Some(error) = words::impossible(self, &left, &right) {
            self.errors.push(error);
            return None;
        }
        Some(TestNode::Compare(comparison, Box::new([left, right])))
    }

    /// What cannot be true of any call. What depends on the kind of a claim or an argument is left to run time.
    fn incomparable(
        &self,
        comparison: Comparison,
        term: &Term,
        other: &Term,
    ) -> Option<ConditionError> {
        let shown = self.shown(&term.mark.span());
        let ordering = comparison.is_ordering();
        let wrong = |term: &Term, title: String, label: String| {
            Some(ConditionError::new(
                Fault::Type,
                term.mark.span(),
                title,
                label,
            ))
        };
        match (term.kind, other.kind) {
            (Kind::List, _) => wrong(
                term,
                format!("{shown} is a list, and lists are not compared"),
                "write `x in …`".to_owned(),
            ),
            (Kind::Ip, _) => wrong(
                term,
                format!("{shown} is an address, and addresses are looked for in networks"),
                match other.constant() {
                    Some(Constant::Text(address)) if address.len() < 50 => {
                        format!("write cidr(source.ip, {})", super::shown::quoted(address))
                    }
                    _ => "write cidr(source.ip, '10.0.0.0/8')".to_owned(),
                },
            ),
            (Kind::Null, kind) if kind != Kind::Any && kind != Kind::Null => wrong(
                term,
                format!("{} is never null", self.shown(&other.mark.span())),
                format!(
                    "write {}has({})",
                    if comparison == Comparison::Equal {
                        "!"
                    } else {
                        ""
                    },
                    self.source(&other.mark.span(), "…")
                ),
            ),
            (Kind::Bool | Kind::Null, _) if ordering => wrong(
                term,
                format!("{shown} is {}, which has no order", term.kind.a()),
                "compare with `==` or `!=`".to_owned(),
            ),
            (Kind::Any, Kind::Time | Kind::Duration) => wrong(
                term,
                format!("{shown} is JSON, which knows no {}", noun(other.kind)),
                if other.kind == Kind::Time {
                    format!("write timestamp({})", self.source(&term.mark.span(), "…"))
                } else {
                    "compare times, as in `time - timestamp(claims.iat) > duration('1h')`".into()
                },
            ),
            // A quoted number sorts as text: '9' is above '10000'.
            (Kind::Text, Kind::Any) if ordering => {
                let number = numeric(term)?;
                let other = self.shown(&other.mark.span());
                wrong(
                    term,
                    format!("{other} is text in `when`, but compared with a number"),
                    format!("write {number}"),
                )
            }
            (kind, other_kind) if kind != other_kind && kind != Kind::Any => {
                if matches!(other_kind, Kind::Any | Kind::Null) {
                    return None;
                }
                self.mixed(term, other)
            }
            _ => None,
        }
    }

    /// Two kinds that are both known. The remedy stands at the constant, where there is one.
    fn mixed(&self, term: &Term, other: &Term) -> Option<ConditionError> {
        let (constant, known) = if term.is_constant() {
            (term, other)
        } else {
            (other, term)
        };
        let title = format!(
            "{} is {}, and {} is {}",
            self.shown(&known.mark.span()),
            known.kind.a(),
            self.shown(&constant.mark.span()),
            constant.kind.a()
        );
        let label = match (known.kind, constant.kind) {
            (Kind::Number, Kind::Text) if let Some(number) = numeric(constant) => {
                format!("write {number}")
            }
            (Kind::Text, Kind::Number | Kind::Bool) if constant.is_constant() => {
                format!("write '{}'", self.source(&constant.mark.span(), "…"))
            }
            (Kind::Time | Kind::Duration, _) => remedy_of_time(known.kind, constant),
            (kind, _) => format!("compare with {}", kind.a()),
        };
        Some(ConditionError::new(
            Fault::Type,
            constant.mark.span(),
            title,
            label,
        ))
    }

    fn membership(&mut self, member: &Ast, list: &Ast) -> Checked<TestNode> {
        if let Node::List(elements) = &list.node {
            let constants = self.elements(list, elements);
            let member = self.term(member);
            let (constants, member) = (constants?, member?);
            let kind = constants.first().map_or(Kind::Any, kind_of);
            if ![Kind::Any, kind].contains(&member.kind) {
                let first = elements.first().map_or(&list.span, |first| &first.span);
                let title = format!(
                    "{} is {}, and the list holds {}",
                    self.shown(&member.mark.span()),
                    member.kind.a(),
                    plural(kind)
                );
                let label = match member.kind {
                    Kind::Ip => "write cidr(source.ip, '10.0.0.0/8', …)".to_owned(),
                    Kind::List => "ask `'…' in caller.groups`, once for each".to_owned(),
                    Kind::Text => "write texts in quotes".to_owned(),
                    _ => format!("write {}", plural(member.kind)),
                };
                return self.wrong(Fault::Type, first, title, label);
            }
            if let Some(error) = words::impossible_member(self, &member, elements) {
                self.errors.push(error);
                return None;
            }
            return Some(TestNode::In(Box::new(member), Members::new(constants)));
        }
        let terms = (self.term(member), self.term(list));
        let (member, list) = (terms.0?, terms.1?);
        let title = format!(
            "{} is {}, and `in` looks in a list",
            self.shown(&list.mark.span()),
            list.kind.a()
        );
        match (member.kind, list.kind) {
            (Kind::Text | Kind::Any, Kind::List) | (_, Kind::Any) => {
                Some(TestNode::Among(Box::new([member, list])))
            }
            (_, Kind::List) => {
                let title = format!("{} holds texts", self.shown(&list.mark.span()));
                self.wrong(
                    Fault::Type,
                    &member.mark.span(),
                    title,
                    "write a text in quotes",
                )
            }
            (_, Kind::Text) => {
                let (of, part) = (list.mark.span(), member.mark.span());
                let label = format!(
                    "write {}.contains({})",
                    self.source(&of, "x"),
                    self.source(&part, "y")
                );
                self.wrong(Fault::Type, &of, title, label)
            }
            (_, Kind::Ip) => self.wrong(
                Fault::Type,
                &list.mark.span(),
                title,
                "write cidr(source.ip, '10.0.0.0/8')",
            ),
            _ => self.wrong(
                Fault::Type,
                &list.mark.span(),
                title,
                "write a list, as in `['a', 'b']`",
            ),
        }
    }

    /// The constants of a list, all of one kind.
    fn elements(&mut self, list: &Ast, elements: &[Ast]) -> Checked<Vec<Constant>> {
        if elements.is_empty() {
            let title = "nothing is in an empty list";
            return self.wrong(Fault::Value, &list.span, title, "write at least one value");
        }
        let mut constants: Vec<Constant> = Vec::new();
        for element in elements {
            let Node::Literal(literal) = &element.node else {
                continue;
            };
            let (kind, node) = constant(literal);
            let first = constants.first().map_or(kind, kind_of);
            if kind != first {
                let title = format!(
                    "a list holds values of one kind, and this one begins with {}",
                    first.a()
                );
                let label = format!("this is {}", kind.a());
                return self.wrong(Fault::Type, &element.span, title, label);
            }
            if let TermNode::Constant(constant) = node {
                constants.push(constant);
            }
        }
        Some(constants)
    }

    fn calculation(
        &mut self,
        ast: &Ast,
        operator: Arithmetic,
        left: &Ast,
        right: &Ast,
    ) -> Checked<(Kind, TermNode)> {
        let terms = (self.term(left), self.term(right));
        let (left, right) = (terms.0?, terms.1?);
        let kind = match (operator, left.kind, right.kind) {
            (_, Kind::Number | Kind::Any, Kind::Number | Kind::Any) => Kind::Number,
            (Arithmetic::Add, Kind::Time, Kind::Duration)
            | (Arithmetic::Add, Kind::Duration, Kind::Time)
            | (Arithmetic::Subtract, Kind::Time, Kind::Duration) => Kind::Time,
            (Arithmetic::Subtract, Kind::Time, Kind::Time)
            | (Arithmetic::Add | Arithmetic::Subtract, Kind::Duration, Kind::Duration) => {
                Kind::Duration
            }
            (_, left_kind, right_kind) => {
                let title = format!(
                    "`{}` does not go between {} and {}",
                    operator.as_str(),
                    left_kind.a(),
                    right_kind.a()
                );
                let label = match (operator, left_kind, right_kind) {
                    (Arithmetic::Add, Kind::Text, _) | (Arithmetic::Add, _, Kind::Text) => {
                        "compare the parts by themselves"
                    }
                    (_, Kind::Time, _) | (_, _, Kind::Time) => {
                        "a time and a duration go together, as in `time - duration('1h30m')`"
                    }
                    _ => "this takes numbers",
                };
                let error = ConditionError::new(Fault::Type, ast.span.clone(), title, label);
                self.errors.push(if label.starts_with("compare") {
                    error.help("texts are not joined: a caller would choose how much that costs")
                } else {
                    error
                });
                return None;
            }
        };
        Some((kind, TermNode::Calculate(operator, Box::new([left, right]))))
    }

    fn choice(&mut self, ast: &Ast, parts: &[Ast; 3]) -> Checked<(Kind, TermNode)> {
        let [condition, yes, no] = parts;
        let parts = (self.test(condition), self.term(yes), self.term(no));
        let (condition, yes, no) = (parts.0?, parts.1?, parts.2?);
        let kind = match (yes.kind, no.kind) {
            (left, right) if left == right => left,
            (Kind::Any | Kind::Null, _) | (_, Kind::Any | Kind::Null) => Kind::Any,
            (left, right) => {
                let title = format!("one side is {}, the other {}", left.a(), right.a());
                let label = "both sides of `:` have the same kind";
                return self.wrong(Fault::Type, &ast.span, title, label);
            }
        };
        Some((kind, TermNode::Choose(Box::new((condition, yes, no)))))
    }

    /// The place of a path in the list of what is read.
    pub(super) fn path(&mut self, ast: &Ast) -> Checked<PathIndex> {
        if let Some(inner) = not_a_path(ast) {
            // What is wrong with the function is the better message.
            self.term(inner)?;
        }
        let path = match resolve(ast, self.phase) {
            Ok(path) => path,
            Err(error) => {
                self.errors.push(error);
                return None;
            }
        };
        let place = self.paths.iter().position(|known| *known == path);
        let place = place.unwrap_or_else(|| {
            self.paths.push(path);
            self.paths.len() - 1
        });
        PathIndex::try_from(place).ok()
    }

    pub(super) fn wants(&mut self, term: &Term, kinds: &[Kind], says: &str) -> Checked<()> {
        if kinds.contains(&term.kind) {
            return Some(());
        }
        let span = term.mark.span();
        let title = format!("{says}, and {} is {}", self.shown(&span), term.kind.a());
        let label = match (kinds, term.kind) {
            ([.., Kind::Text], Kind::Number) if term.is_constant() => {
                "write a text in quotes".to_owned()
            }
            ([.., Kind::Number], Kind::Text) if let Some(number) = numeric(term) => {
                format!("write {number}")
            }
            (_, Kind::Ip) => "write cidr(source.ip, '10.0.0.0/8')".to_owned(),
            ([Kind::Time], Kind::Any) => format!("write timestamp({})", self.source(&span, "…")),
            ([Kind::Ip], _) => "only `source.ip` is an address".to_owned(),
            _ => format!("this is {}", term.kind.a()),
        };
        self.wrong(Fault::Type, &span, title, label)
    }

    pub(super) fn wrong<T>(
        &mut self,
        fault: Fault,
        span: &Span,
        title: impl Into<String>,
        label: impl Into<String>,
    ) -> Checked<T> {
        self.errors
            .push(ConditionError::new(fault, span.clone(), title, label));
        None
    }

    /// What stands there, in backticks.
    pub(super) fn shown(&self, span: &Span) -> String {
        ticked(self.text.get(span.clone()).unwrap_or_default())
    }

    /// What stands there, to be written again in a remedy; something shorter where it is long.
    pub(super) fn source<'s>(&self, span: &Span, instead: &'s str) -> &'s str
    where
        't: 's,
    {
        source(self.text, span, 40).unwrap_or(instead)
    }
}

/// What a call of a function is.
#[derive(Debug)]
pub(super) enum Meaning {
    Test(TestNode),
    Term(Kind, TermNode),
}

const fn nothing() -> Evaluation<'static, Nothing> {
    Evaluation {
        paths: &[],
        attributes: &Nothing,
    }
}

fn constant(literal: &Literal) -> (Kind, TermNode) {
    let constant = match literal {
        Literal::Null => Constant::Null,
        Literal::Bool(value) => Constant::Bool(*value),
        Literal::Int(value) => Constant::Int(*value),
        Literal::Float(value) => Constant::Float(*value),
        Literal::Text(text) => Constant::Text(Box::from(text.as_str())),
    };
    (kind_of(&constant), TermNode::Constant(constant))
}

fn kind_of(constant: &Constant) -> Kind {
    constant.value().kind()
}

/// What to write where a time or a duration is compared with something else.
fn remedy_of_time(kind: Kind, other: &Term) -> String {
    match (kind, other.constant()) {
        (Kind::Time, Some(Constant::Text(text))) if timestamp(text).is_some() => {
            format!("write timestamp('{text}')")
        }
        (Kind::Time, Some(Constant::Text(text))) if time_of_day(text).is_some() => {
            "write between(time, '07:00', '19:00', 'Europe/London')".to_owned()
        }
        // Nobody means an hour by a number as large as that.
        (Kind::Time, Some(Constant::Int(seconds))) if *seconds > 100_000_000 => {
            format!("write timestamp({seconds})")
        }
        (Kind::Time, Some(Constant::Int(_))) => {
            "write `time.getHours('Europe/London')`, or another of its fields".to_owned()
        }
        (Kind::Time, _) => "write timestamp('2026-01-31T12:00:00Z')".to_owned(),
        (_, Some(Constant::Int(seconds))) => format!("write duration('{seconds}s')"),
        (_, Some(Constant::Text(text))) if duration(text).is_some() => {
            format!("write duration('{text}')")
        }
        _ => "write duration('1h30m')".to_owned(),
    }
}

/// What fields are asked of, where that is no attribute.
fn not_a_path(ast: &Ast) -> Option<&Ast> {
    match &ast.node {
        Node::Name(_) => None,
        Node::Select(of, _) | Node::Index(of, _) => not_a_path(of),
        _ => Some(ast),
    }
}

/// The number that somebody has put into quotes.
fn numeric(term: &Term) -> Option<&str> {
    let Some(Constant::Text(text)) = term.constant() else {
        return None;
    };
    let digits = text.strip_prefix('-').unwrap_or(text);
    let number = digits
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_digit())
        && digits.len() <= 20
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.parse::<f64>().is_ok()
        && !digits.ends_with('.');
    number.then_some(&**text)
}

const fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::Duration => "durations",
        _ => "times",
    }
}

const fn plural(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "true or false",
        Kind::Null => "null",
        Kind::Number => "numbers",
        Kind::Text => "texts",
        Kind::Time => "times",
        Kind::Duration => "durations",
        Kind::Any | Kind::Ip | Kind::List | Kind::Object => "values",
    }
}
