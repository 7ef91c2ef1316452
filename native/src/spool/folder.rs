//! The queue's folder: who may enter it, and the only place that makes paths.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::disk::{create_folder, options, sync_folder};
use crate::error::{Error, Result};

/// An existing folder that is closed to other users.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Opens the folder, made when missing.
    pub fn open(path: &Path) -> Result<Self> {
        create_folder(path).map_err(Error::io("cannot create", path))?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Takes the queue for this process, until the returned file is unlocked.
    pub fn lock(&self) -> Result<File> {
        let path = self.path("lock");
        let file = self
            .open_or_create("lock")
            .map_err(Error::io("cannot open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(Error::Spool(format!(
                "{} is in use by another process; stop the agent that runs there, or choose \
                 another folder",
                self.path.display()
            ))),
            Err(TryLockError::Error(source)) => Err(Error::io("cannot lock", path)(source)),
        }
    }

    /// Path of a file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a file for reading and writing.
    pub fn open_existing(&self, name: &str) -> io::Result<File> {
        options().open(self.path(name))
    }

    /// Opens a file for reading and writing, made when missing.
    pub fn open_or_create(&self, name: &str) -> io::Result<File> {
        options().create(true).truncate(false).open(self.path(name))
    }

    /// Makes an empty file, or empties the one that is there.
    pub fn create(&self, name: &str) -> io::Result<File> {
        options().create(true).truncate(true).open(self.path(name))
    }

    /// Opens a file for adding to its end, made when missing.
    pub fn open_to_append(&self, name: &str) -> io::Result<File> {
        options().append(true).create(true).open(self.path(name))
    }

    /// Removes a file.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path(name))
    }

    /// Names of the regular files; symbolic links are none.
    pub fn names(&self) -> Result<Vec<String>> {
        let list = || {
            let mut names = Vec::new();
            for entry in std::fs::read_dir(&self.path)? {
                let entry = entry?;
                if entry.file_type()?.is_file() {
                    names.extend(entry.file_name().into_string());
                }
            }
            Ok(names)
        };
        list().map_err(Error::io("cannot list", &self.path))
    }

    /// Makes new and removed names durable.
    pub fn sync(&self) -> io::Result<()> {
        sync_folder(&self.path)
    }
}

#[cfg(test)]
mod tests {
    #[cfg(unix)]
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[cfg(unix)]
    #[test]
    fn folder_and_files_are_private() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(&root.path().join("a/b")).unwrap();
        folder.open_or_create("f").unwrap();
        let mode = |path: PathBuf| path.metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(folder.path("")), 0o700);
        assert_eq!(mode(folder.path("f")), 0o600);
    }

    #[test]
    fn one_process_holds_the_lock() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path()).unwrap();
        let lock = folder.lock().unwrap();
        let error = folder.lock().unwrap_err().to_string();
        assert!(error.contains("in use by another process"), "{error}");
        drop(lock);
        folder.lock().unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn symbolic_links_are_neither_listed_nor_followed() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path()).unwrap();
        folder.create("target").unwrap();
        symlink("target", folder.path("link")).unwrap();
        assert_eq!(folder.names().unwrap(), ["target"]);
        assert!(folder.open_existing("link").is_err());
        assert!(folder.open_or_create("link").is_err());
    }
}
