//! A log in a folder of its own: what is read of it, what is refused, and who has a version.

use std::path::Path;
use std::{fs, io};

use glovebox_core::{DataType, Field, Schema};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

/// There are none in these tests; that they are read is shown where Parquet is.
struct NoCheckpoints;

impl Checkpoints for NoCheckpoints {
    fn rows(
        &self,
        name: &str,
        columns: &[&str],
        each: &mut dyn FnMut(CheckpointRow<'_>) -> Result<(), DeltaError>,
    ) -> Result<(), DeltaError> {
        assert!(columns.contains(&"protocol"), "{name}");
        each(CheckpointRow {
            protocol: Some(r#"{"minReaderVersion":1,"minWriterVersion":2,"readerFeatures":null}"#),
            ..CheckpointRow::default()
        })?;
        each(CheckpointRow {
            meta_data: Some(&metadata("string", json!({})).to_string()),
            ..CheckpointRow::default()
        })?;
        each(CheckpointRow {
            txn: Some(r#"{"appId":"glovebox/p","version":6}"#),
            ..CheckpointRow::default()
        })?;
        each(CheckpointRow {
            add: Some(r#"{"path":"of-checkpoint.parquet","size":7,"deletionVector":null}"#),
            ..CheckpointRow::default()
        })
    }
}

fn schema() -> Schema {
    Schema::new(vec![Field::new("name", DataType::Text)])
}

fn metadata(of: &str, configuration: Value) -> Value {
    let field = json!({ "name": "name", "type": of, "nullable": true, "metadata": {} });
    let columns = json!({ "type": "struct", "fields": [field] });
    json!({
        "id": "x", "format": { "provider": "parquet" }, "schemaString": columns.to_string(),
        "partitionColumns": [], "configuration": configuration,
    })
}

fn put(folder: &TempDir, name: &str, actions: &[Value]) {
    let path = folder.path().join("_delta_log").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
    fs::write(path, lines.join("\n")).unwrap();
}

fn version(folder: &TempDir, version: u64, actions: &[Value]) {
    put(folder, &format!("{version:020}.json"), actions);
}

fn protocol(reader: u32, writer: u32, features: &[&str]) -> Value {
    let mut protocol = json!({ "minReaderVersion": reader, "minWriterVersion": writer });
    if !features.is_empty() {
        protocol["writerFeatures"] = json!(features);
    }
    json!({ "protocol": protocol })
}

fn look(folder: &Path) -> Result<Option<Table>, DeltaError> {
    let want = Want {
        app: "glovebox/p",
        files: true,
        runs: true,
    };
    read(&Local::new(folder), &NoCheckpoints, want)
}

fn change<'a>(schema: &'a Schema, added: &'a [Added]) -> Change<'a> {
    Change {
        app: "glovebox/p",
        schema,
        added,
        replaces: false,
        said: json!({ "run": "r" }),
        now: 1_795_811_143_527,
    }
}

fn added(name: &str) -> Added {
    Added {
        name: name.into(),
        size: 10,
        rows: 3,
    }
}

/// A folder in which another writer is sooner each time.
#[derive(Debug)]
struct Sooner(Local);

impl Folder for Sooner {
    fn list(&self, folder: &str) -> io::Result<Vec<Box<dyn Entry>>> {
        self.0.list(folder)
    }

    fn read(&self, name: &str) -> io::Result<Option<Box<dyn io::Read + Send>>> {
        self.0.read(name)
    }

    fn put_new(&self, name: &str, bytes: &[u8]) -> io::Result<bool> {
        self.0
            .put_new(name, br#"{"add":{"path":"theirs.parquet"}}"#)?;
        self.0.put_new(name, bytes)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn Fresh>> {
        self.0.create(name)
    }

    fn discard(&self, name: &str) {
        self.0.discard(name);
    }

    fn discard_folder(&self, name: &str) {
        self.0.discard_folder(name);
    }
}

fn never(_: &Value) -> Option<String> {
    None
}

fn refusal<T: std::fmt::Debug>(result: Result<T, DeltaError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn versions_are_added_one_behind_the_other_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("t");
    assert!(look(&table).unwrap().is_none());
    let local = Local::new(&table);
    let (schema, files) = (schema(), [added("a.parquet")]);
    assert_eq!(
        commit(&local, None, &change(&schema, &files), &never).unwrap(),
        0
    );
    let first = look(&table).unwrap().unwrap();
    assert_eq!((first.version, first.txn, first.files()), (0, Some(0), 1));
    assert_eq!(
        first.takes(&schema, true).unwrap(),
        Fitted {
            not_null: vec![false]
        }
    );
    assert_eq!(first.runs[0].said, json!({ "run": "r" }));
    let more = [added("b.parquet")];
    let replacing = Change {
        replaces: true,
        ..change(&schema, &more)
    };
    assert_eq!(commit(&local, Some(&first), &replacing, &never).unwrap(), 1);
    let second = look(&table).unwrap().unwrap();
    assert_eq!(
        (second.version, second.txn, second.files()),
        (1, Some(1), 1)
    );
    assert_eq!(second.files.values().next().unwrap().path, "b.parquet");
    let said: Vec<u64> = second.runs.iter().map(|ran| ran.version).collect();
    assert_eq!(said, [1, 0], "the last first");
    let text = fs::read_to_string(table.join(name_of(0))).unwrap();
    assert!(text.contains(r#""stats":"{\"numRecords\":3}""#) && !text.contains("minValues"));
    // Nothing but the log is left.
    let left: Vec<_> = fs::read_dir(table.join("_delta_log")).unwrap().collect();
    assert_eq!(left.len(), 2);
}

#[test]
fn of_many_at_once_each_has_a_version_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (schema, files) = (schema(), [added("a.parquet")]);
    commit(
        &Local::new(folder.path()),
        None,
        &change(&schema, &files),
        &never,
    )
    .unwrap();
    let mut versions: Vec<u64> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let (schema, files, folder) = (&schema, &files, &folder);
                scope.spawn(move || {
                    let app = format!("glovebox/{writer}");
                    let local = Local::new(folder.path());
                    let one = || {
                        let base = look(folder.path()).unwrap();
                        let change = Change {
                            app: &app,
                            ..change(schema, files)
                        };
                        commit(&local, base.as_ref(), &change, &never).unwrap()
                    };
                    (0..20).map(|_| one()).collect::<Vec<u64>>()
                })
            })
            .collect();
        writers
            .into_iter()
            .flat_map(|writer| writer.join().unwrap())
            .collect()
    });
    versions.sort_unstable();
    assert_eq!(versions, (1..=160).collect::<Vec<u64>>());
}

#[test]
fn what_others_add_in_between_is_in_the_way_or_not() {
    let (schema, files) = (schema(), [added("a.parquet")]);
    let add = json!({ "add": { "path": "theirs.parquet", "size": 1, "dataChange": true } });
    let mine = json!({ "txn": { "appId": "glovebox/p", "version": 1 } });
    let other = json!({ "txn": { "appId": "glovebox/other", "version": 1 } });
    let said = json!({ "commitInfo": { "glovebox": { "input": 7 } } });
    let metadata = json!({ "metaData": metadata("string", json!({})) });
    for (theirs, replaces, refused) in [
        (vec![add.clone()], false, None),
        (vec![add.clone(), other.clone()], false, None),
        (vec![add.clone()], true, Some("added or removed rows")),
        (vec![other.clone()], true, None),
        (vec![mine], false, Some("another run of this pipeline")),
        (vec![metadata], false, Some("columns or properties")),
        (
            vec![protocol(1, 3, &[])],
            false,
            Some("columns or properties"),
        ),
        (vec![said, add], false, Some("the same input")),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let local = Local::new(folder.path());
        commit(&local, None, &change(&schema, &files), &never).unwrap();
        let base = look(folder.path()).unwrap();
        version(&folder, 1, &theirs);
        let ours = Change {
            replaces,
            ..change(&schema, &files)
        };
        let same = |said: &Value| (said["input"] == 7).then(|| "the same input".to_owned());
        let added = commit(&local, base.as_ref(), &ours, &same);
        match refused {
            None => assert_eq!(added.unwrap(), 2, "{theirs:?}"),
            Some(words) => {
                let refused = refusal(added);
                assert!(refused.contains(words), "{refused}");
                assert!(!folder.path().join(name_of(2)).exists());
            }
        }
    }
    // A table that another one has made in the meantime.
    let folder = tempfile::tempdir().unwrap();
    let local = Local::new(folder.path());
    commit(&local, None, &change(&schema, &files), &never).unwrap();
    let second = Change {
        app: "glovebox/q",
        ..change(&schema, &files)
    };
    let refused = refusal(commit(&local, None, &second, &never));
    assert!(refused.contains("has made the table"), "{refused}");
}

#[test]
fn a_log_is_read_from_its_last_whole_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let add = |path: &str| json!({ "add": { "path": path, "size": 1 } });
    let remove = |path: &str| json!({ "remove": { "path": path } });
    // Cleaned up before the checkpoint, but for what Glovebox has said; a part of a later one is missing.
    let said = json!({ "commitInfo": { "glovebox": { "run": "early" } } });
    version(&folder, 8, &[said, add("gone.parquet")]);
    put(&folder, "00000000000000000009.checkpoint.parquet", &[]);
    version(
        &folder,
        10,
        &[add("ten.parquet"), remove("of-checkpoint.parquet")],
    );
    put(
        &folder,
        "00000000000000000010.checkpoint.0000000001.0000000002.parquet",
        &[],
    );
    for ignored in [
        "_last_checkpoint",
        "00000000000000000010.crc",
        "1.json",
        ".00000000000000000011.json",
    ] {
        put(&folder, ignored, &[json!("nothing")]);
    }
    let table = look(folder.path()).unwrap().unwrap();
    assert_eq!((table.version, table.txn, table.files()), (10, Some(6), 1));
    assert!(table.files.keys().any(|(path, _)| path == "ten.parquet"));
    assert_eq!(table.runs[0].said["run"], "early");
    table.takes(&schema(), true).unwrap();
    version(&folder, 12, &[add("twelve.parquet")]);
    let refused = refusal(look(folder.path()));
    assert!(
        refused.contains("00000000000000000011.json") && refused.contains("is missing"),
        "{refused}"
    );
}

#[test]
fn a_file_with_deleted_rows_is_removed_as_it_was_added() {
    let folder = tempfile::tempdir().unwrap();
    let vector = json!({ "storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "offset": 4, "sizeInBytes": 40, "cardinality": 2 });
    let with = json!({ "path": "a.parquet", "size": 1, "deletionVector": vector });
    version(
        &folder,
        0,
        &[
            protocol(1, 2, &[]),
            json!({ "metaData": metadata("string", json!({})) }),
            json!({ "add": { "path": "a.parquet", "size": 1 } }),
        ],
    );
    // The same file, once with and once without the deleted rows.
    version(
        &folder,
        1,
        &[
            json!({ "remove": { "path": "a.parquet" } }),
            json!({ "add": with }),
        ],
    );
    let base = look(folder.path()).unwrap().unwrap();
    assert_eq!(base.files(), 1);
    let schema = schema();
    let ours = Change {
        replaces: true,
        ..change(&schema, &[])
    };
    commit(&Local::new(folder.path()), Some(&base), &ours, &never).unwrap();
    let text = fs::read_to_string(folder.path().join(name_of(2))).unwrap();
    let removed: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| !line["remove"].is_null())
        .collect();
    assert_eq!(removed.len(), 1);
    assert_eq!(removed[0]["remove"]["deletionVector"], vector);
    assert_eq!(look(folder.path()).unwrap().unwrap().files(), 0);
}

#[test]
fn tables_that_ask_for_what_is_not_done_here_are_refused() {
    let fine = metadata("string", json!({}));
    let of = |configuration: Value| metadata("string", configuration);
    let mut partitioned = fine.clone();
    partitioned["partitionColumns"] = json!(["name"]);
    let mut orc = fine.clone();
    orc["format"]["provider"] = json!("orc");
    let asking = |key: &str| {
        let mut asking = fine.clone();
        let field =
            json!({ "name": "name", "type": "string", "nullable": true, "metadata": { key: "x" } });
        asking["schemaString"] = json!(json!({ "type": "struct", "fields": [field] }).to_string());
        asking
    };
    let not_null = |name: &str| {
        let mut found = fine.clone();
        let ours = json!({ "name": "name", "type": "string", "nullable": true, "metadata": {} });
        let theirs = json!({ "name": name, "type": "long", "nullable": false, "metadata": {} });
        found["schemaString"] =
            json!(json!({ "type": "struct", "fields": [ours, theirs] }).to_string());
        found
    };
    for (protocol, metadata, refused) in [
        (protocol(1, 2, &[]), fine.clone(), None),
        (protocol(2, 6, &[]), fine.clone(), None),
        (
            protocol(3, 7, &["appendOnly", "deletionVectors"]),
            fine.clone(),
            None,
        ),
        (
            protocol(1, 2, &[]),
            of(json!({ "delta.columnMapping.mode": "none" })),
            None,
        ),
        (
            protocol(4, 7, &[]),
            fine.clone(),
            Some("reader 4 and writer 7"),
        ),
        (
            protocol(1, 8, &[]),
            fine.clone(),
            Some("reader 1 and writer 8"),
        ),
        (
            protocol(3, 7, &["rowTracking"]),
            fine.clone(),
            Some("the feature `rowTracking`"),
        ),
        (
            protocol(3, 7, &["a\u{1b}[31m"]),
            fine.clone(),
            Some("with a long or strange name"),
        ),
        (protocol(1, 2, &[]), partitioned, Some("partitioned")),
        (protocol(1, 2, &[]), orc, Some("not Parquet")),
        (
            protocol(2, 5, &[]),
            of(json!({ "delta.columnMapping.mode": "name" })),
            Some("mapped to other names"),
        ),
        (
            protocol(1, 3, &[]),
            of(json!({ "delta.constraints.positive": "price > 0" })),
            Some("a CHECK constraint"),
        ),
        (
            protocol(1, 2, &[]),
            of(json!({ "delta.appendOnly": "true" })),
            Some("append-only"),
        ),
        (
            protocol(1, 2, &[]),
            asking("delta.invariants"),
            Some("an invariant"),
        ),
        (
            protocol(1, 4, &[]),
            asking("delta.generationExpression"),
            Some("is generated"),
        ),
        (
            protocol(1, 6, &[]),
            asking("delta.identity.start"),
            Some("numbered by the table"),
        ),
        (
            protocol(1, 2, &[]),
            not_null("id"),
            Some("`id` takes no null"),
        ),
        (
            protocol(1, 2, &[]),
            super::tests::metadata("long", json!({})),
            Some("is `long`"),
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        version(&folder, 0, &[protocol, json!({ "metaData": metadata })]);
        let table = look(folder.path()).unwrap().unwrap();
        let taken = table.takes(&schema(), true);
        match refused {
            None => assert!(taken.is_ok(), "{taken:?}"),
            Some(words) => {
                let refused = taken.unwrap_err();
                assert!(refused.contains(words), "{refused}");
                assert!(!refused.contains('\u{1b}'));
            }
        }
    }
}

#[test]
fn columns_that_no_table_has_are_refused() {
    let of = |names: &[&str]| {
        let fields = names.iter().map(|name| Field::new(*name, DataType::Int64));
        can_hold(&Schema::new(fields.collect()))
    };
    assert!(of(&["id", "größe", "a.b"]).is_ok());
    for (names, words) in [
        (&[][..], "no columns"),
        (&["unit price"], "a space"),
        (&["a=b"], "a space or one of"),
        (&["id", "ID"], "upper from lower case"),
    ] {
        let refused = of(names).unwrap_err();
        assert!(refused.contains(words), "{refused}");
    }
    let opaque = Schema::new(vec![Field::new("x", DataType::Opaque)]);
    assert!(can_hold(&opaque).is_err());
}

#[test]
fn a_log_that_is_none_is_told_of_without_its_text() {
    let fine = [
        protocol(1, 2, &[]),
        json!({ "metaData": metadata("string", json!({})) }),
    ];
    for (name, text) in [
        ("not json", "canary-5512".to_owned()),
        (
            "of another kind",
            r#"{"protocol":"canary-5512"}"#.to_owned(),
        ),
        ("a file", r#"{"add":{"path":["canary-5512"]}}"#.to_owned()),
        (
            "a long line",
            format!("{{\"x\":\"canary-5512{}\"}}", "x".repeat(17 << 20)),
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        version(&folder, 0, &fine);
        fs::write(folder.path().join(name_of(1)), text).unwrap();
        let refused = refusal(look(folder.path()));
        assert!(
            refused.contains("00000000000000000001.json"),
            "{name}: {refused}"
        );
        assert!(!refused.contains("canary"), "{name}: {refused}");
    }
    let folder = tempfile::tempdir().unwrap();
    version(&folder, 0, &fine[..1]);
    assert!(refusal(look(folder.path())).contains("does not say its columns"));
}

#[test]
fn what_is_its_own_only_its_owner_reads() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let local = Local::new(folder.path());
    assert!(local.put_new("_glovebox/identity-key", b"k").unwrap());
    assert!(!local.put_new("_glovebox/identity-key", b"other").unwrap());
    let mode = |name: &str| {
        let found = fs::metadata(folder.path().join(name)).unwrap();
        found.permissions().mode() & 0o777
    };
    assert_eq!(mode("_glovebox"), 0o700);
    // One that is not kept goes.
    drop(local.create("part.parquet").unwrap());
    assert!(!folder.path().join("part.parquet").exists());
}

#[test]
fn every_limit_is_reached_with_a_sentence() {
    let fine = [
        protocol(1, 2, &[]),
        json!({ "metaData": metadata("string", json!({})) }),
    ];
    // Too many files to be replaced.
    let folder = tempfile::tempdir().unwrap();
    version(&folder, 0, &fine);
    let lines = (0..=200_000).map(|i| format!("{{\"add\":{{\"path\":\"{i}\"}}}}\n"));
    fs::write(folder.path().join(name_of(1)), lines.collect::<String>()).unwrap();
    assert!(refusal(look(folder.path())).contains("more than 200000 files"));

    // Too many columns.
    let folder = tempfile::tempdir().unwrap();
    let field =
        |i| json!({ "name": format!("c{i}"), "type": "string", "nullable": true, "metadata": {} });
    let columns: Vec<Value> = (0..=10_000).map(field).collect();
    let mut wide = metadata("string", json!({}));
    wide["schemaString"] = json!(json!({ "type": "struct", "fields": columns }).to_string());
    version(
        &folder,
        0,
        &[protocol(1, 2, &[]), json!({ "metaData": wide })],
    );
    let table = look(folder.path()).unwrap().unwrap();
    let refused = table.takes(&schema(), false).unwrap_err();
    assert!(refused.contains("more than 10000 columns"), "{refused}");

    // Others that are always sooner.
    let folder = tempfile::tempdir().unwrap();
    version(&folder, 0, &fine);
    let base = look(folder.path()).unwrap();
    let (schema, files) = (schema(), [added("a.parquet")]);
    let ours = change(&schema, &files);
    let sooner = Sooner(Local::new(folder.path()));
    let refused = refusal(commit(&sooner, base.as_ref(), &ours, &never));
    assert!(refused.contains("100 times"), "{refused}");
    assert_eq!(look(folder.path()).unwrap().unwrap().version, 100);

    // Runs of long ago.
    let folder = tempfile::tempdir().unwrap();
    let said = |run: u64| json!({ "commitInfo": { "glovebox": { "run": run } } });
    put(&folder, "00000000000000000250.checkpoint.parquet", &[]);
    for earlier in 0..=251 {
        version(&folder, earlier, &[said(earlier)]);
    }
    let runs = look(folder.path()).unwrap().unwrap().runs;
    let versions: Vec<u64> = runs.iter().map(|ran| ran.version).collect();
    assert_eq!(versions, (52..=251).rev().collect::<Vec<u64>>());
    assert_eq!(versions.len() as u64, LOOKED_AT);
}
