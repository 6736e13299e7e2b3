//! Plugins for their authors: the same limits and checks as in a run, plus the guest's output, a
//! backtrace with files and lines, and its memory use.
//! No run can use such a plugin: a [`Watched`] is not a [`glovebox_core::Plugin`], and a
//! [`Sandbox`](crate::Sandbox) makes none. What a guest writes may hold cells, and to read the
//! debug information of a component that nobody vouches for takes time that no limit bounds.

use std::path::PathBuf;
use std::sync::Arc;

use glovebox_core::shown::printable;
use glovebox_core::{
    About, Announced, Answer, Batch, Fault, Grants, Instance, Limits, Plugin, PluginError, World,
};

use crate::compiled::Compiled;
use crate::component::{compile, digest, judge};
use crate::instance::Opened;
use crate::shared::{Audience, SandboxError, Shared};
use crate::words::GuestOutput;

/// Compiles plugins for their authors to watch.
pub struct Workbench {
    shared: Arc<Shared>,
}

/// What can be seen of a component without running it.
#[derive(Debug, Clone)]
pub struct Parts {
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// What it imports, in its order.
    pub imports: Vec<Import>,
    /// What it exports, in its order.
    pub exports: Vec<String>,
}

/// An interface or function that a component imports.
#[derive(Debug, Clone)]
pub struct Import {
    /// Its name.
    pub name: String,
    /// Why it is allowed, or why it is not.
    pub verdict: Result<&'static str, String>,
}

impl Workbench {
    /// Starts an engine that reads debug information. Compiled components are kept in `cache`,
    /// beside those of a [`Sandbox`](crate::Sandbox).
    ///
    /// # Errors
    /// As [`Sandbox::new`](crate::Sandbox::new).
    pub fn new(cache: Option<PathBuf>) -> Result<Self, SandboxError> {
        let shared = Shared::start(cache, Audience::Authors)?;
        Ok(Workbench {
            shared: Arc::new(shared),
        })
    }

    /// Compiles a component and looks at its imports and exports. Nothing of it is run.
    ///
    /// # Errors
    /// What it is instead of a component, as the end of a sentence about it.
    pub fn parts(&self, bytes: &[u8]) -> Result<Parts, String> {
        let (_, sha256) = digest(bytes)?;
        let component = compile(&self.shared, bytes, &sha256)?;
        let kind = component.component_type();
        let import = |(name, _): (&str, _)| Import {
            name: printable(name),
            verdict: judge(name),
        };
        Ok(Parts {
            sha256,
            imports: kind.imports(&self.shared.engine).map(import).collect(),
            exports: kind
                .exports(&self.shared.engine)
                .map(|(name, _)| printable(name))
                .collect(),
        })
    }

    /// As [`Sandbox::load`](crate::Sandbox::load); what the guest writes meanwhile goes to `words`.
    ///
    /// # Errors
    /// As [`Sandbox::load`](crate::Sandbox::load).
    pub fn load(
        &self,
        name: &str,
        bytes: &[u8],
        limits: &Limits,
        words: &GuestOutput,
    ) -> Result<Watched, PluginError> {
        let shared = Arc::clone(&self.shared);
        Compiled::load(shared, name, bytes, None, limits, Some(words)).map(Watched)
    }
}

/// A compiled plugin, watched.
pub struct Watched(Compiled);

impl Watched {
    /// Its kind.
    pub fn world(&self) -> World {
        self.0.world()
    }

    /// What it says of itself.
    pub fn about(&self) -> &About {
        self.0.about()
    }

    /// A fresh instance; what it writes goes to `words`.
    ///
    /// # Errors
    /// As [`Plugin::open`].
    pub fn open(
        &self,
        config: &str,
        grants: &Grants,
        words: &GuestOutput,
    ) -> Result<WatchedInstance, PluginError> {
        self.0
            .open_with(config, grants, Some(words))
            .map(WatchedInstance)
    }
}

/// An opened instance, watched.
pub struct WatchedInstance(Opened);

impl WatchedInstance {
    /// What it announced.
    pub fn announced(&self) -> &Announced {
        self.0.announced()
    }

    /// Judges a batch.
    ///
    /// # Errors
    /// A fault; the guest's backtrace is in the words.
    pub fn apply(&mut self, batch: &Batch) -> Result<Answer, Fault> {
        self.0.apply(batch)
    }

    /// Bytes of linear memory that it holds; memory never shrinks, so it is also the peak.
    pub fn memory(&self) -> usize {
        self.0.memory()
    }
}
