//! HTTP/1 with callers: one message for us is the same one message for the agent, or it is none.
//!
//! Owns the bytes of a connection: heads, framing, chunked coding, `100 Continue`, keep-alive, pipelining,
//! the deadlines between requests, and how an answer that was cut looks to its reader. Stricter than RFC
//! 9112 asks wherever two readers are known to differ. Leaves to `protocol` what a request means, and to
//! the [`Service`] what to answer, also to what is no request. What `upstream` needs for the agent's side of
//! HTTP/1 it takes from here, so that both sides read alike. HTTP/2 is hyper's.
//!
//! Must not pass a byte of a caller on: what the agent gets is written anew from what was parsed.

mod answer;
mod body;
mod chunked;
mod connection;
mod error;
mod fuzz;
mod head;
mod inflow;
mod outbox;

#[cfg(test)]
mod tests;

pub use answer::{Coding, WrongLength, put_fields};
pub use body::Body;
pub use chunked::{Chunked, Piece};
pub use connection::{Config, Ended, Reply, Service, serve};
pub use error::{BodyError, HeadError};
pub use fuzz::{fuzz_cuts, fuzz_framing, fuzz_read};
pub use head::{Framing, HeadLimits, is_persistent, read_fields, read_head};
pub use inflow::{appetite, poll_fill, take_piece};
pub use outbox::Outbox;
