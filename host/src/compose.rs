//! The composition root: the one place that knows every concrete type.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use glovebox_connectors::database::{Lenient, TextRow};
#[cfg(feature = "parquet")]
use glovebox_connectors::input::Given;
use glovebox_connectors::{age, csv, jsonl, sqlite};
use glovebox_core::{
    CredentialError, Key, KeyError, KeyRing, Limits, Plugin, PluginError, QueryProblem, Schema,
    Seal, Secret, SecretName, Selection, Sink, Source, StepKeys,
};
use glovebox_engine::{PublicKey, SignedBy, SinkSecrets, SourceSecrets, Toolbox};
use glovebox_manifest::model::{self, PluginRef, SinkTarget, Spanned, Store, TrustedKey};
use glovebox_masking::{Recipients, Ring};
use glovebox_sandbox::{Sandbox, SandboxError, Workbench, is_component};
use sha2::{Digest, Sha256};

use self::files::{csv_options, file_mode};
use self::stores::Stores;
use self::tables::{names, table_mode};
use crate::signature;
#[cfg(not(all(feature = "delta", feature = "parquet", feature = "postgres")))]
use crate::without;

#[cfg(feature = "delta")]
mod delta;
mod files;
mod objects;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "postgres")]
mod postgres;
mod sql;
mod stores;
mod tables;
#[cfg(feature = "api")]
pub(crate) mod uploads;
#[cfg(feature = "postgres")]
pub(crate) use self::postgres::authorities;

include!(concat!(env!("OUT_DIR"), "/standard.rs"));

/// A file of a plugin larger than this is not read.
const MAX_PLUGIN_SIZE: u64 = 64 << 20;

/// A plugin and who signed it.
type Loaded = (Arc<dyn Plugin>, Option<SignedBy>);

/// Supplies the real plugins, connectors, stores and keys.
pub(crate) struct Composed {
    sandbox: Sandbox,
    /// The same component under the same limits, vouched for by the same keys, is compiled once a
    /// process.
    loaded: Mutex<HashMap<String, Loaded>>,
    stores: Stores,
    /// What opens the file that is read in place of the manifest's.
    around: Option<age::Identity>,
}

impl Composed {
    pub(crate) fn new() -> Result<Self, SandboxError> {
        Ok(Composed {
            sandbox: Sandbox::new(cache_folder())?,
            loaded: Mutex::default(),
            stores: Stores::default(),
            around: None,
        })
    }

    /// The same, where the source's files are encrypted by a key of the server's, whatever they are
    /// within.
    ///
    /// # Errors
    /// The end of a sentence that says nothing of the key.
    pub(crate) fn opening(self, key: &Secret) -> Result<Self, String> {
        let identity = age::Identity::parse(key);
        let identity = identity.map(|identity| identity.named_by("uploads-key"));
        let around = identity.map(Some)?;
        Ok(Composed { around, ..self })
    }

    /// The names of the secrets that were fetched so far.
    pub(crate) fn fetched(&self) -> Vec<String> {
        self.stores.fetched()
    }

    /// Reads a file once: its signature is verified over the bytes that are compiled.
    fn load(
        &self,
        plugin: &PluginRef,
        limits: &Limits,
        trusted: &[PublicKey],
    ) -> Result<Loaded, PluginError> {
        let key = format!("{plugin:?} {limits:?} {trusted:?}");
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = loaded.get(&key) {
            return Ok(found.clone());
        }
        let fresh = match plugin {
            PluginRef::Standard(name) => {
                let bytes = STANDARD
                    .iter()
                    .find(|(n, _)| n == name)
                    .map(|(_, bytes)| *bytes)
                    .ok_or_else(|| PluginError::Refused {
                        plugin: name.clone(),
                        problem: "is not a standard plugin; `glovebox plugin list` shows them"
                            .into(),
                    })?;
                (self.sandbox.load(name, bytes, limits)?, None)
            }
            PluginRef::Sql(_) | PluginRef::Gather(_) | PluginRef::Missing(_) => {
                return Err(PluginError::Refused {
                    plugin: "a query".into(),
                    problem: "is fitted to its columns instead of loaded".into(),
                });
            }
            PluginRef::File { path, sha256 } => {
                let bytes = read_plugin(path)?;
                let signed_by = signature::vouched(path, &bytes, trusted)?;
                let pin = sha256.as_deref();
                let name = display(path);
                let plugin = self.sandbox.load_pinned(&name, &bytes, pin, limits)?;
                (plugin, signed_by)
            }
        };
        loaded.insert(key, fresh.clone());
        Ok(fresh)
    }
}

/// The SHA-256 of a component's file in lower-case hexadecimal, if it would not be refused for
/// what it is or for who signed it.
pub(crate) fn digest(path: &Path, trusted: &[PublicKey]) -> Result<String, PluginError> {
    let bytes = read_plugin(path)?;
    signature::vouched(path, &bytes, trusted)?;
    if !is_component(&bytes) {
        return Err(PluginError::Refused {
            plugin: display(path),
            problem: "is not a WebAssembly component".into(),
        });
    }
    Ok(glovebox_core::hex(Sha256::digest(&bytes)))
}

/// Where authors watch their plugins. A run has no part in it: [`Composed`] holds a [`Sandbox`].
pub(crate) fn workbench() -> Result<Workbench, SandboxError> {
    Workbench::new(cache_folder())
}

/// The component of that name: a standard plugin's, or a file's.
pub(crate) fn plugin_bytes(name: &str) -> Result<Vec<u8>, PluginError> {
    match STANDARD.iter().find(|(standard, _)| *standard == name) {
        Some((_, bytes)) => Ok(bytes.to_vec()),
        None => read_plugin(Path::new(name)),
    }
}

/// The first rows of the sink's table, as text; none if the sink is a file.
#[cfg_attr(not(feature = "postgres"), expect(unused_variables))]
pub(crate) fn head(
    sink: &SinkTarget,
    secret: Option<Secret>,
    columns: &[&str],
    rows: u32,
) -> anyhow::Result<Option<Vec<TextRow>>> {
    Ok(match sink {
        SinkTarget::Sqlite(spec) => Some(sqlite::head(&sqlite_options(spec), columns, rows)?),
        #[cfg(feature = "postgres")]
        SinkTarget::Postgres(spec) => Some(postgres::head(spec, secret, columns, rows)?),
        #[cfg(not(feature = "postgres"))]
        SinkTarget::Postgres(_) => anyhow::bail!(without::POSTGRES.refusal()),
        SinkTarget::Csv(_)
        | SinkTarget::Jsonl(_)
        | SinkTarget::Parquet(_)
        | SinkTarget::Delta(_) => None,
    })
}

/// How often each combination of these columns' cells occurs in the sink's table.
#[cfg(feature = "init")]
#[cfg_attr(not(feature = "postgres"), expect(unused_variables))]
pub(crate) fn combinations(
    sink: &SinkTarget,
    secret: Option<Secret>,
    columns: &[&str],
) -> anyhow::Result<Vec<(TextRow, u64)>> {
    Ok(match sink {
        SinkTarget::Sqlite(spec) => sqlite::combinations(&sqlite_options(spec), columns)?,
        #[cfg(feature = "postgres")]
        SinkTarget::Postgres(spec) => postgres::combinations(spec, secret, columns)?,
        #[cfg(not(feature = "postgres"))]
        SinkTarget::Postgres(_) => anyhow::bail!(without::POSTGRES.refusal()),
        SinkTarget::Csv(_)
        | SinkTarget::Jsonl(_)
        | SinkTarget::Parquet(_)
        | SinkTarget::Delta(_) => {
            anyhow::bail!("the sink is a file")
        }
    })
}

/// `$XDG_CACHE_HOME/glovebox`, or `~/.cache/glovebox`, or `$GLOVEBOX_CACHE`.
fn cache_folder() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|v| !v.is_empty());
    set("GLOVEBOX_CACHE")
        .map(PathBuf::from)
        .or_else(|| set("XDG_CACHE_HOME").map(|c| Path::new(&c).join("glovebox")))
        .or_else(|| set("HOME").map(|h| Path::new(&h).join(".cache/glovebox")))
}

impl Toolbox for Composed {
    fn standard_plugins(&self) -> Vec<&'static str> {
        STANDARD.iter().map(|(name, _)| *name).collect()
    }

    fn plugin(&self, plugin: &PluginRef, limits: &Limits) -> Result<Arc<dyn Plugin>, PluginError> {
        self.load(plugin, limits, &[]).map(|(plugin, _)| plugin)
    }

    fn trusted_key(&self, key: &TrustedKey) -> Result<PublicKey, String> {
        signature::public_key(key)
    }

    fn signed_plugin(
        &self,
        plugin: &PluginRef,
        limits: &Limits,
        trusted: &[PublicKey],
    ) -> Result<Loaded, PluginError> {
        self.load(plugin, limits, trusted)
    }

    fn select(
        &self,
        query: &str,
        input: &Schema,
        limits: &Limits,
    ) -> Result<Selection, QueryProblem> {
        sql::select(query, input, limits)
    }

    fn gather(
        &self,
        query: &str,
        room: model::Room,
        input: &Schema,
        tables: &[(&str, Schema)],
    ) -> Result<Selection, QueryProblem> {
        sql::gather(query, room, input, tables)
    }

    fn source(
        &self,
        source: &model::Source,
        schema: Schema,
        secrets: SourceSecrets,
    ) -> Result<Box<dyn Source>, String> {
        let inputs = source.inputs().0.iter().map(|i| i.value.clone()).collect();
        let secret = secrets.secret;
        let objects = objects::of_source(source, secrets.store)?;
        match source {
            model::Source::Csv(spec) => {
                let mut options = csv_options(spec, inputs);
                options.identities = self.identities_of(source, secret)?;
                Ok(Box::new(csv::Source::of_objects(options, schema, objects)))
            }
            model::Source::Jsonl(spec) => {
                let mut options = jsonl::Options::new("");
                options.inputs = inputs;
                options.identities = self.identities_of(source, secret)?;
                options.formats = spec.formats.of_columns.clone();
                options.max_record = spec.max_record;
                Ok(Box::new(jsonl::Source::of_objects(
                    options, schema, objects,
                )))
            }
            #[cfg(feature = "parquet")]
            model::Source::Parquet(spec) => {
                let given = Given::new(inputs, objects);
                parquet::source(spec, given, schema, (secret, self.around.clone()))
            }
            #[cfg(not(feature = "parquet"))]
            model::Source::Parquet(_) => Err(without::PARQUET.refusal()),
            #[cfg(feature = "postgres")]
            model::Source::Postgres(spec) => postgres::source(spec, schema, secret),
            #[cfg(not(feature = "postgres"))]
            model::Source::Postgres(_) => Err(without::POSTGRES.refusal()),
        }
    }

    #[cfg_attr(
        not(any(feature = "parquet", feature = "postgres")),
        expect(unused_variables)
    )]
    fn sink(
        &self,
        sink: &SinkTarget,
        secrets: SinkSecrets,
        whole: bool,
    ) -> Result<Box<dyn Sink>, String> {
        let SinkSecrets {
            secret,
            store,
            identity,
        } = secrets;
        Ok(match sink {
            SinkTarget::Sqlite(spec) => {
                let mut options = sqlite_options(spec);
                options.identity_key = identity;
                if whole {
                    options.mode = tables::whole(options.mode);
                }
                Box::new(sqlite::Sink::new(options))
            }
            #[cfg(feature = "postgres")]
            SinkTarget::Postgres(spec) => postgres::sink(spec, secret, identity, whole)?,
            #[cfg(not(feature = "postgres"))]
            SinkTarget::Postgres(_) => return Err(without::POSTGRES.refusal()),
            SinkTarget::Csv(spec) => Box::new(
                csv::Sink::to(
                    objects::target(&spec.path, spec.store.as_ref(), store)?,
                    file_mode(spec.mode),
                    csv::SinkOptions {
                        delimiter: spec.delimiter,
                        header: spec.header,
                        escape_formulas: spec.escape_formulas,
                    },
                )
                .replace_with_nothing(spec.replace_with_nothing)
                .encrypt_to(recipients_of(&spec.encrypt_to)?),
            ),
            SinkTarget::Jsonl(spec) => Box::new(
                jsonl::Sink::to(
                    objects::target(&spec.path, spec.store.as_ref(), store)?,
                    file_mode(spec.mode),
                    jsonl::SinkOptions::default(),
                )
                .replace_with_nothing(spec.replace_with_nothing)
                .encrypt_to(recipients_of(&spec.encrypt_to)?),
            ),
            #[cfg(feature = "parquet")]
            SinkTarget::Parquet(spec) => parquet::sink(
                spec,
                objects::target(&spec.path, spec.store.as_ref(), store)?,
                secret,
            )?,
            #[cfg(feature = "delta")]
            SinkTarget::Delta(spec) => delta::sink(
                spec,
                objects::target(&spec.path, spec.store.as_ref(), store)?,
                identity,
            ),
            #[cfg(not(feature = "delta"))]
            SinkTarget::Delta(_) => return Err(without::DELTA.refusal()),
            #[cfg(not(feature = "parquet"))]
            SinkTarget::Parquet(_) => return Err(without::PARQUET.refusal()),
        })
    }

    fn secret(&self, stores: &[Store], name: &SecretName) -> Result<Secret, CredentialError> {
        self.stores.secret(stores, name)
    }

    fn key(&self, stores: &[Store], name: &SecretName) -> Result<Key, CredentialError> {
        self.stores.key(stores, name)
    }

    fn key_ring(&self, keys: StepKeys) -> Result<Arc<dyn KeyRing>, KeyError> {
        Ok(Arc::new(Ring::new(keys)?))
    }

    fn recipients(&self, keys: &[Secret]) -> Result<Arc<dyn Seal>, (usize, String)> {
        let mut recipients = Recipients::new();
        for (place, key) in keys.iter().enumerate() {
            let added = recipients.add(key.expose());
            added.map_err(|problem| (place, problem))?;
        }
        Ok(Arc::new(recipients))
    }
}

/// Who can open a file, if it is encrypted.
fn recipients_of(keys: &[Spanned<String>]) -> Result<Option<age::Recipients>, String> {
    match keys.is_empty() {
        true => Ok(None),
        false => age::Recipients::parse(keys.iter().map(|key| key.as_str())).map(Some),
    }
}

impl Composed {
    /// The keys that open a source's files, from the outside in.
    fn identities_of(
        &self,
        source: &model::Source,
        secret: Option<Secret>,
    ) -> Result<Vec<age::Identity>, String> {
        let mut identities: Vec<_> = self.around.iter().cloned().collect();
        if let Some((name, secret)) = source.decrypt_with().zip(secret) {
            let identity = age::Identity::parse(&secret);
            let of_secret = |problem| format!("the secret `{}` {problem}", name.value);
            identities.push(identity.map_err(of_secret)?);
        }
        Ok(identities)
    }
}

fn sqlite_options(spec: &model::SqliteSink) -> sqlite::Options {
    sqlite::Options {
        path: spec.path.value.clone(),
        table: spec.table.value.clone(),
        mode: table_mode(spec.mode),
        keys: names(&spec.keys),
        identity_key: None,
        lenient: Lenient {
            replace_with_nothing: spec.replace_with_nothing,
            side_effects: spec.side_effects,
        },
    }
}

fn display(path: &Path) -> String {
    path.display().to_string()
}

fn read_plugin(path: &Path) -> Result<Vec<u8>, PluginError> {
    glovebox_files::bounded::read(path, MAX_PLUGIN_SIZE).map_err(|error| PluginError::Refused {
        plugin: display(path),
        problem: format!("cannot be read: {error}"),
    })
}
