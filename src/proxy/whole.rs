//! Messages of a WebSocket from their frames.

use bytes::{Bytes, BytesMut};

use crate::scan::Payload;
use crate::websocket::{Frame, Opcode};

/// Joins the frames of one direction into messages. Holds at most one message, whose length its reader bounds.
#[derive(Debug, Default)]
pub(super) struct Joiner {
    /// A message of which not all fragments have come.
    begun: Option<Message<BytesMut>>,
}

/// A message.
#[derive(Debug)]
pub(super) struct Message<B = Bytes> {
    pub(super) payload: Payload,
    /// As it came.
    pub(super) wire: B,
    /// What it says.
    pub(super) data: B,
}

impl Joiner {
    /// The message that ends with this frame, if one does. Control frames are none of a message's.
    pub(super) fn join(&mut self, frame: Frame) -> Option<Message> {
        match frame.opcode() {
            Opcode::Binary => self.begin(Payload::Binary, frame),
            Opcode::Text => self.begin(Payload::Text, frame),
            Opcode::Continuation => self.go_on(&frame),
            Opcode::Close | Opcode::Ping | Opcode::Pong => None,
        }
    }

    /// The first frame of a message, which is the only one most of the time and then is not copied.
    fn begin(&mut self, payload: Payload, frame: Frame) -> Option<Message> {
        if frame.is_final() {
            return Some(Message {
                payload,
                data: frame.payload(),
                wire: frame.into_wire(),
            });
        }
        self.begun = Some(Message {
            payload,
            data: BytesMut::from(frame.payload()),
            wire: BytesMut::from(frame.into_wire()),
        });
        None
    }

    fn go_on(&mut self, frame: &Frame) -> Option<Message> {
        let begun = self.begun.as_mut()?;
        begun.wire.extend_from_slice(frame.wire());
        begun.data.extend_from_slice(&frame.payload());
        if !frame.is_final() {
            return None;
        }
        self.begun.take().map(|begun| Message {
            payload: begun.payload,
            wire: begun.wire.freeze(),
            data: begun.data.freeze(),
        })
    }
}

/// The opcode of a message's first frame.
pub(super) const fn opcode(payload: Payload) -> Opcode {
    match payload {
        Payload::Binary => Opcode::Binary,
        Payload::Text => Opcode::Text,
    }
}
