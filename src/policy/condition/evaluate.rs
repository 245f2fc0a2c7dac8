//! The compiled form, and a call, to an answer. Allocates nothing but for `lowerAscii` before `contains` and
//! `matches`.

use std::cmp::Ordering;
use std::str::FromStr as _;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::super::pattern::MAX_MATCHED_BYTES;
use super::ast::{Arithmetic, Comparison};
use super::attribute::{Attributes, Path};
use super::error::EvalError;
use super::program::{ClockField, Part, PathIndex, Term, TermNode, Test, TestNode};
use super::value::{Operand, Value, equal, order, whole};

/// A call, seen through what a condition reads.
#[derive(Debug)]
pub(super) struct Evaluation<'a, A: ?Sized> {
    pub(super) paths: &'a [Path],
    pub(super) attributes: &'a A,
}

type Result<T> = std::result::Result<T, EvalError>;

impl<'a, A: Attributes + ?Sized> Evaluation<'a, A> {
    pub(super) fn test(&self, test: &'a Test) -> Result<bool> {
        match &test.node {
            TestNode::Always(value) => Ok(*value),
            TestNode::And(tests) => self.until(tests, false),
            TestNode::Or(tests) => self.until(tests, true),
            TestNode::Not(test) => self.test(test).map(|value| !value),
            TestNode::Choose(tests) => {
                let [condition, yes, no] = &**tests;
                self.test(if self.test(condition)? { yes } else { no })
            }
            TestNode::Compare(comparison, terms) => {
                let [left, right] = &**terms;
                compare(*comparison, self.term(left)?, self.term(right)?)
            }
            TestNode::In(term, members) => Ok(members.holds(self.term(term)?)),
            TestNode::Among(terms) => {
                let [member, list] = &**terms;
                among(self.term(member)?, self.term(list)?)
            }
            TestNode::Has(path) => Ok(self.read(*path).is_ok()),
            TestNode::Part(part, terms) => {
                let [whole, part_of] = &**terms;
                let (whole, wanted) = (self.term(whole)?.text()?, self.term(part_of)?.text()?);
                Ok(match part {
                    Part::Anywhere => whole.contains(wanted),
                    Part::End => whole.ends_with(wanted),
                    Part::Start => whole.starts_with(wanted),
                })
            }
            TestNode::Matches(term, pattern) => {
                let text = self.term(term)?.text()?;
                if text.text.len() > MAX_MATCHED_BYTES {
                    return Err(EvalError::TooLong);
                }
                Ok(pattern.is_match(&text.cow()))
            }
            TestNode::Between(term, window) => Ok(window.holds(self.term(term)?.time()?)),
            TestNode::Within(term, networks) => match self.term(term)? {
                Operand::Plain(Value::Ip(address)) => {
                    let address = address.to_canonical();
                    Ok(networks.iter().any(|network| network.contains(&address)))
                }
                Operand::Plain(_) | Operand::Lower(_) => Err(EvalError::Kind),
            },
            TestNode::Is(term) => self.term(term)?.bool(),
        }
    }

    /// `&&` and `||` commute: an error of one part is nothing where another part decides (CEL, "Logical
    /// Operators").
    fn until(&self, tests: &'a [Test], decides: bool) -> Result<bool> {
        let mut unless = Ok(!decides);
        for test in tests {
            match self.test(test) {
                Ok(value) if value == decides => return Ok(decides),
                Ok(_) => {}
                // The first error is the one that is told.
                Err(error) => unless = unless.and(Err(error)),
            }
        }
        unless
    }

    pub(super) fn term(&self, term: &'a Term) -> Result<Operand<'a>> {
        match &term.node {
            TermNode::Constant(constant) => Ok(Operand::Plain(constant.value())),
            TermNode::Read(path) => self.read(*path).map(Operand::Plain),
            TermNode::Size(of) => size(self.term(of)?),
            TermNode::Lower(of) => self
                .term(of)?
                .text()
                .map(|words| Operand::Lower(words.text)),
            TermNode::Negate(of) => match self.term(of)? {
                Operand::Plain(Value::Float(value)) => Ok(Operand::Plain(Value::Float(-value))),
                Operand::Plain(Value::Duration(value)) => {
                    let negated = value.checked_neg().ok_or(EvalError::Overflow)?;
                    Ok(Operand::Plain(Value::Duration(negated)))
                }
                of => calculate(Arithmetic::Subtract, Operand::Plain(Value::Int(0)), of),
            },
            TermNode::Calculate(operator, terms) => {
                let [left, right] = &**terms;
                calculate(*operator, self.term(left)?, self.term(right)?)
            }
            TermNode::Clock(of, field, zone) => {
                let value = read_clock(self.term(of)?.time()?, *field, zone);
                Ok(Operand::Plain(Value::Int(value)))
            }
            TermNode::Instant(of) => instant(self.term(of)?),
            TermNode::Choose(parts) => {
                let (condition, yes, no) = &**parts;
                self.term(if self.test(condition)? { yes } else { no })
            }
            TermNode::Test(test) => Ok(Operand::Plain(Value::Bool(self.test(test)?))),
        }
    }

    #[inline]
    fn read(&self, path: PathIndex) -> Result<Value<'a>> {
        self.paths
            .get(usize::from(path))
            .and_then(|path| self.attributes.attribute(path))
            .map(Value::plain)
            .ok_or(EvalError::Missing)
    }
}

#[inline]
fn compare(comparison: Comparison, left: Operand<'_>, right: Operand<'_>) -> Result<bool> {
    let holds = |wanted: fn(Ordering) -> bool| Ok(order(left, right)?.is_some_and(wanted));
    match comparison {
        Comparison::Equal => equal(left, right),
        Comparison::NotEqual => equal(left, right).map(|equal| !equal),
        Comparison::Greater => holds(Ordering::is_gt),
        Comparison::GreaterOrEqual => holds(Ordering::is_ge),
        Comparison::Less => holds(Ordering::is_lt),
        Comparison::LessOrEqual => holds(Ordering::is_le),
    }
}

/// Elements of other kinds are not equal; the keys of an object are what `in` looks through (CEL).
fn among(member: Operand<'_>, list: Operand<'_>) -> Result<bool> {
    let same = |value| equal(member, Operand::Plain(value)) == Ok(true);
    match list {
        Operand::Plain(Value::Texts(texts)) => Ok(texts.iter().any(|text| same(Value::Text(text)))),
        Operand::Plain(Value::Json(serde_json::Value::Array(values))) => {
            Ok(values.iter().any(|value| same(Value::Json(value).plain())))
        }
        Operand::Plain(Value::Json(serde_json::Value::Object(members))) => {
            let name = member.text()?.cow();
            Ok(members.contains_key(&*name))
        }
        Operand::Plain(_) | Operand::Lower(_) => Err(EvalError::Kind),
    }
}

fn size(of: Operand<'_>) -> Result<Operand<'_>> {
    let count = match of {
        Operand::Lower(text) | Operand::Plain(Value::Text(text)) => text.chars().count(),
        Operand::Plain(Value::Texts(texts)) => texts.len(),
        Operand::Plain(Value::Json(serde_json::Value::Array(values))) => values.len(),
        Operand::Plain(Value::Json(serde_json::Value::Object(members))) => members.len(),
        Operand::Plain(_) => return Err(EvalError::Kind),
    };
    let count = i64::try_from(count).map_err(|_| EvalError::Overflow)?;
    Ok(Operand::Plain(Value::Int(count)))
}

fn calculate<'a>(
    operator: Arithmetic,
    left: Operand<'_>,
    right: Operand<'_>,
) -> Result<Operand<'a>> {
    let (Operand::Plain(left), Operand::Plain(right)) = (left, right) else {
        return Err(EvalError::Kind);
    };
    let value = match (left, right) {
        (Value::Time(_) | Value::Duration(_), _) | (_, Value::Time(_) | Value::Duration(_)) => {
            of_time(operator, left, right)?
        }
        _ => match (whole(left), whole(right)) {
            (Some(left), Some(right)) => Value::Int(of_whole(operator, left, right)?),
            _ => Value::Float(of_floats(operator, float(left)?, float(right)?)?),
        },
    };
    Ok(Operand::Plain(value))
}

/// In 128 bits nothing of 64 overflows; what does not fit afterwards is an error, never another number.
fn of_whole(operator: Arithmetic, left: i128, right: i128) -> Result<i64> {
    let result = match operator {
        Arithmetic::Add => left.checked_add(right),
        Arithmetic::Subtract => left.checked_sub(right),
        Arithmetic::Multiply => left.checked_mul(right),
        Arithmetic::Divide | Arithmetic::Remainder if right == 0 => {
            return Err(EvalError::DivisionByZero);
        }
        // Towards zero, as in CEL.
        Arithmetic::Divide => left.checked_div(right),
        Arithmetic::Remainder => left.checked_rem(right),
    };
    result
        .and_then(|result| i64::try_from(result).ok())
        .ok_or(EvalError::Overflow)
}

/// A number as a double, unless it would be rounded.
fn float(value: Value<'_>) -> Result<f64> {
    const EXACT: i128 = 1 << 53;
    match (value, whole(value)) {
        (Value::Float(value), _) => Ok(value),
        #[expect(
            clippy::cast_precision_loss,
            reason = "at most 2^53 in magnitude, which a double holds exactly"
        )]
        (_, Some(whole)) if whole.abs() <= EXACT => Ok(whole as f64),
        (_, Some(_)) => Err(EvalError::Overflow),
        (_, None) => Err(EvalError::Kind),
    }
}

fn of_floats(operator: Arithmetic, left: f64, right: f64) -> Result<f64> {
    let result = match operator {
        Arithmetic::Add => left + right,
        Arithmetic::Subtract => left - right,
        Arithmetic::Multiply => left * right,
        Arithmetic::Divide if right == 0.0 => return Err(EvalError::DivisionByZero),
        Arithmetic::Divide => left / right,
        Arithmetic::Remainder => return Err(EvalError::Kind),
    };
    // A result without a place would compare as if it had one.
    if result.is_finite() {
        Ok(result)
    } else {
        Err(EvalError::Overflow)
    }
}

fn of_time<'a>(operator: Arithmetic, left: Value<'_>, right: Value<'_>) -> Result<Value<'a>> {
    let value = match (operator, left, right) {
        (Arithmetic::Add, Value::Time(time), Value::Duration(span))
        | (Arithmetic::Add, Value::Duration(span), Value::Time(time)) => {
            time.checked_add(span).ok().map(Value::Time)
        }
        (Arithmetic::Subtract, Value::Time(time), Value::Duration(span)) => {
            time.checked_sub(span).ok().map(Value::Time)
        }
        (Arithmetic::Subtract, Value::Time(left), Value::Time(right)) => {
            Some(Value::Duration(left.duration_since(right)))
        }
        (Arithmetic::Add, Value::Duration(left), Value::Duration(right)) => {
            left.checked_add(right).map(Value::Duration)
        }
        (Arithmetic::Subtract, Value::Duration(left), Value::Duration(right)) => {
            left.checked_sub(right).map(Value::Duration)
        }
        _ => return Err(EvalError::Kind),
    };
    value.ok_or(EvalError::Overflow)
}

/// Seconds since 1970, as in the times of a token (RFC 7519, section 2), or a text as in RFC 3339.
fn instant(of: Operand<'_>) -> Result<Operand<'_>> {
    let time = match of {
        Operand::Plain(Value::Int(seconds)) => Timestamp::from_second(seconds).ok(),
        Operand::Plain(Value::Float(seconds)) => SignedDuration::try_from_secs_f64(seconds)
            .ok()
            .and_then(|span| Timestamp::from_duration(span).ok()),
        Operand::Plain(Value::Uint(_)) => None,
        Operand::Plain(Value::Text(text)) => return parse_instant(text).ok_or(EvalError::Kind),
        Operand::Plain(_) | Operand::Lower(_) => return Err(EvalError::Kind),
    };
    time.map(|time| Operand::Plain(Value::Time(time)))
        .ok_or(EvalError::Overflow)
}

fn parse_instant<'a>(text: &str) -> Option<Operand<'a>> {
    timestamp(text).map(|time| Operand::Plain(Value::Time(time)))
}

/// Reads a time as RFC 3339 writes it: with a `T`, and with an offset.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    // The library's reader also takes a blank for the `T`, and zones in brackets.
    let strict = matches!(text.as_bytes().get(10), Some(b'T' | b't')) && !text.contains('[');
    Timestamp::from_str(text).ok().filter(|_| strict)
}

fn read_clock(time: Timestamp, field: ClockField, zone: &TimeZone) -> i64 {
    let local = zone.to_datetime(time);
    match field {
        ClockField::Date => local.day().into(),
        ClockField::DayOfMonth => i64::from(local.day()) - 1,
        ClockField::DayOfWeek => local.weekday().to_sunday_zero_offset().into(),
        ClockField::DayOfYear => i64::from(local.day_of_year()) - 1,
        ClockField::FullYear => local.year().into(),
        ClockField::Hours => local.hour().into(),
        ClockField::Milliseconds => local.millisecond().into(),
        ClockField::Minutes => local.minute().into(),
        ClockField::Month => i64::from(local.month()) - 1,
        ClockField::Seconds => local.second().into(),
    }
}
