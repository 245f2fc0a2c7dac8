//! (room: scan)

mod config;
mod detectors;
mod matcher;
mod packs;
mod text;

pub use config::*;
pub use detectors::{CompileError, Detectors};
pub use packs::{describe, known_names, sample};
pub use text::scan_text;
