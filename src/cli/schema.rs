//! `lictor schema`: what an editor needs to help with a file.

use clap::{Args, ValueEnum};

use super::print;
use crate::config::Document;

pub(super) const EXAMPLES: &str = "Examples:
  lictor schema > lictor.schema.json               for policies
  lictor schema operator > operator.schema.json    for lictor.yaml

With this as the first line of a policy, every editor that uses yaml-language-server (VS Code, Neovim,
Emacs, Helix, ...) completes, explains and underlines:
  # yaml-language-server: $schema=./lictor.schema.json";

#[derive(Debug, Args)]
pub(super) struct Schema {
    /// Of which file
    #[arg(value_enum, default_value_t = File::Policy)]
    file: File,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum File {
    /// A policy
    Policy,
    /// lictor.yaml
    Operator,
}

/// Prints the schema.
pub(super) fn schema(arguments: &Schema) -> u8 {
    let document = match arguments.file {
        File::Operator => Document::Operator,
        File::Policy => Document::Policy,
    };
    print(&document.schema())
}
