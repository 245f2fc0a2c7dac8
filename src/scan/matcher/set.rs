//! Sets of bytes: one table, one bit for each kind of byte.

/// A set of ASCII bytes. Bytes from 0x80 up are in none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scan) struct Set(u16);

impl Set {
    const LOW_DIGIT: Self = Self(1); // 0 1
    const MID_DIGIT: Self = Self(1 << 1); // 2 to 7: in base32
    const HIGH_DIGIT: Self = Self(1 << 2); // 8 9
    const HEX_LOWER: Self = Self(1 << 3); // a to f
    const REST_LOWER: Self = Self(1 << 4); // g to z
    const HEX_UPPER: Self = Self(1 << 5); // A to F
    const REST_UPPER: Self = Self(1 << 6); // G to Z
    pub(in crate::scan) const UNDERSCORE: Self = Self(1 << 7);
    pub(in crate::scan) const DASH: Self = Self(1 << 8);
    pub(in crate::scan) const DOT: Self = Self(1 << 9);
    pub(in crate::scan) const BASE64_MARKS: Self = Self(1 << 10); // + /
    pub(in crate::scan) const EQUALS: Self = Self(1 << 11);
    pub(in crate::scan) const SPACE: Self = Self(1 << 12); // space, tab, CR, LF
    pub(in crate::scan) const REST_MARKS: Self = Self(1 << 13); // ! $ & ( ) * , ;
    pub(in crate::scan) const PERCENT: Self = Self(1 << 14);
    pub(in crate::scan) const TILDE: Self = Self(1 << 15);

    pub(in crate::scan) const DIGIT: Self =
        Self::LOW_DIGIT.or(Self::MID_DIGIT).or(Self::HIGH_DIGIT);
    pub(in crate::scan) const LOWER: Self = Self::HEX_LOWER.or(Self::REST_LOWER);
    pub(in crate::scan) const UPPER: Self = Self::HEX_UPPER.or(Self::REST_UPPER);
    pub(in crate::scan) const LETTER: Self = Self::LOWER.or(Self::UPPER);
    pub(in crate::scan) const ALNUM: Self = Self::DIGIT.or(Self::LETTER);
    /// `[a-z0-9]`
    pub(in crate::scan) const LOWER_ALNUM: Self = Self::DIGIT.or(Self::LOWER);
    /// `[A-Z0-9]`
    pub(in crate::scan) const UPPER_ALNUM: Self = Self::DIGIT.or(Self::UPPER);
    /// Lower-case hex.
    pub(in crate::scan) const HEX: Self = Self::DIGIT.or(Self::HEX_LOWER);
    /// Hex of either case.
    pub(in crate::scan) const ANY_HEX: Self = Self::HEX.or(Self::HEX_UPPER);
    /// `[A-Z2-7]`, RFC 4648 section 6.
    pub(in crate::scan) const BASE32: Self = Self::UPPER.or(Self::MID_DIGIT);
    /// `[A-Za-z0-9+/]`, RFC 4648 section 4, without the padding.
    pub(in crate::scan) const BASE64: Self = Self::ALNUM.or(Self::BASE64_MARKS);
    /// `[A-Za-z0-9_-]`, RFC 4648 section 5.
    pub(in crate::scan) const BASE64_URL: Self = Self::ALNUM.or(Self::UNDERSCORE).or(Self::DASH);
    /// What continues a word: `[A-Za-z0-9_]`.
    pub(in crate::scan) const WORD: Self = Self::ALNUM.or(Self::UNDERSCORE);
    /// `[A-Za-z0-9-]`
    pub(in crate::scan) const ALNUM_DASH: Self = Self::ALNUM.or(Self::DASH);
    /// `[0-9a-f_]`
    pub(in crate::scan) const HEX_UNDERSCORE: Self = Self::HEX.or(Self::UNDERSCORE);
    /// `[a-z0-9.]`
    pub(in crate::scan) const LOWER_ALNUM_DOT: Self = Self::LOWER_ALNUM.or(Self::DOT);
    /// `[A-Za-z0-9_.-]`
    pub(in crate::scan) const BASE64_URL_DOT: Self = Self::BASE64_URL.or(Self::DOT);
    /// `[A-Za-z0-9_.~-]`, the unreserved characters of RFC 3986
    pub(in crate::scan) const UNRESERVED: Self = Self::BASE64_URL_DOT.or(Self::TILDE);
    /// The base64 of `crypt(3)`.
    pub(in crate::scan) const CRYPT: Self = Self::ALNUM.or(Self::DOT).or(Self::BASE64_MARKS);
    /// What is written in a password file without quotes, but for the marks that end it in prose too.
    pub(in crate::scan) const NO_SPACE: Self = Self::BASE64_PERCENT
        .or(Self::DOT)
        .or(Self::TILDE)
        .or(Self::EQUALS);
    /// Base64 of either alphabet.
    pub(in crate::scan) const BASE64_ANY: Self = Self::BASE64.or(Self::BASE64_URL);
    /// Base64 of either alphabet, also percent-encoded.
    pub(in crate::scan) const BASE64_PERCENT: Self = Self::BASE64_ANY.or(Self::PERCENT);
    /// `token68` of RFC 9110, section 11.2, without the padding.
    pub(in crate::scan) const TOKEN68: Self = Self::BASE64_URL.or(Self::DOT).or(Self::BASE64_MARKS);

    /// The union.
    pub(in crate::scan) const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The rest.
    pub(in crate::scan) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the byte is in the set.
    #[inline]
    pub(in crate::scan) const fn contains(self, byte: u8) -> bool {
        #[expect(clippy::indexing_slicing, reason = "a u8 is always below 256")]
        let kinds = KINDS[byte as usize];
        kinds & self.0 != 0
    }

    /// The bytes of the set, ascending.
    pub(in crate::scan) fn bytes(self) -> impl Iterator<Item = u8> {
        (0..=127_u8).filter(move |byte| self.contains(*byte))
    }
}

static KINDS: [u16; 256] = kinds();

const fn kinds() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        #[expect(clippy::indexing_slicing, reason = "below 128 of 256")]
        {
            table[byte as usize] = kind(byte).0;
        }
        byte += 1;
    }
    table
}

const fn kind(byte: u8) -> Set {
    match byte {
        b'0' | b'1' => Set::LOW_DIGIT,
        b'2'..=b'7' => Set::MID_DIGIT,
        b'8' | b'9' => Set::HIGH_DIGIT,
        b'a'..=b'f' => Set::HEX_LOWER,
        b'g'..=b'z' => Set::REST_LOWER,
        b'A'..=b'F' => Set::HEX_UPPER,
        b'G'..=b'Z' => Set::REST_UPPER,
        b'_' => Set::UNDERSCORE,
        b'-' => Set::DASH,
        b'.' => Set::DOT,
        b'+' | b'/' => Set::BASE64_MARKS,
        b'=' => Set::EQUALS,
        b' ' | b'\t' | b'\r' | b'\n' => Set::SPACE,
        b'%' => Set::PERCENT,
        b'~' => Set::TILDE,
        b'!' | b'$' | b'&' | b'(' | b')' | b'*' | b',' | b';' => Set::REST_MARKS,
        _ => Set(0),
    }
}
