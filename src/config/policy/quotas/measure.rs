//! What a quota measures: the one of its fields that says how much.

use std::num::NonZeroU32;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::config::decode::{self, Fields, bad_value, list};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::QUEUE;
use crate::config::policy::Draft;
use crate::config::source::Span;
use crate::config::tree::{Entry, Kind, Node, quoted};
use crate::quota::{Calendar, Count, Line, Measure, Period, Rate, Rates, TokenPart};

/// What is measured, as it is written.
pub(super) enum RawMeasure {
    Calendar {
        rate: RawRate,
        zone: TimeZone,
    },
    Concurrent {
        most: NonZeroU32,
        line: Option<Line>,
    },
    Rate {
        rate: RawRate,
        burst: Option<NonZeroU32>,
    },
    LiveTasks(NonZeroU32),
    Tokens {
        rate: RawRate,
        part: TokenPart,
    },
    Window(RawRate),
}

/// A rate, or the name of a tier's number.
pub(super) struct RawRate {
    pub(super) number: RawNumber,
    pub(super) at: Span,
}

pub(super) enum RawNumber {
    Fixed(Rate),
    Tier(String),
}

/// The fields that say how much, of which a quota has one.
#[derive(Default)]
pub(super) struct Measures<'node> {
    measures: Vec<(&'static str, &'node Entry)>,
    burst: Option<&'node Entry>,
    count: Option<&'node Entry>,
    queue: Option<&'node Entry>,
    zone: Option<&'node Entry>,
}

/// Those that this version acts on.
const MEASURES: &[&str] = &[
    "rate",
    "window",
    "calendar",
    "concurrent",
    "liveTasks",
    "tokens",
];

impl<'node> Measures<'node> {
    pub(super) fn take(fields: &mut Fields<'node>) -> Self {
        let mut measures = Vec::new();
        for name in MEASURES {
            measures.extend(fields.take(name).map(|entry| (*name, entry)));
        }
        Self {
            measures,
            burst: fields.take("burst"),
            count: fields.take("count"),
            queue: fields.take("queue"),
            zone: fields.take("zone"),
        }
    }

    /// The one measure. `None` with a mistake, unless `refused` says that there was one before.
    pub(super) fn read(
        self,
        what: &str,
        at: Span,
        refused: bool,
        report: &mut Diagnostics,
    ) -> Option<(RawMeasure, Count)> {
        let (name, entry) = match self.measures[..] {
            [only] => only,
            [] => {
                if !refused {
                    let title = format_args!("{what} does not say how much");
                    let missing = Diagnostic::error(Code::MissingField, title).at(at, "");
                    report.push(missing.help(format_args!("it needs one of {}", list(MEASURES))));
                }
                return None;
            }
            [(first, before), (second, entry), ..] => {
                let title = format_args!("{what} has both `{first}` and `{second}`");
                report.push(
                    Diagnostic::error(Code::Contradiction, title)
                        .at(entry.key.span, "")
                        .also(before.key.span, "beside this")
                        .help(
                            "a quota has one measure; write two quotas, and calls must fit in both",
                        ),
                );
                return None;
            }
        };
        let belongs = |entry: &Option<&'node Entry>, to: &str| match entry {
            Some(entry) if name != to => {
                let title = format_args!("`{}` says nothing about `{name}`", entry.key.text);
                let misfit = Diagnostic::error(Code::Contradiction, title);
                Some(misfit.at(entry.key.span, format_args!("it goes with `{to}`")))
            }
            Some(_) | None => None,
        };
        let misfits = [
            belongs(&self.burst, "rate"),
            belongs(&self.queue, "concurrent"),
            belongs(&self.zone, "calendar"),
        ];
        let misfits: Vec<_> = misfits.into_iter().flatten().collect();
        let is_whole = misfits.is_empty();
        misfits.into_iter().for_each(|misfit| report.push(misfit));
        let counted = match self.count {
            Some(count) => read_counted(count, name, report),
            None => Some(Counted::Calls),
        };
        let measure = self.measure(name, entry, is_whole, report);
        let (mut measure, counted) = (measure?, counted?);
        let mut count = Count::Calls;
        match (counted, &mut measure) {
            (Counted::Tokens(counted), RawMeasure::Tokens { part, .. }) => *part = counted,
            (Counted::Tasks, _) => count = Count::Tasks,
            (Counted::Calls | Counted::Tokens(_), _) => {}
        }
        Some((measure, count))
    }

    fn measure(
        self,
        name: &str,
        entry: &Entry,
        is_whole: bool,
        report: &mut Diagnostics,
    ) -> Option<RawMeasure> {
        if name == "liveTasks" {
            let most = read_count(&entry.value, "`liveTasks`", MAX_CONCURRENT, report);
            return most.filter(|_| is_whole).map(RawMeasure::LiveTasks);
        }
        if name == "concurrent" {
            let most = read_count(&entry.value, "`concurrent`", MAX_CONCURRENT, report);
            let line = self.queue.map(|queue| read_queue(queue, most, report));
            return Some(RawMeasure::Concurrent {
                most: most.filter(|_| is_whole)?,
                line: match line {
                    Some(line) => Some(line?),
                    None => None,
                },
            });
        }
        // Where it does not belong it has mistakes of its own all the same.
        let _misplaced = self.queue.map(|queue| read_queue(queue, None, report));
        let rate = read_rate(&entry.value, name, report);
        let burst = self.burst.filter(|_| is_whole).map(|burst| {
            let rate = rate.as_ref();
            read_burst(&burst.value, rate, report)
        });
        let zone = self.zone.map(|zone| read_zone(&zone.value, report));
        let rate = rate.filter(|_| is_whole)?;
        Some(match name {
            "calendar" => RawMeasure::Calendar {
                rate,
                zone: zone.unwrap_or(Some(TimeZone::UTC))?,
            },
            "tokens" => RawMeasure::Tokens {
                rate,
                part: TokenPart::All,
            },
            "window" => RawMeasure::Window(rate),
            _ => RawMeasure::Rate {
                rate,
                burst: match burst {
                    Some(burst) => Some(burst?),
                    None => None,
                },
            },
        })
    }
}

impl Draft {
    /// The measure with its numbers.
    pub(super) fn check_measure(
        &self,
        measure: &RawMeasure,
        report: &mut Diagnostics,
    ) -> Option<Measure> {
        match measure {
            RawMeasure::Calendar { rate, zone } => {
                let rates = self.check_rate(rate, report)?;
                let period = period_of(&rates, rate.at, report)?;
                Some(Measure::Calendar {
                    calendar: Calendar::new(zone.clone(), period),
                    rates,
                })
            }
            RawMeasure::Concurrent { most, line } => Some(Measure::Concurrent {
                most: *most,
                line: *line,
            }),
            RawMeasure::Rate { rate, burst } => Some(Measure::Rate {
                rates: self.check_rate(rate, report)?,
                burst: *burst,
            }),
            RawMeasure::LiveTasks(most) => Some(Measure::LiveTasks(*most)),
            RawMeasure::Tokens { rate, part } => Some(Measure::Tokens {
                rates: self.check_rate(rate, report)?,
                part: *part,
            }),
            RawMeasure::Window(rate) => Some(Measure::Window(self.check_rate(rate, report)?)),
        }
    }
}

/// What `count` says.
enum Counted {
    Calls,
    Tasks,
    Tokens(TokenPart),
}

/// What is counted, where it goes with what is measured.
fn read_counted(entry: &Entry, name: &str, report: &mut Diagnostics) -> Option<Counted> {
    let words: Vec<&str> = match name {
        "rate" | "window" | "calendar" => vec!["tasks"],
        "tokens" => TOKENS.iter().map(|(word, _)| *word).collect(),
        _ => {
            let title = format_args!("`count` says nothing about `{name}`");
            let misfit = Diagnostic::error(Code::Contradiction, title);
            report.push(misfit.at(
                entry.key.span,
                "it goes with `rate`, `window`, `calendar` and `tokens`",
            ));
            return None;
        }
    };
    let text = decode::text(&entry.value, "`count`", report)?;
    let part = TOKENS.iter().find(|(word, _)| *word == text);
    match (text, part) {
        ("tasks", _) if name != "tokens" => return Some(Counted::Tasks),
        (_, Some((_, part))) if name == "tokens" => return Some(Counted::Tokens(*part)),
        _ => {}
    }
    let title = format_args!("`{name}` cannot count {}", quoted(text));
    let mistake = Diagnostic::error(Code::BadValue, title);
    report.push(match decode::nearest(text, words.iter().copied()) {
        Some(meant) => mistake.at(entry.value.span, format_args!("did you mean `{meant}`?")),
        None => mistake
            .at(entry.value.span, "")
            .help(format_args!("it counts {}", list(&words))),
    });
    None
}

/// Which tokens are counted, by where the model APIs tell them.
const TOKENS: &[(&str, TokenPart)] = &[
    ("response.usage.total_tokens", TokenPart::All),
    ("response.usage.input_tokens", TokenPart::Input),
    ("response.usage.prompt_tokens", TokenPart::Input),
    ("response.usage.output_tokens", TokenPart::Output),
    ("response.usage.completion_tokens", TokenPart::Output),
];

/// The period of a calendar, which is the same for all.
fn period_of(rates: &Rates, at: Span, report: &mut Diagnostics) -> Option<Period> {
    let period_of = |rate: &Rate| {
        let periods = [Period::Day, Period::Hour];
        let seconds = i64::try_from(rate.period.as_secs()).ok();
        let mut periods = periods.into_iter();
        periods.find(|period| Some(period.seconds()) == seconds)
    };
    let mut periods = rates.iter().map(period_of);
    let first = periods.next().flatten();
    let title = match first {
        None => "`calendar` counts by the hour or by the day",
        Some(_) if !periods.all(|period| period == first) => {
            "`calendar` counts by the same period in every tier"
        }
        Some(_) => return first,
    };
    let mistake = Diagnostic::error(Code::Contradiction, title).at(at, "");
    report.push(mistake.help("write `/hour` or `/day`; `window` takes any period"));
    None
}

fn read_rate(node: &Node, name: &str, report: &mut Diagnostics) -> Option<RawRate> {
    let what = format_args!("`{name}`");
    let text = decode::text(node, what, report)?;
    let number = match text.strip_prefix("tier.") {
        Some(number) => RawNumber::Tier(number.to_owned()),
        None => RawNumber::Fixed(decode::rate(node, what, report)?),
    };
    Some(RawRate {
        number,
        at: node.span,
    })
}

fn read_burst(node: &Node, rate: Option<&RawRate>, report: &mut Diagnostics) -> Option<NonZeroU32> {
    // A burst that takes longer to earn than anybody waits is a unit gone wrong.
    const MAX: Duration = Duration::from_secs(366 * 86_400);
    let burst = decode::number(node, "`burst`", 1..=u64::from(u32::MAX), report)?;
    let burst = NonZeroU32::new(u32::try_from(burst).ok()?)?;
    if let Some(RawNumber::Fixed(rate)) = rate.map(|rate| &rate.number) {
        let nanos = u128::from(rate.interval()) * u128::from(burst.get());
        if nanos > MAX.as_nanos() {
            let expected = "earned within a year at this rate";
            report.push(bad_value(node, "`burst`", expected));
            return None;
        }
    }
    Some(burst)
}

const MAX_CONCURRENT: u32 = 1_000_000;
/// Each that waits keeps a connection and what it has sent.
const MAX_WAITING: u32 = 10_000;

fn read_count(node: &Node, what: &str, most: u32, report: &mut Diagnostics) -> Option<NonZeroU32> {
    let count = decode::number(node, what, 1..=u64::from(most), report)?;
    NonZeroU32::new(u32::try_from(count).ok()?)
}

/// A time, or a time and a number.
fn read_queue(entry: &Entry, most: Option<NonZeroU32>, report: &mut Diagnostics) -> Option<Line> {
    let as_many = most.and_then(|most| NonZeroU32::new(most.get().min(MAX_WAITING)));
    if let Kind::Text { .. } = &*entry.value.kind {
        let time = decode::duration(&entry.value, "`queue`", report)?;
        return Some(Line {
            most: as_many?,
            time,
        });
    }
    let at = Some(entry.key.span);
    let mut fields = Fields::of(&QUEUE, &entry.value, "`queue`", at, report)?;
    let time = fields.require("time", report);
    let calls = fields.take("calls");
    fields.finish(report);
    let time = time.and_then(|time| decode::duration(&time.value, "`time`", report));
    let calls = match calls {
        Some(calls) => read_count(&calls.value, "`calls`", MAX_WAITING, report),
        None => as_many,
    };
    Some(Line {
        most: calls?,
        time: time?,
    })
}

/// The rules of a zone are those that this version of lictor knows, the same on every machine.
fn read_zone(node: &Node, report: &mut Diagnostics) -> Option<TimeZone> {
    let text = decode::text(node, "`zone`", report)?;
    if let Ok(zone) = TimeZone::get(text) {
        return Some(zone);
    }
    let names = jiff::tz::db().available();
    let names: Vec<_> = names.map(|name| name.to_string()).collect();
    let meant = decode::nearest(text, names.iter().map(String::as_str));
    let title = format_args!("there is no time zone {}", quoted(text));
    let mistake = Diagnostic::error(Code::BadValue, title);
    report.push(match meant {
        Some(meant) => mistake.at(node.span, format_args!("did you mean `{meant}`?")),
        None => mistake
            .at(node.span, "")
            .help("zones have the names of the IANA, such as `Europe/Berlin` or `UTC`"),
    });
    None
}
