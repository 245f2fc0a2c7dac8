//! (room: tls)

mod config;

pub use config::*;
