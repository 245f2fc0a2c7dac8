//! The JSON Canonicalization Scheme (RFC 8785): one text for each document, so that it can be signed.
//!
//! Our own, because it is a hundred lines on a tree that is here anyway. Numbers are those of ECMAScript: doubles by
//! their shortest digits (section 3.2.2.3).

use super::UnreadableCard;
use super::tree::{Tree, quote};

/// The canonical text of a document.
///
/// # Errors
/// When a number is larger than a double can be (RFC 7493, section 2.2).
pub(super) fn canonical(tree: &Tree) -> Result<String, UnreadableCard> {
    let mut text = String::new();
    write(tree, &mut text)?;
    Ok(text)
}

fn write(tree: &Tree, to: &mut String) -> Result<(), UnreadableCard> {
    match tree {
        Tree::Plain(text) if matches!(text.as_str(), "true" | "false" | "null") => {
            to.push_str(text);
        }
        Tree::Plain(digits) => {
            let number = digits.parse().map_err(|_| UnreadableCard::Broken)?;
            to.push_str(&ecmascript(number).ok_or(UnreadableCard::Number)?);
        }
        Tree::Text(text) => quote(text, to),
        Tree::List(items) => {
            to.push('[');
            for (nth, item) in items.iter().enumerate() {
                if nth > 0 {
                    to.push(',');
                }
                write(item, to)?;
            }
            to.push(']');
        }
        Tree::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            // By UTF-16 code units, which is not the order of code points (section 3.2.3).
            members.sort_by(|(left, _), (right, _)| left.encode_utf16().cmp(right.encode_utf16()));
            to.push('{');
            for (nth, (key, value)) in members.into_iter().enumerate() {
                if nth > 0 {
                    to.push(',');
                }
                quote(key, to);
                to.push(':');
                write(value, to)?;
            }
            to.push('}');
        }
    }
    Ok(())
}

/// A number as ECMAScript writes it (ECMA-262, `Number::toString`); `None` for what JSON cannot say.
fn ecmascript(number: f64) -> Option<String> {
    if !number.is_finite() {
        return None;
    }
    if number == 0.0 {
        return Some("0".to_owned());
    }
    let sign = if number < 0.0 { "-" } else { "" };
    // The shortest digits that read back as this number, and of two the even one, as ECMAScript wants them. The
    // standard library takes the larger of two.
    let shortest = serde_json::to_string(&number.abs()).ok()?;
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, rest) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{rest}");
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let digits = digits.trim_matches('0');
    let count = i32::try_from(digits.len()).ok()?;
    // The decimal point stands behind so many digits.
    let point = i32::try_from(whole.len()).ok()? - i32::try_from(leading).ok()? + exponent;
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or_default());
    let text = match point {
        point if count <= point && point <= 21 => format!("{digits}{}", zeros(point - count)),
        point @ 1..=21 => {
            let (whole, rest) = digits.split_at_checked(usize::try_from(point).ok()?)?;
            format!("{whole}.{rest}")
        }
        point @ -5..=0 => format!("0.{}{digits}", zeros(-point)),
        point => {
            let (first, rest) = digits.split_at_checked(1)?;
            let dot = if rest.is_empty() { "" } else { "." };
            let exponent = point - 1;
            let plus = if exponent < 0 { "" } else { "+" };
            format!("{first}{dot}{rest}e{plus}{exponent}")
        }
    };
    Some(format!("{sign}{text}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> String {
        canonical(&Tree::read(text.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn numbers_are_those_of_the_rfc() {
        // RFC 8785, appendix B.
        for (bits, expected) in [
            (0x0000_0000_0000_0000, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            assert_eq!(ecmascript(f64::from_bits(bits)).as_deref(), Some(expected));
        }
        for bits in [0x7fff_ffff_ffff_ffff, 0x7ff0_0000_0000_0000] {
            assert_eq!(ecmascript(f64::from_bits(bits)), None);
        }
        assert!(canonical(&Tree::read(b"[1e400]").unwrap()).is_err());
    }

    #[test]
    fn documents_are_those_of_the_rfc() {
        // RFC 8785, section 3.2.2.
        let sample = r#"{
          "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
          "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
          "literals": [null, true, false]
        }"#;
        let expected = r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#;
        assert_eq!(of(sample), expected);
        // Section 3.2.3.
        let keys = r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#;
        let sorted = [
            "Carriage Return",
            "One",
            "Control",
            "Latin Small Letter O With Diaeresis",
            "Euro Sign",
            "Emoji: Grinning Face",
            "Hebrew Letter Dalet With Dagesh",
        ];
        let text = of(keys);
        let places: Vec<_> = sorted.iter().map(|name| text.find(name).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
    }

    proptest! {
        #[test]
        fn a_number_reads_back_as_itself(bits in any::<u64>()) {
            let number = f64::from_bits(bits);
            if let Some(text) = ecmascript(number) {
                prop_assert_eq!(text.parse::<f64>().unwrap(), number);
                // And is a number of JSON.
                prop_assert!(Tree::read(text.as_bytes()).is_ok(), "{}", text);
            }
        }

        #[test]
        fn what_is_canonical_stays_so(text in any::<String>(), key in any::<String>(), bits in any::<i64>()) {
            let document = serde_json::json!({key: [text, bits], "x": {"b": 1.25, "a": null}}).to_string();
            let once = of(&document);
            prop_assert_eq!(&of(&once), &once);
            let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            prop_assert_eq!(same(&once)["x"].clone(), same(&document)["x"].clone());
        }
    }
}
