//! The audit file: opened by one process, appended to, never left with a torn line.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::append::Device;
use super::config::Config;
use super::error::StartError;
use super::line;

/// An open audit file, or standard output.
#[derive(Debug)]
pub(super) struct AuditFile {
    file: File,
    // `None` is standard output, which nobody can move away.
    path: Option<PathBuf>,
}

impl AuditFile {
    pub(super) fn open(config: &Config) -> Result<Self, StartError> {
        if config.is_stdout() {
            // The descriptor itself: the standard library's handle would write line by line.
            let owned = io::stdout().as_fd().try_clone_to_owned();
            let file = owned.map(File::from).map_err(|source| StartError::Open {
                path: config.path.clone(),
                source,
            })?;
            return Ok(Self { file, path: None });
        }
        Ok(Self {
            file: open(&config.path)?,
            path: Some(config.path.clone()),
        })
    }

    /// Opens the file anew if its path names another one by now, or none: it was rotated away, or its
    /// volume was replaced. `true` when it did.
    ///
    /// # Errors
    /// When the path names a file that we cannot append to. Going on with the old one would fill a
    /// file that nobody looks for.
    pub(super) fn follow(&mut self) -> Result<bool, StartError> {
        let Some(path) = &self.path else {
            return Ok(false);
        };
        let same = fs::metadata(path).and_then(|named| {
            let opened = self.file.metadata()?;
            Ok((named.dev(), named.ino()) == (opened.dev(), opened.ino()))
        });
        if same.unwrap_or(false) {
            return Ok(false);
        }
        self.file = open(path)?;
        Ok(true)
    }

    /// Asks the system to bring what was written to the disk.
    pub(super) fn sync(&self) {
        // A device or a pipe has no disk, and says so; there is nothing left to try.
        let _unsupported = self.file.sync_data();
    }
}

impl Write for AuditFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Device for AuditFile {
    fn shorten(&mut self, bytes: u64) -> io::Result<()> {
        // Standard output may be a file that others write to as well: its end need not be ours.
        if self.path.is_none() {
            return Err(ErrorKind::Unsupported.into());
        }
        self.file.shorten(bytes)
    }
}

fn open(path: &Path) -> Result<File, StartError> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|source| StartError::Folder {
                path: path.to_owned(),
                source,
            })?;
    }
    let failed = |source| StartError::Open {
        path: path.to_owned(),
        source,
    };
    // Readable to see how it ends; for nobody else, because it tells who called what.
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        // A device or a pipe: it has no end to look at, and others may share it.
        return Ok(file);
    }
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(StartError::Locked {
                path: path.to_owned(),
            });
        }
        // Some network file systems have no locks. That is no reason to stand still.
        Err(TryLockError::Error(error)) => {
            tracing::warn!(audit.path = %path.display(), error = %error, "the audit file cannot be locked");
        }
    }
    if !mend(&file, path).map_err(failed)? {
        return Err(StartError::Foreign {
            path: path.to_owned(),
        });
    }
    Ok(file)
}

/// Takes back a line that an earlier process could not finish. `false` when the file ends in something
/// that is no line of ours, which is then left alone.
fn mend(file: &File, path: &Path) -> io::Result<bool> {
    let length = file.metadata()?.len();
    let window = length.min(MEND_BYTES);
    let mut tail = vec![0; usize::try_from(window).map_err(|_| ErrorKind::FileTooLarge)?];
    file.read_exact_at(&mut tail, length - window)?;
    let whole = match memchr::memrchr(b'\n', &tail) {
        Some(last) => last + 1,
        None if window == length => 0,
        None => return Ok(false),
    };
    let torn = tail.get(whole..).unwrap_or_default();
    if torn.is_empty() {
        return Ok(true);
    }
    if !torn.starts_with(line::PREFIX) && !line::PREFIX.starts_with(torn) {
        return Ok(false);
    }
    tracing::warn!(
        audit.path = %path.display(),
        audit.bytes = torn.len(),
        "took back an unfinished audit record of an earlier process"
    );
    file.set_len(length - torn.len() as u64)?;
    Ok(true)
}

/// How far from the end an unfinished line is looked for. Texts in a line are cut at 2 KiB and findings
/// at 64, so that a line stays well below.
const MEND_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::config::OnFull;
    use super::*;

    fn config(path: PathBuf) -> Config {
        Config {
            path,
            queue: 1,
            on_full: OnFull::Deny,
        }
    }

    #[test]
    fn the_file_and_its_folder_are_made_for_us_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/audit.jsonl");
        AuditFile::open(&config(path.clone())).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }

    #[test]
    fn an_unfinished_line_of_an_earlier_process_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        for (before, after) in [
            ("", ""),
            ("{\"v\":1}\n", "{\"v\":1}\n"),
            ("{\"v\":1}\n{\"v\":1,\"ki", "{\"v\":1}\n"),
            ("{\"v\":1}\n{\"", "{\"v\":1}\n"),
            ("{\"v\":1,\"kind\"", ""),
        ] {
            let path = folder.path().join("audit.jsonl");
            fs::write(&path, before).unwrap();
            AuditFile::open(&config(path.clone())).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), after, "{before:?}");
        }
    }

    #[test]
    fn a_file_that_is_not_ours_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwd");
        fs::write(&path, "root:x:0:0\nnobody").unwrap();
        let error = AuditFile::open(&config(path.clone())).unwrap_err();
        assert!(matches!(error, StartError::Foreign { .. }));
        assert_eq!(fs::read_to_string(&path).unwrap(), "root:x:0:0\nnobody");
    }

    #[test]
    fn two_writers_never_share_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path().join("audit.jsonl"));
        let first = AuditFile::open(&config).unwrap();
        let error = AuditFile::open(&config).unwrap_err();
        assert!(matches!(error, StartError::Locked { .. }));
        drop(first);
        AuditFile::open(&config).unwrap();
    }

    #[test]
    fn a_file_that_was_moved_away_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let mut file = AuditFile::open(&config(path.clone())).unwrap();
        assert!(!file.follow().unwrap());
        fs::rename(&path, folder.path().join("audit.jsonl.1")).unwrap();
        assert!(file.follow().unwrap());
        file.write_all(b"x\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "x\n");
    }

    #[test]
    fn a_start_error_names_the_path_and_the_remedy() {
        let error = AuditFile::open(&config(PathBuf::from("/dev/null/audit.jsonl"))).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("`/dev/null/audit.jsonl`"), "{text}");
        assert!(text.contains("audit.sinks.file.path"), "{text}");
    }
}
