//! One instance of a plugin, and its retirement.

use std::sync::Arc;

use glovebox_core::{About, Announced, Answer, Batch, Fault, Grants, Instance, PluginError};
use sha2::{Digest, Sha256};

use crate::abi::v0_1;
use crate::component::Inner;
use crate::guest::Guest;
use crate::words::GuestOutput;

/// Asks a plugin what it is, on an instance of its own.
pub(crate) fn describe(
    plugin: &Arc<Inner>,
    words: Option<&GuestOutput>,
) -> Result<About, PluginError> {
    v0_1::describe(&mut Guest::new(plugin, words))
}

/// An opened instance, replaced by a fresh one when it has grown too large.
pub(crate) struct Opened {
    guest: Guest,
    session: v0_1::Session,
    announced: Announced,
    config: String,
    grants: Grants,
    words: Option<GuestOutput>,
    /// Bytes of memory at which the instance is retired.
    retire_at: usize,
    spent: bool,
}

impl Opened {
    pub(crate) fn open(
        plugin: &Arc<Inner>,
        config: &str,
        grants: &Grants,
        words: Option<&GuestOutput>,
    ) -> Result<Self, PluginError> {
        let mut guest = Guest::new(plugin, words);
        let (session, announced) = v0_1::open(&mut guest, config, grants)?;
        let held = guest.memory();
        Ok(Opened {
            retire_at: held + (plugin.limits.memory.saturating_sub(held)) / 4 * 3,
            guest,
            session,
            announced,
            config: config.to_owned(),
            grants: grants.clone(),
            words: words.cloned(),
            spent: false,
        })
    }

    /// A guest that keeps what it should free would fill its memory; a fresh one starts empty.
    fn renew(&mut self) -> Result<(), Fault> {
        let plugin = Arc::clone(&self.guest.plugin);
        let fresh = Opened::open(&plugin, &self.config, &self.grants, self.words.as_ref())
            .map_err(|error| match error {
                PluginError::Fault(fault) => fault,
                _ => self
                    .guest
                    .during("open")
                    .breach("it refused a configuration that it accepted before"),
            })?;
        if fresh.announced != self.announced {
            return Err(self.changed());
        }
        *self = fresh;
        Ok(())
    }

    fn changed(&self) -> Fault {
        self.guest
            .during("open")
            .breach("it announced different rules or fields than before for the same configuration")
    }
}

impl Opened {
    /// Bytes of linear memory that the instance holds. It only grows, so this is also its peak.
    pub(crate) fn memory(&self) -> usize {
        self.guest.memory()
    }
}

impl Instance for Opened {
    fn announced(&self) -> &Announced {
        &self.announced
    }

    fn apply(&mut self, batch: &Batch) -> Result<Answer, Fault> {
        if self.spent || self.guest.memory() > self.retire_at {
            self.renew()?;
        }
        let seed = seed(&self.guest.plugin.digest, batch);
        self.guest.store.data_mut().reseed(seed);
        // Until the call has returned well, the instance counts as spent.
        self.spent = true;
        let answer = v0_1::apply(
            &mut self.guest,
            &self.session,
            batch,
            &self.grants,
            &self.announced,
        )?;
        self.spent = false;
        Ok(answer)
    }
}

/// Where the randomness of a call starts: a function of the plugin and the batch's place.
fn seed(digest: &[u8; 32], batch: &Batch) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(digest);
    hash.update(batch.origin.first_row().to_le_bytes());
    hash.finalize().into()
}
