//! The manifest as the engine uses it: every value parsed, every default filled in, every path
//! resolved, and the place of whatever a later check may complain about kept beside it. Its types
//! cannot hold invalid values: there is no field for an unparsed unit, a missing choice or a
//! secret.

pub(crate) mod column;
pub(crate) mod gate;
pub(crate) mod missing;
pub(crate) mod query;
pub(crate) mod rejects;
pub(crate) mod sink;
pub(crate) mod stores;

use std::collections::BTreeMap;
use std::path::PathBuf;

use glovebox_core::{Limits, SecretName, TokenTerms, World};

pub use super::load::clouds::{Aws, Azure, AzureIdentity, Gcp};
pub use super::load::criteria::{DatePart, Distance, DiversityBy};
pub use super::load::csv_source::{CsvSource, LineEnd, Quotes, Ragged};
pub use super::load::delta::DeltaSink;
pub use super::load::file_sinks::{Compression, CsvSink, JsonlSink, ParquetSink};
pub use super::load::files::{JsonlSource, ParquetSource};
pub use super::load::formats::{FormatKeys, SourceFormats};
pub use super::load::guard::{KeepGrant, LeakGuard};
pub use super::load::inside::{JsonPath, Segment};
pub use super::load::mode::Mode;
pub use super::load::objects::{Place, StoreAccess};
pub use super::load::postgres::{PostgresSink, Server};
pub use super::load::postgres_source::{PostgresRows, PostgresSource};
pub use super::load::proof::{Proof, ProofFormat};
pub use super::load::register::{Exemption, Undeclared};
pub use super::load::source::Source;
pub use super::load::sqlite::SqliteSink;
pub use super::load::vault::{
    AppRole, CertificateLogin, KubernetesLogin, Transit, Vault, VaultLogin,
};
pub use super::span::{Span, Spanned};
pub use column::{Column, PersonalKind, Release};
pub use gate::{Gate, Generalise, Quasi, SensitiveValues};
pub use missing::{Fill, How, Missing};
pub use query::{Gather, Query, Room, Table};
pub use rejects::{AtMost, Rejects, SealedTo};
pub use sink::{Sink, SinkTarget};
pub use stores::{RemoteStore, Store};

/// A pipeline, as its manifest describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The pipeline's name.
    pub name: Spanned<String>,
    /// The manifest's own file.
    pub file: PathBuf,
    /// The folder that relative paths were resolved against.
    pub folder: PathBuf,
    /// Where the rows come from.
    pub source: Source,
    /// The columns that may enter, in order.
    pub columns: Vec<Column>,
    /// Where secrets are looked up, in this order.
    pub credentials: Vec<Spanned<Store>>,
    /// What is done about columns of the source that it does not mention.
    pub undeclared: Undeclared,
    /// Columns that are known, and not personal or not declared.
    pub exemptions: Vec<Exemption>,
    /// Whose signature a plugin's file must bear: any of these. None is no signature asked for.
    pub trusted_keys: Vec<Spanned<TrustedKey>>,
    /// What happens to the rows, in order.
    pub steps: Vec<Step>,
    /// What is asked of them before they may leave; none is nothing.
    pub gate: Option<Gate>,
    /// Where the rows go.
    pub sink: Sink,
    /// What happens to rejected rows.
    pub rejects: Rejects,
    /// How its runs are proven; none if they are not.
    pub proof: Option<Proof>,
}

impl Manifest {
    /// Whether a step is a query over all rows.
    #[must_use]
    pub fn gathers(&self) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|step| step.plugin.gathers())
    }
}

/// A public key of minisign's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustedKey {
    /// The key itself, as Base64.
    Base64(String),
    /// A file that holds it.
    File(PathBuf),
}

/// One plugin at work on the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its name, unique among the steps without regard to case.
    pub name: Spanned<String>,
    /// What the manifest says its plugin is, and so what it may do.
    pub world: World,
    /// The plugin.
    pub plugin: Spanned<PluginRef>,
    /// The columns that it sees.
    pub reads: Vec<Spanned<String>>,
    /// The columns that it may mask; it sees these too.
    pub masks: Vec<Spanned<String>>,
    /// What it may leave whole of the columns that it masks.
    pub keeps: Vec<KeepGrant>,
    /// Which of them the leak guard looks at.
    pub leak_guard: LeakGuard,
    /// The columns that it is to add, or to replace where the name is there already.
    pub adds: Vec<Column>,
    /// Its configuration.
    pub with: With,
    /// The keys that it may point at.
    pub keys: Vec<KeyGrant>,
    /// Where in the JSON text of its column it masks; nowhere in particular if there is no path.
    pub inside: Vec<Spanned<JsonPath>>,
    /// Which steps mask alike under the same key.
    pub domain: Option<Spanned<String>>,
    /// Who opens the tokens that it makes; none if it makes none.
    pub tokens: Option<Tokens>,
    /// What bounds it.
    pub limits: Limits,
    /// The step as a whole: where an error without a better place is shown.
    pub span: Span,
}

impl Step {
    /// Whose masks of a column are alike.
    pub fn domain_of<'a>(&'a self, column: &'a str) -> &'a str {
        self.domain.as_ref().map_or(column, |domain| &domain.value)
    }

    /// The columns that the plugin is shown: `reads`, then those of `masks` that it does not name.
    pub fn granted(&self) -> Vec<&Spanned<String>> {
        let masked = self.masks.iter().filter(|m| {
            self.reads
                .iter()
                .all(|r| r.value.as_str() != m.value.as_str())
        });
        self.reads.iter().chain(masked).collect()
    }
}

/// Which plugin a step runs.
#[derive(Debug, Clone, PartialEq)]
pub enum PluginRef {
    /// One that is built in.
    Standard(String),
    /// A component of one's own.
    File {
        /// The component.
        path: PathBuf,
        /// The SHA-256 it must have, in lower-case hexadecimal.
        sha256: Option<String>,
    },
    /// None: a query over single rows, which the program computes itself.
    Sql(Query),
    /// None: a query over all rows.
    Gather(Box<Gather>),
    /// None: a query that is made to fill what is missing.
    Missing(Box<Missing>),
}

impl PluginRef {
    /// Whether it is built in.
    pub fn is_standard(&self) -> bool {
        matches!(self, PluginRef::Standard(_))
    }

    /// Whether it is a query, which knows itself what it reads and adds.
    pub fn is_query(&self) -> bool {
        matches!(
            self,
            PluginRef::Sql(_) | PluginRef::Gather(_) | PluginRef::Missing(_)
        )
    }

    /// Whether it is one over all rows.
    pub fn gathers(&self) -> bool {
        match self {
            PluginRef::Gather(_) => true,
            PluginRef::Missing(missing) => missing.needs_all_rows(),
            _ => false,
        }
    }
}

/// The plugin's name for a key, and the secrets that hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyGrant {
    /// What the plugin calls it.
    pub name: Spanned<String>,
    /// Its versions, the newest first.
    pub secrets: Vec<Spanned<SecretName>>,
}

/// The tokens that a step makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Who opens them, how long and how often.
    pub terms: TokenTerms,
    /// Where they were declared.
    pub span: Span,
}

/// A step's `with:` block: JSON for the plugin, and where each part of it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct With {
    /// The configuration; an empty object where the manifest has none.
    pub value: serde_json::Value,
    spans: BTreeMap<String, Span>,
    whole: Span,
}

impl With {
    /// A configuration, where it stands as a whole, and where its parts stand by JSON Pointer.
    pub fn new(value: serde_json::Value, whole: Span, spans: BTreeMap<String, Span>) -> Self {
        With {
            value,
            spans,
            whole,
        }
    }

    /// Where the part at a JSON Pointer (RFC 6901) was written; if it was not, its nearest parent.
    pub fn span_of(&self, pointer: &str) -> Span {
        let mut pointer = pointer;
        loop {
            if let Some(span) = self.spans.get(pointer) {
                return span.clone();
            }
            match pointer.rsplit_once('/') {
                Some((parent, _)) => pointer = parent,
                None => return self.whole.clone(),
            }
        }
    }
}
