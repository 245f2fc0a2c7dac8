//! One frame (RFC 6455, section 5.2).

use bytes::{BufMut, Bytes, BytesMut};

use super::violation::Violation;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// More of the message that was begun.
    Continuation,
    /// The beginning of a message of text.
    Text,
    /// The beginning of a message of bytes.
    Binary,
    /// The last frame of its direction.
    Close,
    /// A question whether the other side lives.
    Ping,
    /// The answer to it, or a sign of life that nobody asked for.
    Pong,
}

impl Opcode {
    const fn from_bits(bits: u8) -> Result<Self, Violation> {
        match bits {
            0x0 => Ok(Self::Continuation),
            0x1 => Ok(Self::Text),
            0x2 => Ok(Self::Binary),
            0x8 => Ok(Self::Close),
            0x9 => Ok(Self::Ping),
            0xa => Ok(Self::Pong),
            _ => Err(Violation::Opcode),
        }
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }

    /// Whether it is a control frame, which may stand between the fragments of a message (section 5.5).
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// How lictor itself closes a tunnel (section 7.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseCode {
    /// 1001: time is over, or the process ends.
    GoingAway,
    /// 1002: a frame that is none, or not here.
    ProtocolError,
    /// 1007: text that is not UTF-8.
    InvalidData,
    /// 1008: what was said must not pass.
    PolicyViolation,
    /// 1009: more bytes than the limit.
    TooLarge,
}

impl CloseCode {
    /// The number on the wire.
    pub const fn number(self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::ProtocolError => 1002,
            Self::InvalidData => 1007,
            Self::PolicyViolation => 1008,
            Self::TooLarge => 1009,
        }
    }
}

/// The beginning of a frame, up to its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) opcode: Opcode,
    pub(super) is_final: bool,
    /// The three reserved bits, RSV1 highest.
    pub(super) reserved: u8,
    pub(super) mask: Option<[u8; 4]>,
    /// Bytes of the payload.
    pub(super) length: u64,
    /// Bytes of the header itself.
    pub(super) size: usize,
}

impl Header {
    /// Reads the header at the beginning of `bytes`; `None` when it has not all arrived. What is wrong in
    /// the first two bytes is told before the rest is there.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, Violation> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk() else {
            return Ok(None);
        };
        let opcode = Opcode::from_bits(first & 0x0f)?;
        let is_final = first & 0x80 != 0;
        let short = second & 0x7f;
        if opcode.is_control() && (!is_final || short > MOST_CONTROL) {
            return Err(Violation::Control);
        }
        let (length, rest) = match short {
            126 => match rest.split_first_chunk() {
                Some((long, rest)) => (u64::from(u16::from_be_bytes(*long)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk() {
                Some((long, rest)) => (u64::from_be_bytes(*long), rest),
                None => return Ok(None),
            },
            short => (u64::from(short), rest),
        };
        let is_shortest = match short {
            126 => length > u64::from(MOST_CONTROL),
            127 => length > u64::from(u16::MAX) && length >> 63 == 0,
            _ => true,
        };
        if !is_shortest {
            return Err(Violation::Length);
        }
        let is_masked = second & 0x80 != 0;
        let (mask, rest) = match rest.split_first_chunk() {
            _ if !is_masked => (None, rest),
            Some((mask, rest)) => (Some(*mask), rest),
            None => return Ok(None),
        };
        Ok(Some(Self {
            opcode,
            is_final,
            reserved: (first >> 4) & 0x7,
            mask,
            length,
            size: bytes.len() - rest.len(),
        }))
    }
}

/// A whole frame that is allowed where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub(super) header: Header,
    /// The frame as it came.
    pub(super) wire: Bytes,
}

impl Frame {
    /// What it is.
    pub const fn opcode(&self) -> Opcode {
        self.header.opcode
    }

    /// Whether a message ends with it.
    pub const fn is_final(&self) -> bool {
        self.header.is_final
    }

    /// The frame as it came.
    pub fn into_wire(self) -> Bytes {
        self.wire
    }

    /// The frame as it came.
    pub const fn wire(&self) -> &Bytes {
        &self.wire
    }

    /// The payload without its mask; not copied where there was none.
    pub fn payload(&self) -> Bytes {
        let payload = self
            .wire
            .get(self.header.size..)
            .map_or_else(Bytes::new, |payload| self.wire.slice_ref(payload));
        match self.header.mask {
            None => payload,
            Some(mask) => {
                let mut plain = BytesMut::from(payload);
                unmask(&mut plain, mask, 0);
                plain.freeze()
            }
        }
    }
}

/// A whole frame, which is the last or the only one of its message.
pub fn encode(opcode: Opcode, payload: &[u8], mask: Option<[u8; 4]>) -> Bytes {
    let mut wire = BytesMut::with_capacity(payload.len() + MOST_HEADER);
    wire.put_u8(0x80 | opcode.bits());
    let is_masked = if mask.is_some() { 0x80 } else { 0 };
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..=MOST_CONTROL), _) => wire.put_u8(is_masked | length),
        (_, Ok(length)) => {
            wire.put_u8(is_masked | 126);
            wire.put_u16(length);
        }
        (_, Err(_)) => {
            wire.put_u8(is_masked | 127);
            wire.put_u64(payload.len() as u64);
        }
    }
    if let Some(mask) = mask {
        wire.put_slice(&mask);
    }
    let mut rest = wire.split_off(wire.len());
    rest.extend_from_slice(payload);
    if let Some(mask) = mask {
        unmask(&mut rest, mask, 0);
    }
    wire.unsplit(rest);
    wire.freeze()
}

/// A close frame. The reason is cut, at a character, to what a control frame holds.
pub fn encode_close(code: CloseCode, reason: &str, mask: Option<[u8; 4]>) -> Bytes {
    let end = reason.floor_char_boundary(usize::from(MOST_CONTROL) - 2);
    let mut payload = code.number().to_be_bytes().to_vec();
    payload.extend(reason.bytes().take(end));
    encode(Opcode::Close, &payload, mask)
}

/// Takes a mask off, or puts it on; the first byte is at `offset` of the payload (section 5.3).
pub(super) fn unmask(bytes: &mut [u8], mask: [u8; 4], offset: usize) {
    let mut mask = mask;
    mask.rotate_left(offset % 4);
    let (words, rest) = bytes.as_chunks_mut::<4>();
    for word in words {
        *word = (u32::from_ne_bytes(*word) ^ u32::from_ne_bytes(mask)).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

/// Bytes of a control frame's payload (section 5.5), which are also the most that a length of one byte says.
const MOST_CONTROL: u8 = 125;

/// Bytes of the longest header.
const MOST_HEADER: usize = 14;
