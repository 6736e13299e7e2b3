//! What the engine needs from the program: plugins, connectors, secrets and key rings.

use std::sync::Arc;

use glovebox_core::{
    CredentialError, Key, KeyError, KeyRing, Limits, Plugin, PluginError, QueryProblem, Schema,
    Seal, Secret, SecretName, Selection, Sink, Source, StepKeys,
};

use glovebox_manifest::model::{self, PluginRef, TrustedKey};

/// A public key that was read and is well-formed, as Base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(pub String);

/// A signature that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy {
    /// The key's number, as minisign shows it: 16 hexadecimal digits.
    pub key: String,
    /// What the signer said beside it and signed too, fit for a terminal; may be empty.
    pub comment: String,
}

/// The secrets of a source, each where it takes one.
#[derive(Debug, Default)]
pub struct SourceSecrets {
    /// Its password, or the key of its files.
    pub secret: Option<Secret>,
    /// What its store of objects is logged in to by.
    pub store: Option<Secret>,
}

/// The secrets of a sink, each where it takes one.
#[derive(Debug, Default)]
pub struct SinkSecrets {
    /// Its password, or the key of its file.
    pub secret: Option<Secret>,
    /// What its store of objects is logged in to by.
    pub store: Option<Secret>,
    /// The key of its journal's digests, where the manifest names one.
    pub identity: Option<Secret>,
}

/// Supplies the concrete things that a manifest names.
pub trait Toolbox: Send + Sync {
    /// The names of the plugins that are built in.
    fn standard_plugins(&self) -> Vec<&'static str>;

    /// A plugin, compiled; every instance of it is bounded by `limits`.
    ///
    /// # Errors
    /// When it cannot be read, is not the one that was pinned, or is refused.
    fn plugin(&self, plugin: &PluginRef, limits: &Limits) -> Result<Arc<dyn Plugin>, PluginError>;

    /// A trusted key, read from its file where it has one.
    ///
    /// # Errors
    /// When it cannot be read or is no key, with what to do, for the place that names it.
    fn trusted_key(&self, key: &TrustedKey) -> Result<PublicKey, String>;

    /// As [`Toolbox::plugin`], but one that is a file must bear a signature by one of these keys,
    /// over the very bytes that are compiled. What is built in needs none.
    ///
    /// # Errors
    /// As [`Toolbox::plugin`], and when the signature is missing, false or somebody else's.
    fn signed_plugin(
        &self,
        plugin: &PluginRef,
        limits: &Limits,
        trusted: &[PublicKey],
    ) -> Result<(Arc<dyn Plugin>, Option<SignedBy>), PluginError>;

    /// A query over single rows, fitted to the columns that reach its step; what a batch of it returns is bounded
    /// by `limits`.
    ///
    /// # Errors
    /// What is wrong with it, or that this program was built without queries.
    fn select(
        &self,
        query: &str,
        input: &Schema,
        limits: &Limits,
    ) -> Result<Selection, QueryProblem>;

    /// A query over all rows, fitted to the columns that reach its step, and to those of other tables.
    ///
    /// # Errors
    /// As [`Toolbox::select`].
    fn gather(
        &self,
        query: &str,
        room: model::Room,
        input: &Schema,
        tables: &[(&str, Schema)],
    ) -> Result<Selection, QueryProblem>;

    /// The source, with the declared columns.
    ///
    /// # Errors
    /// When this program was built without it, with what to do.
    fn source(
        &self,
        source: &model::Source,
        schema: Schema,
        secrets: SourceSecrets,
    ) -> Result<Box<dyn Source>, String>;

    /// The sink. Of a `whole` run nothing may be there before all is.
    ///
    /// # Errors
    /// When this program was built without it, with what to do.
    fn sink(
        &self,
        sink: &model::SinkTarget,
        secrets: SinkSecrets,
        whole: bool,
    ) -> Result<Box<dyn Sink>, String>;

    /// A secret, from the first store that has it.
    ///
    /// # Errors
    /// When none has it; the error names every place.
    fn secret(&self, stores: &[model::Store], name: &SecretName)
    -> Result<Secret, CredentialError>;

    /// A key of a mask, from the first store that has it; it may be one that stays there.
    ///
    /// # Errors
    /// As [`Toolbox::secret`].
    fn key(&self, stores: &[model::Store], name: &SecretName) -> Result<Key, CredentialError>;

    /// The keys of one step, under the plugin's names for them.
    ///
    /// # Errors
    /// When a key cannot be used, for example because it is empty.
    fn key_ring(&self, keys: StepKeys) -> Result<Arc<dyn KeyRing>, KeyError>;

    /// Who rejects are sealed to, by their public keys.
    ///
    /// # Errors
    /// The place of a key that is none, or there twice, and what is wrong with it.
    fn recipients(&self, keys: &[Secret]) -> Result<Arc<dyn Seal>, (usize, String)>;
}
