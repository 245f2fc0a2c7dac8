//! What is to be read, in an order that is always the same.

use std::io;
use std::path::{Path, PathBuf};
use std::vec;

/// One thing to read.
#[derive(Debug)]
pub(super) enum Input {
    /// Found in a folder.
    Found(PathBuf),
    /// Named by whoever asks, and read whatever it is.
    Named(PathBuf),
    Stdin,
    Unreadable(PathBuf, io::Error),
}

/// Walks what is named: folders by the names in them, without following symbolic links. Holds the names of the
/// folders that it stands in, and no more.
#[derive(Debug)]
pub(super) struct Inputs {
    named: vec::IntoIter<PathBuf>,
    open: Vec<vec::IntoIter<PathBuf>>,
    /// `.git` too.
    all: bool,
}

impl Inputs {
    pub(super) fn new(paths: Vec<PathBuf>, all: bool) -> Self {
        Self {
            named: paths.into_iter(),
            open: Vec::new(),
            all,
        }
    }

    /// What was named: a link is followed, because its name was meant.
    fn named(&mut self, path: PathBuf) -> Option<Input> {
        if path.as_os_str() == "-" {
            return Some(Input::Stdin);
        }
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() => self.enter(path),
            Ok(_) => Some(Input::Named(path)),
            Err(error) => Some(Input::Unreadable(path, error)),
        }
    }

    /// What was found: a device or a pipe may never end.
    fn found(&mut self, path: PathBuf) -> Option<Input> {
        match path.symlink_metadata() {
            Ok(metadata) if metadata.is_dir() => {
                let is_left_out = !self.all && path.file_name().is_some_and(|name| name == ".git");
                if is_left_out { None } else { self.enter(path) }
            }
            Ok(metadata) if metadata.is_file() => Some(Input::Found(path)),
            Ok(_) => None,
            Err(error) => Some(Input::Unreadable(path, error)),
        }
    }

    fn enter(&mut self, folder: PathBuf) -> Option<Input> {
        match names(&folder) {
            Ok(names) => {
                self.open.push(names.into_iter());
                None
            }
            Err(error) => Some(Input::Unreadable(folder, error)),
        }
    }
}

impl Iterator for Inputs {
    type Item = Input;

    fn next(&mut self) -> Option<Input> {
        loop {
            let found = match self.open.last_mut() {
                Some(folder) => match folder.next() {
                    Some(path) => self.found(path),
                    None => {
                        self.open.pop();
                        None
                    }
                },
                None => {
                    let path = self.named.next()?;
                    self.named(path)
                }
            };
            if found.is_some() {
                return found;
            }
        }
    }
}

fn names(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = folder
        .read_dir()?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort_unstable();
    Ok(names)
}
