//! What a match must pass besides.

use std::str::FromStr;

use crate::model::iban;
use crate::scan::matcher::evidence;
use crate::scan::matcher::number::check;

/// What a match must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The check digit of routing numbers of banks in the United States.
    Aba,
    /// More entropy than so many hundredths of a bit per byte.
    Entropy(u16),
    /// Country, length and check digits of an international bank account number.
    Iban,
    /// The check digit of ISO/IEC 7812-1.
    Luhn,
    /// The dihedral check of Verhoeff.
    Verhoeff,
}

/// There is no such check.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("there is no such check")]
pub struct UnknownProof;

/// No text has more: eight bits per byte.
const MAX_ENTROPY: f32 = 8.0;

impl Proof {
    /// The checks by name.
    pub const NAMES: [&'static str; 5] = ["luhn", "iban", "aba", "verhoeff", "entropy>3.5"];

    /// Whether it holds for what was matched. Of digits it looks at the digits alone, however they are grouped.
    pub(super) fn holds_for(self, body: &[u8]) -> bool {
        let count = body.iter().filter(|byte| byte.is_ascii_digit()).count();
        match self {
            Self::Aba => count == 9 && check::weighted(body, &ABA).is_multiple_of(10),
            Self::Entropy(floor) => evidence::entropy(body) > f32::from(floor) / 100.0,
            Self::Iban => {
                let compact = body.iter().filter(|byte| byte.is_ascii_alphanumeric());
                let compact = compact.map(u8::to_ascii_uppercase).collect();
                String::from_utf8(compact).is_ok_and(|text| iban::is_iban(&text))
            }
            Self::Luhn => count > 1 && evidence::luhn(body),
            Self::Verhoeff => count > 1 && check::verhoeff(body),
        }
    }
}

/// The weights of its nine digits.
const ABA: [u32; 9] = [3, 7, 1, 3, 7, 1, 3, 7, 1];

impl FromStr for Proof {
    type Err = UnknownProof;

    fn from_str(text: &str) -> Result<Self, UnknownProof> {
        match text {
            "aba" => Ok(Self::Aba),
            "iban" => Ok(Self::Iban),
            "luhn" => Ok(Self::Luhn),
            "verhoeff" => Ok(Self::Verhoeff),
            _ => {
                let floor = text.strip_prefix("entropy").ok_or(UnknownProof)?;
                let floor = floor.trim_start().strip_prefix('>').ok_or(UnknownProof)?;
                let floor: f32 = floor.trim_start().parse().map_err(|_| UnknownProof)?;
                (0.0..MAX_ENTROPY)
                    .contains(&floor)
                    .then(|| Self::Entropy(hundredths(floor)))
                    .ok_or(UnknownProof)
            }
        }
    }
}

/// Below eight, so that it fits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 800"
)]
fn hundredths(bits: f32) -> u16 {
    (bits * 100.0).round() as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_those_of_their_names() {
        let cases = [
            ("luhn", "EMP-123455", "EMP-123456"),
            (
                "iban",
                "GB33 BUKB 2020 1555 5555 55",
                "GB34BUKB20201555555555",
            ),
            ("aba", "021000021", "021000022"),
            ("verhoeff", "2363", "2364"),
            ("entropy>3.5", "q7Zt2Lw9Xc4Vb8Nm1Kj5Hg", "aaaaaaaabbbbbbbb"),
        ];
        for (name, good, bad) in cases {
            let proof: Proof = name.parse().unwrap();
            assert!(proof.holds_for(good.as_bytes()), "{name} {good}");
            assert!(!proof.holds_for(bad.as_bytes()), "{name} {bad}");
        }
        assert_eq!("entropy > 4".parse::<Proof>().unwrap(), Proof::Entropy(400));
        for name in [
            "",
            "Luhn",
            "entropy",
            "entropy>9",
            "entropy>x",
            "entropy>-1",
            "entropy<3",
        ] {
            assert!(name.parse::<Proof>().is_err(), "{name}");
        }
    }
}
