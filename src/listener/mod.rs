//! (room: listener)

mod config;

pub use config::*;
