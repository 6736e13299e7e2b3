//! The sink that is a Delta table: a folder, on this machine or in a store.

use std::path::PathBuf;

use glovebox_core::{SecretName, StoreKind};
use serde_json::{Value, json};

use super::file_sinks::Compression;
use super::mode::{DELTA_MODE, Mode, removals};
use super::objects::{Place, StoreAccess, address};
use super::postgres::IDENTITY_KEY;
use crate::block::Reader;
use crate::declare::{At, Kind, Schema, section};
use crate::diagnostic::Diagnostic;
use crate::kinds::{Bool, Output, nested, path_schema, word};
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
const TABLE_FOLDER: Folder = Folder(Output {
    what: "a Delta table",
    note: None,
});

struct Folder(Output);

impl Kind for Folder {
    type Value = Place;

    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Place>> {
        let Some(url) = address(reader, at.node)? else {
            let path: Spanned<PathBuf> = self.0.read(reader, at)?;
            let span = path.span.clone();
            return Some(Spanned::new(Place::File(path), span));
        };
        if url.value.kind() == StoreKind::Https {
            let problem = "what is on a web server can only be read";
            let help = "name a folder of a store, like s3://bucket/lake/sales";
            reader.say(Diagnostic::error(url.span, problem).help(help));
            return None;
        }
        let span = url.span.clone();
        Some(Spanned::new(Place::Object(url), span))
    }

    fn words(&self) -> String {
        Kind::words(&self.0)
    }

    fn schema(&self, schema: &mut Schema) -> Value {
        schema.define("TableFolder", |schema| {
            let path = path_schema(schema);
            json!({
                "description": "A folder's path, or the address of one in a store.",
                "anyOf": [{ "type": "string", "pattern": "^(s3|gs|az)://" }, path],
            })
        })
    }
}
