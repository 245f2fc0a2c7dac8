//! The dates of a certificate, so that an operator hears of an expiry before the clients do.
//!
//! The TLS library has them but does not show them, and a certificate parser is a large dependency for two
//! dates. Whatever is not understood has no dates; nothing is decided by them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// `notBefore` and `notAfter` (RFC 5280, section 4.1).
pub(super) fn validity(certificate: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let mut outer = certificate;
    let mut certificate = expect(&mut outer, SEQUENCE)?;
    let mut body = expect(&mut certificate, SEQUENCE)?;
    if body.first() == Some(&VERSION) {
        expect(&mut body, VERSION)?;
    }
    expect(&mut body, INTEGER)?; // serial number
    expect(&mut body, SEQUENCE)?; // signature algorithm
    expect(&mut body, SEQUENCE)?; // issuer
    let mut validity = expect(&mut body, SEQUENCE)?;
    let (tag, text) = element(&mut validity)?;
    let not_before = time(tag, text)?;
    let (tag, text) = element(&mut validity)?;
    Some((not_before, time(tag, text)?))
}

fn expect<'a>(input: &mut &'a [u8], expected: u8) -> Option<&'a [u8]> {
    let (tag, content) = element(input)?;
    (tag == expected).then_some(content)
}

/// Takes one element with a tag of one byte (X.690, section 8.1).
fn element<'a>(input: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&tag, rest) = input.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        // Three bytes say 16 MiB, which no certificate has.
        if !(1..=3).contains(&count) {
            return None;
        }
        let (bytes, rest) = rest.split_at_checked(count)?;
        let length = bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *input = rest;
    Some((tag, content))
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` (RFC 5280, section 4.1.2.5).
fn time(tag: u8, text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i16 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let two = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    let civil = DateTime::new(year, two(0)?, two(2)?, two(4)?, two(6)?, two(8)?, 0).ok()?;
    TimeZone::UTC.to_timestamp(civil).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_time_are_read() {
        let read = |tag, text: &str| time(tag, text.as_bytes()).map(|time| time.to_string());
        let cases = [
            (UTC_TIME, "261123225532Z", Some("2026-11-23T22:55:32Z")),
            (UTC_TIME, "500101000000Z", Some("1950-01-01T00:00:00Z")),
            (
                GENERALIZED_TIME,
                "20500101000000Z",
                Some("2050-01-01T00:00:00Z"),
            ),
            (UTC_TIME, "261323225532Z", None),
            (UTC_TIME, "261123225532", None),
            (UTC_TIME, "2611232255Z", None),
            (INTEGER, "261123225532Z", None),
        ];
        for (tag, text, expected) in cases {
            assert_eq!(read(tag, text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn no_prefix_of_a_certificate_panics() {
        let made = rcgen::generate_simple_self_signed(vec!["a.test".to_owned()]).unwrap();
        let certificate: &[u8] = made.cert.der();
        assert!(validity(certificate).is_some());
        for end in 0..60 {
            assert_eq!(validity(&certificate[..end]), None);
        }
    }
}
