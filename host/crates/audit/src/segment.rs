//! Numbered files of a folder: segments of the log, and the checkpoints made of each.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::chain::Head;
use crate::error::AuditError;
use crate::time::Time;

/// A family of numbered files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Segments,
    Checkpoints,
}

impl Family {
    fn prefix(self) -> &'static str {
        match self {
            Family::Segments => "audit-",
            Family::Checkpoints => "checkpoints-",
        }
    }

    pub(crate) fn name(self, number: u64) -> String {
        format!("{}{number:010}.jsonl", self.prefix())
    }

    pub(crate) fn path(self, folder: &Path, number: u64) -> PathBuf {
        folder.join(self.name(number))
    }

    /// The numbers that are there, ascending, and the names of this family that are none.
    pub(crate) fn list(self, folder: &Path) -> Result<(Vec<u64>, Vec<String>), AuditError> {
        let mut numbers = Vec::new();
        let mut strange = Vec::new();
        let failed = || AuditError::file("list", folder);
        for entry in fs::read_dir(folder).map_err(failed())? {
            let name = entry.map_err(failed())?.file_name();
            let name = name.to_string_lossy();
            let Some(rest) = name.strip_prefix(self.prefix()) else {
                continue;
            };
            let number = rest.strip_suffix(".jsonl").and_then(|n| n.parse().ok());
            match number.filter(|n| self.name(*n) == name) {
                Some(number) => numbers.push(number),
                None => strange.push(name.into_owned()),
            }
        }
        numbers.sort_unstable();
        strange.sort_unstable();
        Ok((numbers, strange))
    }
}

/// How a segment begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Begin {
    pub(crate) segment: u64,
    /// The sequence of its first record.
    pub(crate) sequence: u64,
    /// The hash of the record before.
    pub(crate) previous: Head,
    pub(crate) time: Time,
}

impl Begin {
    pub(crate) fn words(&self) -> [String; 3] {
        [
            self.segment.to_string(),
            self.sequence.to_string(),
            self.previous.to_string(),
        ]
    }
}

/// A folder that others may not look into, unless it is there already.
pub(crate) fn folder(path: &Path) -> Result<(), AuditError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder
        .create(path)
        .map_err(AuditError::file("create the folder", path))
}

pub(crate) fn append(path: &Path) -> io::Result<File> {
    private().append(true).create(true).open(path)
}

pub(crate) fn create(path: &Path) -> io::Result<File> {
    private().append(true).create_new(true).open(path)
}

/// Opens a file to be read to its end, which a device or a pipe does not have.
pub(crate) fn read(path: &Path) -> Result<File, AuditError> {
    let opened = fs::metadata(path).and_then(|meta| match meta.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("it is not a regular file")),
    });
    opened.map_err(AuditError::file("read", path))
}

pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

/// Makes sure that names which were added or removed outlive a crash.
pub(crate) fn sync_folder(path: &Path) -> Result<(), AuditError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(AuditError::file("sync the folder", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_by_number_and_strange_names_apart() {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "audit-0000000010.jsonl",
            "audit-0000000009.jsonl",
            "audit-9.jsonl",
            "audit-0000000011.jsonl.bak",
            "checkpoints-0000000001.jsonl",
            "lock",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let (numbers, strange) = Family::Segments.list(folder.path()).unwrap();
        assert_eq!(numbers, [9, 10]);
        assert_eq!(strange, ["audit-0000000011.jsonl.bak", "audit-9.jsonl"]);
        assert_eq!(Family::Checkpoints.list(folder.path()).unwrap().0, [1]);
    }
}
