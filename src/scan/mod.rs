//! (room: scan)

mod config;

pub use config::*;
