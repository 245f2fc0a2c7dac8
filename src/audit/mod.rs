//! (room: audit)

mod config;

pub use config::*;
