//! Functions: those that conditions have, and what to write in place of the others of CEL.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::tz::TimeZone;

use super::super::pattern::{self, PatternError};
use super::MAX_PATTERNS;
use super::ast::{Ast, Literal, Node, Word};
use super::check::{Checked, Checker, Meaning};
use super::error::Fault;
use super::evaluate::timestamp;
use super::program::{ClockField, Constant, Part, TermNode, TestNode};
use super::shown::{cut, ticked};
use super::value::Kind;
use super::vocabulary::{is_path, nearest};
use super::window::{Days, Offsets, Window, duration, time_of_day};

/// Name, and how it is written.
const FUNCTIONS: &[(&str, &str)] = &[
    (
        "between",
        "between(time, '07:00', '19:00', 'Europe/London')",
    ),
    ("cidr", "cidr(source.ip, '10.0.0.0/8')"),
    ("duration", "duration('1h30m')"),
    ("has", "has(claims.email)"),
    ("size", "size(x)"),
    ("timestamp", "timestamp('2026-01-31T12:00:00Z')"),
];

const METHODS: &[(&str, &str)] = &[
    ("contains", "x.contains('…')"),
    ("endsWith", "x.endsWith('…')"),
    ("lowerAscii", "x.lowerAscii()"),
    ("matches", "x.matches('…')"),
    ("size", "x.size()"),
    ("startsWith", "x.startsWith('…')"),
];

const CLOCK: &[(&str, ClockField)] = &[
    ("getDate", ClockField::Date),
    ("getDayOfMonth", ClockField::DayOfMonth),
    ("getDayOfWeek", ClockField::DayOfWeek),
    ("getDayOfYear", ClockField::DayOfYear),
    ("getFullYear", ClockField::FullYear),
    ("getHours", ClockField::Hours),
    ("getMilliseconds", ClockField::Milliseconds),
    ("getMinutes", ClockField::Minutes),
    ("getMonth", ClockField::Month),
    ("getSeconds", ClockField::Seconds),
];

impl Checker<'_> {
    /// A call of a function or of a method.
    pub(super) fn call(
        &mut self,
        ast: &Ast,
        target: Option<&Ast>,
        word: &Word,
        arguments: &[Ast],
    ) -> Checked<Meaning> {
        let name = word.text.as_str();
        match (name, target, arguments) {
            ("has", None, [of]) => self.has(of),
            ("size", None, [of]) | ("size", Some(of), []) => self.size(of),
            ("timestamp", None, [of]) => self.instant(of),
            ("duration", None, [of]) => self.duration(of),
            ("between", None, [of, window @ ..]) => self.between(ast, of, window),
            ("cidr", None, [of, networks @ ..]) => self.cidr(ast, of, networks),
            ("startsWith", Some(of), [part]) => self.part(of, Part::Start, part),
            ("endsWith", Some(of), [part]) => self.part(of, Part::End, part),
            ("contains", Some(of), [part]) => self.part(of, Part::Anywhere, part),
            ("matches", Some(of), [pattern]) => self.matches(of, pattern),
            ("lowerAscii", Some(of), []) => {
                let of = self.term(of)?;
                self.wants(&of, TEXT, "`lowerAscii` takes a text")?;
                Some(Meaning::Term(Kind::Text, TermNode::Lower(Box::new(of))))
            }
            (_, Some(of), [] | [_]) if let Some(known) = clock(name) => {
                self.clock(of, *known, arguments.first())
            }
            _ => self.no_such_call(target, word),
        }
    }

    fn has(&mut self, of: &Ast) -> Checked<Meaning> {
        if !is_path(of) {
            let title = "`has` asks whether an attribute is there";
            return self.wrong(Fault::Type, &of.span, title, "write has(claims.email)");
        }
        let path = self.path(of)?;
        Some(Meaning::Test(TestNode::Has(path)))
    }

    fn size(&mut self, of: &Ast) -> Checked<Meaning> {
        let of = self.term(of)?;
        self.wants(
            &of,
            &[Kind::Any, Kind::List, Kind::Text],
            "`size` takes a text or a list",
        )?;
        Some(Meaning::Term(Kind::Number, TermNode::Size(Box::new(of))))
    }

    fn instant(&mut self, of: &Ast) -> Checked<Meaning> {
        let term = self.term(of)?;
        self.wants(
            &term,
            &[Kind::Any, Kind::Text, Kind::Number],
            "`timestamp` takes a text or seconds",
        )?;
        if let Some(Constant::Text(text)) = term.constant()
            && timestamp(text).is_none()
        {
            let title = format!("{} is not a time", ticked(text));
            let label = "write it as 2026-01-31T12:00:00Z";
            return self.wrong(Fault::Value, &of.span, title, label);
        }
        Some(Meaning::Term(Kind::Time, TermNode::Instant(Box::new(term))))
    }

    fn duration(&mut self, of: &Ast) -> Checked<Meaning> {
        let text = self.constant_text(of, "a duration is written as a text, as in '1h30m'")?;
        let Some(span) = duration(&text) else {
            let title = format!("{} is not a duration", ticked(&text));
            let label = "write it as '1h30m', with h, m, s, ms, us or ns";
            return self.wrong(Fault::Value, &of.span, title, label);
        };
        let node = TermNode::Constant(Constant::Duration(span));
        Some(Meaning::Term(Kind::Duration, node))
    }

    fn between(&mut self, ast: &Ast, of: &Ast, window: &[Ast]) -> Checked<Meaning> {
        let term = self.term(of);
        let (from, to, zone, days) = match window {
            [from, to, zone] => (from, to, zone, None),
            [from, to, zone, days] => (from, to, zone, Some(days)),
            [_, _] => {
                let title = "`between` needs a zone: what is 07:00 here is 08:00 elsewhere";
                let label = "add an IANA zone, such as 'Europe/London' or 'UTC'";
                return self.wrong(Fault::Type, &ast.span, title, label);
            }
            _ => {
                let title = "`between` takes a time, two times of day and a zone";
                let label = "write between(time, '07:00', '19:00', 'Europe/London')";
                return self.wrong(Fault::Type, &ast.span, title, label);
            }
        };
        let parts = (
            self.time_of_day(from),
            self.time_of_day(to),
            self.zone(zone),
            days.map_or(Some(Days::ALL), |days| self.days(days)),
        );
        let term = term?;
        self.wants(&term, &[Kind::Time], "`between` takes a time")?;
        let window = Window {
            from: parts.0?,
            to: parts.1?,
            zone: Offsets::of(parts.2?),
            days: parts.3?,
            on: days.and_then(literal_text).map(Box::from),
        };
        if window.from == window.to {
            let title = "a window that ends where it begins is empty";
            let label = "write '00:00' and '24:00' for the whole day";
            return self.wrong(Fault::Value, &(from.span.start..to.span.end), title, label);
        }
        Some(Meaning::Test(TestNode::Between(
            Box::new(term),
            Box::new(window),
        )))
    }

    fn time_of_day(&mut self, ast: &Ast) -> Checked<i64> {
        let text = self.constant_text(ast, "a time of day is written as a text, as in '07:00'")?;
        let second = time_of_day(&text);
        second.or_else(|| {
            let title = format!("{} is not a time of day", ticked(&text));
            self.wrong(
                Fault::Value,
                &ast.span,
                title,
                "write it as '07:00', up to '24:00'",
            )
        })
    }

    fn days(&mut self, ast: &Ast) -> Checked<Days> {
        let text = self.constant_text(ast, "days are written as a text, as in 'mon-fri'")?;
        Days::parse(&text).or_else(|| {
            let title = format!("{} are no days of the week", ticked(&text));
            self.wrong(
                Fault::Value,
                &ast.span,
                title,
                "write them as 'mon-fri' or 'mon,wed'",
            )
        })
    }

    fn zone(&mut self, ast: &Ast) -> Checked<TimeZone> {
        let name = self.constant_text(ast, "a zone is written as a text, as in 'Europe/London'")?;
        let known = TimeZone::get(&name).ok();
        // `local` and the like would be the machine's zone, which an author does not know.
        known.filter(|zone| zone.iana_name().is_some()).or_else(|| {
            let names: Vec<_> = jiff::tz::db()
                .available()
                .map(|name| name.to_string())
                .collect();
            let place = |zone: &str| zone.rsplit_once('/').map(|(_, place)| place.to_owned());
            let near = nearest(&name, names.iter().map(String::as_str)).or_else(|| {
                let near = |zone: &&String| {
                    place(zone).is_some_and(|place| place.eq_ignore_ascii_case(&name))
                };
                names.iter().find(near).map(String::as_str)
            });
            let title = format!("there is no time zone {}", ticked(&name));
            let label = near.map_or_else(
                || "write an IANA name, such as 'Europe/London' or 'UTC'".to_owned(),
                |near| format!("did you mean '{near}'?"),
            );
            self.wrong(Fault::Value, &ast.span, title, label)
        })
    }

    fn cidr(&mut self, ast: &Ast, of: &Ast, networks: &[Ast]) -> Checked<Meaning> {
        let term = self.term(of);
        if networks.is_empty() {
            let title = "`cidr` takes an address and at least one network";
            let label = "write cidr(source.ip, '10.0.0.0/8')";
            return self.wrong(Fault::Type, &ast.span, title, label);
        }
        let networks: Vec<_> = networks
            .iter()
            .map(|network| self.network(network))
            .collect();
        let term = term?;
        self.wants(&term, &[Kind::Ip], "`cidr` takes an address")?;
        let networks = networks.into_iter().collect::<Option<Vec<_>>>()?;
        let node = TestNode::Within(Box::new(term), networks.into_boxed_slice());
        Some(Meaning::Test(node))
    }

    fn network(&mut self, ast: &Ast) -> Checked<IpNet> {
        let text = self.constant_text(ast, "a network is written as a text, as in '10.0.0.0/8'")?;
        let address = text
            .parse()
            .map(|address: IpAddr| IpNet::from(address.to_canonical()));
        text.parse().or(address).ok().or_else(|| {
            let title = format!("{} is not a network", ticked(&text));
            self.wrong(
                Fault::Value,
                &ast.span,
                title,
                "write it as '10.0.0.0/8' or '2001:db8::/32'",
            )
        })
    }

    fn part(&mut self, of: &Ast, part: Part, wanted: &Ast) -> Checked<Meaning> {
        let terms = (self.term(of), self.term(wanted));
        let (of, wanted) = (terms.0?, terms.1?);
        let name = match part {
            Part::Anywhere => "contains",
            Part::End => "endsWith",
            Part::Start => "startsWith",
        };
        if of.kind == Kind::List && part == Part::Anywhere {
            let label = format!(
                "write {} in {}",
                self.source(&wanted.mark.span(), "x"),
                self.source(&of.mark.span(), "list")
            );
            let title = "`contains` looks in a text, `in` looks in a list";
            return self.wrong(Fault::Type, &of.mark.span(), title, label);
        }
        let takes = format!("`{name}` takes texts");
        let wants = (
            self.wants(&of, TEXT, &takes),
            self.wants(&wanted, TEXT, &takes),
        );
        let ((), ()) = (wants.0?, wants.1?);
        Some(Meaning::Test(TestNode::Part(part, Box::new([of, wanted]))))
    }

    fn matches(&mut self, of: &Ast, pattern: &Ast) -> Checked<Meaning> {
        let term = self.term(of);
        let text = self.constant_text(pattern, "a pattern is a constant text")?;
        let term = term?;
        self.wants(&term, TEXT, "`matches` takes a text")?;
        if self.patterns == MAX_PATTERNS {
            let title = format!("a condition has at most {MAX_PATTERNS} patterns");
            return self.wrong(
                Fault::Limit,
                &pattern.span,
                title,
                "split it into several rules",
            );
        }
        self.patterns += 1;
        match pattern::compile(&text) {
            Ok(compiled) => {
                let node = TestNode::Matches(Box::new(term), Box::new(compiled));
                Some(Meaning::Test(node))
            }
            Err(PatternError::TooLarge) => {
                let label = "write fewer or smaller repetitions";
                self.wrong(Fault::Limit, &pattern.span, "a pattern is too large", label)
            }
            Err(PatternError::Syntax { why, .. }) => {
                let title = format!("{} is not a pattern", ticked(&text));
                self.wrong(Fault::Value, &pattern.span, title, cut(&why, 80))
            }
        }
    }

    fn clock(
        &mut self,
        of: &Ast,
        (name, field): (&str, ClockField),
        zone: Option<&Ast>,
    ) -> Checked<Meaning> {
        let term = self.term(of);
        let zone = zone.map_or(Some(TimeZone::UTC), |zone| self.zone(zone));
        let (term, zone) = (term?, zone?);
        self.wants(&term, &[Kind::Time], &format!("`{name}` takes a time"))?;
        let node = TermNode::Clock(Box::new(term), field, zone);
        Some(Meaning::Term(Kind::Number, node))
    }

    fn constant_text(&mut self, ast: &Ast, title: &str) -> Checked<String> {
        match literal_text(ast) {
            Some(text) => Some(text.to_owned()),
            None => self.wrong(Fault::Type, &ast.span, title, "write a text in quotes"),
        }
    }

    fn no_such_call(&mut self, target: Option<&Ast>, word: &Word) -> Checked<Meaning> {
        let name = word.text.as_str();
        let usage = |table: &'static [(&str, &'static str)]| {
            table
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, usage)| *usage)
        };
        let written = usage(if target.is_some() { METHODS } else { FUNCTIONS })
            .or_else(|| usage(METHODS))
            .or_else(|| usage(FUNCTIONS));
        if let Some(usage) = written {
            let title = format!("`{name}` is written in another way");
            return self.wrong(Fault::Type, &word.span, title, format!("write {usage}"));
        }
        if clock(name).is_some() {
            let title = format!("`{name}` is written in another way");
            let label = format!("write time.{name}('Europe/London')");
            return self.wrong(Fault::Type, &word.span, title, label);
        }
        let asked = if target.is_none() && name == "exists" {
            "defined"
        } else {
            name
        };
        if let Some((title, label)) = refused(asked) {
            let title = title.replacen(asked, name, 1);
            return self.wrong(Fault::Unsupported, &word.span, title, label);
        }
        let names = || FUNCTIONS.iter().chain(METHODS).map(|(name, _)| *name);
        let label = nearest(name, names().chain(CLOCK.iter().map(|(name, _)| *name))).map_or_else(
            || "no such function".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        let title = format!("there is no function {}", ticked(name));
        self.wrong::<()>(Fault::Unknown, &word.span, title, label);
        let last = self.errors.pop()?;
        let all: Vec<_> = names().collect();
        self.errors.push(last.help(format!(
            "functions are {}, and those of `time`",
            all.join(", ")
        )));
        None
    }
}

fn literal_text(ast: &Ast) -> Option<&str> {
    match &ast.node {
        Node::Literal(Literal::Text(text)) => Some(text),
        _ => None,
    }
}

const TEXT: &[Kind] = &[Kind::Any, Kind::Text];

fn clock(name: &str) -> Option<&'static (&'static str, ClockField)> {
    CLOCK.iter().find(|(known, _)| *known == name)
}

/// What CEL and its extensions have, and conditions have not.
fn refused(name: &str) -> Option<(String, &'static str)> {
    let (title, label) = match name {
        "all" | "exists" | "exists_one" | "existsOne" | "map" | "filter" | "transformList"
        | "transformMap" => (
            format!("`{name}` is a loop, and conditions have none"),
            "write `x in list`, or one comparison for each element, as in `args.to[0]`",
        ),
        "int" | "uint" | "double" | "string" | "bool" | "bytes" | "dyn" => (
            format!("`{name}` is not a function of conditions: nothing is converted"),
            "compare it as it is",
        ),
        "type" => (
            "`type` is not a function of conditions".to_owned(),
            "compare it with a value; a comparison of another kind is an error",
        ),
        "upperAscii" | "toLowerCase" | "toLower" | "lower" | "upper" | "toUpperCase"
        | "toUpper" | "equalsIgnoreCase" => (
            format!("`{name}` is not a function of conditions"),
            "write x.lowerAscii() == 'small letters'",
        ),
        "now" | "today" | "date" => (
            format!("`{name}` is not a function of conditions"),
            "write `time`",
        ),
        "len" | "length" | "count" => (
            format!("`{name}` is not a function of conditions"),
            "write size(x)",
        ),
        "exist" | "isset" | "defined" | "present" | "hasKey" | "containsKey" => (
            format!("`{name}` is not a function of conditions"),
            "write has(x)",
        ),
        "regex" | "match" | "find" | "findAll" | "re" | "extract" => (
            format!("`{name}` is not a function of conditions"),
            "write x.matches('…')",
        ),
        "ip" | "inCidr" | "inIpRange" | "ipInRange" | "containsIP" | "containsCIDR" => (
            format!("`{name}` is not a function of conditions"),
            "write cidr(source.ip, '10.0.0.0/8')",
        ),
        "charAt" | "indexOf" | "lastIndexOf" | "join" | "replace" | "split" | "substring"
        | "trim" | "format" | "quote" | "reverse" => (
            format!("`{name}` makes new text, which conditions do not"),
            "write x.startsWith('…'), x.contains('…') or x.matches('…')",
        ),
        "abs" | "ceil" | "floor" | "round" | "trunc" | "sign" | "greatest" | "least" | "max"
        | "min" | "sqrt" => (
            format!("`{name}` is not a function of conditions"),
            "compare with each bound by itself",
        ),
        "optional" | "of" | "ofNonZeroValue" | "none" | "hasValue" | "value" | "orValue" | "or"
        | "optMap" | "optFlatMap" => (
            format!("`{name}` is not a function of conditions: there are no optional values"),
            "write `has(x) && x == …`",
        ),
        "sets" | "intersects" | "equivalent" | "flatten" | "slice" | "sort" | "sortBy"
        | "distinct" | "range" | "first" | "last" | "lists" => (
            format!("`{name}` is not a function of conditions"),
            "write `x in list`, once for each value",
        ),
        "bind" => (
            "`bind` is not a function of conditions: nothing is named".to_owned(),
            "write the expression where it is needed",
        ),
        _ => return None,
    };
    Some((title, label))
}
