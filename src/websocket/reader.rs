//! Frames as they arrive, and whether they may stand where they stand.

use bytes::BytesMut;

use super::frame::{Frame, Header, Opcode, unmask};
use super::text::Utf8;
use super::violation::Violation;

/// Who sends what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The server of the connection: its frames have no mask (RFC 6455, section 5.1).
    Agent,
    /// The client of the connection: each of its frames has one.
    Caller,
}

/// What a direction is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message, over all its fragments.
    pub message_bytes: usize,
    /// Whether messages may be compressed (RFC 7692). Then the first bit of their first frame may be set,
    /// and whether their text is UTF-8 cannot be told.
    pub is_compressed: bool,
}

/// Cuts one direction of a tunnel into frames.
///
/// A frame is given out whole, so that whoever passes frames on can always say something of its own
/// between two of them; at most `message_bytes` and one read of it wait here.
#[derive(Debug)]
pub struct Reader {
    sender: Sender,
    limits: Limits,
    buffer: BytesMut,
    message: Option<Message>,
    is_closed: bool,
}

/// A message that was begun.
#[derive(Debug)]
struct Message {
    length: usize,
    fragments: usize,
    /// For text that can be read.
    text: Option<Utf8>,
}

impl Reader {
    /// Reads from the first byte behind the handshake.
    pub fn new(sender: Sender, limits: Limits) -> Self {
        Self {
            sender,
            limits,
            buffer: BytesMut::new(),
            message: None,
            is_closed: false,
        }
    }

    /// Where bytes are appended as they arrive.
    pub const fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Whether the close frame of this direction was given out.
    pub const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// The next whole frame, if it has arrived. Behind the close frame nothing is read any more.
    ///
    /// # Errors
    /// When the tunnel has to end; what follows is then meaningless.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Violation> {
        if self.is_closed {
            self.buffer.clear();
            return Ok(None);
        }
        let Some(header) = Header::read(&self.buffer)? else {
            return Ok(None);
        };
        let length = self.check(&header)?;
        let whole = header.size + length;
        if self.buffer.len() < whole {
            return Ok(None);
        }
        let wire = self.buffer.split_to(whole).freeze();
        let frame = Frame { header, wire };
        self.accept(&frame, length)?;
        Ok(Some(frame))
    }

    /// Whether the frame may stand here, before its payload is there. Returns the payload's length.
    fn check(&self, header: &Header) -> Result<usize, Violation> {
        let may_be_compressed = self.limits.is_compressed
            && matches!(header.opcode, Opcode::Text | Opcode::Binary)
            && header.reserved == COMPRESSED;
        if header.reserved != 0 && !may_be_compressed {
            return Err(Violation::ReservedBit);
        }
        if header.mask.is_some() != (self.sender == Sender::Caller) {
            return Err(Violation::Mask);
        }
        let before = match (header.opcode, &self.message) {
            (Opcode::Close | Opcode::Ping | Opcode::Pong, _) => None,
            (Opcode::Continuation, None) => return Err(Violation::Continuation),
            (Opcode::Text | Opcode::Binary, Some(_)) => return Err(Violation::Interleaved),
            (_, message) => message.as_ref(),
        };
        let most = self.limits.message_bytes;
        let room = most - before.map_or(0, |message| message.length.min(most));
        if before.is_some_and(|message| message.fragments == MOST_FRAGMENTS) {
            return Err(Violation::TooManyFragments);
        }
        // A control frame is short by its own rule, whatever the limit of messages.
        match usize::try_from(header.length) {
            Ok(length) if length <= room || header.opcode.is_control() => Ok(length),
            Ok(_) | Err(_) => Err(Violation::TooLarge(most)),
        }
    }

    /// Takes note of a whole frame.
    fn accept(&mut self, frame: &Frame, length: usize) -> Result<(), Violation> {
        let begins = |text: Option<Utf8>| Message {
            length: 0,
            fragments: 0,
            text,
        };
        match frame.opcode() {
            Opcode::Ping | Opcode::Pong => return Ok(()),
            Opcode::Close => {
                self.is_closed = true;
                return check_close(&frame.payload());
            }
            Opcode::Binary => self.message = Some(begins(None)),
            Opcode::Text => {
                let is_readable = !self.limits.is_compressed;
                self.message = Some(begins(is_readable.then(Utf8::default)));
            }
            Opcode::Continuation => {}
        }
        let Some(message) = &mut self.message else {
            return Ok(());
        };
        message.length += length;
        message.fragments += 1;
        if let Some(text) = &mut message.text
            && !(feed(text, frame) && (!frame.is_final() || text.is_whole()))
        {
            return Err(Violation::Text);
        }
        if frame.is_final() {
            self.message = None;
        }
        Ok(())
    }
}

/// Reads the payload of a frame as text, without a copy of it.
fn feed(text: &mut Utf8, frame: &Frame) -> bool {
    let payload = frame.wire.get(frame.header.size..).unwrap_or_default();
    let Some(mask) = frame.header.mask else {
        return text.feed(payload);
    };
    // A multiple of four, so that each piece begins with the first byte of the mask.
    let mut plain = [0; 1024];
    payload.chunks(plain.len()).all(|piece| {
        let Some(plain) = plain.get_mut(..piece.len()) else {
            return false;
        };
        plain.copy_from_slice(piece);
        unmask(plain, mask, 0);
        text.feed(plain)
    })
}

/// Checks a close frame's payload: nothing, or a code and a reason (RFC 6455, section 5.5.1).
fn check_close(payload: &[u8]) -> Result<(), Violation> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() {
            Ok(())
        } else {
            Err(Violation::CloseCode)
        };
    };
    // Section 7.4.2, and the registry that it founds: 1004 to 1006 and 1015 never stand on the wire.
    match u16::from_be_bytes(*code) {
        1000..=1003 | 1007..=1014 | 3000..=4999 => {}
        _ => return Err(Violation::CloseCode),
    }
    match std::str::from_utf8(reason) {
        Ok(_) => Ok(()),
        Err(_) => Err(Violation::Text),
    }
}

/// RSV1 alone (RFC 7692, section 6).
const COMPRESSED: u8 = 0b100;

/// Fragments of one message. Arbitrary: a model's longest answer with a fragment for each token is below
/// it, and frames of nothing must not cost memory without end.
const MOST_FRAGMENTS: usize = 65_536;
