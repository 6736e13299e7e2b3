//! Files that are objects of a store: their addresses, and how the store is reached.

use std::path::PathBuf;

use glovebox_core::{ObjectUrl, SecretName, StoreKind};
use serde_json::{Value, json};

use super::misplaced::Misplaced;
use super::postgres::Tls;
use super::vault::ADDRESS;
use crate::block::Reader;
use crate::declare::{At, Kind, Schema, Section, section};
use crate::diagnostic::Diagnostic;
use crate::kinds::{Bool, Output, Own, Secret, Text, nested, path_schema};
use crate::node::{Kind as Yaml, Node};
use crate::span::{Span, Spanned};

section! {
    /// How the store of objects is reached. What is not said here is taken from the environment, as the
    /// cloud's own tools do, and at last from the machine's own role. TLS is always verified.
    #[derive(Eq)]
    pub struct StoreAccess("ObjectStore"): "the object store", "store: { region: eu-central-1, access-key-id: AKIAIOSFODNN7EXAMPLE, access-key: { secret: s3/raw } }" {
        /// A server other than the cloud's own, such as MinIO's; its URL begins with `https://`.
        endpoint: Option<String> => optional, ADDRESS, "endpoint: https://minio.internal:9000";
        /// The region of an S3 bucket; without it `AWS_REGION`, else `us-east-1`.
        region: Option<String> => optional, Text, "region: eu-central-1";
        /// Azure's storage account; without it `AZURE_STORAGE_ACCOUNT_NAME`.
        account: Option<String> => optional, Text, "account: sales";
        /// The ID of an access key of S3, which goes with `access-key`.
        access_key_id: Option<String> => optional, Text, "access-key-id: AKIAIOSFODNN7EXAMPLE";
        /// What one logs in by: the secret access key of S3, the key of Azure's account, or the JSON of a
        /// service account of Google's; by the name of its secret.
        access_key: Option<Spanned<SecretName>> => optional, ACCESS_KEY, "access-key: { secret: s3/raw }";
        /// Log in as nobody, to read what is public.
        anonymous: bool => default "false", Bool;
        /// Certificates to trust for it, besides the built-in ones.
        ca = "tls": Option<PathBuf> => empty, nested::<Tls>();
    }
    hints {
        "url" => "write `endpoint:`",
        "host" => "write `endpoint:`",
        "bucket" => "delete it: the path names it, like s3://bucket/sales.csv",
        "key-id" => "write `access-key-id:`",
        "key" => "write `access-key: { secret: NAME }`",
        "secret-access-key" => "write `access-key: { secret: NAME }`",
        "account-key" => "write `access-key: { secret: NAME }`",
        "service-account" => "write `access-key: { secret: NAME }`, of a secret that holds its JSON",
        "ca" => "write tls: { ca: FILE }",
        "skip-verify" => "delete it: the server is always verified; name its certificate authority with tls: { ca: FILE }",
    }
}

section! {
    /// A key, by the name of the secret that holds it.
    struct AccessKey("AccessKey"): "the key", "access-key: { secret: s3/raw }" {
        /// The secret.
        secret: Spanned<SecretName> => needed, Secret, "secret: s3/raw";
    }
}

/// The place of a key. The key itself is refused, and neither message nor excerpt shows it.
const ACCESS_KEY: Own<SecretName> = Own {
    read: |reader, at| {
        let named = Misplaced {
            what: "a key",
            help: "name the secret that holds it: access-key: { secret: s3/raw }, and store it with: glovebox secret set s3/raw".into(),
            note: "if this is a key, treat it as compromised and make another one",
        };
        named.refuse(reader, at)?;
        AccessKey::read(reader, at.node, at.head.clone()).map(|block| block.secret)
    },
    words: "`{ secret: NAME }`",
    schema: |schema| schema.section::<AccessKey>(),
};

/// Where a file is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// On this machine.
    File(Spanned<PathBuf>),
    /// In a store of objects.
    Object(Spanned<ObjectUrl>),
}

impl Place {
    /// Where it is named.
    pub fn span(&self) -> &Span {
        match self {
            Place::File(path) => &path.span,
            Place::Object(url) => &url.span,
        }
    }

    /// Its path, if it is a file.
    pub fn path(&self) -> Option<&Spanned<PathBuf>> {
        match self {
            Place::File(path) => Some(path),
            Place::Object(_) => None,
        }
    }

    /// Its address, if it is an object.
    pub fn object(&self) -> Option<&Spanned<ObjectUrl>> {
        match self {
            Place::File(_) => None,
            Place::Object(url) => Some(url),
        }
    }
}

/// A file to write, or an object; or a folder of them.
pub(super) struct Destination {
    pub(super) local: Output,
    pub(super) stored: Stored,
}

/// What is written in a store.
pub(super) enum Stored {
    /// An object.
    Object,
    /// Objects whose keys begin alike.
    Folder,
}

impl Kind for Destination {
    type Value = Place;

    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Place>> {
        let Some(url) = address(reader, at.node)? else {
            let path = self.local.read(reader, at)?;
            let span = path.span.clone();
            return Some(Spanned::new(Place::File(path), span));
        };
        let is_object = matches!(self.stored, Stored::Object);
        let problem = match url.value.kind() {
            StoreKind::Https => Some("what is on a web server can only be read"),
            _ if is_object && url.value.is_folder() => Some("this is a folder, not an object"),
            _ => None,
        };
        if let Some(problem) = problem {
            let help = match self.stored {
                Stored::Object => "name an object, like s3://bucket/clean.csv",
                Stored::Folder => "name a folder of a store, like s3://bucket/lake/sales",
            };
            reader.say(Diagnostic::error(url.span, problem).help(help));
            return None;
        }
        let span = url.span.clone();
        Some(Spanned::new(Place::Object(url), span))
    }

    fn words(&self) -> String {
        Kind::words(&self.local)
    }

    fn schema(&self, schema: &mut Schema) -> Value {
        let (name, description) = match self.stored {
            Stored::Object => ("Destination", "A file's path, or the address of an object."),
            Stored::Folder => (
                "TableFolder",
                "A folder's path, or the address of one in a store.",
            ),
        };
        schema.define(name, |schema| {
            let path = path_schema(schema);
            json!({
                "description": description,
                "anyOf": [{ "type": "string", "pattern": "^(s3|gs|az)://" }, path],
            })
        })
    }
}

/// The address of an object, if it is meant as one: the outer none is one that was refused.
#[expect(clippy::option_option, reason = "no address, a refused one, and one")]
pub(super) fn address(reader: &mut Reader<'_>, node: &Node) -> Option<Option<Spanned<ObjectUrl>>> {
    let Yaml::Text(text) = &node.kind else {
        return Some(None);
    };
    if text.starts_with("http://") {
        let problem = "plain http can be read and changed in transit";
        let help = "write https://";
        reader.say(Diagnostic::error(node.span.clone(), problem).help(help));
        return None;
    }
    if !ObjectUrl::is_meant(text) {
        return Some(None);
    }
    match ObjectUrl::parse(text) {
        Ok(url) => Some(Some(Spanned::new(url, node.span.clone()))),
        Err(problem) => {
            let problem = format!("the address {problem}");
            let help = "write an address like s3://bucket/folder/sales.csv, or ./ before the path of a file";
            reader.say(Diagnostic::error(node.span.clone(), problem).help(help));
            None
        }
    }
}
