//! What the room is told.

use std::path::PathBuf;

/// The Redis that processes share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where its address lies, which holds a password.
    pub url: UrlSource,
    /// What its keys begin with: those of one installation. Never empty, without braces.
    pub prefix: Box<str>,
    /// A CA file to trust instead of the system's.
    pub ca: Option<PathBuf>,
}

/// Where the address lies. It is read again for each connection, so that a new password needs no restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UrlSource {
    /// In an environment variable of this name.
    Env(String),
    /// In a file, whose line end does not count.
    File(PathBuf),
}
