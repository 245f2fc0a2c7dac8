//! What `Content-Encoding` and `Accept-Encoding` say.

use std::fmt;

use super::UnknownCoding;
use super::decoder::{Bounds, Decoder};

/// How often a body may be coded, one around the other. Twice is a compressed file that a server compresses
/// again; more is nobody's need, and every layer multiplies what a small body may become.
const MOST: usize = 2;

/// What a field may say of a name in a message to the operator.
const MOST_NAME_BYTES: usize = 32;

/// A content coding that can be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// `br` (RFC 7932), with a window of at most 16 MiB, the most that it has without the extension for larger ones.
    Brotli,
    /// `deflate`: zlib (RFC 1950), or raw (RFC 1951) as some servers send.
    Deflate,
    /// `gzip` and `x-gzip` (RFC 1952), also several members in a row.
    Gzip,
    /// `zstd` (RFC 8878), with a window of at most 8 MiB (RFC 9659).
    Zstd,
}

impl Coding {
    fn of(name: &[u8]) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match () {
            () if is("br") => Some(Self::Brotli),
            () if is("deflate") => Some(Self::Deflate),
            () if is("gzip") || is("x-gzip") => Some(Self::Gzip),
            () if is("zstd") => Some(Self::Zstd),
            () => None,
        }
    }

    /// Its name in fields.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Deflate => "deflate",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Brotli => 1,
            Self::Deflate => 2,
            Self::Gzip => 4,
            Self::Zstd => 8,
        }
    }
}

impl fmt::Display for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The codings of a body, in the order in which they were applied (RFC 9110, section 8.4). Empty where it is
/// `identity`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codings(Vec<Coding>);

impl Codings {
    /// Reads all values of a `Content-Encoding`.
    ///
    /// # Errors
    /// When there is one that cannot be decoded, or more than two.
    pub fn read<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<Self, UnknownCoding> {
        let mut codings = Vec::new();
        for name in values.flat_map(elements) {
            if name.eq_ignore_ascii_case(b"identity") {
                continue;
            }
            let Some(coding) = Coding::of(name) else {
                let name = name.get(..MOST_NAME_BYTES).unwrap_or(name);
                return Err(UnknownCoding::Name(name.escape_ascii().to_string()));
            };
            if codings.len() == MOST {
                return Err(UnknownCoding::TooMany);
            }
            codings.push(coding);
        }
        Ok(Self(codings))
    }

    /// Whether there is nothing to decode.
    pub const fn is_identity(&self) -> bool {
        self.0.is_empty()
    }

    /// The coding, if it is one that all readers decode alike. They differ on which kind of `deflate` it is.
    pub fn only(&self) -> Option<Coding> {
        match self.0.as_slice() {
            [coding] if *coding != Coding::Deflate => Some(*coding),
            _ => None,
        }
    }

    /// What decodes such a body.
    pub fn decoder(&self, bounds: Bounds) -> Decoder {
        // The last one is on the outside.
        Decoder::new(self.0.iter().rev().copied(), bounds)
    }
}

/// The codings that a reader takes (RFC 9110, section 12.5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Accepted(u8);

impl Accepted {
    /// Reads all values of an `Accept-Encoding`. Who sends none takes any by the letter; but many who send none
    /// decode nothing, so here it takes none.
    pub fn read<'a>(values: impl Iterator<Item = &'a [u8]>) -> Self {
        let (mut taken, mut named, mut others) = (0, 0, false);
        for element in values.flat_map(elements) {
            let mut parts = element.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let name = parts.next().unwrap_or_default();
            let takes = parts.all(|parameter| !is_zero(parameter));
            if name == b"*" {
                others = takes;
            } else if let Some(coding) = Coding::of(name) {
                // Of two that contradict each other the cautious one counts.
                if named & coding.bit() == 0 && takes {
                    taken |= coding.bit();
                } else if !takes {
                    taken &= !coding.bit();
                }
                named |= coding.bit();
            }
        }
        Self(if others { taken | !named } else { taken })
    }

    /// Whether the reader takes this one.
    pub const fn takes(self, coding: Coding) -> bool {
        self.0 & coding.bit() != 0
    }
}

/// The elements of a list (RFC 9110, section 5.6.1). Empty ones count for nothing.
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let elements = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    elements.filter(|element| !element.is_empty())
}

/// Whether a parameter is a weight of nothing (RFC 9110, section 12.4.2), or none that can be read.
fn is_zero(parameter: &[u8]) -> bool {
    let weight = match parameter.split_at_checked(2) {
        Some((name, weight)) if name.eq_ignore_ascii_case(b"q=") => weight,
        _ => return true,
    };
    !weight.iter().any(|byte| (b'1'..=b'9').contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codings(values: &[&str]) -> Result<Vec<Coding>, UnknownCoding> {
        Codings::read(values.iter().map(|value| value.as_bytes())).map(|codings| codings.0)
    }

    #[test]
    fn codings_are_read_in_their_order() {
        use Coding::{Brotli, Deflate, Gzip, Zstd};
        assert_eq!(codings(&[]), Ok(vec![]));
        assert_eq!(codings(&["identity"]), Ok(vec![]));
        assert_eq!(codings(&["GZip"]), Ok(vec![Gzip]));
        assert_eq!(codings(&["x-gzip, identity"]), Ok(vec![Gzip]));
        assert_eq!(codings(&["", " deflate ,, br"]), Ok(vec![Deflate, Brotli]));
        assert_eq!(codings(&["zstd", "gzip"]), Ok(vec![Zstd, Gzip]));
        assert_eq!(codings(&["br, br", "br"]), Err(UnknownCoding::TooMany));
        let unknown = |name: &str| Err(UnknownCoding::Name(name.to_owned()));
        assert_eq!(codings(&["gzip, compress"]), unknown("compress"));
        assert_eq!(codings(&["gzip;q=1"]), unknown("gzip;q=1"));
        assert_eq!(codings(&["aws-chunked"]), unknown("aws-chunked"));
    }

    #[test]
    fn a_reader_takes_what_it_names() {
        use Coding::{Brotli, Deflate, Gzip, Zstd};
        let table: &[(&[&str], &[Coding])] = &[
            (&[], &[]),
            (&[""], &[]),
            (&["identity"], &[]),
            (&["gzip"], &[Gzip]),
            (&["x-gzip;q=0.001"], &[Gzip]),
            (&["gzip, deflate", "BR"], &[Gzip, Deflate, Brotli]),
            (&["gzip;q=0, br;q=1.0"], &[Brotli]),
            (&["gzip;q=0.000"], &[]),
            (&["gzip; q=0"], &[]),
            (&["gzip;q=x"], &[]),
            (&["gzip;level=1"], &[]),
            (&["*"], &[Gzip, Deflate, Brotli, Zstd]),
            (&["zstd;q=0, *"], &[Gzip, Deflate, Brotli]),
            (&["*;q=0, zstd"], &[Zstd]),
            (&["gzip, x-gzip;q=0"], &[]),
            (&["gzip;q=0, gzip"], &[]),
        ];
        for (values, taken) in table {
            let accepted = Accepted::read(values.iter().map(|value| value.as_bytes()));
            for coding in [Brotli, Deflate, Gzip, Zstd] {
                let takes = accepted.takes(coding);
                assert_eq!(takes, taken.contains(&coding), "{values:?}: {coding}");
            }
        }
    }
}
