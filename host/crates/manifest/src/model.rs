//! The manifest as the engine uses it: every value parsed, every default filled in, every path
//! resolved, and the place of whatever a later check may complain about kept beside it.
//!
//! Refuses what could be wrong by its form: there is no field here for an unparsed unit, a
//! missing choice or a secret.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, Range};
use std::path::PathBuf;
use std::time::Duration;

use glovebox_core::{DataType, Field, Kept, Limits, ReadFrom, SecretName, World};

pub use super::formats::{FormatKeys, SourceFormats};

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
    /// What is done with rejected rows.
    pub rejects: Rejects,
}

/// Where the rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// CSV files.
    Csv(CsvSource),
    /// Files of JSON objects.
    Jsonl(JsonlSource),
    /// Parquet files.
    Parquet(ParquetSource),
    /// A PostgreSQL server.
    Postgres(Box<PostgresSource>),
}

/// Rows of a PostgreSQL database. TLS is always verified, chain and host name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresSource {
    /// The server, and who logs in.
    pub server: Server,
    /// What is read.
    pub rows: Spanned<PostgresRows>,
    /// Connections that read at the same time; none is as many as are good.
    pub connections: Option<usize>,
    /// Bytes that one row may have, in PostgreSQL's binary form.
    pub max_record: usize,
}

/// What is read of a PostgreSQL database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostgresRows {
    /// A table or view, or `schema.table`.
    Table(String),
    /// A query.
    Query(String),
}

/// A PostgreSQL server and a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The server's name, which its certificate must bear.
    pub host: Spanned<String>,
    /// Its port.
    pub port: u16,
    /// The database.
    pub database: Spanned<String>,
    /// The user.
    pub user: Spanned<String>,
    /// The secret that holds the user's password.
    pub password: Spanned<SecretName>,
    /// Certificates to trust besides the built-in ones, as a PEM file.
    pub ca: Option<Spanned<PathBuf>>,
    /// How long connecting may take.
    pub connect_timeout: Duration,
}

impl Source {
    /// The files that are read, and the endings by which a folder's are known.
    pub fn inputs(&self) -> (&[Spanned<Input>], &'static [&'static str]) {
        match self {
            Source::Csv(s) => (&s.paths, &["csv", "tsv"]),
            Source::Jsonl(s) => (&s.paths, &["jsonl", "ndjson"]),
            Source::Parquet(s) => (&s.paths, &["parquet", "pq"]),
            Source::Postgres(_) => (&[], &[]),
        }
    }
}

/// CSV files, or standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvSource {
    /// The files.
    pub paths: Vec<Spanned<Input>>,
    /// The label of their encoding in the WHATWG's Encoding Standard; none is UTF-8.
    pub encoding: Option<String>,
    /// Lines before the header that are passed over.
    pub skip: u64,
    /// Whether the first record names the columns; if not, they are taken by position.
    pub header: bool,
    /// Records of the header.
    pub header_rows: usize,
    /// What stands between fields.
    pub delimiter: String,
    /// The byte around fields; none where quotes have no meaning.
    pub quote: Option<u8>,
    /// What becomes of records whose quotes are wrong.
    pub quotes: Quotes,
    /// The byte that takes a quote's meaning within quotes.
    pub escape: Option<u8>,
    /// The byte at the start of lines that are no records.
    pub comment: Option<u8>,
    /// What ends a record.
    pub line_end: LineEnd,
    /// Whether blanks around fields are left out.
    pub trim: bool,
    /// What becomes of records with too few or too many fields.
    pub ragged: Ragged,
    /// The cells that stand for null.
    pub null: Vec<String>,
    /// Whether they do so in quotes, too.
    pub null_quoted: bool,
    /// How its text is spelled.
    pub formats: SourceFormats,
    /// Bytes that one field may have.
    pub max_field: usize,
    /// Bytes that one record may have.
    pub max_record: usize,
}

/// What becomes of CSV records whose quotes are wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quotes {
    /// They are rejected.
    #[default]
    Strict,
    /// They are read all the same.
    Lenient,
}

/// What ends a CSV record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineEnd {
    /// `\n`, `\r\n` or `\r`.
    #[default]
    Any,
    /// `\n`.
    Lf,
    /// `\r\n`.
    Crlf,
    /// `\r`.
    Cr,
}

/// What becomes of CSV records with too few or too many fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ragged {
    /// They are rejected.
    #[default]
    Reject,
    /// What is missing is null.
    Pad,
    /// What is too much is left out.
    Cut,
    /// Both.
    Both,
}

/// Files of JSON objects, or standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonlSource {
    /// The files.
    pub paths: Vec<Spanned<Input>>,
    /// How its strings are spelled.
    pub formats: SourceFormats,
    /// Bytes that one object may have.
    pub max_record: usize,
}

/// Parquet files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParquetSource {
    /// The files.
    pub paths: Vec<Spanned<Input>>,
}

/// What a path of a source stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// `-`.
    Stdin,
    /// A file, a folder, or a pattern of files.
    File(PathBuf),
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
    /// Who lets it out unmasked, why and until when.
    pub release: Option<Spanned<Release>>,
    /// Where the source has it; none is under its own name.
    pub from: Option<Spanned<ReadFrom>>,
    /// How its text is spelled, where it is otherwise than the source says.
    pub formats: Option<Box<FormatKeys>>,
}

impl Column {
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

/// A personal column's way out without a mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Why it may leave.
    pub reason: Spanned<String>,
    /// Who answers for it.
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
    /// What bounds it.
    pub limits: Limits,
    /// The step as a whole: where an error without a better place is shown.
    pub span: Span,
}

impl Step {
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

/// Which masked columns the leak guard looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LeakGuard {
    /// The personal ones.
    #[default]
    Personal,
    /// Each of them.
    All,
    /// None.
    Off,
}

/// The plugin's name for a key, and the secret that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyGrant {
    /// What the plugin calls it.
    pub name: Spanned<String>,
    /// The secret.
    pub secret: Spanned<SecretName>,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sink {
    /// The database or file.
    pub target: SinkTarget,
    /// The columns to store, in order; none is all that the last step leaves.
    pub columns: Option<Vec<Spanned<String>>>,
    /// The `sink:` key: where an error without a better place is shown.
    pub span: Span,
}

/// A database or file that takes rows.
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

/// What becomes of the rows that a target holds already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They stay.
    Append,
    /// They go, at the moment at which the new ones are there.
    Replace,
    /// Those with the key of a new one take its cells; the others stay.
    Upsert,
}

/// A table in a SQLite file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteSink {
    /// The file.
    pub path: Spanned<PathBuf>,
    /// The table.
    pub table: Spanned<String>,
    /// What becomes of its rows; `append` by default.
    pub mode: Mode,
    /// The columns by which mode upsert recognises a row.
    pub keys: Vec<Spanned<String>>,
    /// The secret that is the key of the journal's digests, instead of one that the file keeps.
    pub identity_key: Option<Spanned<SecretName>>,
    /// Whether a run without a single row may take the rows away that are there.
    pub replace_with_nothing: bool,
    /// Whether what hangs on the table may change other tables: foreign keys, triggers, rules.
    pub side_effects: bool,
}

/// A table in a PostgreSQL database. TLS is always verified, chain and host name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresSink {
    /// The server's name, which its certificate must bear.
    pub host: Spanned<String>,
    /// Its port.
    pub port: u16,
    /// The database.
    pub database: Spanned<String>,
    /// The user.
    pub user: Spanned<String>,
    /// The secret that holds the user's password.
    pub password: Spanned<SecretName>,
    /// Certificates to trust besides the built-in ones, as a PEM file.
    pub ca: Option<Spanned<PathBuf>>,
    /// The table.
    pub table: Spanned<String>,
    /// What becomes of its rows; `append` by default.
    pub mode: Mode,
    /// The columns by which mode upsert recognises a row.
    pub keys: Vec<Spanned<String>>,
    /// Whether a run without a single row may take the rows away that are there.
    pub replace_with_nothing: bool,
    /// Whether what hangs on the table may change other tables: foreign keys, triggers, rules.
    pub side_effects: bool,
    /// The schema in which the journal of runs is kept.
    pub journal: String,
    /// The secret that is the key of the journal's digests, instead of one that the database keeps.
    pub identity_key: Option<Spanned<SecretName>>,
    /// Connections that load at the same time; none is as many as are good.
    pub connections: Option<usize>,
    /// Whether the rows come in the source's order, over one connection.
    pub ordered: bool,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long a server that is gone is waited for.
    pub retry_for: Duration,
}

/// A CSV file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvSink {
    /// The file.
    pub path: Spanned<PathBuf>,
    /// What becomes of its rows; `replace` by default.
    pub mode: Mode,
    /// Whether a run without a single row may take the rows away that are there.
    pub replace_with_nothing: bool,
    /// Whether the first record names the columns.
    pub header: bool,
    /// The byte between fields.
    pub delimiter: u8,
    /// Whether text that a spreadsheet would take for a formula gets a `'` in front.
    pub escape_formulas: bool,
}

/// A file of JSON objects to write, one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonlSink {
    /// The file.
    pub path: Spanned<PathBuf>,
    /// What becomes of its rows; `replace` by default.
    pub mode: Mode,
    /// Whether a run without a single row may take the rows away that are there.
    pub replace_with_nothing: bool,
}

/// A Parquet file to write; what is there is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParquetSink {
    /// The file.
    pub path: Spanned<PathBuf>,
    /// Whether a run without a single row may take the rows away that are there.
    pub replace_with_nothing: bool,
    /// How its pages are compressed.
    pub compression: Compression,
}

/// How a Parquet file's pages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// By zstd.
    #[default]
    Zstd,
    /// By Snappy.
    Snappy,
    /// By gzip.
    Gzip,
    /// By LZ4, without frames.
    Lz4,
    /// Not at all.
    None,
}

/// What is done with rejected rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Rejects {
    /// The file that lists them.
    pub path: Spanned<PathBuf>,
    /// How many there may be; none is any number.
    pub at_most: Option<Spanned<AtMost>>,
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
