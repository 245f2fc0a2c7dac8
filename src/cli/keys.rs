//! `lictor keys`: keys for callers, and the hashes that stand in their place.

mod dictionary;

use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::{EXIT_ENVIRONMENT, EXIT_NO, EXIT_USAGE, print, say};
use crate::identity::signature::{Algorithm, public_halves};
use crate::identity::{KeyEntry, MadeKey, key_sha256};
use crate::replacement::replace;

pub(super) const EXAMPLES: &str = "Examples:
  lictor keys new --id desk-7 --tenant acme --into policies/secrets/partner-keys.json
      makes a key, adds its hash to the file, and prints the key
  lictor keys new --id desk-7 --tenant acme
      prints the key, and on the next line the entry for the file
  printf %s \"$OLD_KEY\" | lictor keys hash --id desk-7 --not-after 2027-03-31T00:00:00Z
      the entry for a key that a caller has already
  lictor keys jwks policies/secrets/*.pem > keys.json
      the public halves of key files, as a key set for whoever verifies
  lictor keys dictionary clients.txt --out policies/dict/clients.edm
      names that no answer may hold, as hashes; the key is made once and lies beside, as clients.edm.key

A key is printed once and kept nowhere. To change one: add a second with the same id, give it to the caller,
and put `notAfter` to the first. Running instances read the file again when it changes.
Exit codes: 0 done, 1 the file is not or would not be right, 2 usage, 3 a file that cannot be read or written.";

/// A key from a caller's hands that is shorter than this can be guessed.
const SHORT_KEY: usize = 22;

/// The longest key that a call may bring.
const MOST_BYTES: u64 = 1024;

#[derive(Debug, Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a key of 256 random bits
    New(Entry),
    /// Hash a key that is there already; it is read from standard input
    Hash(Entry),
    /// Print the public halves of signing keys, private or public, as a key set (JWKS)
    Jwks(Jwks),
    /// Hash values that no answer may hold, for a detector with a `dictionary`
    Dictionary(dictionary::Values),
}

#[derive(Debug, Args)]
struct Jwks {
    /// Files with a key each, in PEM or as a JWK; or with a set of keys
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// By which algorithm RSA keys sign whose file does not say it: rsa-pss-sha512 or rsa-v1_5-sha256
    #[arg(long, value_name = "NAME", value_parser = rsa)]
    alg: Option<Algorithm>,
}

#[derive(Debug, Args)]
struct Entry {
    /// Who has the key: the caller's id in policies and records
    #[arg(long)]
    id: String,
    /// The party that it belongs to, whose rules and quotas apply
    #[arg(long)]
    tenant: Option<String>,
    /// A group that it is in; may be given several times
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// From when on the key counts, such as 2027-01-31T00:00:00Z
    #[arg(long, value_name = "TIME")]
    not_before: Option<Timestamp>,
    /// Until when the key counts
    #[arg(long, value_name = "TIME")]
    not_after: Option<Timestamp>,
    /// The file of keys to which the entry is added; it is made if it is not there
    #[arg(long, value_name = "FILE")]
    into: Option<PathBuf>,
}

/// Why there is no key.
enum Failure {
    Usage(String),
    Wrong(String),
    Surroundings(String),
}

/// Makes a key, or hashes one.
pub(super) fn keys(arguments: &Keys) -> u8 {
    let made = match &arguments.what {
        What::New(entry) => new(entry),
        What::Hash(entry) => hash(entry),
        What::Jwks(jwks) => jwks.print(),
        What::Dictionary(values) => values.write(),
    };
    let (message, code) = match made {
        Ok(data) => return print(&data),
        Err(Failure::Usage(message)) => (message, EXIT_USAGE),
        Err(Failure::Wrong(message)) => (message, EXIT_NO),
        Err(Failure::Surroundings(message)) => (message, EXIT_ENVIRONMENT),
    };
    say(&format!("error: {message}"));
    code
}

fn new(entry: &Entry) -> Result<String, Failure> {
    let key = MadeKey::random()
        .ok_or_else(|| Failure::Surroundings("the system has no randomness to give".to_owned()))?;
    let rest = entry.put(key.sha256())?;
    Ok(format!("{}\n{rest}", key.reveal()))
}

fn hash(entry: &Entry) -> Result<String, Failure> {
    let mut key = Vec::new();
    let read = io::stdin()
        .lock()
        .take(MOST_BYTES + 2)
        .read_to_end(&mut key);
    read.map_err(|error| Failure::Surroundings(format!("cannot read the key: {error}")))?;
    // Of the line that people type, its end is no part of the key.
    while let [.., b'\n' | b'\r'] = &*key {
        key.pop();
    }
    let is_printable = key.iter().all(u8::is_ascii_graphic);
    if key.is_empty() || !is_printable || key.len() as u64 > MOST_BYTES {
        let message = format!(
            "the key must be one line of at most {MOST_BYTES} printable signs, on standard input"
        );
        return Err(Failure::Usage(message));
    }
    if key.len() < SHORT_KEY {
        say(&format!(
            "warning: a key of {} signs can be found out from its hash; `lictor keys new` makes a good one",
            key.len()
        ));
    }
    entry.put(key_sha256(&key))
}

impl Jwks {
    /// One set of all that the files hold; a key that stands in two is told once.
    fn print(&self) -> Result<String, Failure> {
        let mut keys: Vec<Map<String, Value>> = Vec::new();
        for path in &self.files {
            let shown = path.display();
            let failed = |error| Failure::Surroundings(format!("cannot read `{shown}`: {error}"));
            let file = fs::read(path).map(Zeroizing::new).map_err(failed)?;
            let halves = public_halves(&file, self.alg)
                .map_err(|error| Failure::Wrong(format!("`{shown}`: {error}")))?;
            for key in halves {
                match keys.iter().find(|other| other.get("kid") == key.get("kid")) {
                    None => keys.push(key),
                    Some(other) if *other == key => {}
                    Some(_) => {
                        let kid = key.get("kid").and_then(Value::as_str).unwrap_or_default();
                        return Err(Failure::Wrong(format!(
                            "`{shown}`: another key is called `{kid}` too; give each a `kid` of its own"
                        )));
                    }
                }
            }
        }
        Ok(format!("{:#}\n", json!({ "keys": keys })))
    }
}

fn rsa(name: &str) -> Result<Algorithm, String> {
    let rsa = [Algorithm::RsaPssSha512, Algorithm::RsaV15Sha256];
    let named = rsa.into_iter().find(|algorithm| algorithm.as_str() == name);
    named.ok_or_else(|| "expected `rsa-pss-sha512` or `rsa-v1_5-sha256`".to_owned())
}

impl Entry {
    /// Puts the entry where it is wanted. Returns what is to be printed of it.
    fn put(&self, sha256: String) -> Result<String, Failure> {
        let entry = KeyEntry {
            id: self.id.clone(),
            sha256,
            tenant: self.tenant.clone(),
            groups: self.groups.clone(),
            not_before: self.not_before,
            not_after: self.not_after,
        };
        let Some(path) = &self.into else {
            // It is looked at all the same.
            let checked = entry.added_to(None);
            checked.map_err(|error| Failure::Wrong(error.to_string()))?;
            return Ok(format!("{}\n", entry.line()));
        };
        let shown = path.display();
        let file = match fs::read(path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                return Err(Failure::Surroundings(format!(
                    "cannot read `{shown}`: {error}"
                )));
            }
        };
        let text = entry.added_to(file.as_deref());
        let text = text
            .map_err(|error| Failure::Wrong(format!("`{shown}`: {error}; nothing was changed")))?;
        replace(path, text.as_bytes())
            .map_err(|error| Failure::Surroundings(format!("cannot write `{shown}`: {error}")))?;
        say(&format!("added `{}` to `{shown}`", self.id));
        Ok(String::new())
    }
}
