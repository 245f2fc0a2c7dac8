//! The file of the journal: a first line that says what it is, then a line for each time that an owner was written down. Of
//! several lines about one object the last counts.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::{IdentityName, PrincipalId, TenantId};
use crate::replacement::replace;

use super::error::JournalError;
use super::owner::Owner;

/// What the file begins with.
const HEADER: &[u8] = b"[\"lictor-ledger\",1]\n";

/// What is longer was not written by us: five names of at most 512 bytes, each of which may be escaped, and an address.
const MAX_LINE_BYTES: u64 = 16 << 10;

/// The same of the file: ten thousand bytes for each of 100,000 entries.
const MAX_BYTES: u64 = 1 << 30;

/// So many lines may be dead before the file is written anew, and as many as there are live ones besides.
const DEAD_LINES: usize = 10_000;

/// What is owned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Context,
    Session,
    Task,
}

/// An owner as it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub(super) object: Object,
    pub(super) owner: Owner,
    /// Until when, in seconds since 1970.
    pub(super) until: i64,
}

/// What it owns: ids of another agent's objects are others.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Object {
    pub(super) agent: Box<str>,
    pub(super) kind: Kind,
    pub(super) id: Box<str>,
}

/// A claim as it stands in the file: kind, id, identity, principal, tenant, until, agent.
#[derive(Serialize, Deserialize)]
struct Line(Kind, String, String, String, String, i64, String);

/// The open file.
#[derive(Debug)]
pub(super) struct JournalFile {
    path: PathBuf,
    file: File,
    /// How long it is, in whole lines.
    length: u64,
    lines: usize,
    /// How many of the lines counted when it was last read.
    live: usize,
}

impl JournalFile {
    /// Opens it, or makes it, and reads what counts at this time, in seconds since 1970.
    pub(super) fn open(path: &Path, now: i64) -> Result<(Self, Vec<Claim>), JournalError> {
        let failed = |source| JournalError::Open {
            path: path.to_owned(),
            source,
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        lock(&file, path)?;
        // Whoever made it wider: it says who works on what.
        let private = fs::Permissions::from_mode(0o600);
        file.set_permissions(private).map_err(failed)?;
        let mut opened = Self {
            path: path.to_owned(),
            file,
            length: 0,
            lines: 0,
            live: 0,
        };
        let claims = opened.read(now)?;
        if opened.length == 0 {
            opened.append(HEADER, 0).map_err(failed)?;
        }
        // Behind the last whole line is what an earlier process could not finish.
        opened.file.set_len(opened.length).map_err(failed)?;
        Ok((opened, claims))
    }

    /// Appends whole lines. What an attempt that failed left behind, the next one writes over.
    pub(super) fn append(&mut self, bytes: &[u8], lines: usize) -> io::Result<()> {
        self.file.write_all_at(bytes, self.length)?;
        self.length += bytes.len() as u64;
        self.lines += lines;
        Ok(())
    }

    /// Whether most of it is dead.
    pub(super) const fn is_mostly_dead(&self) -> bool {
        self.lines > self.live.saturating_mul(2).saturating_add(DEAD_LINES)
    }

    /// Writes what counts at this time into a new file and puts that in its place.
    pub(super) fn compact(&mut self, now: i64) -> Result<(), JournalError> {
        let failed = |path: &Path, source| JournalError::Open {
            path: path.to_owned(),
            source,
        };
        let claims = self.read(now)?;
        let mut text = HEADER.to_vec();
        for claim in &claims {
            claim.write(&mut text);
        }
        replace(&self.path, &text).map_err(|source| failed(&self.path, source))?;
        let file = OpenOptions::new().read(true).write(true).open(&self.path);
        self.file = file.map_err(|source| failed(&self.path, source))?;
        self.length = text.len() as u64;
        self.lines = claims.len();
        lock(&self.file, &self.path)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What counts, that which counts longest first. A last line that is not whole is none.
    fn read(&mut self, now: i64) -> Result<Vec<Claim>, JournalError> {
        let failed = |source| JournalError::Open {
            path: self.path.clone(),
            source,
        };
        let foreign = || JournalError::Foreign {
            path: self.path.clone(),
        };
        if self.file.metadata().map_err(failed)?.len() > MAX_BYTES {
            return Err(foreign());
        }
        let mut reader = BufReader::new(File::open(&self.path).map_err(failed)?);
        let (mut length, mut lines) = (0, 0);
        let mut held: HashMap<Object, (Owner, i64)> = HashMap::new();
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let mut limited = reader.by_ref().take(MAX_LINE_BYTES);
            let read = limited.read_until(b'\n', &mut line).map_err(failed)?;
            if !line.ends_with(b"\n") {
                // Longer than any of ours, or a first line that another program began.
                let is_torn = (read as u64) < MAX_LINE_BYTES;
                let begins = number > 1 || HEADER.starts_with(&line);
                if !is_torn || !begins {
                    return Err(foreign());
                }
                break;
            }
            if number == 1 {
                if line != HEADER {
                    return Err(foreign());
                }
            } else {
                let claim = Claim::read(&line).ok_or_else(|| JournalError::Broken {
                    path: self.path.clone(),
                    line: number,
                })?;
                lines += 1;
                held.insert(claim.object, (claim.owner, claim.until));
            }
            length += read as u64;
        }
        held.retain(|_, (_, until)| *until > now);
        let claims = held.into_iter().map(|(object, (owner, until))| Claim {
            object,
            owner,
            until,
        });
        let mut claims: Vec<_> = claims.collect();
        claims.sort_unstable_by_key(|claim| std::cmp::Reverse(claim.until));
        (self.length, self.lines, self.live) = (length, lines, claims.len());
        Ok(claims)
    }
}

impl Claim {
    /// Appends its line.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        let Self {
            object,
            owner,
            until,
        } = self;
        let line = Line(
            object.kind,
            object.id.to_string(),
            owner.identity.to_string(),
            owner.id.to_string(),
            owner.tenant.to_string(),
            *until,
            object.agent.to_string(),
        );
        // Strings and numbers are always JSON; if not, a line that is left out is an owner that is forgotten.
        if let Ok(line) = serde_json::to_vec(&line) {
            to.extend_from_slice(&line);
            to.push(b'\n');
        }
    }

    fn read(line: &[u8]) -> Option<Self> {
        let Line(kind, id, identity, principal, tenant, until, agent) =
            serde_json::from_slice(line).ok()?;
        Some(Self {
            object: Object {
                agent: agent.into(),
                kind,
                id: id.into(),
            },
            owner: Owner {
                identity: IdentityName::new(&identity).ok()?,
                id: PrincipalId::new(&principal).ok()?,
                tenant: TenantId::new(&tenant).ok()?,
            },
            until,
        })
    }
}

fn lock(file: &File, path: &Path) -> Result<(), JournalError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked {
            path: path.to_owned(),
        }),
        // Some network file systems have no locks. That is no reason to stand still.
        Err(TryLockError::Error(error)) => {
            tracing::warn!(ledger.path = %path.display(), %error, "the ledger cannot be locked");
            Ok(())
        }
    }
}
