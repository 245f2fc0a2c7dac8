//! The files that the leak scan of a policy reads: lists of values, dictionaries, rules of other scanners. A change of one
//! is a change of the policy.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::diagnostic::Diagnostics;
use super::tree::{self, Kind, Node};

/// What is hashed at a time.
const PIECE_BYTES: usize = 64 * 1024;

/// The whole of a file of at most so many bytes.
pub(super) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => Err(io::Error::other(format!("it is larger than {most} bytes"))),
        false => Ok(bytes),
    }
}

/// A pipe would be read once and block the next comparison for ever.
fn open(path: &Path) -> io::Result<File> {
    match std::fs::metadata(path)?.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("it is no file")),
    }
}

/// Adds to a hash what the files say that a policy's text names.
pub(super) fn hash(text: &str, folder: &Path, hasher: &mut blake3::Hasher) {
    for path in named(text, folder) {
        hasher.update(path.as_os_str().as_encoded_bytes());
        match contents(&path) {
            Ok(contents) => hasher.update(contents.as_bytes()),
            Err(error) => hasher.update(error.to_string().as_bytes()),
        };
    }
}

fn contents(path: &Path) -> io::Result<blake3::Hash> {
    let mut file = open(path)?;
    let (mut hasher, mut piece) = (blake3::Hasher::new(), vec![0; PIECE_BYTES]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hasher.finalize()),
            length => hasher.update(piece.get(..length).unwrap_or_default()),
        };
    }
}

/// Each `file` below `leaks`, in order. Most policies have none, and are not taken apart for it.
fn named(text: &str, folder: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    if !text.contains("leaks") || !text.contains("file") {
        return paths;
    }
    // What is wrong with it is told when it is read.
    let root = tree::parse(0, text, &mut Diagnostics::default());
    if let Some(Kind::Map(entries)) = root.as_ref().map(|root| &*root.kind) {
        for entry in entries.iter().filter(|entry| &*entry.key.text == "leaks") {
            collect(&entry.value, folder, &mut paths);
        }
    }
    paths
}

fn collect(node: &Node, folder: &Path, paths: &mut Vec<PathBuf>) {
    match &*node.kind {
        Kind::Map(entries) => {
            for entry in entries {
                match &*entry.value.kind {
                    Kind::Text { text, .. } if &*entry.key.text == "file" => {
                        paths.push(folder.join(&**text));
                    }
                    _ => collect(&entry.value, folder, paths),
                }
            }
        }
        Kind::List(items) => items.iter().for_each(|item| collect(item, folder, paths)),
        Kind::Null | Kind::Text { .. } => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_leaks_are_those_of_the_policy() {
        let text = "lictor: v1\nidentities: { a: { file: no } }\nleaks:\n  allow: { x: { values: { file: a.txt } } }\n  detectors: { y: { dictionary: { file: d/b.edm } } }\n";
        let paths = named(text, Path::new("p"));
        assert_eq!(paths, [Path::new("p/a.txt"), Path::new("p/d/b.edm")]);
        assert!(named("lictor: v1\nleaks: {}\n", Path::new("")).is_empty());
    }

    #[test]
    fn a_change_of_one_changes_the_hash() {
        let folder = tempfile::tempdir().unwrap();
        let text = "lictor: v1\nleaks: { allow: { x: { values: { file: a.txt } } } }\n";
        let now = || {
            let mut hasher = blake3::Hasher::new();
            hash(text, folder.path(), &mut hasher);
            hasher.finalize()
        };
        let absent = now();
        std::fs::write(folder.path().join("a.txt"), "one").unwrap();
        let one = now();
        std::fs::write(folder.path().join("a.txt"), "two").unwrap();
        assert!(absent != one && one != now());
    }
}
