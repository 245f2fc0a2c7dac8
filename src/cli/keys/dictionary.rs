//! `lictor keys dictionary`: values of which an answer must hold none, as hashes.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use zeroize::Zeroizing;

use super::Failure;
use crate::cli::say;
use crate::replacement::replace;
use crate::scan::{Dictionary, Entry};

#[derive(Debug, Args)]
pub(super) struct Values {
    /// The values, one to a line; `-`, or nothing, is standard input. A line with `#` first is none
    #[arg(value_name = "FILE")]
    values: Option<PathBuf>,
    /// The dictionary, as a policy names it
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// As many values as fit in the memory that is told of.
const MAX_VALUES: usize = 2_000_000;
const MAX_INPUT_BYTES: u64 = 256 << 20;

impl Values {
    /// Writes the dictionary, and beside it its key if there is none yet: with the same key, values that stay have the same
    /// hashes.
    pub(super) fn write(&self) -> Result<String, Failure> {
        let text = self.read()?;
        let key_path = key_path(&self.out);
        let key = key(&key_path)?;
        let (mut entries, mut most, mut left_out) = (Vec::new(), 1, 0_usize);
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match Entry::of(&key, line) {
                Some((entry, words)) => {
                    entries.push(entry);
                    most = most.max(words);
                }
                None => left_out += 1,
            }
        }
        if left_out > 0 {
            return Err(Failure::Wrong(format!(
                "{left_out} of the values have no letter or digit, more than 8 words, or a word of more than 64 bytes"
            )));
        }
        if entries.is_empty() || entries.len() > MAX_VALUES {
            return Err(Failure::Wrong(format!(
                "a dictionary has 1 to {MAX_VALUES} values, and these are {}",
                entries.len()
            )));
        }
        let count = entries.len();
        let file = Dictionary::write(&key, most, entries);
        replace(&self.out, file.as_bytes()).map_err(|error| {
            Failure::Surroundings(format!("cannot write `{}`: {error}", self.out.display()))
        })?;
        say(&format!(
            "{count} values of up to {most} words in `{}`, by the key in `{}`",
            self.out.display(),
            key_path.display()
        ));
        Ok(String::new())
    }

    fn read(&self) -> Result<Zeroizing<String>, Failure> {
        let mut text = Zeroizing::new(String::new());
        let named = self
            .values
            .as_deref()
            .filter(|path| *path != Path::new("-"));
        let read = match named {
            Some(path) => fs::File::open(path)
                .and_then(|file| file.take(MAX_INPUT_BYTES).read_to_string(&mut text)),
            None => io::stdin()
                .lock()
                .take(MAX_INPUT_BYTES)
                .read_to_string(&mut text),
        };
        match read {
            Ok(_) => Ok(text),
            Err(error) => Err(Failure::Surroundings(format!(
                "cannot read the values: {error}"
            ))),
        }
    }
}

/// The key lies beside the dictionary, and travels as a secret does.
fn key_path(dictionary: &Path) -> PathBuf {
    let mut path = dictionary.as_os_str().to_owned();
    path.push(".key");
    PathBuf::from(path)
}

fn key(path: &Path) -> Result<[u8; 32], Failure> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        Failure::Surroundings(format!("cannot {what} `{}`: {error}", path.display()))
    };
    match fs::read_to_string(path).map(Zeroizing::new) {
        Ok(text) => Dictionary::read_key(&text)
            .map_err(|error| Failure::Wrong(format!("`{}`: {error}", path.display()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut key = [0; 32];
            getrandom::fill(&mut key).map_err(|error| failed("make", &error))?;
            let text = Zeroizing::new(format!("{}\n", blake3::Hash::from_bytes(key).to_hex()));
            let made = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
                .and_then(|mut file| {
                    file.write_all(text.as_bytes())?;
                    file.sync_all()
                });
            made.map_err(|error| failed("write", &error))?;
            Ok(key)
        }
        Err(error) => Err(failed("read", &error)),
    }
}
