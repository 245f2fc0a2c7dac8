//! Content codings (RFC 9110, section 8.4): what is compressed becomes what it stands for.
//!
//! Owns what the fields say ([`Codings`], [`Accepted`]) and a decoder that runs while a body streams
//! ([`Decoder`]). Pure: bytes in, bytes out; no I/O, no clock, no async. Leaves to `proxy` which answers are
//! decoded and in what form they leave.
//!
//! Must not want more input than it needs, since an event may end where the agent flushed; must not make
//! more at once than somebody takes, nor more of a body than its [`Bounds`] allow; and must never take a
//! broken or cut body for one that has ended.

mod decoder;
mod engine;
mod error;
mod field;
mod fuzz;
#[cfg(test)]
mod tests;

pub use decoder::{Bounds, Decoder, PIECE_BYTES};
pub use error::{CodingError, UnknownCoding};
pub use field::{Accepted, Coding, Codings};
#[doc(hidden)]
pub use fuzz::fuzz_coding;
