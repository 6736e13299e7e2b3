//! What a run has of the sandbox: plugins by their bytes.

use std::path::PathBuf;
use std::sync::Arc;

use glovebox_core::{Limits, Plugin, PluginError};

use crate::compiled::Compiled;
use crate::shared::{Audience, SandboxError, Shared};

/// Compiles plugins and opens instances of them.
#[derive(Clone)]
pub struct Sandbox {
    shared: Arc<Shared>,
}

impl Sandbox {
    /// Starts an engine. Compiled components are kept in `cache`, a folder that only this user
    /// may write; without one each process compiles anew.
    ///
    /// # Errors
    /// When the engine or its timers cannot start. A cache that cannot be used is no error: it
    /// is said in the log, and components are compiled.
    pub fn new(cache: Option<PathBuf>) -> Result<Self, SandboxError> {
        let shared = Arc::new(Shared::start(cache, Audience::Runs)?);
        Ok(Sandbox { shared })
    }

    /// Compiles a component, or takes it from the cache, and asks it what it is. `name` is what
    /// messages call it; `limits` bound every instance that is opened from it.
    ///
    /// # Errors
    /// When it is no component, imports what is not in its world, exports none of the worlds,
    /// was built for another version of the contract, or fails while it describes itself.
    pub fn load(
        &self,
        name: &str,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<Arc<dyn Plugin>, PluginError> {
        self.load_pinned(name, bytes, None, limits)
    }

    /// As [`Sandbox::load`], but only if the component's SHA-256 is this one. It is compared
    /// before anything of the component is compiled or run.
    ///
    /// # Errors
    /// As [`Sandbox::load`], and when the digests differ.
    pub fn load_pinned(
        &self,
        name: &str,
        bytes: &[u8],
        sha256: Option<&str>,
        limits: &Limits,
    ) -> Result<Arc<dyn Plugin>, PluginError> {
        Ok(Arc::new(Compiled::load(
            Arc::clone(&self.shared),
            name,
            bytes,
            sha256,
            limits,
            None,
        )?))
    }
}
