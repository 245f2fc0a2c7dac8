//! Numbers with units, as people write them: `30s`, `1MiB`, `60/min`.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::quota::Rate;

/// What a value of some unit looks like, and what was probably meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnitError {
    pub(super) expected: &'static str,
    pub(super) suggestion: Option<String>,
}

impl UnitError {
    const fn new(expected: &'static str) -> Self {
        Self {
            expected,
            suggestion: None,
        }
    }
}

pub(super) const DURATION: &str = "a duration such as `30s`, `10m` or `1h`";
pub(super) const BYTES: &str = "a size such as `64KiB` or `1MiB`";
pub(super) const RATE: &str = "a rate such as `10/s`, `60/min` or `20k/day`";

/// A duration with one unit: `ms`, `s`, `m`, `h` or `d`.
pub(super) fn duration(text: &str) -> Result<Duration, UnitError> {
    let (number, unit) = split(text).ok_or_else(|| UnitError::new(DURATION))?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => {
            let meant = match unit {
                "" | "sec" | "secs" | "second" | "seconds" => Some("s"),
                "min" | "mins" | "minute" | "minutes" => Some("m"),
                "hour" | "hours" | "hr" => Some("h"),
                "day" | "days" => Some("d"),
                _ => None,
            };
            return Err(UnitError {
                expected: DURATION,
                suggestion: meant.map(|unit| format!("{number}{unit}")),
            });
        }
    };
    number
        .checked_mul(millis)
        .map(Duration::from_millis)
        .ok_or_else(|| UnitError::new(DURATION))
}

/// A number of bytes: `B`, `KiB`, `MiB` or `GiB`.
pub(super) fn bytes(text: &str) -> Result<u64, UnitError> {
    let (number, unit) = split(text).ok_or_else(|| UnitError::new(BYTES))?;
    let factor: u64 = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => {
            let meant = match unit.to_ascii_lowercase().as_str() {
                "" | "b" | "bytes" => Some("B"),
                "k" | "kb" | "kib" | "ki" => Some("KiB"),
                "m" | "mb" | "mib" | "mi" => Some("MiB"),
                "g" | "gb" | "gib" | "gi" => Some("GiB"),
                _ => None,
            };
            return Err(UnitError {
                expected: BYTES,
                suggestion: meant.map(|unit| format!("{number}{unit}")),
            });
        }
    };
    number
        .checked_mul(factor)
        .ok_or_else(|| UnitError::new(BYTES))
}

/// Calls in a period: a count with `k` or `M` if it is large, and `s`, `min`, `hour` or `day`.
pub(super) fn rate(text: &str) -> Result<Rate, UnitError> {
    let error = || UnitError::new(RATE);
    let (count, period) = text.split_once('/').ok_or_else(error)?;
    let (number, factor) = split(count).ok_or_else(error)?;
    let factor = match factor {
        "" => 1,
        "k" => 1000,
        "M" => 1_000_000,
        _ => return Err(error()),
    };
    let seconds = match period {
        "s" => 1,
        "min" => 60,
        "hour" => 3600,
        "day" => 86_400,
        _ => {
            let meant = match period {
                "sec" | "second" | "1s" => Some("s"),
                "m" | "minute" | "1m" => Some("min"),
                "h" | "hr" | "1h" => Some("hour"),
                "d" | "1d" => Some("day"),
                _ => None,
            };
            return Err(UnitError {
                expected: RATE,
                suggestion: meant.map(|period| format!("{count}/{period}")),
            });
        }
    };
    let count = number
        .checked_mul(factor)
        .and_then(|count| NonZeroU32::new(u32::try_from(count).ok()?))
        .ok_or_else(error)?;
    Ok(Rate {
        count,
        period: Duration::from_secs(seconds),
    })
}

/// Digits and what follows them.
fn split(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|char: char| !char.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_written_out() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("30"), duration_error("30s"));
        assert_eq!(duration("5min"), duration_error("5m"));
        assert!(duration("-1s").is_err() && duration("").is_err());
        assert!(duration("99999999999999999999s").is_err());
        assert_eq!(bytes("1MiB"), Ok(1 << 20));
        assert_eq!(bytes("1MB").unwrap_err().suggestion.unwrap(), "1MiB");
        assert_eq!(
            bytes("1048576").unwrap_err().suggestion.unwrap(),
            "1048576B"
        );
        let sixty = rate("60/min").unwrap();
        assert_eq!((sixty.count.get(), sixty.period.as_secs()), (60, 60));
        assert_eq!(rate("20k/day").unwrap().count.get(), 20_000);
        assert_eq!(rate("60/m").unwrap_err().suggestion.unwrap(), "60/min");
        assert!(rate("0/s").is_err() && rate("60").is_err() && rate("1.5/s").is_err());
    }

    fn duration_error(meant: &str) -> Result<Duration, UnitError> {
        Err(UnitError {
            expected: DURATION,
            suggestion: Some(meant.to_owned()),
        })
    }
}
