//! What the engine needs from whoever composes it: plugins, connectors, secrets and key rings.
//!
//! Refuses to know what is behind them; the composition root implements this once.

use std::sync::Arc;

use glovebox_core::{
    CredentialError, KeyError, KeyRing, Limits, Plugin, PluginError, Schema, Secret, SecretName,
    Sink, Source, SourceError,
};

use crate::manifest::model::{self, PluginRef};

/// Supplies the concrete things that a manifest names.
pub trait Toolbox: Send + Sync {
    /// The names of the plugins that are built in.
    fn standard_plugins(&self) -> Vec<&'static str>;

    /// A plugin, compiled; every instance of it is bounded by `limits`.
    ///
    /// # Errors
    /// When it cannot be read, is not the one that was pinned, or is refused.
    fn plugin(&self, plugin: &PluginRef, limits: &Limits) -> Result<Arc<dyn Plugin>, PluginError>;

    /// The source, with the declared columns.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn source(
        &self,
        source: &model::Source,
        schema: Schema,
    ) -> Result<Box<dyn Source>, SourceError>;

    /// The sink; `secret` is its password, where it takes one.
    fn sink(&self, sink: &model::SinkTarget, secret: Option<Secret>) -> Box<dyn Sink>;

    /// A secret, from the first store that has it.
    ///
    /// # Errors
    /// When none has it; the error names every place.
    fn secret(&self, stores: &[model::Store], name: &SecretName)
    -> Result<Secret, CredentialError>;

    /// The keys of one step, under the plugin's names for them.
    ///
    /// # Errors
    /// When a key cannot be used, for example because it is empty.
    fn key_ring(&self, keys: Vec<(String, Secret)>) -> Result<Arc<dyn KeyRing>, KeyError>;
}
