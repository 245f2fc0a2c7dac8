//! WebSocket (RFC 6455): the handshake that leaves HTTP, and the frames behind it.
//!
//! Owns what is a well-formed handshake ([`Handshake`]) and which frames are allowed when ([`Reader`]),
//! for both directions. Pure: bytes in, frames out; no I/O, no clock, no async, so that a tunnel is judged
//! alike in the proxy, in a test and under the fuzzer. Leaves to `proxy` whether somebody may, what is
//! passed on and when a tunnel ends.
//!
//! Must not repair anything: a frame passes as it came, or the tunnel ends. Stricter than RFC 6455 asks
//! where two readers are known to differ.

mod frame;
mod handshake;
mod reader;
mod text;
mod violation;

#[cfg(test)]
mod tests;

pub use frame::{CloseCode, Frame, Opcode, encode, encode_close};
pub use handshake::{AcceptError, Accepted, Handshake, HandshakeError};
pub use reader::{Limits, Reader, Sender};
pub use violation::Violation;
