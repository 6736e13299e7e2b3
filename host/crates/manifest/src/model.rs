//! The manifest as the engine uses it: every value parsed, every default filled in, every path
//! resolved, and the place of whatever a later check may complain about kept beside it. Its types
//! cannot hold invalid values: there is no field for an unparsed unit, a missing choice or a
//! secret.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, Range};
use std::path::PathBuf;
use std::time::Duration;

use glovebox_core::{DataType, Field, Kept, Limits, ReadFrom, SecretName, TokenTerms, World};

pub use super::load::clouds::{Aws, Gcp};
pub use super::load::columns::PersonalKind;
pub use super::load::csv_source::{CsvSource, LineEnd, Quotes, Ragged};
pub use super::load::file_sinks::{Compression, CsvSink, JsonlSink, ParquetSink};
pub use super::load::files::{JsonlSource, ParquetSource};
pub use super::load::formats::{FormatKeys, SourceFormats};
pub use super::load::guard::LeakGuard;
pub use super::load::inside::{JsonPath, Segment};
pub use super::load::postgres::{PostgresSink, Server};
pub use super::load::postgres_source::{PostgresRows, PostgresSource};
pub use super::load::sink::{Mode, SqliteSink};
pub use super::load::source::Source;
pub use super::load::vault::{AppRole, CertificateLogin, KubernetesLogin, Vault, VaultLogin};

/// A range of bytes in the manifest's text.
pub type Span = Range<usize>;

/// A value and the place where it was written, or where it was left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// A value at a place.
    pub fn new(value: T, span: Span) -> Self {
        Spanned { value, span }
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

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
    /// Whose signature a plugin's file must bear: any of these. None is no signature asked for.
    pub trusted_keys: Vec<Spanned<TrustedKey>>,
    /// What happens to the rows, in order.
    pub steps: Vec<Step>,
    /// Where the rows go.
    pub sink: Sink,
    /// What happens to rejected rows.
    pub rejects: Rejects,
}

/// A column that a source yields or a transformer adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: Spanned<String>,
    /// Its type.
    pub data_type: Spanned<DataType>,
    /// Whether it holds personal data; none where the manifest does not say.
    pub personal: Option<Spanned<bool>>,
    /// What it holds.
    pub kind: Option<Spanned<PersonalKind>>,
    /// Who lets it out unmasked, why and until when.
    pub release: Option<Spanned<Release>>,
    /// Where the source has it; none is under its own name.
    pub from: Option<Spanned<ReadFrom>>,
    /// How its text is spelled, where it is otherwise than the source says.
    pub formats: Option<Box<FormatKeys>>,
}

impl Column {
    /// A column of which no more is known.
    pub(crate) fn new(name: Spanned<String>, data_type: Option<Spanned<DataType>>) -> Self {
        let unknown = || Spanned::new(DataType::Text, name.span.clone());
        Column {
            data_type: data_type.unwrap_or_else(unknown),
            name,
            personal: None,
            kind: None,
            release: None,
            from: None,
            formats: None,
        }
    }

    /// Whether it was declared personal.
    pub fn is_personal(&self) -> bool {
        self.personal.as_ref().is_some_and(|p| p.value)
    }

    /// The column as a field of a schema.
    pub fn to_field(&self) -> Field {
        Field {
            personal: self.is_personal(),
            from: self.from.as_ref().map(|f| f.value.clone()),
            ..Field::new(self.name.as_str(), self.data_type.value)
        }
    }
}

/// Lets a personal column out without a mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Why it may leave unmasked.
    pub reason: Spanned<String>,
    /// Who is responsible for it.
    pub owner: Spanned<String>,
    /// The last day on which it may.
    pub until: Spanned<Date>,
}

/// A day of the proleptic Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// The year.
    pub year: i32,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// A place where secrets are looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// The operating system's store.
    Keyring,
    /// Variables `GLOVEBOX_SECRET_…`.
    Env,
    /// A folder with one file a secret.
    Files(PathBuf),
    /// On another server.
    Remote(Box<RemoteStore>),
}

/// A server that keeps secrets, to which one logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemoteStore {
    /// Of Vault's API.
    Vault(Vault),
    /// AWS Secrets Manager.
    Aws(Aws),
    /// Google Cloud's Secret Manager.
    Gcp(Gcp),
    /// Azure Key Vault.
    Azure(Azure),
}

/// Azure Key Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Azure {
    /// The key vault's URL.
    pub address: String,
    /// What stands before the names of secrets.
    pub prefix: Option<String>,
    /// Who asks.
    pub identity: AzureIdentity,
    /// Certificates to trust instead of the built-in ones.
    pub ca: Option<PathBuf>,
    /// How long one request may take.
    pub timeout: Duration,
}

/// Who asks Azure Key Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AzureIdentity {
    /// The machine's identity, or of several the one with this client id.
    Managed(Option<String>),
    /// The pod's.
    Workload,
    /// An application's.
    Client {
        /// The directory.
        tenant: String,
        /// The application.
        client_id: String,
        /// The secret that holds its secret.
        secret: SecretName,
    },
}

impl RemoteStore {
    /// The secret of another store that its login needs.
    pub fn login_secret(&self) -> Option<&SecretName> {
        match self {
            RemoteStore::Vault(vault) => vault.auth.secret(),
            RemoteStore::Azure(Azure {
                identity: AzureIdentity::Client { secret, .. },
                ..
            }) => Some(secret),
            RemoteStore::Aws(_) | RemoteStore::Gcp(_) | RemoteStore::Azure(_) => None,
        }
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

impl PluginRef {
    /// Whether it is built in.
    pub fn is_standard(&self) -> bool {
        matches!(self, PluginRef::Standard(_))
    }
}

/// Which cells of a masked column may be found whole in their masks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeepGrant {
    /// The column; in the step's `masks`.
    pub column: Spanned<String>,
    /// The most that is granted.
    pub kept: Kept,
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

/// Where the rows go, and which of their columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Sink {
    /// The database or file.
    pub target: SinkTarget,
    /// The columns to store, in order; none is all that the last step leaves.
    pub columns: Option<Vec<Spanned<String>>>,
    /// The `sink:` key: where an error without a better place is shown.
    pub span: Span,
}

/// A database or file that takes rows.
#[derive(Debug, Clone, PartialEq)]
pub enum SinkTarget {
    /// A SQLite file.
    Sqlite(SqliteSink),
    /// A PostgreSQL server.
    Postgres(Box<PostgresSink>),
    /// A CSV file.
    Csv(CsvSink),
    /// A file with a JSON object a line.
    Jsonl(JsonlSink),
    /// A Parquet file.
    Parquet(ParquetSink),
}

impl SinkTarget {
    /// The file that is written, where the target is one.
    pub fn path(&self) -> Option<&Spanned<PathBuf>> {
        match self {
            SinkTarget::Sqlite(s) => Some(&s.path),
            SinkTarget::Csv(s) => Some(&s.path),
            SinkTarget::Jsonl(s) => Some(&s.path),
            SinkTarget::Parquet(s) => Some(&s.path),
            SinkTarget::Postgres(_) => None,
        }
    }

    /// Whether it keeps a journal of its runs.
    pub fn keeps_journal(&self) -> bool {
        match self {
            SinkTarget::Postgres(_) | SinkTarget::Sqlite(_) => true,
            SinkTarget::Csv(_) | SinkTarget::Jsonl(_) | SinkTarget::Parquet(_) => false,
        }
    }

    /// What becomes of the rows that are there.
    pub fn mode(&self) -> Mode {
        match self {
            SinkTarget::Sqlite(s) => s.mode,
            SinkTarget::Postgres(s) => s.mode,
            SinkTarget::Csv(s) => s.mode,
            SinkTarget::Jsonl(s) => s.mode,
            SinkTarget::Parquet(s) => s.mode,
        }
    }

    /// The columns by which rows of mode upsert are found; none of other modes.
    pub fn upsert_keys(&self) -> &[Spanned<String>] {
        match self {
            SinkTarget::Sqlite(s) => &s.keys,
            SinkTarget::Postgres(s) => &s.keys,
            SinkTarget::Csv(_) | SinkTarget::Jsonl(_) | SinkTarget::Parquet(_) => &[],
        }
    }

    /// The server that is written to, where the target has one.
    pub fn server(&self) -> Option<&Server> {
        match self {
            SinkTarget::Postgres(s) => Some(&s.server),
            SinkTarget::Sqlite(_)
            | SinkTarget::Csv(_)
            | SinkTarget::Jsonl(_)
            | SinkTarget::Parquet(_) => None,
        }
    }

    /// The key of its journal's digests, where it keeps a journal and does not choose one itself.
    pub fn identity_key(&self) -> Option<&Spanned<SecretName>> {
        match self {
            SinkTarget::Postgres(s) => s.identity_key.as_ref(),
            SinkTarget::Sqlite(s) => s.identity_key.as_ref(),
            SinkTarget::Csv(_) | SinkTarget::Jsonl(_) | SinkTarget::Parquet(_) => None,
        }
    }

    /// Whether it can keep tokens beside its rows.
    pub fn keeps_tokens(&self) -> bool {
        self.keeps_journal()
    }

    /// Whether it takes columns that nobody has looked into.
    pub fn takes_opaque(&self) -> bool {
        match self {
            SinkTarget::Postgres(_) => true,
            SinkTarget::Sqlite(_)
            | SinkTarget::Csv(_)
            | SinkTarget::Jsonl(_)
            | SinkTarget::Parquet(_) => false,
        }
    }
}

impl Mode {
    /// Whether rows that were there may be other ones, or gone, after a run.
    pub fn replaces(self) -> bool {
        match self {
            Mode::Append => false,
            Mode::Replace | Mode::Upsert => true,
        }
    }
}

/// What happens to rejected rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejects {
    /// The file that lists them.
    pub path: Spanned<PathBuf>,
    /// How many there may be; none is any number.
    pub at_most: Option<Spanned<AtMost>>,
    /// Where their cells are kept, encrypted; none if they are not.
    pub sealed: Option<SealedTo>,
}

/// Where the cells of rejected rows are kept, and who can open them.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedTo {
    /// The file.
    pub path: Spanned<PathBuf>,
    /// The secrets that hold the recipients' public keys; at least one.
    pub recipients: Vec<Spanned<SecretName>>,
}

/// How many rows may be rejected before a run counts as failed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AtMost {
    /// That many rows.
    Rows(u64),
    /// That share of the rows read, 0 to 1.
    Share(f64),
}

impl AtMost {
    /// Whether so many rejects are too many.
    pub fn exceeded_by(self, rejected: u64, read: u64) -> bool {
        match self {
            AtMost::Rows(rows) => rejected > rows,
            // Row counts are far below 2^53, where f64 stops being exact.
            AtMost::Share(share) => rejected as f64 > share * read as f64,
        }
    }
}
