//! What tells one content of a file from the next without reading it.

use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use sha2::{Digest, Sha256};

/// Bytes of the digest that are a version's name.
const NAME_BYTES: usize = 10;

/// A file as the system describes it. No program can write to a file and leave this as it was: the
/// time of the last change is the system's own, whatever times a program sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Version {
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds since 1970.
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Version {
    /// The file that is there, with every link followed; none if there is no regular file.
    ///
    /// # Errors
    /// What the system says, but for a file that is gone.
    pub fn of(path: &Path) -> io::Result<Option<Version>> {
        match std::fs::metadata(path) {
            Ok(there) if there.is_file() => Ok(Some(Version {
                inode: there.ino(),
                size: there.size(),
                modified: (there.mtime(), there.mtime_nsec()),
                changed: (there.ctime(), there.ctime_nsec()),
            })),
            Ok(_) => Ok(None),
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// When it was written last, in seconds and nanoseconds since 1970, as its writer says.
    pub fn modified(&self) -> (i64, i64) {
        self.modified
    }

    /// A name of 20 hexadecimal digits that another version has only by chance. It says nothing of
    /// the content.
    pub fn name(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.inode.to_be_bytes());
        hash.update(self.size.to_be_bytes());
        for (seconds, nanoseconds) in [self.modified, self.changed] {
            hash.update(seconds.to_be_bytes());
            hash.update(nanoseconds.to_be_bytes());
        }
        let digest = hash.finalize();
        let bytes = digest.iter().take(NAME_BYTES);
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::time::SystemTime;

    #[test]
    fn other_content_is_another_version_whatever_times_its_writer_sets() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "1").unwrap();
        File::open(&path)
            .unwrap()
            .set_modified(SystemTime::UNIX_EPOCH)
            .unwrap();
        let first = Version::of(&path).unwrap().unwrap();
        assert_eq!(Version::of(&path).unwrap(), Some(first));
        // The clock of a file system may tick a hundred times a second only.
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(&path, "2").unwrap();
        File::open(&path)
            .unwrap()
            .set_modified(SystemTime::UNIX_EPOCH)
            .unwrap();
        let second = Version::of(&path).unwrap().unwrap();
        assert_eq!((second.size(), second.modified()), (1, (0, 0)));
        assert_ne!(first, second);
        assert_ne!(first.name(), second.name());
        assert_eq!(first.name().len(), 20);
    }

    #[test]
    fn what_is_no_file_has_no_version() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        assert_eq!(Version::of(&path).unwrap(), None);
        assert_eq!(Version::of(folder.path()).unwrap(), None);
        fs::write(&path, "").unwrap();
        assert_eq!(Version::of(&path.join("b")).unwrap(), None);
    }
}
