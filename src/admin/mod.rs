//! (room: admin)

mod config;

pub use config::*;
