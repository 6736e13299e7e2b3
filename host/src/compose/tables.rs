//! What a manifest's PostgreSQL and SQLite sinks have in common.

use glovebox_connectors::database;
use glovebox_manifest::model::{Mode, Spanned};

pub(super) fn names(columns: &[Spanned<String>]) -> Vec<String> {
    columns.iter().map(|c| c.value.clone()).collect()
}

/// The same for rows of which nothing may be there before all are.
pub(super) fn whole(mode: database::Mode) -> database::Mode {
    match mode {
        database::Mode::Append => database::Mode::AppendWhole,
        staged => staged,
    }
}

pub(super) fn table_mode(mode: Mode) -> database::Mode {
    match mode {
        Mode::Append => database::Mode::Append,
        Mode::Replace => database::Mode::Replace,
        Mode::Upsert => database::Mode::Upsert,
    }
}
