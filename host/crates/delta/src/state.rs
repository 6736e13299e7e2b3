//! What a table is by the actions of its log, one after the other, as under "Action Reconciliation" in the protocol.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::actions::{CheckpointRow, DataFile, Info, Line, Metadata, Protocol, Txn};
use crate::error::DeltaError;

/// The most files of a table whose rows are replaced: each is named in memory, and in the version that removes it.
const MAX_FILES: usize = 200_000;

/// A table, as far as its log was read.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) protocol: Option<Protocol>,
    pub(crate) metadata: Option<Metadata>,
    /// How far our application is.
    pub(crate) txn: Option<i64>,
    /// Its files; only if they were asked for.
    pub(crate) files: BTreeMap<(String, Option<String>), DataFile>,
}

/// What is kept of a log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keeps<'a> {
    /// The application whose transactions are.
    pub(crate) app: &'a str,
    /// Whether the files are.
    pub(crate) files: bool,
}

/// What is said beside a version's actions.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// What Glovebox says of its own.
    pub(crate) ours: Option<Value>,
    /// Whether it adds or removes files.
    pub(crate) files: bool,
    /// Whether it changes what the table is.
    pub(crate) table: bool,
    /// Whether our application has its part in it.
    pub(crate) app: bool,
}

impl State {
    /// A line of a version's file, which `name` is.
    pub(crate) fn line(
        &mut self,
        line: &[u8],
        keeps: Keeps<'_>,
        said: &mut Said,
        name: &str,
    ) -> Result<(), DeltaError> {
        let line: Line<'_> =
            serde_json::from_slice(line).map_err(|_| unreadable(name, "an action"))?;
        if let Some(info) = line.commit_info {
            // Anything may be in it, as anybody can write there.
            let info: Info = serde_json::from_str(info.get()).unwrap_or_default();
            said.ours = info.glovebox.or(said.ours.take());
        }
        said.files |= line.add.is_some() || line.remove.is_some();
        said.table |= line.protocol.is_some() || line.meta_data.is_some();
        let text = |raw: Option<&'_ RawValue>| raw.map(|raw| raw.get().to_owned());
        if keeps.files
            && let Some(removed) = text(line.remove)
        {
            let removed: DataFile = parsed(&removed, name, "a file that is removed")?;
            self.files.remove(&removed.key());
        }
        let txn = self.row(
            CheckpointRow {
                add: line.add.map(RawValue::get),
                meta_data: line.meta_data.map(RawValue::get),
                protocol: line.protocol.map(RawValue::get),
                txn: line.txn.map(RawValue::get),
            },
            keeps,
            name,
        )?;
        said.app |= txn;
        Ok(())
    }

    /// A row of a checkpoint, or what a line has in common with one; whether it is of our application.
    pub(crate) fn row(
        &mut self,
        row: CheckpointRow<'_>,
        keeps: Keeps<'_>,
        name: &str,
    ) -> Result<bool, DeltaError> {
        if let Some(protocol) = row.protocol {
            self.protocol = Some(parsed(protocol, name, "its protocol")?);
        }
        if let Some(metadata) = row.meta_data {
            self.metadata = Some(parsed(metadata, name, "its metadata")?);
        }
        if keeps.files
            && let Some(added) = row.add
        {
            let added: DataFile = parsed(added, name, "a file")?;
            self.files.insert(added.key(), added);
            if self.files.len() > MAX_FILES {
                return Err(DeltaError::Unfit(format!(
                    "it has more than {MAX_FILES} files, too many to be replaced here; let its owner compact it \
                     (`OPTIMIZE`)"
                )));
            }
        }
        let Some(txn) = row.txn else {
            return Ok(false);
        };
        let txn: Txn = parsed(txn, name, "a transaction")?;
        let ours = txn.app_id == keeps.app;
        if ours {
            self.txn = Some(txn.version);
        }
        Ok(ours)
    }
}

fn parsed<'a, T: Deserialize<'a>>(text: &'a str, name: &str, what: &str) -> Result<T, DeltaError> {
    serde_json::from_str(text).map_err(|_| unreadable(name, what))
}

fn unreadable(name: &str, what: &str) -> DeltaError {
    DeltaError::broken(
        name,
        &format!("cannot be read: {what} in it is not as Delta's protocol says"),
    )
}
