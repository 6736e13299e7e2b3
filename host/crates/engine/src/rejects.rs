//! The rejects, a JSON object a line: row, line, and its violations; never a value.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use glovebox_core::{KeptReject, Reject, shown_row};
use glovebox_files::{Staged, StagedWriter};

use crate::error::RunError;

/// Writes rejects beside their final place and puts them there at the end.
pub(crate) struct RejectsFile {
    path: PathBuf,
    staged: BufWriter<StagedWriter>,
}

impl RejectsFile {
    /// Claims the place, so that no other run's list is lost to this one's or the other way round.
    /// A run that is gone on with does not wait for the process that it is taken from.
    pub(crate) fn create(path: &Path, resumes: bool) -> Result<Self, RunError> {
        Ok(RejectsFile {
            path: path.to_owned(),
            staged: BufWriter::with_capacity(64 << 10, StagedWriter(claim(path, resumes)?)),
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
            .and_then(|()| self.staged.get_mut().0.clear())
            .map_err(|e| failed(&self.path, e))
    }

    /// A reject out of a sink's journal, in the same form.
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
            shown_row(kept.row),
            kept.violations
        )
        .map_err(|e| failed(&self.path, e))
    }

    /// Makes sure that nothing is left to fail but the renaming.
    pub(crate) fn sync(&mut self) -> Result<(), RunError> {
        self.staged
            .flush()
            .and_then(|()| self.staged.get_ref().0.sync())
            .map_err(|e| failed(&self.path, e))
    }

    /// Puts the file in its place.
    pub(crate) fn publish(self) -> Result<(), RunError> {
        let RejectsFile { path, staged } = self;
        let staged = staged
            .into_inner()
            .map_err(|e| failed(&path, e.into_error()))?;
        staged.0.publish().map_err(|e| failed(&path, e))
    }
}

/// A place that this run alone writes to, and that nobody but its owner reads.
pub(crate) fn claim(path: &Path, resumes: bool) -> Result<Staged, RunError> {
    let staged = match resumes {
        true => Staged::succeed(path),
        false => Staged::create(path),
    };
    let mut staged = staged.map_err(|e| failed(path, e))?;
    staged.for_owner();
    Ok(staged)
}

/// Whether rejects could be written there; leaves nothing behind.
///
/// # Errors
/// When they could not, with what to do.
pub fn probe(path: &Path) -> Result<(), RunError> {
    Staged::probe(path).map_err(|e| failed(path, e))
}

fn failed(path: &Path, problem: std::io::Error) -> RunError {
    RunError::Rejects {
        place: path.display().to_string(),
        problem,
    }
}
