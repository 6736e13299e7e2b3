//! A table's folder on this machine.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::Builder;

use crate::folder::{Entry, Folder, Fresh};

/// A folder, which need not be there yet; the one that it is in has to.
#[derive(Debug, Clone)]
pub struct Local(PathBuf);

impl Local {
    /// That one.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Local(path.into())
    }

    /// Whether a table could be there, as far as that can be told without making it.
    ///
    /// # Errors
    /// When it could not.
    pub fn probe(&self) -> io::Result<()> {
        match fs::metadata(&self.0) {
            Ok(found) if found.is_dir() => {
                // An unnamed file: the only test that also knows read-only mounts and full quotas.
                tempfile::tempfile_in(&self.0).map(drop)
            }
            Ok(_) => Err(io::Error::new(
                io::ErrorKind::NotADirectory,
                "it is a file; a Delta table is a folder",
            )),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let above = above(&self.0);
                match above.is_dir() {
                    true => tempfile::tempfile_in(above).map(drop),
                    false => Err(io::Error::new(
                        io::ErrorKind::NotFound,
                        format!("there is no folder {}; create it first", above.display()),
                    )),
                }
            }
            Err(e) => Err(e),
        }
    }

    /// The place of a file, and the folders above it, as far as they are the table's.
    fn made(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        let folder = above(&path);
        let mut missing: Vec<&Path> = folder
            .ancestors()
            .take_while(|at| at.starts_with(&self.0) && !at.is_dir())
            .collect();
        while let Some(at) = missing.pop() {
            let mut builder = fs::DirBuilder::new();
            if at.strip_prefix(&self.0).is_ok_and(is_own) {
                builder.mode(0o700);
            }
            match builder.create(at) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
                _ => File::open(above(at))?.sync_all()?,
            }
        }
        Ok(path)
    }
}

/// Whether a path within a table is of what only those who load it may read.
fn is_own(within: &Path) -> bool {
    within.starts_with(crate::log::OWN)
}

fn above(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

impl Folder for Local {
    fn list(&self, folder: &str) -> io::Result<Vec<Box<dyn Entry>>> {
        let entries = match fs::read_dir(self.0.join(folder)) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e),
        };
        let mut found: Vec<Box<dyn Entry>> = Vec::new();
        for entry in entries {
            let entry = entry?;
            // Nothing of the log has a name that is not text.
            if let Ok(name) = entry.file_name().into_string() {
                found.push(Box::new(Found {
                    name,
                    path: entry.path(),
                }));
            }
        }
        Ok(found)
    }

    fn read(&self, name: &str) -> io::Result<Option<Box<dyn Read + Send>>> {
        match File::open(self.0.join(name)) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn put_new(&self, name: &str, bytes: &[u8]) -> io::Result<bool> {
        let path = self.made(name)?;
        let folder = above(&path);
        // Hidden, so that no reader of the log looks at one that a killed run leaves.
        let mut file = Builder::new()
            .prefix(".glovebox-")
            .suffix(".tmp")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(&path) {
            Ok(_) => File::open(folder)?.sync_all().map(|()| true),
            Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(e) => Err(e.error),
        }
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Fresh>> {
        let path = self.made(name)?;
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)?;
        Ok(Box::new(Going {
            file,
            path: Some(path),
        }))
    }

    fn discard(&self, name: &str) {
        // Whatever is left is in nobody's way.
        let _ = fs::remove_file(self.0.join(name));
    }

    fn discard_folder(&self, name: &str) {
        let _ = fs::remove_dir(self.0.join(name));
    }
}

struct Found {
    name: String,
    path: PathBuf,
}

impl Entry for Found {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(File::open(&self.path)?))
    }
}

/// A file on its way; its place is taken away once it is kept.
struct Going {
    file: File,
    path: Option<PathBuf>,
}

impl Write for Going {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Fresh for Going {
    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.file.sync_all()?;
        if let Some(path) = &self.path {
            File::open(above(path))?.sync_all()?;
        }
        self.path = None;
        Ok(())
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            let _ = fs::remove_file(path);
        }
    }
}
