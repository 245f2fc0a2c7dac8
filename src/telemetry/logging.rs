//! Logs go to standard error, so that standard output stays free for what was asked for.

use std::io::{self, IsTerminal, Write};

use tracing::subscriber::SetGlobalDefaultError;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use super::config::{Config, LogFormat};

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// Somebody set up logging before; it is set up once, by the process.
    #[error("logging is already set up")]
    AlreadyStarted(#[source] SetGlobalDefaultError),
    /// The filter is no list of levels and directives.
    #[error("log filter `{filter}` is not understood; write a level such as `info`")]
    Filter {
        /// What was written.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
}

/// Sets up logging for the whole process.
///
/// # Errors
/// When the filter cannot be read, or when logging was set up before.
pub fn start_logging(config: &Config) -> Result<(), LoggingError> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter(&config.filter)?)
        .with_writer(|| Unfailing(io::stderr()))
        .log_internal_errors(false)
        .with_ansi(config.format == LogFormat::Pretty && io::stderr().is_terminal());
    let started = match config.format {
        LogFormat::Json => tracing::subscriber::set_global_default(
            builder
                .json()
                .flatten_event(true)
                .with_span_list(false)
                .finish(),
        ),
        LogFormat::Pretty => tracing::subscriber::set_global_default(builder.finish()),
    };
    started.map_err(LoggingError::AlreadyStarted)
}

/// A writer whose reader may go away. The library tells of a failed write by a write to the same place,
/// which panics where that fails too: a log collector that dies must not take the proxy with it.
struct Unfailing<W>(W);

impl<W: Write> Write for Unfailing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _lost = self.0.write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _lost = self.0.flush();
        Ok(())
    }
}

fn filter(text: &str) -> Result<EnvFilter, LoggingError> {
    EnvFilter::builder()
        .parse(text)
        .map_err(|source| LoggingError::Filter {
            filter: text.to_owned(),
            source,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_level_or_directives() {
        assert!(filter("info").is_ok());
        assert!(filter("warn,lictor::audit=debug").is_ok());
        let error = filter("lictor=loud").unwrap_err().to_string();
        assert!(error.starts_with("log filter `lictor=loud`"), "{error}");
    }
}
