//! The actions of a log, as far as they are read; those that are not known here are passed over. As under
//! "Actions" in the protocol.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A line of a version's file. Each has one action.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Line<'a> {
    #[serde(borrow)]
    pub(crate) add: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) remove: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) meta_data: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) protocol: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) txn: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(crate) commit_info: Option<&'a RawValue>,
}

/// A row of a checkpoint, each of its columns as JSON.
#[derive(Debug, Default, Clone, Copy)]
pub struct CheckpointRow<'a> {
    /// A file of the table.
    pub add: Option<&'a str>,
    /// What the table is.
    pub meta_data: Option<&'a str>,
    /// What one has to know to write it.
    pub protocol: Option<&'a str>,
    /// How far an application is.
    pub txn: Option<&'a str>,
}

/// What one has to know to read and to write a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Protocol {
    pub(crate) min_reader_version: u32,
    pub(crate) min_writer_version: u32,
    pub(crate) reader_features: Option<Vec<String>>,
    pub(crate) writer_features: Option<Vec<String>>,
}

/// What a table is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) schema_string: String,
    #[serde(default)]
    pub(crate) partition_columns: Vec<String>,
    pub(crate) configuration: Option<BTreeMap<String, Option<String>>>,
    pub(crate) format: Option<Format>,
}

impl Metadata {
    /// A property of the table.
    pub(crate) fn property(&self, name: &str) -> Option<&str> {
        self.configuration.as_ref()?.get(name)?.as_deref()
    }
}

/// What its files are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Format {
    pub(crate) provider: String,
}

/// A file that is added or removed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DataFile {
    pub(crate) path: String,
    pub(crate) size: Option<u64>,
    pub(crate) deletion_vector: Option<DeletionVector>,
}

/// Which of a file's rows are deleted; passed on as it was found.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct DeletionVector(BTreeMap<String, Value>);

impl DeletionVector {
    /// What tells it from others, as under "Derived Fields"; none of one that is none.
    fn id(&self) -> Option<String> {
        let text = |name: &str| self.0.get(name).and_then(Value::as_str);
        let (storage, path) = (text("storageType")?, text("pathOrInlineDv")?);
        let offset = self.0.get("offset").and_then(Value::as_i64);
        let offset = offset.map(|offset| format!("@{offset}"));
        Some(format!("{storage}{path}{}", offset.unwrap_or_default()))
    }

    /// As it is written into the action that removes its file.
    pub(crate) fn to_json(&self) -> Value {
        let present = self.0.iter().filter(|(_, value)| !value.is_null());
        present.map(|(k, v)| (k.clone(), v.clone())).collect()
    }
}

impl DataFile {
    /// What it is known by in a table, as under "Action Reconciliation".
    pub(crate) fn key(&self) -> (String, Option<String>) {
        let vector = self.deletion_vector.as_ref();
        (self.path.clone(), vector.and_then(DeletionVector::id))
    }
}

/// How far an application is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Txn {
    pub(crate) app_id: String,
    pub(crate) version: i64,
}

/// What Glovebox says of a version that it has added.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Info {
    pub(crate) glovebox: Option<Value>,
}
