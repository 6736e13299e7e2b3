//! The sink that is a Delta table: a folder, on this machine or in a store.

use glovebox_core::SecretName;

use super::file_sinks::Compression;
use super::mode::{DELTA_MODE, Mode, removals};
use super::objects::{Destination, Place, StoreAccess, Stored};
use super::postgres::IDENTITY_KEY;
use crate::declare::section;
use crate::kinds::{Bool, Output, nested, word};
use crate::span::Spanned;

section! {
    /// A Delta table: a folder of Parquet files with a log of its versions. Each run adds one version.
    pub struct DeltaSink("DeltaSink"): "the Delta sink", "delta: { path: lake/sales }" {
        /// The table's folder, on this machine or in a store: `s3://bucket/lake/sales`. It is made if it is not there.
        path: Place => needed, TABLE_FOLDER, "path: lake/sales";
        /// [How the store is reached](#object-stores) where the folder is in one.
        store: Option<StoreAccess> => optional, nested::<StoreAccess>();
        /// [What happens to existing rows](#sink).
        mode: Mode => default "append", DELTA_MODE, "mode: replace";
        /// With `replace`: whether a run without a good row removes the existing rows.
        replace_with_nothing: bool => default "false", Bool;
        /// How the pages of its files are compressed.
        compression: Compression => default "zstd", word::<Compression>();
        /// The key of the [digests of inputs](#sink).
        identity_key: Option<Spanned<SecretName>> => optional "one kept in the table's folder", IDENTITY_KEY;
    }
    hints {
        "table" => "write `path:`, the table's folder",
        "folder" => "write `path:`",
        "file" => "write `path:`",
        "columns" => "`columns:` belongs next to `delta:`, not inside it",
        "codec" => "write `compression:`",
        "partition-by" => "delete it: the rows are written without partitions",
    }
    check removals[mode];
}

/// A folder to write, which may be in a store.
const TABLE_FOLDER: Destination = Destination {
    local: Output {
        what: "a Delta table",
        note: None,
    },
    stored: Stored::Folder,
};
