//! Which tables rows may be added to, as under "Requirements for Writers" in the protocol: those that ask nothing of a
//! writer that is not done here.

use crate::actions::{Metadata, Protocol};
use crate::columns::shown;

/// The reader and the writer of a table whose features are named one by one.
const NAMED_READER: u32 = 3;
const NAMED_WRITER: u32 = 7;
/// The last version of readers and of writers that is known by its number.
const LAST_READER: u32 = 2;
const LAST_WRITER: u32 = 6;

/// Features that ask nothing of who adds or removes whole files, or only where they are used, which is looked at.
const KNOWN: [&str; 11] = [
    "appendOnly",
    "changeDataFeed",
    "checkConstraints",
    "columnMapping",
    "deletionVectors",
    "domainMetadata",
    "generatedColumns",
    "identityColumns",
    "invariants",
    "timestampNtz",
    "vacuumProtocolCheck",
];

/// What a new table asks for: the oldest that its types can be read with.
pub(crate) const NEW: (u32, u32) = (1, 2);

/// Whether a version may be added to a table.
///
/// # Errors
/// A sentence: what it asks for, and what to do.
pub(crate) fn check(
    protocol: &Protocol,
    metadata: &Metadata,
    replaces: bool,
) -> Result<(), String> {
    let versions = (protocol.min_reader_version, protocol.min_writer_version);
    let known = (1..=LAST_READER).contains(&versions.0) || versions.0 == NAMED_READER;
    if !known || !((1..=LAST_WRITER).contains(&versions.1) || versions.1 == NAMED_WRITER) {
        return Err(format!(
            "it asks for reader {} and writer {} of Delta's protocol, and those up to {NAMED_READER} and \
             {NAMED_WRITER} are known here; write to another table",
            versions.0, versions.1
        ));
    }
    let features = [&protocol.reader_features, &protocol.writer_features];
    let mut features = features.into_iter().flatten().flatten();
    if let Some(other) = features.find(|feature| !KNOWN.contains(&feature.as_str())) {
        return Err(format!(
            "it has the feature {}, which is not known here; write to another table",
            shown(other)
        ));
    }
    if let Some(format) = &metadata.format
        && format.provider != "parquet"
    {
        return Err("its files are not Parquet; write to another table".into());
    }
    if !metadata.partition_columns.is_empty() {
        return Err("it is partitioned, and rows are written here into one folder; write to a table without \
                    partitions"
            .into());
    }
    let mapped = metadata.property("delta.columnMapping.mode");
    if mapped.is_some_and(|mode| mode != "none") {
        return Err("its columns are mapped to other names (`delta.columnMapping.mode`), which is not done here; write \
                    to another table"
            .into());
    }
    let mut properties = metadata.configuration.iter().flat_map(|c| c.keys());
    if properties.any(|name| name.starts_with("delta.constraints.")) {
        return Err("it has a CHECK constraint, which is not checked here; write to another table, or drop the \
                    constraint"
            .into());
    }
    if replaces && metadata.property("delta.appendOnly") == Some("true") {
        return Err(
            "it is append-only (`delta.appendOnly`), so its rows cannot be replaced; write `mode: append`".into(),
        );
    }
    Ok(())
}
