//! What a run is proven by, and the key of its digests.

use glovebox_core::{History, Mark, PlanIdentity, WrittenFile};

use super::Run;
use crate::error::RunError;
use crate::evidence::{Evidence, StoredChunk};
use crate::identity::Key;

impl Run<'_> {
    /// What the run is proven by, of which its journal has the chunks.
    pub(super) fn evidence(
        &mut self,
        run: &str,
        plan: &PlanIdentity,
        input: Mark,
        files: Vec<WrittenFile>,
    ) -> Result<Option<Evidence>, RunError> {
        if self.proof.is_none() {
            return Ok(None);
        }
        let chunks = match files.is_empty() {
            true => Some(self.sink.chunks(run)?),
            false => None,
        };
        Ok(Some(Evidence {
            plan: plan.digest.clone(),
            input,
            chunks: chunks.map(|chunks| chunks.into_iter().map(StoredChunk::from).collect()),
            files,
        }))
    }

    /// The key of the journal that was looked into. Without a journal, lines are counted and not read, unless the
    /// run is to be proven.
    pub(super) fn key_of(&self, history: Option<&History>) -> Key {
        let secret = match history {
            Some(history) => history.key.as_ref(),
            None => self.proof,
        };
        secret.map_or_else(Key::none, Key::new)
    }
}
