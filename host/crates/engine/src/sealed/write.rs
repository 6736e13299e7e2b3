//! Writes the sealed file beside its final place and puts it there at the end.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use glovebox_core::{Envelope, SealedBlock, SealedRejects, Secret};
use glovebox_files::{Staged, StagedWriter};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{RowSealer, end_context};
use crate::error::RunError;

/// The file of a run.
pub(crate) struct SealedWriter {
    path: PathBuf,
    staged: BufWriter<StagedWriter>,
    sealer: RowSealer,
    secret: Secret,
    digest: Sha256,
    blocks: u64,
    rows: u64,
}

/// The last line.
#[derive(Serialize)]
struct End {
    blocks: u64,
    rows: u64,
    #[serde(flatten)]
    envelope: Envelope,
}

impl SealedWriter {
    /// Begins it in the place that was claimed.
    pub(crate) fn begin(
        path: &Path,
        staged: Staged,
        sealer: RowSealer,
        secret: Secret,
    ) -> Result<Self, RunError> {
        let mut begun = SealedWriter {
            path: path.to_owned(),
            staged: BufWriter::with_capacity(64 << 10, StagedWriter(staged)),
            sealer,
            secret,
            digest: Sha256::new(),
            blocks: 0,
            rows: 0,
        };
        begun.head()?;
        Ok(begun)
    }

    fn head(&mut self) -> Result<(), RunError> {
        let header = self.sealer.header().to_owned();
        self.line(&header)
    }

    fn line(&mut self, line: &str) -> Result<(), RunError> {
        self.digest.update(line);
        self.digest.update(b"\n");
        self.staged
            .write_all(line.as_bytes())
            .and_then(|()| self.staged.write_all(b"\n"))
            .map_err(|e| self.failed(e))
    }

    pub(crate) fn sealer(&self) -> &RowSealer {
        &self.sealer
    }

    pub(crate) fn write(&mut self, block: &SealedBlock) -> Result<(), RunError> {
        self.blocks += 1;
        self.rows += block.rows;
        self.line(&block.line)
    }

    /// Starts over.
    pub(crate) fn clear(&mut self) -> Result<(), RunError> {
        self.staged
            .flush()
            .and_then(|()| self.staged.get_mut().0.clear())
            .map_err(|e| self.failed(e))?;
        self.digest = Sha256::new();
        (self.blocks, self.rows) = (0, 0);
        self.head()
    }

    /// Makes sure that what there is so far is on the disk.
    pub(crate) fn sync(&mut self) -> Result<(), RunError> {
        self.staged
            .flush()
            .and_then(|()| self.staged.get_ref().0.sync())
            .map_err(|e| self.failed(e))
    }

    /// Ends it, and puts it in its place.
    pub(crate) fn publish(mut self) -> Result<SealedRejects, RunError> {
        let mut text = self.secret.expose().to_vec();
        text.extend_from_slice(&self.digest.clone().finalize());
        let context = end_context(self.sealer.header(), self.blocks, self.rows);
        let end = End {
            blocks: self.blocks,
            rows: self.rows,
            envelope: self.sealer.seal(&context, &text)?,
        };
        let end = serde_json::to_string(&end).map_err(|e| self.failed(e.into()))?;
        self.line(&end)?;
        self.sync()?;
        let failed = |problem| RunError::Rejects {
            place: self.path.display().to_string(),
            problem,
        };
        let staged = self.staged.into_inner();
        let staged = staged.map_err(|e| failed(e.into_error()))?;
        staged.0.publish().map_err(failed)?;
        Ok(SealedRejects {
            path: self.path.display().to_string(),
            rows: self.rows,
        })
    }

    fn failed(&self, problem: io::Error) -> RunError {
        RunError::Rejects {
            place: self.path.display().to_string(),
            problem,
        }
    }
}
