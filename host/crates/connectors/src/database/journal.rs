//! What a journal says, read from its rows. Either database's statements list the columns in the
//! order that these functions name.

use glovebox_core::{
    ChunkRecord, Digest, Earlier, KeptReject, Known, Mark, RowCounts, RunState, SealedBlock, Seen,
};
use sqlx::Row;

use super::Mode;
use super::runner::Runner;

/// A row of either database.
pub(crate) trait JournalRow {
    /// A whole number, or null.
    fn number(&self, at: usize) -> sqlx::Result<Option<i64>>;
    /// A text, or null.
    fn text(&self, at: usize) -> sqlx::Result<Option<String>>;
    /// Bytes, or null.
    fn bytes(&self, at: usize) -> sqlx::Result<Option<Vec<u8>>>;
}

macro_rules! journal_row {
    ($row:ty) => {
        impl JournalRow for $row {
            fn number(&self, at: usize) -> sqlx::Result<Option<i64>> {
                self.try_get(at)
            }

            fn text(&self, at: usize) -> sqlx::Result<Option<String>> {
                self.try_get(at)
            }

            fn bytes(&self, at: usize) -> sqlx::Result<Option<Vec<u8>>> {
                self.try_get(at)
            }
        }
    };
}

journal_row!(sqlx::sqlite::SqliteRow);
#[cfg(feature = "postgres")]
journal_row!(sqlx::postgres::PgRow);

/// `chunk, first_row, read, stored, filtered, rejected, digest, summary, upto, lines`.
pub(crate) fn chunk(row: &impl JournalRow) -> sqlx::Result<ChunkRecord> {
    Ok(ChunkRecord {
        index: count(row, 0)?,
        first_row: count(row, 1)?,
        rows: counts(row, 2)?,
        digest: digest(row, 6)?.unwrap_or_default(),
        summary: text(row, 7)?,
        upto: mark(row, 8, 9)?,
    })
}

/// `run, plan, started, digest, lines, first_digest, first_lines, read, stored, filtered, rejected,
/// state, pipeline, parts, source, key, mode`; behind them [`runner`] and [`finished`].
pub(crate) fn earlier(row: &impl JournalRow) -> sqlx::Result<Earlier> {
    let mode = text(row, 16)?;
    Ok(Earlier {
        run: text(row, 0)?,
        plan: text(row, 1)?.as_str().into(),
        started: text(row, 2)?,
        whole: mark(row, 3, 4)?,
        beginning: mark(row, 5, 6)?,
        rows: counts(row, 7)?,
        state: match text(row, 11)?.as_str() {
            "running" => RunState::Running,
            "finished" => RunState::Finished,
            _ => RunState::Abandoned,
        },
        pipeline: text(row, 12)?,
        parts: row.text(13)?.unwrap_or_default(),
        source: text(row, 14)?,
        key: row.number(15)?.and_then(|key| key.try_into().ok()),
        appends: [Mode::Append, Mode::AppendWhole]
            .map(Mode::name)
            .contains(&mode.as_str()),
        shows_chunks: mode == Mode::Append.name(),
        living: None,
    })
}

/// `runner`, behind the columns of [`earlier`].
pub(crate) fn runner(row: &impl JournalRow) -> sqlx::Result<Runner> {
    Ok(Runner::from_json(row.text(17)?.as_deref()))
}

/// `finished`, behind that.
pub(crate) fn finished(row: &impl JournalRow) -> sqlx::Result<Option<String>> {
    row.text(18)
}

/// `run, digest, read`.
pub(crate) fn known(row: &impl JournalRow) -> sqlx::Result<Known> {
    Ok(Known {
        run: text(row, 0)?,
        digest: digest(row, 1)?.unwrap_or_default(),
        read: count(row, 2)?,
    })
}

/// How many runs began, how many ended, and the sum of their epochs.
pub(crate) fn seen(row: &impl JournalRow) -> sqlx::Result<Seen> {
    Ok(Seen {
        begun: count(row, 0)?,
        ended: count(row, 1)?,
        turns: count(row, 2)?,
    })
}

/// `row, line, violations, file`.
pub(crate) fn reject(row: &impl JournalRow) -> sqlx::Result<KeptReject> {
    Ok(KeptReject {
        row: count(row, 0)?,
        line: row.number(1)?.map(unsigned),
        violations: text(row, 2)?,
        file: row.text(3)?,
    })
}

/// `chunk, part, rows, block`.
pub(crate) fn sealed(row: &impl JournalRow) -> sqlx::Result<SealedBlock> {
    Ok(SealedBlock {
        chunk: count(row, 0)?,
        part: count(row, 1)?.try_into().unwrap_or_default(),
        rows: count(row, 2)?,
        line: text(row, 3)?,
    })
}

fn counts(row: &impl JournalRow, at: usize) -> sqlx::Result<RowCounts> {
    Ok(RowCounts {
        read: count(row, at)?,
        stored: count(row, at + 1)?,
        filtered: count(row, at + 2)?,
        rejected: count(row, at + 3)?,
    })
}

/// A digest and a count of lines, if there are both.
fn mark(row: &impl JournalRow, digest_at: usize, lines_at: usize) -> sqlx::Result<Option<Mark>> {
    let (lines, digest) = (row.number(lines_at)?, digest(row, digest_at)?);
    Ok(lines.zip(digest).map(|(lines, digest)| Mark {
        lines: unsigned(lines),
        digest,
    }))
}

fn digest(row: &impl JournalRow, at: usize) -> sqlx::Result<Option<Digest>> {
    Ok(row.bytes(at)?.and_then(|bytes| bytes.try_into().ok()))
}

fn count(row: &impl JournalRow, at: usize) -> sqlx::Result<u64> {
    there(row.number(at)?, at).map(unsigned)
}

fn text(row: &impl JournalRow, at: usize) -> sqlx::Result<String> {
    there(row.text(at)?, at)
}

fn there<T>(value: Option<T>, at: usize) -> sqlx::Result<T> {
    value.ok_or_else(|| sqlx::Error::ColumnDecode {
        index: at.to_string(),
        source: Box::new(sqlx::error::UnexpectedNullError),
    })
}

/// A count as a database keeps it. No source has 2⁶³ rows.
pub(crate) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count as we have it.
pub(crate) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
