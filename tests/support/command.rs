//! The program as it is typed: arguments in, output and exit code out.
#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses a part; which part differs"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) data: String,
    /// Standard error.
    pub(crate) messages: String,
}

/// Runs it in a folder.
pub(crate) fn lictor_in(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lictor"));
    let command = command.args(arguments).current_dir(folder);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Output {
        code: output.status.code(),
        data: text(output.stdout),
        messages: text(output.stderr),
    }
}

/// The folder of a test's files.
pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

/// Compares with the output that is written down. `LICTOR_BLESS` writes it anew.
pub(crate) fn compare(path: &Path, found: &str) {
    if std::env::var_os("LICTOR_BLESS").is_some() {
        fs::write(path, found).unwrap();
    }
    let written = fs::read_to_string(path).unwrap_or_default();
    assert!(written == found, "{} says now:\n{found}", path.display());
}
