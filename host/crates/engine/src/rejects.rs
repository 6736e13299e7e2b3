//! The rejects, a JSON object a line: row, line, and its violations; never a value.
//!
//! Owns the staged file; refuses to leave half of one under its final name.

use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use glovebox_core::{KeptReject, Reject};
use tempfile::NamedTempFile;

use crate::error::RunError;

/// Writes rejects beside their final place and puts them there at the end.
pub(crate) struct RejectsFile {
    path: PathBuf,
    folder: File,
    staged: BufWriter<NamedTempFile>,
}

impl RejectsFile {
    pub(crate) fn create(path: &Path) -> Result<Self, RunError> {
        if path.is_dir() {
            // Nothing is put in a folder's place, and by then the sink has committed.
            let problem = "it is a folder; name a file in it";
            let error = std::io::Error::new(std::io::ErrorKind::IsADirectory, problem);
            return Err(failed(path, error));
        }
        let folder = folder(path);
        if !folder.is_dir() {
            let problem = format!("there is no folder {}; create it first", folder.display());
            let error = std::io::Error::new(std::io::ErrorKind::NotFound, problem);
            return Err(failed(path, error));
        }
        let staged = NamedTempFile::with_prefix_in(".glovebox-rejects-", folder)
            .map_err(|e| failed(path, e))?;
        Ok(RejectsFile {
            path: path.to_owned(),
            // Opened now: after the renaming nothing may be left that can be refused.
            folder: File::open(folder).map_err(|e| failed(path, e))?,
            staged: BufWriter::with_capacity(64 << 10, staged),
        })
    }

    pub(crate) fn write(&mut self, rejects: &[Reject]) -> Result<(), RunError> {
        for reject in rejects {
            serde_json::to_writer(&mut self.staged, reject)
                .map_err(std::io::Error::from)
                .and_then(|()| self.staged.write_all(b"\n"))
                .map_err(|e| failed(&self.path, e))?;
        }
        Ok(())
    }

    /// Starts over.
    pub(crate) fn clear(&mut self) -> Result<(), RunError> {
        self.staged
            .flush()
            .and_then(|()| self.staged.get_ref().as_file().set_len(0))
            .and_then(|()| self.staged.get_mut().rewind())
            .map_err(|e| failed(&self.path, e))
    }

    /// A reject out of a sink's books, in the same form.
    pub(crate) fn write_kept(&mut self, kept: &KeptReject) -> Result<(), RunError> {
        let file = match &kept.file {
            Some(file) => format!("\"file\":{},", serde_json::Value::from(file.as_str())),
            None => String::new(),
        };
        let line = kept
            .line
            .map(|l| format!("\"line\":{l},"))
            .unwrap_or_default();
        writeln!(
            self.staged,
            "{{\"row\":{},{file}{line}\"violations\":{}}}",
            kept.row, kept.violations
        )
        .map_err(|e| failed(&self.path, e))
    }

    /// Makes sure that nothing is left to fail but the renaming.
    pub(crate) fn sync(&mut self) -> Result<(), RunError> {
        self.staged
            .flush()
            .and_then(|()| self.staged.get_ref().as_file().sync_all())
            .map_err(|e| failed(&self.path, e))
    }

    /// Puts the file in its place.
    pub(crate) fn publish(self) -> Result<(), RunError> {
        let RejectsFile {
            path,
            folder,
            staged,
        } = self;
        let staged = staged
            .into_inner()
            .map_err(|e| failed(&path, e.into_error()))?;
        staged.persist(&path).map_err(|e| failed(&path, e.error))?;
        folder.sync_all().map_err(|e| failed(&path, e))
    }
}

/// Whether rejects could be written there; leaves nothing behind.
///
/// # Errors
/// When they could not, with what to do.
pub fn probe(path: &Path) -> Result<(), RunError> {
    RejectsFile::create(path).map(drop)
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn failed(path: &Path, problem: std::io::Error) -> RunError {
    RunError::Rejects {
        place: path.display().to_string(),
        problem,
    }
}
