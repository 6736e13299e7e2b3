//! A file that is written under another name and takes its place when it is whole.
//!
//! Owns the order temporary name, sync, rename, sync of the folder; refuses to leave half a file
//! where readers look: dropped before [`Staged::publish`], it is gone.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

/// A file on its way to `target`.
#[derive(Debug)]
pub(crate) struct Staged {
    file: NamedTempFile,
    target: PathBuf,
    /// Opened before the first row: after the renaming nothing may be left that can be refused.
    folder: File,
    permissions: Permissions,
}

impl Staged {
    /// An empty file beside `target`, readable by its owner only until it is published.
    pub(crate) fn create(target: &Path) -> io::Result<Staged> {
        let target = resolve(target)?;
        // The system takes the umask off these, which shows what a plain new file would get.
        let file = Builder::new()
            .prefix(".glovebox-")
            .suffix(".part")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder(&target))?;
        let permissions = match fs::metadata(&target) {
            Ok(existing) => existing.permissions(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                file.as_file().metadata()?.permissions()
            }
            Err(e) => return Err(e),
        };
        file.as_file()
            .set_permissions(Permissions::from_mode(0o600))?;
        Ok(Staged {
            file,
            folder: File::open(folder(&target))?,
            target,
            permissions,
        })
    }

    /// Whether a file could be staged for `target`; leaves nothing behind.
    pub(crate) fn probe(target: &Path) -> io::Result<()> {
        let target = resolve(target)?;
        // An unnamed file: the only test that also knows read-only mounts and full quotas.
        tempfile::tempfile_in(folder(&target))?;
        File::open(folder(&target)).map(drop)
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.as_file_mut().write_all(bytes)
    }

    /// Copies all that is left of `from` in.
    pub(crate) fn copy(&mut self, from: &mut File) -> io::Result<()> {
        io::copy(from, self.file.as_file_mut()).map(drop)
    }

    /// Puts the file in its place. After an error the old file stands there, unless it is the
    /// folder that could not be synced.
    pub(crate) fn publish(self) -> io::Result<()> {
        self.file.as_file().set_permissions(self.permissions)?;
        self.file.as_file().sync_all()?;
        self.file.persist(&self.target).map_err(|e| e.error)?;
        self.folder.sync_all()
    }
}

/// Follows links, so that a link stays one and what it names is replaced; refuses what is no file.
fn resolve(target: &Path) -> io::Result<PathBuf> {
    let refuse = |kind, problem: String| Err(io::Error::new(kind, problem));
    match fs::metadata(target) {
        Ok(existing) if existing.is_file() => fs::canonicalize(target),
        Ok(existing) if existing.is_dir() => refuse(
            io::ErrorKind::IsADirectory,
            "it is a folder; name a file in it".into(),
        ),
        Ok(_) => refuse(
            io::ErrorKind::InvalidInput,
            "it is no regular file and cannot be replaced as a whole; name a file".into(),
        ),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let folder = folder(target);
            if !folder.is_dir() {
                let problem = format!("there is no folder {}; create it first", folder.display());
                return refuse(io::ErrorKind::NotFound, problem);
            }
            Ok(target.to_owned())
        }
        Err(e) => Err(e),
    }
}

fn folder(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn readers_see_the_old_file_until_the_new_one_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out");
        fs::write(&target, "old").unwrap();
        fs::set_permissions(&target, Permissions::from_mode(0o640)).unwrap();
        let mut staged = Staged::create(&target).unwrap();
        staged.write(b"new").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"old");
        assert_eq!(
            staged.file.path().metadata().unwrap().permissions().mode() & 0o777,
            0o600
        );
        staged.publish().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert_eq!(
            target.metadata().unwrap().permissions().mode() & 0o777,
            0o640
        );
        assert_eq!(names(dir.path()), ["out"]);
    }

    #[test]
    fn a_new_file_gets_what_the_umask_leaves() {
        let dir = tempfile::tempdir().unwrap();
        let plain = dir.path().join("plain");
        fs::write(&plain, "").unwrap();
        let target = dir.path().join("out");
        Staged::create(&target).unwrap().publish().unwrap();
        let mode = |p: &Path| p.metadata().unwrap().permissions().mode();
        assert_eq!(mode(&target), mode(&plain));
    }

    #[test]
    fn dropped_it_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out");
        let mut staged = Staged::create(&target).unwrap();
        staged.write(b"half").unwrap();
        assert_eq!(names(dir.path()).len(), 1);
        drop(staged);
        Staged::probe(&target).unwrap();
        assert!(names(dir.path()).is_empty());
    }

    #[test]
    fn a_link_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let mut staged = Staged::create(&link).unwrap();
        staged.write(b"new").unwrap();
        staged.publish().unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"new");
    }

    #[test]
    fn what_cannot_be_replaced_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for (target, problem) in [
            (dir.path().to_owned(), "is a folder"),
            (dir.path().join("missing/out"), "create it first"),
            (PathBuf::from("/dev/null"), "no regular file"),
        ] {
            let error = Staged::create(&target).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
            assert!(Staged::probe(&target).is_err());
        }
    }
}
