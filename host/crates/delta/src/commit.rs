//! Adds a version to a table: one file of the log, put where there is none, so that of two writers one has it and the
//! other sees that. As under "Creation of New Log Entries" in the protocol.

use std::io::Read;

use glovebox_core::Schema;
use serde_json::{Value, json};

use crate::actions::DeletionVector;
use crate::columns::schema_string;
use crate::error::DeltaError;
use crate::folder::Folder;
use crate::log::{Table, name_of, read_version};
use crate::protocol::NEW;
use crate::state::{Keeps, Said, State};

/// How often others may be sooner before this one gives up.
const ATTEMPTS: usize = 100;

/// A file of rows that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// Its name in the table's folder, without a sign that would have to be escaped.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its rows.
    pub rows: u64,
}

/// A version that is to be added.
#[derive(Debug)]
pub struct Change<'a> {
    /// The application that adds it; it adds no two at once.
    pub app: &'a str,
    /// The columns, should there be no table yet.
    pub schema: &'a Schema,
    /// The new files.
    pub added: &'a [Added],
    /// Whether the others go.
    pub replaces: bool,
    /// What is to be said of it.
    pub said: Value,
    /// Now, in milliseconds since 1970.
    pub now: i64,
}

/// Adds the version behind `base`, or a later one if others have added theirs and nothing of them matters. `same` says
/// of what Glovebox has said of another version why this one must not be added beside it.
///
/// # Errors
/// When others have changed what this one was made for; when it cannot be written, or whether it was cannot be told.
pub fn commit(
    folder: &dyn Folder,
    base: Option<&Table>,
    change: &Change<'_>,
    same: &dyn Fn(&Value) -> Option<String>,
) -> Result<u64, DeltaError> {
    let bytes = lines(base, change)?;
    let mut version = base.map_or(0, |table| table.version + 1);
    for _ in 0..ATTEMPTS {
        let name = name_of(version);
        if put(folder, &name, &bytes)? {
            return Ok(version);
        }
        // All that are there by now: whoever went on one by one would come too late each time. There may be none, where
        // a store has refused for the sake of a request that then failed.
        while let Some(said) = theirs(folder, &name_of(version), change.app)? {
            unless_conflicting(base, change, &said, same)?;
            version += 1;
        }
    }
    Err(DeltaError::Conflict(format!(
        "others have added versions {ATTEMPTS} times just before this one could be; nothing was added: run again"
    )))
}

/// Puts a whole file where there is none, and says whether it is this one that is there. If no answer tells, it looks.
///
/// # Errors
/// When it cannot be written, or whether it was cannot be told.
pub fn put(folder: &dyn Folder, name: &str, bytes: &[u8]) -> Result<bool, DeltaError> {
    let problem = match folder.put_new(name, bytes) {
        Ok(put) => return Ok(put),
        Err(problem) => problem,
    };
    let there = folder.read(name).and_then(|there| {
        let Some(there) = there else {
            return Ok(None);
        };
        let mut found = Vec::new();
        there.take(bytes.len() as u64 + 1).read_to_end(&mut found)?;
        Ok(Some(found == bytes))
    });
    let name = name.to_owned();
    match there {
        Ok(Some(ours)) => Ok(ours),
        Ok(None) => Err(DeltaError::Io { name, problem }),
        Err(_) => Err(DeltaError::Unknown { name, problem }),
    }
}

/// What another writer's version is, if it is there.
fn theirs(folder: &dyn Folder, name: &str, app: &str) -> Result<Option<Said>, DeltaError> {
    let there = folder.read(name).map_err(DeltaError::io(name))?;
    let keeps = Keeps { app, files: false };
    let read = there.map(|there| read_version(there, name, keeps, &mut State::default()));
    read.transpose()
}

fn unless_conflicting(
    base: Option<&Table>,
    change: &Change<'_>,
    theirs: &Said,
    same: &dyn Fn(&Value) -> Option<String>,
) -> Result<(), DeltaError> {
    let conflict = |what: &str| {
        Err(DeltaError::Conflict(format!(
            "{what} since this run began; nothing was added: run again"
        )))
    };
    if theirs.app {
        return conflict("another run of this pipeline has added its rows");
    }
    if base.is_none() {
        return conflict("another program has made the table");
    }
    if theirs.table {
        return conflict("another program has changed the table's columns or properties");
    }
    if change.replaces && theirs.files {
        return conflict(
            "another program has added or removed rows, which replacing them would undo,",
        );
    }
    match theirs.ours.as_ref().and_then(same) {
        Some(why) => conflict(&why),
        None => Ok(()),
    }
}

/// The version's file.
fn lines(base: Option<&Table>, change: &Change<'_>) -> Result<Vec<u8>, DeltaError> {
    let mut bytes = Vec::new();
    let mut line = |action: Value| {
        bytes.extend_from_slice(action.to_string().as_bytes());
        bytes.push(b'\n');
    };
    let mode = if change.replaces {
        "Overwrite"
    } else {
        "Append"
    };
    line(json!({ "commitInfo": {
        "timestamp": change.now,
        "operation": "WRITE",
        "operationParameters": { "mode": mode, "partitionBy": "[]" },
        "isBlindAppend": !change.replaces,
        "engineInfo": concat!("glovebox/", env!("CARGO_PKG_VERSION")),
        "glovebox": change.said,
    }}));
    if base.is_none() {
        line(json!({ "protocol": { "minReaderVersion": NEW.0, "minWriterVersion": NEW.1 } }));
        line(json!({ "metaData": {
            "id": uuid()?,
            "format": { "provider": "parquet", "options": {} },
            "schemaString": schema_string(change.schema),
            "partitionColumns": [],
            "configuration": {},
            "createdTime": change.now,
        }}));
    }
    let before = base.and_then(|table| table.txn);
    line(json!({ "txn": {
        "appId": change.app,
        "version": before.map_or(0, |version| version.saturating_add(1)),
        "lastUpdated": change.now,
    }}));
    let removed = base.filter(|_| change.replaces);
    for file in removed.into_iter().flat_map(|table| table.files.values()) {
        let vector = file.deletion_vector.as_ref();
        let mut remove = json!({
            "path": file.path,
            "deletionTimestamp": change.now,
            "dataChange": true,
            "extendedFileMetadata": true,
            "partitionValues": {},
            "size": file.size,
            "deletionVector": vector.map(DeletionVector::to_json),
        });
        // What is not there is left out, and not null.
        if let Some(fields) = remove.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        line(json!({ "remove": remove }));
    }
    for file in change.added {
        line(json!({ "add": {
            "path": file.name,
            "partitionValues": {},
            "size": file.size,
            "modificationTime": change.now,
            "dataChange": true,
            // No least and greatest values: they are cells.
            "stats": json!({ "numRecords": file.rows }).to_string(),
        }}));
    }
    Ok(bytes)
}

/// A random UUID, of version 4.
fn uuid() -> Result<String, DeltaError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|_| DeltaError::Io {
        name: "the table's name".into(),
        problem: std::io::Error::other("the system has no random numbers"),
    })?;
    let [.., a, _, b, _, _, _, _, _, _, _] = &mut bytes;
    *a = *a & 0x0f | 0x40;
    *b = *b & 0x3f | 0x80;
    let hex = glovebox_core::hex(bytes);
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().to_owned();
    Ok([
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ]
    .join("-"))
}
