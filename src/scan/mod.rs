//! Reads what leaves, and keeps back what must not.
//!
//! Owns three layers. A *carrier* ([`Carrier`], [`Scan`]) cuts a body into texts and maps each decoded
//! byte to the raw bytes it came from; a *channel* is one logical text, whatever pieces it arrives in;
//! the *matcher* runs the compiled [`Detectors`] over it, with state that survives every seam. Detectors
//! are data in `packs`.
//!
//! Pure: bytes in, findings and releasable bytes out; no I/O, no clock, no async. Must not copy a body
//! that is only looked at, must not hold what cannot become a secret, and must give the same findings
//! and the same bytes for every cutting of its input.

mod allow;
mod body;
mod channel;
mod config;
mod data;
mod detectors;
mod escape;
mod event;
mod fields;
mod fuzz;
mod gather;
mod grpc;
mod json;
mod known;
mod lax;
mod matcher;
mod multipart;
mod packs;
mod sse;
mod tape;
#[cfg(test)]
mod tests;
mod text;
mod texts;
mod websocket;
mod whole;
mod worst;

pub use allow::{Exception, Values};
pub use body::{Blocked, Carrier, Scan};
pub use channel::Placed;
pub use config::{AtBound, Config, Directions, Hold};
pub use detectors::{CompileError, Detectors};
#[doc(hidden)]
pub use fuzz::{fuzz_chunking, fuzz_detectors, fuzz_plant};
pub use grpc::Reply;
pub use matcher::custom::{Cost, Custom, MAX_WORD_BYTES, Pattern, PatternError, Proof, Unless};
pub use matcher::dictionary::{Dictionary, DictionaryError, Entry, Listed};
pub use multipart::Boundary;
pub use packs::{describe, detectors_page, known_names, may_be_session, sample};
pub use websocket::{Messages, Payload, Released};
pub use whole::scan_text;
#[doc(hidden)]
pub use worst::WORST_UNITS;
