//! (room: identity)

mod config;

pub use config::*;
