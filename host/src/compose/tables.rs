//! What the sinks of both databases have in common, of what a manifest says of them.

use glovebox_connectors::database;
use glovebox_manifest::model::{Mode, Spanned};

pub(super) fn names(columns: &[Spanned<String>]) -> Vec<String> {
    columns.iter().map(|c| c.value.clone()).collect()
}

pub(super) fn table_mode(mode: Mode) -> database::Mode {
    match mode {
        Mode::Append => database::Mode::Append,
        Mode::Replace => database::Mode::Replace,
        Mode::Upsert => database::Mode::Upsert,
    }
}
