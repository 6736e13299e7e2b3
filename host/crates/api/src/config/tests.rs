//! Holds the published schema and the manual's tables to the declared keys, and their defaults to what
//! may be written.

use std::path::{Path, PathBuf};

use glovebox_manifest::declare::{Schema, key_tables, with_tables};

use super::keys::Keys;
use super::{Config, json_schema};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

/// A file is to have this text; with `GLOVEBOX_BLESS` it gets it.
fn published(file: &str, fresh: &str) {
    let path = repository().join("docs").join(file);
    if std::env::var_os("GLOVEBOX_BLESS").is_some() {
        std::fs::write(&path, fresh).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == fresh,
        "docs/{file} is out of date; rewrite it with GLOVEBOX_BLESS=1"
    );
}

#[test]
fn the_published_schema_is_this_one() {
    let fresh = serde_json::to_string_pretty(&json_schema()).unwrap() + "\n";
    published("glovebox.schema.json", &fresh);
}

#[test]
fn the_manuals_tables_are_the_declared_keys() {
    let mut tables = key_tables::<Keys>();
    let manual = repository().join("docs/api.md");
    let manual = std::fs::read_to_string(manual).unwrap();
    published("api.md", &with_tables(&manual, &mut tables).unwrap());
    let left: Vec<&str> = tables.keys().copied().collect();
    // The text says what their one key is; the tables of stores are in the manifest's manual.
    let told = [
        "AppRole",
        "Aws",
        "Azure",
        "CatalogFile",
        "CertificateLogin",
        "Gcp",
        "Header",
        "KubernetesLogin",
        "LoginSecret",
        "Password",
        "Store",
        "Tls",
        "Transit",
        "Vault",
        "VaultLogin",
    ];
    assert_eq!(left, told, "blocks without a table");
}

#[test]
fn every_default_is_a_value_that_may_be_written() {
    let mut schema = Schema::default();
    schema.section::<Keys>();
    let fields = schema.fields();
    let with_default: Vec<_> = fields.filter_map(|f| Some((f, f.default?))).collect();
    assert!(with_default.len() > 30, "{}", with_default.len());
    for (field, default) in with_default {
        assert!(field.kind.accepts(default), "{}: {default}", field.key);
    }
}

#[test]
fn the_configurations_of_manual_and_data_folder_are_good() {
    let manual = std::fs::read_to_string(repository().join("docs/api.md")).unwrap();
    let (_, example) = manual.split_once("```yaml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let data = std::fs::read_to_string(repository().join("data/glovebox.yaml")).unwrap();
    for text in [example, &data] {
        if let Err(problems) = Config::read(Path::new("folder"), text) {
            let shown = glovebox_manifest::render(&problems, "glovebox.yaml", text, false);
            panic!("{shown}");
        }
    }
}
