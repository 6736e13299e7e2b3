//! A run's files on disk: an uploaded input while it is needed, its report, its rejects.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::sealing::{SealedUpload, UploadKey};
use sha2::{Digest, Sha256};

/// The folder of all runs.
#[derive(Clone, Copy)]
pub(crate) struct Folder<'f>(pub(crate) &'f Path);

impl Folder<'_> {
    /// Names of runs are made by the catalog; anything else leads nowhere.
    fn of(&self, run: &str) -> PathBuf {
        let good = run
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        self.0.join(if good { run } else { "none" })
    }

    pub(crate) fn make(&self, run: &str) -> io::Result<()> {
        private_folder(&self.of(run))
    }

    pub(crate) fn report(&self, run: &str) -> PathBuf {
        self.of(run).join("report.json")
    }

    pub(crate) fn rejects(&self, run: &str) -> PathBuf {
        self.of(run).join("rejects.jsonl")
    }

    /// Where an uploaded file is kept.
    fn input(&self, run: &str, is_sealed: bool) -> PathBuf {
        self.of(run).join(match is_sealed {
            true => "input.age",
            false => "input",
        })
    }

    /// An uploaded file, if it is there, and whether it is encrypted.
    pub(crate) fn uploaded(&self, run: &str) -> Option<(PathBuf, bool)> {
        let kept = [true, false].map(|is_sealed| (self.input(run, is_sealed), is_sealed));
        kept.into_iter().find(|(path, _)| path.is_file())
    }

    pub(crate) fn forget_input(&self, run: &str) {
        if let Some((path, _)) = self.uploaded(run) {
            gone(fs::remove_file(path), run);
        }
    }

    pub(crate) fn forget(&self, run: &str) {
        gone(fs::remove_dir_all(self.of(run)), run);
    }
}

fn gone(removed: io::Result<()>, run: &str) {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::error!(run, %error, "a run's files could not be deleted");
        }
        _ => {}
    }
}

pub(crate) fn private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// An upload on its way: private, bounded, gone unless it is kept.
pub(crate) struct Incoming {
    path: PathBuf,
    to: Option<To>,
    is_sealed: bool,
    room: u64,
    digest: Sha256,
    kept: bool,
}

/// Where the bytes of an upload go.
enum To {
    Plain(File),
    Sealed(Box<dyn SealedUpload>),
}

/// Why an upload was not taken.
#[derive(Debug)]
pub(crate) enum NotTaken {
    TooLarge,
    Disk(io::Error),
}

impl Incoming {
    /// A file of at most so many bytes under a name that nobody can guess, encrypted if there is a key.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn create(
        folder: Folder<'_>,
        name: &str,
        room: u64,
        key: Option<&UploadKey>,
    ) -> io::Result<Self> {
        private_folder(folder.0)?;
        let path = folder.0.join(format!(".incoming-{name}"));
        let file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        let mut incoming = Incoming {
            path,
            to: None,
            is_sealed: key.is_some(),
            room,
            digest: Sha256::new(),
            kept: false,
        };
        incoming.to = Some(match key {
            Some(key) => To::Sealed(key.begin(file)?),
            None => To::Plain(file),
        });
        Ok(incoming)
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) -> Result<(), NotTaken> {
        self.room = self
            .room
            .checked_sub(bytes.len() as u64)
            .ok_or(NotTaken::TooLarge)?;
        self.digest.update(bytes);
        let written = match &mut self.to {
            Some(To::Plain(file)) => file.write_all(bytes),
            Some(To::Sealed(file)) => file.write_all(bytes),
            None => Ok(()),
        };
        written.map_err(NotTaken::Disk)
    }

    /// What the content is known by.
    pub(crate) fn digest(&self) -> String {
        glovebox_core::hex(self.digest.clone().finalize())
    }

    /// Becomes a run's input.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn keep(mut self, folder: Folder<'_>, run: &str) -> io::Result<()> {
        let file = match self.to.take() {
            Some(To::Plain(file)) => Some(file),
            Some(To::Sealed(file)) => Some(file.finish()?),
            None => None,
        };
        file.map_or(Ok(()), |file| file.sync_all())?;
        folder.make(run)?;
        fs::rename(&self.path, folder.input(run, self.is_sealed))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.kept {
            // It may never have been there.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_upload_is_private_bounded_and_gone_unless_it_is_kept() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder(place.path());
        let mut incoming = Incoming::create(folder, "a", 10, None).unwrap();
        incoming.add(b"12345").unwrap();
        assert!(matches!(incoming.add(b"123456"), Err(NotTaken::TooLarge)));
        let path = incoming.path.clone();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(incoming);
        assert!(!path.exists());

        let mut incoming = Incoming::create(folder, "b", 10, None).unwrap();
        incoming.add(b"abc").unwrap();
        let sha256_of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(incoming.digest(), sha256_of_abc);
        incoming.keep(folder, "run_1").unwrap();
        assert_eq!(fs::read(folder.input("run_1", false)).unwrap(), b"abc");
        assert_eq!(
            folder.uploaded("run_1"),
            Some((folder.input("run_1", false), false))
        );
        folder.forget("run_1");
        assert_eq!(folder.uploaded("run_1"), None);
    }

    #[test]
    fn a_name_cannot_lead_elsewhere() {
        let folder = Folder(Path::new("/runs"));
        assert_eq!(
            folder.report("run_a-1"),
            Path::new("/runs/run_a-1/report.json")
        );
        for name in ["../x", "a/b", ".", "a\0"] {
            assert_eq!(
                folder.report(name),
                Path::new("/runs/none/report.json"),
                "{name}"
            );
        }
    }
}
