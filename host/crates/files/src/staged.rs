//! A file that is written under a temporary name and renamed when it is complete.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::claim::{Claim, NAME_BYTES, folder, resolve};

/// What a staged file was made for: it may take the place of nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Base {
    /// Of whatever is there.
    #[default]
    Any,
    /// Of nothing.
    Missing,
    /// Of this file, as it was.
    Is(Stamp),
}

/// Which file it is, and the state that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    place: (u64, u64),
    length: u64,
    /// Seconds and nanoseconds; no program can set it.
    changed: (i64, i64),
}

impl Stamp {
    /// That of an open file.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn of(file: &File) -> io::Result<Stamp> {
        file.metadata().map(|found| Stamp::from(&found))
    }
}

impl From<&fs::Metadata> for Stamp {
    fn from(found: &fs::Metadata) -> Self {
        Stamp {
            place: (found.dev(), found.ino()),
            length: found.len(),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

/// A file on its way to its place, as a writer.
#[derive(Debug)]
pub struct StagedWriter(pub Staged);

impl Write for StagedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file on its way to its place, which no other run may write until this one is published or
/// dropped.
#[derive(Debug)]
pub struct Staged {
    // Before the claim: it goes while the place is ours.
    file: NamedTempFile,
    /// Opened before the first row: after the renaming nothing may be left that can be refused.
    folder: File,
    permissions: Permissions,
    base: Base,
    claim: Option<Claim>,
    target: PathBuf,
}

impl Staged {
    /// An empty file beside `target`, readable by its owner only until it is published.
    ///
    /// # Errors
    /// When another run writes that file; when it cannot be made.
    pub fn create(target: &Path) -> io::Result<Staged> {
        let claim = Claim::take(target)?;
        let target = claim.target().to_owned();
        Staged::beside(target, Some(claim))
    }

    /// The same, though another process of the same run may still hold the place: what it could
    /// put there would be the same, and it is not waited for.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn succeed(target: &Path) -> io::Result<Staged> {
        match Staged::create(target) {
            Err(e) if e.kind() == io::ErrorKind::ResourceBusy => {
                Staged::beside(resolve(target)?, None)
            }
            created => created,
        }
    }

    fn beside(target: PathBuf, claim: Option<Claim>) -> io::Result<Staged> {
        // So that whoever finds one that a killed run left knows of what it is a part.
        let name = target.file_name().unwrap_or_default().as_bytes();
        let mut prefix = b".glovebox-".to_vec();
        prefix.extend(name.iter().take(NAME_BYTES));
        prefix.push(b'-');
        // The system takes the umask off these, which shows what a plain new file would get.
        let file = Builder::new()
            .prefix(OsStr::from_bytes(&prefix))
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
            permissions,
            base: Base::Any,
            claim,
            target,
        })
    }

    /// Whether a file could be staged for `target`; leaves nothing behind.
    ///
    /// # Errors
    /// When it could not.
    pub fn probe(target: &Path) -> io::Result<()> {
        let target = resolve(target)?;
        // An unnamed file: the only test that also knows read-only mounts and full quotas.
        tempfile::tempfile_in(folder(&target))?;
        File::open(folder(&target)).map(drop)
    }

    /// Leaves it its owner's alone when it is published, whatever was there.
    pub fn for_owner(&mut self) {
        self.permissions = Permissions::from_mode(0o600);
    }

    /// Where it goes, with every link followed.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Lets it take the place of that alone.
    pub fn onto(&mut self, base: Base) {
        self.base = base;
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// The system's.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.as_file_mut().write_all(bytes)
    }

    /// Copies all that is left of `from` in.
    ///
    /// # Errors
    /// The system's.
    pub fn copy(&mut self, from: &mut File) -> io::Result<()> {
        io::copy(from, self.file.as_file_mut()).map(drop)
    }

    /// What was written, from its beginning.
    ///
    /// # Errors
    /// The system's.
    pub fn reread(&self) -> io::Result<File> {
        self.file.reopen()
    }

    /// Starts over.
    ///
    /// # Errors
    /// The system's.
    pub fn clear(&mut self) -> io::Result<()> {
        self.file.as_file().set_len(0)?;
        self.file.as_file_mut().rewind()
    }

    /// Brings what was written onto the disk.
    ///
    /// # Errors
    /// The system's.
    pub fn sync(&self) -> io::Result<()> {
        self.file.as_file().sync_all()
    }

    /// Puts the file in its place. After an error the old file stands there, unless it is the
    /// folder that could not be synced.
    ///
    /// # Errors
    /// When what is there is not its base any more; when the system refuses.
    pub fn publish(self) -> io::Result<()> {
        let Staged {
            file,
            folder,
            permissions,
            base,
            claim,
            target,
        } = self;
        file.as_file().set_permissions(permissions)?;
        file.as_file().sync_all()?;
        let placed = match base {
            Base::Any => file.persist(&target),
            Base::Missing => file.persist_noclobber(&target),
            Base::Is(stamp) => match fs::metadata(&target) {
                Ok(there) if Stamp::from(&there) == stamp => file.persist(&target),
                _ => return Err(changed()),
            },
        };
        placed.map_err(|e| match e.error.kind() {
            io::ErrorKind::AlreadyExists => changed(),
            io::ErrorKind::ResourceBusy => io::Error::new(
                io::ErrorKind::ResourceBusy,
                "it is a mount point, so it cannot be replaced; mount its folder instead",
            ),
            _ => e.error,
        })?;
        let synced = folder.sync_all();
        drop(claim);
        synced
    }
}

fn changed() -> io::Error {
    io::Error::new(
        io::ErrorKind::ResourceBusy,
        "another program has changed it since the run began, and its rows would be lost; nothing \
        was added: run again",
    )
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
        assert_eq!(names(dir.path()).len(), 2);
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
            (PathBuf::from("/dev/null"), "not a regular file"),
        ] {
            let error = Staged::create(&target).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
            assert!(Staged::probe(&target).is_err());
        }
    }

    #[test]
    fn what_others_did_meanwhile_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out");
        let staged = || Staged::create(&target).unwrap();

        let mut made = staged();
        made.onto(Base::Missing);
        fs::write(&target, "theirs").unwrap();
        let refused = made.publish().unwrap_err().to_string();
        assert!(
            refused.contains("another program has changed it"),
            "{refused}"
        );

        let mut added = staged();
        added.onto(Base::Is(Stamp::of(&File::open(&target).unwrap()).unwrap()));
        fs::write(&target, "theirs again").unwrap();
        let refused = added.publish().unwrap_err().to_string();
        assert!(
            refused.contains("another program has changed it"),
            "{refused}"
        );
        assert_eq!(fs::read(&target).unwrap(), b"theirs again");

        let mut added = staged();
        added.onto(Base::Is(Stamp::of(&File::open(&target).unwrap()).unwrap()));
        added.write(b"ours").unwrap();
        added.publish().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"ours");
        assert_eq!(names(dir.path()), ["out"]);
    }

    #[test]
    fn one_run_at_a_time_stages_a_file_and_an_heir_may() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("out");
        let first = Staged::create(&target).unwrap();
        assert!(Staged::create(&target).is_err());
        Staged::succeed(&target).unwrap().publish().unwrap();
        drop(first);
        Staged::create(&target).unwrap().publish().unwrap();
        assert_eq!(names(dir.path()), ["out"]);
    }
}
