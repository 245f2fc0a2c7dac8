//! Files that are replaced in one step: whoever reads one meanwhile, or after a crash, sees the old or the new.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// What is to take the place of a file, and lies beside it until then. Dropped, it is taken away again.
#[derive(Debug)]
pub struct Replacement {
    beside: PathBuf,
    place: PathBuf,
}

/// Replaces a file, or makes it. Its permissions stay.
///
/// # Errors
/// When it cannot be written; the old one is untouched.
pub fn replace(place: &Path, content: &[u8]) -> io::Result<()> {
    Replacement::write(place, content, place)?.commit()
}

impl Replacement {
    /// Writes it, with the permissions of another file if that is there; the folder is made if it is not.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(place: &Path, content: &[u8], like: &Path) -> io::Result<Self> {
        let folder = folder_of(place);
        fs::create_dir_all(folder)?;
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        // A hidden name, which no reader of policies takes for one of theirs; of this process, so that two do not mix.
        let beside = folder.join(format!(".{name}.{}", std::process::id()));
        // Left by a process of the same number that was killed.
        let _not_there = fs::remove_file(&beside);
        let mut file = File::create_new(&beside)?;
        let replacement = Self {
            beside,
            place: place.to_owned(),
        };
        if let Ok(like) = fs::metadata(like) {
            file.set_permissions(like.permissions())?;
        }
        file.write_all(content)?;
        file.sync_all()?;
        Ok(replacement)
    }

    /// Puts it in its place.
    ///
    /// # Errors
    /// When it cannot be, or when it is not known whether it would outlive a crash.
    pub fn commit(self) -> io::Result<()> {
        fs::rename(&self.beside, &self.place)?;
        // The rename itself is in the folder.
        File::open(folder_of(&self.place))?.sync_all()
    }

    /// What it takes the place of.
    pub fn place(&self) -> &Path {
        &self.place
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        // It is there only where nothing came of it.
        let _renamed = fs::remove_file(&self.beside);
    }
}

fn folder_of(place: &Path) -> &Path {
    match place.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name();
        entries
            .map(|entry| name(entry).to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn a_file_is_old_or_new_and_keeps_its_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a/keys.json");
        replace(&place, b"old").unwrap();
        fs::set_permissions(&place, fs::Permissions::from_mode(0o600)).unwrap();
        let replacement = Replacement::write(&place, b"new", &place).unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"old");
        assert_eq!(replacement.place(), place);
        replacement.commit().unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"new");
        let mode = fs::metadata(&place).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(names(&folder.path().join("a")), ["keys.json"]);
    }

    #[test]
    fn what_is_not_committed_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("keys.json");
        let replacement = Replacement::write(&place, b"new", &place).unwrap();
        // As if this process had been killed, and another had got its number.
        std::mem::forget(replacement);
        assert_eq!(names(folder.path()).len(), 1);
        drop(Replacement::write(&place, b"new", &place).unwrap());
        assert!(names(folder.path()).is_empty());
    }
}
