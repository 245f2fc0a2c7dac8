//! Times of day in a zone, days of the week, and durations as they are written.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

const DAY: i64 = 86_400;

/// A stretch of wall-clock time that comes back each day: its beginning belongs to it and its end does not.
/// Where the end is before the beginning it reaches over midnight, and belongs to the day on which it begins.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// Seconds from midnight.
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) zone: Offsets,
    pub(super) days: Days,
    /// The days as they are written, where any are.
    pub(super) on: Option<Box<str>>,
}

impl Window {
    pub(super) fn holds(&self, time: Timestamp) -> bool {
        let (day, second) = self.local(time);
        if self.from < self.to {
            return (self.from..self.to).contains(&second) && self.days.holds(day);
        }
        if second >= self.from {
            self.days.holds(day)
        } else {
            second < self.to && self.days.holds(day - 1)
        }
    }

    /// The day since 1970 and the second of that day, by the clock on the wall.
    fn local(&self, time: Timestamp) -> (i64, i64) {
        // Before 1970 a fraction counts backwards.
        let second = time.as_second() - i64::from(time.subsec_nanosecond() < 0);
        let local = second + self.zone.at(time);
        (local.div_euclid(DAY), local.rem_euclid(DAY))
    }

    /// The hour and minute on the wall, with the day of the week where that matters.
    pub(super) fn shown(&self, time: Timestamp) -> String {
        let (day, second) = self.local(time);
        let clock = hour_and_minute(second);
        if self.days == Days::ALL {
            clock
        } else {
            let names = Days::NAMES.iter();
            let name = names
                .zip(0..)
                .find_map(|(name, number)| (number == weekday(day)).then_some(*name));
            format!("{} {clock}", name.unwrap_or_default())
        }
    }
}

/// A zone's offsets from UTC, looked up when a condition is loaded and not when it is judged: most of what a window costs
/// would be finding the rules of its zone.
#[derive(Debug, Clone)]
pub(super) struct Offsets {
    zone: TimeZone,
    /// From when on, in seconds since 1970, and by how many seconds the clock on the wall is ahead of UTC then.
    known: Box<[(i64, i64)]>,
    /// Until when they are known.
    until: i64,
}

impl Offsets {
    /// 1 January 2020 and 2060: a time outside is looked up.
    const FROM: i64 = 1_577_836_800;
    const UNTIL: i64 = 2_840_140_800;

    pub(super) fn of(zone: TimeZone) -> Self {
        let ahead = |zone: &TimeZone, time| i64::from(zone.to_offset(time).seconds());
        let (Ok(from), Ok(until)) = (
            Timestamp::from_second(Self::FROM),
            Timestamp::from_second(Self::UNTIL),
        ) else {
            return Self {
                zone,
                known: Box::default(),
                until: Self::FROM,
            };
        };
        let changes = zone.following(from).map(|change| change.timestamp());
        let changes = changes.take_while(|time| *time < until);
        let known = [from].into_iter().chain(changes);
        let known = known
            .map(|time| (time.as_second(), ahead(&zone, time)))
            .collect();
        Self {
            zone,
            known,
            until: Self::UNTIL,
        }
    }

    /// By how many seconds the clock on the wall is ahead of UTC.
    fn at(&self, time: Timestamp) -> i64 {
        let second = time.as_second();
        let after = self.known.partition_point(|(from, _)| *from <= second);
        match after.checked_sub(1).and_then(|index| self.known.get(index)) {
            Some((_, ahead)) if second < self.until => *ahead,
            Some(_) | None => i64::from(self.zone.to_offset(time).seconds()),
        }
    }
}

pub(super) fn hour_and_minute(second: i64) -> String {
    format!("{:02}:{:02}", second / 3600, second / 60 % 60)
}

/// From Monday, which is 0. 1 January 1970 was a Thursday.
const fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7)
}

/// Days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Days(u8);

impl Days {
    pub(super) const ALL: Self = Self(0b111_1111);
    const NAMES: [&'static str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

    fn holds(self, day: i64) -> bool {
        self.0 >> weekday(day) & 1 == 1
    }

    /// Reads `mon-fri`, `sat,sun` and the like; a range may reach over Sunday.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let number = |name: &str| Self::NAMES.iter().position(|known| *known == name.trim());
        let mut days = 0;
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            let length = (last + 7 - first) % 7;
            for step in 0..=length {
                days |= 1 << ((first + step) % 7);
            }
        }
        Some(Self(days))
    }
}

/// Reads `07:00` to `24:00` as seconds from midnight.
pub(super) fn time_of_day(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let two_digits = |part: &str| {
        let plain = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| part.parse::<i64>().ok()).flatten()
    };
    let (hour, minute) = (two_digits(hour)?, two_digits(minute)?);
    let second = hour * 3600 + minute * 60;
    (minute < 60 && second <= DAY).then_some(second)
}

/// Reads a duration as CEL writes it: `1h30m`, `1.5h`, `-300ms`.
pub(super) fn duration(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    let mut total: i128 = 0;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at_checked(digits)?;
        let letters = after.find(|c: char| !c.is_alphabetic());
        let (unit, after) = after.split_at_checked(letters.unwrap_or(after.len()))?;
        total = total.checked_add(nanoseconds(number, unit)?)?;
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    SignedDuration::try_from_nanos_i128(if negative { -total } else { total })
}

fn nanoseconds(number: &str, unit: &str) -> Option<i128> {
    let unit: i128 = match unit {
        "h" => 3_600_000_000_000,
        "m" => 60_000_000_000,
        "s" => 1_000_000_000,
        "ms" => 1_000_000,
        "us" | "µs" | "μs" => 1_000,
        "ns" => 1,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let empty = number.is_empty() || number == ".";
    if empty || fraction.contains('.') || fraction.len() > 18 || number.len() > 36 {
        return None;
    }
    let whole: i128 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let mut total = whole.checked_mul(unit)?;
    if !fraction.is_empty() {
        let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        total = total.checked_add(fraction.parse::<i128>().ok()?.checked_mul(unit)? / scale)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_up_beforehand_is_what_the_zone_says() {
        let zones = [
            "UTC",
            "Europe/London",
            "America/New_York",
            "Asia/Kolkata",
            "Australia/Lord_Howe",
            "Africa/Casablanca",
            "Pacific/Apia",
            "America/Sao_Paulo",
            "Antarctica/Troll",
        ];
        for name in zones {
            let zone = TimeZone::get(name).unwrap();
            let offsets = Offsets::of(zone.clone());
            let check = |second: i64| {
                let time = Timestamp::from_second(second).unwrap();
                assert_eq!(
                    offsets.at(time),
                    i64::from(zone.to_offset(time).seconds()),
                    "{name} {time}"
                );
            };
            // Every five hours and some, from before what is known to after it, and around each change.
            for step in 0..80_000 {
                check(1_500_000_000 + step * 18_671);
            }
            for (change, _) in &offsets.known {
                (change - 2..change + 3).for_each(check);
            }
            (Offsets::UNTIL - 2..Offsets::UNTIL + 3).for_each(check);
        }
    }
}
