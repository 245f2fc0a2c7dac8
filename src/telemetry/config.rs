//! What the room is told.

/// How the process logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The shape of a line.
    pub format: LogFormat,
    /// What is logged: a level (`info`), or directives per module (`info,lictor::audit=debug`).
    pub filter: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            format: LogFormat::Json,
            filter: "info".to_owned(),
        }
    }
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line, for machines.
    Json,
    /// For people; coloured when they look at a terminal.
    Pretty,
}
