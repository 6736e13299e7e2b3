//! A PostgreSQL table or query as a source: all rows of one snapshot, by binary COPY over several
//! connections.

mod catalogue;
mod cells;
mod chunks;
mod cut;
mod decode;
mod discover;
mod fetch;
mod open;
mod refusal;
mod session;
mod types;

use std::num::NonZero;
use std::sync::{Arc, OnceLock};

use glovebox_core::{
    ChunkReader, Decoder, Field, Identity, Native, Sampled, Schema, SourceError, TableName,
};

use crate::database::{quote, quote_all};
use chunks::Chunks;
use decode::CopyDecoder;
pub(crate) use discover::fields;
pub use discover::tables;
use glovebox_core::Login;
use session::Session;
use types::Layout;

/// About how many rows of a table are drawn for a look at what it holds.
const SAMPLED_ROWS: f64 = 50_000.0;
/// Bytes of a row where nobody has counted rows yet.
const USUAL_ROW: u64 = 128;
/// Bytes of a table that is read as it is.
const WHOLE: u64 = 1 << 20;

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    /// A table or view, or `schema.table`, taken to the letter: names are always quoted.
    Table(String),
    /// A query, without a semicolon.
    Query(String),
}

/// Where the rows come from, and as whom.
#[derive(Debug, Clone)]
pub struct Options {
    /// The server and the role.
    pub login: Login,
    /// What is read.
    pub rows: Rows,
    /// Over how many connections a table is read at the most; none for as many as there are cores,
    /// up to four. A query, a view and a partitioned table are read over one.
    pub connections: Option<NonZero<usize>>,
    /// Bytes of a row in binary form; a larger one is rejected. 8 MiB, 256 MiB at most.
    pub max_record: usize,
    /// Bytes after which a chunk ends; 2 MiB.
    pub chunk_bytes: usize,
    /// Blocks of a table that are read by one statement; 128, which are 1 MiB.
    pub range_blocks: u64,
    /// Rows of a batch; 8,192.
    pub batch_rows: usize,
}

impl Options {
    /// The defaults.
    pub fn new(login: Login, rows: Rows) -> Self {
        Options {
            login,
            rows,
            connections: None,
            max_record: 8 << 20,
            chunk_bytes: 2 << 20,
            range_blocks: 128,
            batch_rows: 8192,
        }
    }

    pub(crate) fn place(&self) -> String {
        let server = self.login.to_string();
        match &self.rows {
            Rows::Table(table) => format!("table `{table}` in {server}"),
            // Its text may hold what a row does.
            Rows::Query(_) => format!("query of {server}"),
        }
    }
}

/// Rows of a PostgreSQL database.
///
/// A table's rows come in the order in which they lie in it, a query's as the server sends them.
/// It blocks on runtimes of its own, so it may not be used from within an async task.
///
/// | type | a column of type |
/// |---|---|
/// | `boolean` | `boolean` |
/// | `int64` | `smallint`, `integer`, `bigint` |
/// | `float64` | `real`, `double precision` |
/// | `decimal(p,s)` | `numeric`; nothing is rounded |
/// | `text` | any, as PostgreSQL writes it |
/// | `bytes` | `bytea` |
/// | `date` | `date` |
/// | `timestamp` | `timestamp with time zone`, and without one, taken as UTC |
/// | `opaque` | any whose binary form means the same in another database |
///
/// A row that does not fit is a reject of the step `source`, under one of the rules `type`,
/// `utf-8`, `too-long` and, in columns that are not nullable, `null`.
pub struct Source {
    options: Arc<Options>,
    schema: Schema,
    layout: Arc<OnceLock<Layout>>,
    size: OnceLock<Option<catalogue::Size>>,
}

impl Source {
    /// A source of these columns that has not connected yet.
    pub fn new(options: Options, schema: Schema) -> Self {
        Source {
            options: Arc::new(options),
            schema,
            layout: Arc::default(),
            size: OnceLock::new(),
        }
    }

    /// Asks the server once; only a guess comes back, so nothing is said of a failure.
    fn size(&self) -> Option<catalogue::Size> {
        let Rows::Table(table) = &self.options.rows else {
            return None;
        };
        *self.size.get_or_init(|| {
            let options = &self.options;
            let mut session = Session::open(Arc::clone(options), Arc::default()).ok()?;
            let size = session.work(async |c| catalogue::size(c, table, options).await);
            size.ok().flatten()
        })
    }
}

impl glovebox_core::Source for Source {
    fn describe(&self) -> String {
        self.options.place()
    }

    /// Host and port are left out: a standby that took over has the same rows in the same blocks.
    fn dialect(&self) -> String {
        let o = &self.options;
        format!(
            "postgres database={:?} {:?} record={} chunk={} blocks={}",
            o.login.database, o.rows, o.max_record, o.chunk_bytes, o.range_blocks
        )
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn size_bytes(&self) -> Option<u64> {
        self.size().map(|size| size.bytes)
    }

    fn estimate_rows(&self) -> Option<u64> {
        self.size()?.rows
    }

    fn identity(&self) -> Identity {
        match self.options.rows {
            Rows::Table(_) => Identity::Place,
            Rows::Query(_) => Identity::Beginning,
        }
    }

    fn is_live(&self) -> bool {
        true
    }

    fn natives(&self) -> Vec<(Arc<str>, Arc<Native>)> {
        let fields = self.schema.fields.iter();
        let layout = self.layout.get().into_iter().flat_map(|l| &l.columns);
        fields
            .zip(layout)
            .filter_map(|(field, column)| Some((field.name.clone(), column.native.clone()?)))
            .collect()
    }

    fn chunks(&self) -> Result<Box<dyn ChunkReader>, SourceError> {
        let options = &self.options;
        let mut lead = Session::open(Arc::clone(options), Arc::default())?;
        let opened = lead.work(async |c| open::open(c, options, &self.schema).await)?;
        if self.layout.get_or_init(|| opened.layout.clone()) != &opened.layout {
            return Err(SourceError::Shape {
                place: options.place(),
                problem: "its columns have changed since it was opened; run again".into(),
            });
        }
        Ok(Box::new(Chunks::new(Arc::clone(options), lead, opened)))
    }

    /// Of a table's blocks a share is drawn, whose rows come in no order of theirs, so that any part of
    /// them is of the whole table; of a view, a partitioned table and a query the first rows come.
    fn sample(&self, seed: u64) -> Result<Sampled, SourceError> {
        let size = self.size().filter(|size| size.bytes > WHOLE);
        let (Rows::Table(table), Some(size)) = (&self.options.rows, size) else {
            let chunks = self.chunks()?;
            return Ok(Sampled {
                chunks,
                is_spread: false,
            });
        };
        let name = TableName::parse(table).map_err(|problem| {
            SourceError::shape(self.options.place(), format!("its name {problem}"))
        })?;
        let rows = size.rows.filter(|rows| *rows > 0);
        let rows = rows.unwrap_or(size.bytes / USUAL_ROW).max(1);
        // A guess of the server's, and far below 2^53.
        let percent = (SAMPLED_ROWS * 100.0 / rows as f64).min(100.0);
        let within = name.schema.as_deref().map(|schema| quote(schema) + ".");
        let seed = seed % 1_000_000;
        let query = format!(
            "SELECT {} FROM ONLY {}{} TABLESAMPLE SYSTEM ({percent:.8}) REPEATABLE ({seed}) \
             ORDER BY pg_catalog.hashtextextended(ctid::text, {seed})",
            quote_all(self.schema.fields.iter().map(Field::source_name)),
            within.unwrap_or_default(),
            quote(&name.table),
        );
        let mut options = Options::clone(&self.options);
        options.rows = Rows::Query(query);
        let sampled = Source::new(options, self.schema.clone());
        Ok(Sampled {
            chunks: sampled.chunks()?,
            is_spread: true,
        })
    }

    fn undeclared(&self) -> Result<Vec<Field>, SourceError> {
        let (mut fields, _) = fields(&self.options)?;
        let declared = &self.schema.fields;
        fields.retain(|found| declared.iter().all(|f| f.source_name() != &*found.name));
        Ok(fields)
    }

    fn decoder(&self) -> Result<Box<dyn Decoder>, SourceError> {
        if self.layout.get().is_none() {
            drop(self.chunks()?);
        }
        Ok(Box::new(CopyDecoder::new(
            &self.options,
            &self.schema,
            Arc::clone(&self.layout),
        )))
    }
}
