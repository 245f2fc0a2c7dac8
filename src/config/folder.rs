//! Which files a policy consists of.

use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::beside;
use super::diagnostic::{Code, Diagnostic};
use super::source::Source;
use super::tree::MAX_INPUT_BYTES;

/// The files of a policy, read once: what is hashed is what is compiled.
pub(super) struct Contents {
    pub(super) sources: Vec<Source>,
    pub(super) failures: Vec<Diagnostic>,
    // What the generation is made of: paths below the root and contents, in order.
    hasher: blake3::Hasher,
    bytes: usize,
    // What was read, where a file may be named more than once.
    seen: Option<HashSet<PathBuf>>,
}

/// Links to folders may lead in circles; this ends them.
const MAX_DEPTH: usize = 16;
const MAX_FILES: usize = 10_000;
/// All files together, because they are held in memory while they are read.
const MAX_TOTAL_BYTES: usize = 64 << 20;

/// Reads a file, or all policy files below a folder.
pub(super) fn read(path: &Path) -> Contents {
    let mut contents = Contents::empty();
    contents.read(path);
    contents
}

/// Reads several; a file that is named twice, or by its folder too, is read once.
pub(super) fn read_all<'path>(paths: impl Iterator<Item = &'path Path>) -> Contents {
    let mut contents = Contents::empty();
    contents.seen = Some(HashSet::new());
    for path in paths {
        contents.read(path);
    }
    contents
}

/// The files of a policy, as [`read`] finds them.
pub(super) fn files(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let mut files = Vec::new();
    Contents::empty().walk(path, 0, &mut files);
    files.sort();
    files
}

/// Names this version of the files without keeping them. Differs when any file does, or when one became
/// readable or unreadable.
pub(super) fn generation(path: &Path) -> String {
    read(path).generation()
}

impl Contents {
    fn empty() -> Self {
        Self {
            sources: Vec::new(),
            failures: Vec::new(),
            hasher: blake3::Hasher::new(),
            bytes: 0,
            seen: None,
        }
    }

    pub(super) fn of_text(name: &str, text: &str) -> Self {
        let mut contents = Self::empty();
        contents.accept(Path::new(name), Path::new(""), text.as_bytes());
        contents
    }

    pub(super) fn generation(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }

    fn read(&mut self, path: &Path) {
        match fs::metadata(path) {
            Err(error) => self.fail(path, &error),
            Ok(metadata) if metadata.is_dir() => self.read_folder(path),
            // A pipe would be read once and block the next comparison for ever.
            Ok(metadata) if !metadata.is_file() => self.refuse(path, "is no file"),
            Ok(_) => self.add(path, Path::new("")),
        }
    }

    fn read_folder(&mut self, path: &Path) {
        let (mut files, failures) = (Vec::new(), self.failures.len());
        self.walk(path, 0, &mut files);
        files.sort();
        if files.is_empty() && self.failures.len() == failures {
            let title = format!("no policy file below {}", shown(path));
            self.failures
                .push(Diagnostic::error(Code::Unreadable, title));
        }
        for file in files {
            let name = file.strip_prefix(path).unwrap_or(&file).to_owned();
            self.add(&file, &name);
        }
    }

    fn walk(&mut self, folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.fail(folder, &error),
        };
        for entry in entries {
            let path = match entry {
                Ok(entry) => entry.path(),
                Err(error) => {
                    self.fail(folder, &error);
                    continue;
                }
            };
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // `..data` and `..2026_11_20` are the kubelet's; their files are seen through links beside them.
            if name.starts_with('.') {
                continue;
            }
            let is_policy = path
                .extension()
                .is_some_and(|extension| extension == "yaml" || extension == "yml");
            // Follows links.
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => {
                    if depth >= MAX_DEPTH {
                        self.refuse(&path, "is nested too deeply");
                    } else {
                        self.walk(&path, depth + 1, files);
                    }
                }
                Ok(_) if is_policy && files.len() >= MAX_FILES => {
                    return self.refuse(&path, "is one policy file too many");
                }
                Ok(metadata) if is_policy && !metadata.is_file() => {
                    self.refuse(&path, "is no file");
                }
                Ok(_) if is_policy => files.push(path),
                // A link that leads nowhere: while it is being swapped, or for good.
                Err(error) if is_policy => self.fail(&path, &error),
                Ok(_) | Err(_) => {}
            }
        }
    }

    fn add(&mut self, path: &Path, name: &Path) {
        if let (Some(seen), Ok(place)) = (&mut self.seen, path.canonicalize())
            && !seen.insert(place)
        {
            return;
        }
        // Not `fs::read`: a file that grows, or a device, must not fill the memory.
        let limit = u64::try_from(MAX_INPUT_BYTES + 1).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        let read = fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
        match read {
            Err(error) => self.fail(path, &error),
            Ok(_) => self.accept(path, name, &bytes),
        }
    }

    fn accept(&mut self, path: &Path, name: &Path, bytes: &[u8]) {
        self.hash(name.as_os_str().as_encoded_bytes());
        self.hash(bytes);
        if bytes.len() > MAX_INPUT_BYTES {
            self.refuse(path, "is larger than 4 MiB");
            return;
        }
        self.bytes += bytes.len();
        if self.bytes > MAX_TOTAL_BYTES {
            self.refuse(path, "is too much: all policy files may hold 64 MiB");
            return;
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                let source = Source::new(path, text);
                beside::hash(text, &source.folder, &mut self.hasher);
                self.sources.push(source);
            }
            Err(_) => self.refuse(path, "is not UTF-8"),
        }
    }

    fn fail(&mut self, path: &Path, error: &std::io::Error) {
        self.refuse(path, &format!("cannot be read: {error}"));
    }

    fn refuse(&mut self, path: &Path, why: &str) {
        let title = format!("{} {why}", shown(path));
        self.hash(title.as_bytes());
        self.failures
            .push(Diagnostic::error(Code::Unreadable, title));
    }

    /// With its length, so that no two lists of files read as the same bytes.
    fn hash(&mut self, bytes: &[u8]) {
        self.hasher
            .update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        self.hasher.update(bytes);
    }
}

/// A path as messages show it: whole, because its end says most, and without control characters.
fn shown(path: &Path) -> String {
    let path = path.to_string_lossy();
    format!("`{}`", path.replace(char::is_control, "\u{fffd}"))
}
