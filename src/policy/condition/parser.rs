//! Tokens to an expression, by CEL's grammar and precedence. Stops at the first mistake: what follows one is
//! guessed, and a guess makes a second message wrong.

use super::ast::{Arithmetic, Ast, Binary, Comparison, Literal, Node, Span, Word};
use super::error::{ConditionError, Fault};
use super::lexer::{Token, TokenKind, tokens};
use super::shown::ticked;
use super::{MAX_BYTES, MAX_DEPTH, MAX_LIST, MAX_NODES};

/// Parses the text of a condition.
pub(super) fn parse(text: &str) -> Result<Ast, ConditionError> {
    if text.len() > MAX_BYTES {
        return Err(too_much(
            MAX_BYTES..text.len(),
            format!("a condition has at most {MAX_BYTES} bytes"),
        ));
    }
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens: tokens.into_iter().peekable(),
        end: text.len(),
        last: 0,
        depth: 0,
        nodes: 0,
    };
    if parser.peek() == &TokenKind::End {
        return Err(ConditionError::new(
            Fault::Syntax,
            0..text.len(),
            "a condition is empty",
            "write an expression, or leave out `when`",
        ));
    }
    let ast = parser.expression()?;
    match parser.peek() {
        TokenKind::End => Ok(ast),
        _ => Err(parser.unexpected("an operator")),
    }
}

fn too_much(span: Span, title: String) -> ConditionError {
    ConditionError::new(Fault::Limit, span, title, "split it into several rules")
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    end: usize,
    // The end of the last token that was taken.
    last: usize,
    depth: usize,
    nodes: usize,
}

type Parsed<T = Ast> = Result<T, ConditionError>;

impl Parser {
    /// `or ? or : expression`
    fn expression(&mut self) -> Parsed {
        self.deeper(|parser| {
            let condition = parser.chain("||", Node::Or, |parser| {
                parser.chain("&&", Node::And, Self::relation)
            })?;
            if !parser.take("?") {
                return Ok(condition);
            }
            let start = condition.span.start;
            let yes = parser.chain("||", Node::Or, |parser| {
                parser.chain("&&", Node::And, Self::relation)
            })?;
            parser.expect(":", "a `:`, as in `a ? b : c`")?;
            let no = parser.expression()?;
            parser.node(start, Node::Choose(Box::new([condition, yes, no])))
        })
    }

    /// A chain of one operator is one node, so that a long one is not a deep one.
    fn chain(
        &mut self,
        symbol: &str,
        make: fn(Vec<Ast>) -> Node,
        mut part: impl FnMut(&mut Self) -> Parsed,
    ) -> Parsed {
        let first = part(self)?;
        if !self.is(symbol) {
            return Ok(first);
        }
        let start = first.span.start;
        let mut parts = vec![first];
        while self.take(symbol) {
            parts.push(part(self)?);
        }
        self.node(start, make(parts))
    }

    fn relation(&mut self) -> Parsed {
        let mut left = self.sum()?;
        while let Some(operator) = self.relation_operator() {
            self.advance();
            let right = self.sum()?;
            left = self.binary(operator, left, right)?;
        }
        Ok(left)
    }

    fn relation_operator(&mut self) -> Option<Binary> {
        let comparison = match self.peek() {
            TokenKind::Name(name) if name == "in" => return Some(Binary::In),
            TokenKind::Symbol("==") => Comparison::Equal,
            TokenKind::Symbol("!=") => Comparison::NotEqual,
            TokenKind::Symbol("<") => Comparison::Less,
            TokenKind::Symbol("<=") => Comparison::LessOrEqual,
            TokenKind::Symbol(">") => Comparison::Greater,
            TokenKind::Symbol(">=") => Comparison::GreaterOrEqual,
            _ => return None,
        };
        Some(Binary::Compare(comparison))
    }

    fn sum(&mut self) -> Parsed {
        let mut left = self.product()?;
        loop {
            let operator = match self.peek() {
                TokenKind::Symbol("+") => Arithmetic::Add,
                TokenKind::Symbol("-") => Arithmetic::Subtract,
                _ => return Ok(left),
            };
            self.advance();
            let right = self.product()?;
            left = self.binary(Binary::Calculate(operator), left, right)?;
        }
    }

    fn product(&mut self) -> Parsed {
        let mut left = self.unary()?;
        loop {
            let operator = match self.peek() {
                TokenKind::Symbol("*") => Arithmetic::Multiply,
                TokenKind::Symbol("/") => Arithmetic::Divide,
                TokenKind::Symbol("%") => Arithmetic::Remainder,
                _ => return Ok(left),
            };
            self.advance();
            let right = self.unary()?;
            left = self.binary(Binary::Calculate(operator), left, right)?;
        }
    }

    fn unary(&mut self) -> Parsed {
        let start = self.start();
        if self.take("!") {
            let of = self.deeper(Self::unary)?;
            return self.node(start, Node::Not(Box::new(of)));
        }
        if !self.take("-") {
            return self.member();
        }
        // The smallest whole number has no positive counterpart.
        if let TokenKind::Int(value) = *self.peek() {
            self.advance();
            let value = 0_i64.checked_sub_unsigned(value);
            let value = value.ok_or_else(|| self.too_large(start))?;
            let literal = self.node(start, Node::Literal(Literal::Int(value)))?;
            return self.members(literal);
        }
        let of = self.deeper(Self::unary)?;
        match of.node {
            Node::Literal(Literal::Float(value)) => {
                self.node(start, Node::Literal(Literal::Float(-value)))
            }
            _ => self.node(start, Node::Negate(Box::new(of))),
        }
    }

    fn too_large(&self, start: usize) -> ConditionError {
        ConditionError::new(
            Fault::Syntax,
            start..self.last,
            "a whole number has at most 63 bits",
            "write a smaller number",
        )
    }

    fn member(&mut self) -> Parsed {
        let first = self.primary()?;
        self.members(first)
    }

    fn members(&mut self, mut of: Ast) -> Parsed {
        loop {
            let start = of.span.start;
            if self.take(".") {
                let word = self.word()?;
                let node = if self.take("(") {
                    let arguments = self.arguments()?;
                    Node::Call(Some(Box::new(of)), word, arguments)
                } else {
                    Node::Select(Box::new(of), word)
                };
                of = self.node(start, node)?;
            } else if self.take("[") {
                let key = self.expression()?;
                self.expect("]", "a `]`")?;
                of = self.node(start, Node::Index(Box::new(of), Box::new(key)))?;
            } else {
                return Ok(of);
            }
        }
    }

    fn word(&mut self) -> Parsed<Word> {
        let span = self.span();
        match self.peek().clone() {
            TokenKind::Name(text) => {
                self.advance();
                Ok(Word { text, span })
            }
            TokenKind::Symbol("?") => Err(ConditionError::new(
                Fault::Unsupported,
                span,
                "conditions know no optional fields",
                "write `has(a.b) && a.b == …`",
            )),
            _ => Err(self.unexpected("a name, or ['a text'] in place of the dot")),
        }
    }

    fn primary(&mut self) -> Parsed {
        let start = self.start();
        let literal = match self.peek().clone() {
            TokenKind::Name(name) => return self.named(name),
            TokenKind::Symbol("(") => {
                self.advance();
                let mut inner = self.expression()?;
                self.expect(")", "a `)`")?;
                inner.span = start..self.last;
                return Ok(inner);
            }
            TokenKind::Symbol("[") => return self.list(),
            TokenKind::Float(value) => Literal::Float(value),
            TokenKind::Int(value) => {
                self.advance();
                let value = i64::try_from(value).map_err(|_| self.too_large(start))?;
                return self.node(start, Node::Literal(Literal::Int(value)));
            }
            TokenKind::Text(text) => Literal::Text(text),
            TokenKind::Symbol("{") => {
                return Err(ConditionError::new(
                    Fault::Unsupported,
                    self.span(),
                    "conditions know no maps",
                    "compare each value by itself",
                ));
            }
            TokenKind::End | TokenKind::Symbol(_) => {
                return Err(self.unexpected("a value"));
            }
        };
        self.advance();
        self.node(start, Node::Literal(literal))
    }

    fn named(&mut self, name: String) -> Parsed {
        let span = self.span();
        if let Some((title, label)) = reserved(&name) {
            return Err(ConditionError::new(Fault::Syntax, span, title, label));
        }
        self.advance();
        let node = match name.as_str() {
            "true" => Node::Literal(Literal::Bool(true)),
            "false" => Node::Literal(Literal::Bool(false)),
            "null" => Node::Literal(Literal::Null),
            _ if self.take("(") => {
                let word = Word {
                    text: name,
                    span: span.clone(),
                };
                Node::Call(None, word, self.arguments()?)
            }
            _ => Node::Name(name),
        };
        self.node(span.start, node)
    }

    fn arguments(&mut self) -> Parsed<Vec<Ast>> {
        let mut arguments = Vec::new();
        if self.take(")") {
            return Ok(arguments);
        }
        loop {
            arguments.push(self.expression()?);
            if self.take(")") {
                return Ok(arguments);
            }
            self.expect(",", "a `,` or a `)`")?;
        }
    }

    /// Constants are no nodes of their own: a list of them costs one look-up.
    fn list(&mut self) -> Parsed {
        let start = self.start();
        self.advance();
        let nodes = self.nodes;
        let mut elements = Vec::new();
        while !self.take("]") {
            let element = self.expression()?;
            if !matches!(element.node, Node::Literal(_)) {
                return Err(ConditionError::new(
                    Fault::Unsupported,
                    element.span,
                    "a list holds constants",
                    "compare with this one by itself: `x == a || x == b`",
                ));
            }
            if elements.len() == MAX_LIST {
                let title = format!("a list holds at most {MAX_LIST} values");
                return Err(too_much(element.span, title));
            }
            self.nodes = nodes;
            elements.push(element);
            if !self.take(",") {
                self.expect("]", "a `,` or a `]`")?;
                break;
            }
        }
        self.node(start, Node::List(elements))
    }

    fn binary(&mut self, operator: Binary, left: Ast, right: Ast) -> Parsed {
        let start = left.span.start;
        self.node(
            start,
            Node::Binary(operator, Box::new(left), Box::new(right)),
        )
    }

    fn node(&mut self, start: usize, node: Node) -> Parsed {
        self.nodes += 1;
        let span = start..self.last;
        if self.nodes > MAX_NODES {
            let title = format!("a condition has at most {MAX_NODES} values and operators");
            return Err(too_much(span, title));
        }
        Ok(Ast { span, node })
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == MAX_DEPTH {
            let title = format!("a condition is nested at most {MAX_DEPTH} levels deep");
            return Err(too_much(self.span(), title));
        }
        self.depth += 1;
        let result = inner(self);
        self.depth -= 1;
        result
    }

    fn expect(&mut self, symbol: &str, wanted: &str) -> Parsed<()> {
        if self.take(symbol) {
            return Ok(());
        }
        Err(self.unexpected(wanted))
    }

    fn unexpected(&mut self, wanted: &str) -> ConditionError {
        let span = self.span();
        let (title, label) = match self.peek() {
            TokenKind::End => ("a condition ends too early".to_owned(), wants(wanted)),
            TokenKind::Name(name) => match habit(name) {
                Some(remedy) => (
                    format!("`{name}` is no operator of a condition"),
                    remedy.to_owned(),
                ),
                None => (
                    format!("{} is not expected here", ticked(name)),
                    wants(wanted),
                ),
            },
            TokenKind::Symbol(symbol) => {
                (format!("`{symbol}` is not expected here"), wants(wanted))
            }
            TokenKind::Text(_) => ("a text is not expected here".to_owned(), wants(wanted)),
            TokenKind::Int(_) | TokenKind::Float(_) => {
                ("a number is not expected here".to_owned(), wants(wanted))
            }
        };
        ConditionError::new(Fault::Syntax, span, title, label)
    }

    fn peek(&mut self) -> &TokenKind {
        self.tokens
            .peek()
            .map_or(&TokenKind::End, |token| &token.kind)
    }

    fn span(&mut self) -> Span {
        let end = self.end;
        self.tokens
            .peek()
            .map_or(end..end, |token| token.span.clone())
    }

    fn start(&mut self) -> usize {
        self.span().start
    }

    fn is(&mut self, symbol: &str) -> bool {
        matches!(self.peek(), TokenKind::Symbol(found) if *found == symbol)
    }

    fn take(&mut self, symbol: &str) -> bool {
        let found = self.is(symbol);
        if found {
            self.advance();
        }
        found
    }

    fn advance(&mut self) {
        if let Some(token) = self.tokens.next() {
            self.last = token.span.end;
        }
    }
}

fn wants(wanted: &str) -> String {
    format!("expected {wanted}")
}

/// Words for operators in other languages.
fn habit(name: &str) -> Option<&'static str> {
    Some(match name {
        "and" | "AND" => "write `&&`",
        "or" | "OR" => "write `||`",
        "is" | "eq" | "equals" => "write `==`",
        "ne" => "write `!=`",
        "gt" => "write `>`",
        "ge" => "write `>=`",
        "lt" => "write `<`",
        "le" => "write `<=`",
        "mod" => "write `%`",
        "like" => "write `x.startsWith('…')`, `x.contains('…')` or `x.matches('…')`",
        "contains" | "startsWith" | "endsWith" | "matches" => "write it as `x.contains('…')`",
        "between" => "write `x >= a && x <= b`",
        "not" | "IN" | "NOT" => "write `!(x in […])`, or `x in […]`",
        _ => return None,
    })
}

/// Words that CEL keeps for itself.
fn reserved(name: &str) -> Option<(String, &'static str)> {
    let label = match name {
        "in" => "write `x in […]`",
        "if" | "else" => "write `a ? b : c`",
        "for" | "while" | "loop" | "break" | "continue" => "there are no loops; write `x in list`",
        "as" | "const" | "function" | "import" | "let" | "namespace" | "package" | "return"
        | "var" | "void" => "a condition is one expression",
        "not" | "NOT" => "write `!`",
        "True" | "TRUE" => "write `true`",
        "False" | "FALSE" => "write `false`",
        "None" | "nil" | "undefined" | "NULL" | "Null" => "write `null`, or ask `has(…)`",
        _ => return None,
    };
    Some((format!("`{name}` means nothing here"), label))
}
