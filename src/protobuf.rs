//! The wire format of Protocol Buffers, as far as ids and texts need it: fields, one after another, and no schema.
//!
//! Stricter than the readers of agents, so that whatever is read here is read alike there: no groups, which nothing in
//! use writes, and no number in more bytes than it needs, of which readers take a different number.

/// What no writer in use produces, and readers may take in two ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Deprecated since the format was published.
    #[error("a group")]
    Group,
    /// Longer than what it stands in.
    #[error("a length beyond the end")]
    Length,
    /// Zero, or above 2^29 - 1.
    #[error("a field with an impossible number")]
    Number,
    /// The wire types 6 and 7 do not exist.
    #[error("an unknown wire type")]
    Type,
    /// Longer than ten bytes, above 64 bits, cut off, or in more bytes than it needs.
    #[error("a broken number")]
    Varint,
}

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire<'a> {
    /// A text, a message, or several numbers.
    Bytes(&'a [u8]),
    /// One number of four or eight bytes, which no field of ours is.
    Fixed,
    /// One number of its own length.
    Number(u64),
}

/// How a field goes on behind its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// So many bytes.
    Fixed(u32),
    /// A length, and so many bytes.
    Length,
    /// A number of its own length.
    Varint,
}

/// The number of a field, and how it goes on.
pub fn tag(value: u64) -> Result<(u32, Kind), Flaw> {
    let value = u32::try_from(value).map_err(|_| Flaw::Number)?;
    let kind = match value & 7 {
        0 => Kind::Varint,
        1 => Kind::Fixed(8),
        2 => Kind::Length,
        3 | 4 => return Err(Flaw::Group),
        5 => Kind::Fixed(4),
        _ => return Err(Flaw::Type),
    };
    match value >> 3 {
        0 => Err(Flaw::Number),
        number => Ok((number, kind)),
    }
}

/// A number of its own length, byte by byte.
#[derive(Debug, Clone, Copy, Default)]
pub struct Varint {
    value: u64,
    bytes: u32,
}

impl Varint {
    /// The number, when this byte is its last.
    pub fn push(&mut self, byte: u8) -> Result<Option<u64>, Flaw> {
        // Nine bytes hold 63 bits; of the tenth, one bit counts and none may follow.
        let overflows = self.bytes == 9 && byte > 1;
        let is_padded = byte == 0 && self.bytes > 0;
        if overflows || is_padded {
            return Err(Flaw::Varint);
        }
        self.value |= u64::from(byte & 0x7F) << (7 * self.bytes);
        self.bytes += 1;
        let is_last = byte & 0x80 == 0;
        Ok(is_last.then(|| std::mem::take(self).value))
    }

    /// Whether a byte of the next number was pushed.
    pub const fn has_begun(self) -> bool {
        self.bytes > 0
    }
}

/// The fields of a message. After a flaw there are no more.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of a message, in the order in which they stand.
    pub const fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// How many bytes stand behind the last field that was read.
    pub const fn left(&self) -> usize {
        self.rest.len()
    }

    fn field(&mut self) -> Result<(u32, Wire<'a>), Flaw> {
        let (number, kind) = tag(self.varint()?)?;
        let length = match kind {
            Kind::Varint => return Ok((number, Wire::Number(self.varint()?))),
            Kind::Fixed(length) => u64::from(length),
            Kind::Length => self.varint()?,
        };
        let length = usize::try_from(length).map_err(|_| Flaw::Length)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(Flaw::Length)?;
        self.rest = rest;
        Ok(match kind {
            Kind::Length => (number, Wire::Bytes(bytes)),
            Kind::Fixed(_) | Kind::Varint => (number, Wire::Fixed),
        })
    }

    fn varint(&mut self) -> Result<u64, Flaw> {
        let mut varint = Varint::default();
        while let Some((byte, rest)) = self.rest.split_first() {
            self.rest = rest;
            if let Some(value) = varint.push(*byte)? {
                return Ok(value);
            }
        }
        Err(Flaw::Varint)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Wire<'a>), Flaw>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// Appends a field that holds bytes.
pub fn put(message: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_varint(message, u64::from(number) << 3 | 2);
    put_varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

/// Appends a field that holds a number. Zero is what an absent field says.
pub fn put_number(message: &mut Vec<u8>, number: u32, value: u64) {
    if value != 0 {
        put_varint(message, u64::from(number) << 3);
        put_varint(message, value);
    }
}

/// Appends a number of its own length.
pub fn put_varint(message: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            return message.push(low & 0x7F);
        }
        message.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(message: &[u8]) -> Result<Vec<(u32, Wire<'_>)>, Flaw> {
        Fields::of(message).collect()
    }

    #[test]
    fn fields_are_read_one_after_another() {
        let message = b"\x08\x96\x01\x12\x02hi\x19AAAAAAAA\x25AAAA\x12\0\xfa\xff\xff\xff\x0f\x01x";
        let expected = vec![
            (1, Wire::Number(150)),
            (2, Wire::Bytes(b"hi")),
            (3, Wire::Fixed),
            (4, Wire::Fixed),
            (2, Wire::Bytes(b"")),
            (0x1FFF_FFFF, Wire::Bytes(b"x")),
        ];
        assert_eq!(read(message), Ok(expected));
        assert_eq!(read(b""), Ok(vec![]));
        // Minus one is ten bytes long.
        assert!(read(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01").is_ok());
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_not_read() {
        let cases: &[(&[u8], Flaw)] = &[
            (b"\x0b\x0c", Flaw::Group),
            (b"\x0c", Flaw::Group),
            (b"\x0e\x01", Flaw::Type),
            (b"\x0f\x01", Flaw::Type),
            (b"\x00\x01", Flaw::Number),
            (b"\x02\x00", Flaw::Number),
            (b"\x80\x80\x80\x80\x10\x01", Flaw::Number),
            (b"\x0a\x03hi", Flaw::Length),
            (
                b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                Flaw::Length,
            ),
            (b"\x0a", Flaw::Varint),
            (b"\x0a\x80", Flaw::Varint),
            (b"\x8a\x00\x00", Flaw::Varint),
            (b"\x0a\x82\x00hi", Flaw::Varint),
            (b"\x08\x80\x00", Flaw::Varint),
            (
                b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
                Flaw::Varint,
            ),
            (
                b"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
                Flaw::Varint,
            ),
            (b"\x09AAAAAAA", Flaw::Length),
            (b"\x0dAAA", Flaw::Length),
        ];
        for (message, flaw) in cases {
            assert_eq!(read(message), Err(*flaw), "{}", message.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            number in 1_u32..0x2000_0000, bytes: Vec<u8>, other in 1_u32..0x2000_0000, value in 1_u64..,
        ) {
            let mut message = Vec::new();
            put(&mut message, number, &bytes);
            put_number(&mut message, other, value);
            let expected = vec![(number, Wire::Bytes(&bytes)), (other, Wire::Number(value))];
            prop_assert_eq!(read(&message), Ok(expected));
        }
    }
}
