//! Tables in a folder of this machine: made, added to, replaced, and those that others have made.

use std::fs;

use super::{
    CANARY, COLUMNS, as_csv, deltalake, lines, manifest, pipeline, python, quiet, rows, sorted,
};

#[test]
fn deltalake_reads_the_rows_that_the_csv_sink_writes() {
    let Some(deltalake) = deltalake() else {
        return;
    };
    let csv = format!(
        "{}x,no number,1,1,2027-01-01,2027-01-01T00:00:00Z,true,\\x00\n",
        rows(0, 3000)
    );
    let pipeline = pipeline("delta: { path: lake/t }", &csv);
    let ran = quiet(pipeline.run()).ends_with(0);
    assert_eq!((ran.rows("stored"), ran.rows("rejected")), (3000, 1));
    let table = python(&deltalake, &pipeline, &["rows"]);
    assert_eq!(lines(&table), as_csv(&csv));
    assert_eq!(
        (table["version"].as_u64(), table["files"].as_u64()),
        (Some(0), Some(1))
    );
    let types = [
        ("id", "long"),
        ("name", "string"),
        ("price", "decimal(10,2)"),
        ("share", "double"),
        ("day", "date"),
        ("at", "timestamp"),
        ("ok", "boolean"),
        ("raw", "binary"),
    ];
    for (column, of) in types {
        assert_eq!(table["types"][column], of, "{column}");
    }
    // Neither the log nor what is kept beside it has a cell.
    let kept = fs::read_dir(pipeline.path("lake/t/_glovebox/runs")).unwrap();
    let kept = kept.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    let log = pipeline.read("lake/t/_delta_log/00000000000000000000.json");
    for text in kept.chain([log]) {
        assert!(
            !text.contains(CANARY) && !text.contains("no number"),
            "{text}"
        );
    }
}

#[test]
fn rows_are_added_and_replaced_before_and_after_a_checkpoint() {
    let Some(deltalake) = deltalake() else {
        return;
    };
    let (first, second, third) = (rows(0, 500), rows(500, 300), rows(1000, 200));
    let pipeline = pipeline("delta: { path: lake/t }", &first);
    pipeline.run().ends_with(0);
    python(&deltalake, &pipeline, &["checkpoint"]);
    pipeline.write("in.csv", &second);
    pipeline.run().ends_with(0);
    let table = python(&deltalake, &pipeline, &["rows"]);
    let both = sorted([as_csv(&first), as_csv(&second)].concat());
    assert_eq!(sorted(lines(&table)), both);
    // The same once more is known, though the log before the checkpoint is gone.
    quiet(pipeline.run())
        .ends_with(2)
        .says("has already added the rows of this input");
    let finished = pipeline.run_with(&["--resume"]).ends_with(0);
    assert_eq!(finished.rows("stored"), 300);
    python(&deltalake, &pipeline, &["checkpoint"]);
    fs::remove_file(pipeline.path("lake/t/_delta_log/00000000000000000000.json")).unwrap();
    let replacing = manifest(
        "days",
        "delta: { path: lake/t, mode: replace, compression: snappy }",
    );
    pipeline.write("manifest.yaml", &replacing);
    pipeline.write("in.csv", &third);
    pipeline.run().ends_with(0);
    let table = python(&deltalake, &pipeline, &["rows"]);
    assert_eq!(lines(&table), as_csv(&third));
    assert_eq!(table["version"], 2);
    // Whoever cleans up leaves what belongs to the table, and what is ours.
    let gone = python(&deltalake, &pipeline, &["vacuum"]);
    assert_eq!(gone.as_array().unwrap().len(), 2, "{gone}");
    assert_eq!(
        lines(&python(&deltalake, &pipeline, &["rows"])),
        as_csv(&third)
    );
    // Cleaning up has added two versions. A run without a good row takes no row away.
    pipeline.write("in.csv", "id,name,price,share,day,at,ok,raw\nx,,,,,,,\n");
    pipeline.run().ends_with(3);
    let table = python(&deltalake, &pipeline, &["rows"]);
    assert_eq!(
        (table["version"].as_u64(), lines(&table).len()),
        (Some(4), 200)
    );
    let emptying = replacing.replace(
        "mode: replace,",
        "mode: replace, replace-with-nothing: true,",
    );
    pipeline.write("manifest.yaml", emptying);
    pipeline.run().ends_with(0);
    let table = python(&deltalake, &pipeline, &["rows"]);
    assert_eq!(
        (table["version"].as_u64(), lines(&table).len()),
        (Some(5), 0)
    );
}

#[test]
fn a_longer_input_adds_its_new_rows_and_rejects_are_told_again() {
    let Some(deltalake) = deltalake() else {
        return;
    };
    let bad = "x,,,,,,,\n";
    let pipeline = pipeline("delta: { path: lake/t }", &format!("{}{bad}", rows(0, 500)));
    pipeline.run().ends_with(0);
    let rejects = pipeline.read("rejects.jsonl");
    fs::remove_file(pipeline.path("rejects.jsonl")).unwrap();
    pipeline.run_with(&["--resume"]).ends_with(0);
    assert_eq!(
        pipeline.read("rejects.jsonl"),
        rejects,
        "of a run that was killed before it wrote them"
    );
    let more = rows(500, 100);
    let longer = format!("{}{bad}{}", rows(0, 500), more.split_once('\n').unwrap().1);
    pipeline.write("in.csv", longer);
    quiet(pipeline.run()).ends_with(2);
    let ran = pipeline.run_with(&["--only-new"]).ends_with(0);
    assert_eq!(ran.rows("stored"), 100);
    let table = python(&deltalake, &pipeline, &["rows"]);
    assert_eq!(
        sorted(lines(&table)),
        sorted([as_csv(&rows(0, 500)), as_csv(&more)].concat())
    );
    // Another pipeline with the same input is told so, too.
    pipeline.write(
        "manifest.yaml",
        manifest("others", "delta: { path: lake/t }"),
    );
    quiet(pipeline.run()).ends_with(2).says("has already added");
    pipeline
        .call(&["runs", "manifest.yaml"])
        .ends_with(0)
        .prints("finished");
}

/// Tables that deltalake makes, and what becomes of a run into them.
#[test]
fn a_table_that_deltalake_has_made_is_continued_or_refused() {
    let Some(deltalake) = deltalake() else {
        return;
    };
    let table =
        "schema = pa.schema([('id', pa.int64()), ('name', pa.string()), ('extra', pa.string())])
rows = pa.table({'id': [-1], 'name': ['theirs'], 'extra': ['x']}, schema=schema)
";
    for (made, mode, refused) in [
        ("write_deltalake(path, rows)", "append", None),
        (
            "write_deltalake(path, rows); write_deltalake(path, rows, mode='append'); DeltaTable(path).create_checkpoint()",
            "replace",
            None,
        ),
        (
            "write_deltalake(path, rows, configuration={'delta.enableChangeDataFeed': 'true'})",
            "replace",
            None,
        ),
        (
            "write_deltalake(path, rows, configuration={'delta.appendOnly': 'true'})",
            "append",
            None,
        ),
        (
            "write_deltalake(path, rows, configuration={'delta.appendOnly': 'true'})",
            "replace",
            Some("append-only"),
        ),
        (
            "write_deltalake(path, rows, partition_by=['extra'])",
            "append",
            Some("it is partitioned"),
        ),
        (
            "write_deltalake(path, rows); DeltaTable(path).alter.add_constraint({'positive': 'id > -5'})",
            "append",
            Some("a CHECK constraint"),
        ),
        (
            "write_deltalake(path, rows.cast(pa.schema([('id', pa.int32()), ('name', pa.string()), ('extra', pa.string())])))",
            "append",
            Some("`id` is `integer`"),
        ),
        (
            "write_deltalake(path, rows.drop(['name']))",
            "append",
            Some("it has no column `name`"),
        ),
        (
            "write_deltalake(path, rows.cast(pa.schema([('id', pa.int64()), ('name', pa.string()), pa.field('extra', pa.string(), nullable=False)])))",
            "append",
            Some("`extra` takes no null"),
        ),
    ] {
        let csv = "id,name\n1,ours\n2,\n";
        let sink = format!("delta: {{ path: lake/t, mode: {mode} }}");
        let pipeline = pipeline(&sink, csv);
        let narrow = manifest("days", &sink);
        let narrow = narrow.replace(
            COLUMNS,
            "columns: { id: { type: int64 }, name: { type: text } }\n",
        );
        pipeline.write("manifest.yaml", narrow);
        python(&deltalake, &pipeline, &["exec", &format!("{table}{made}")]);
        let Some(words) = refused else {
            pipeline
                .call(&["check", "--connect", "manifest.yaml"])
                .ends_with(0);
            pipeline.run().ends_with(0);
            let mut expected = vec!["1,ours,", "2,,"];
            if mode == "append" {
                expected.insert(0, "-1,theirs,x");
            }
            let read = python(&deltalake, &pipeline, &["rows"]);
            assert_eq!(sorted(lines(&read)), expected, "{made}");
            continue;
        };
        let before = fs::read_dir(pipeline.path("lake/t")).unwrap().count();
        quiet(pipeline.run()).ends_with(1).says(words);
        quiet(pipeline.call(&["check", "--connect", "manifest.yaml"]))
            .ends_with(1)
            .says(words);
        let after = fs::read_dir(pipeline.path("lake/t")).unwrap().count();
        assert_eq!(before, after, "{made}: nothing is left behind");
    }
}

#[test]
fn a_null_where_the_table_takes_none_rejects_its_row() {
    let Some(deltalake) = deltalake() else {
        return;
    };
    let pipeline = pipeline("delta: { path: lake/t }", "id,name\n1,a\n2,\n3,c\n");
    let narrow = manifest("days", "delta: { path: lake/t }");
    let narrow = narrow.replace(
        COLUMNS,
        "columns: { id: { type: int64 }, name: { type: text } }\n",
    );
    pipeline.write("manifest.yaml", narrow);
    let made =
        "schema = pa.schema([('id', pa.int64()), pa.field('name', pa.string(), nullable=False)])
write_deltalake(path, pa.table({'id': [-1], 'name': ['theirs']}, schema=schema))";
    python(&deltalake, &pipeline, &["exec", made]);
    let ran = pipeline.run().ends_with(0);
    assert_eq!((ran.rows("stored"), ran.rows("rejected")), (2, 1));
    assert!(pipeline.read("rejects.jsonl").contains("not-null"));
    let read = python(&deltalake, &pipeline, &["rows"]);
    assert_eq!(sorted(lines(&read)), ["-1,theirs", "1,a", "3,c"]);
}

#[test]
fn what_cannot_be_done_with_such_a_table_is_said() {
    let pipeline = pipeline("delta: { path: lake/t }", &rows(0, 10));
    pipeline.run().ends_with(0);
    pipeline
        .call(&["rows", "manifest.yaml"])
        .ends_with(2)
        .says("the sink is a Delta table");
    pipeline
        .call(&["watch", "manifest.yaml", "--folder", "lake"])
        .ends_with(2);
    pipeline.write(
        "lake/t/_delta_log/00000000000000000001.json",
        format!("{{\"add\":\"{CANARY}\"}}"),
    );
    pipeline.write("in.csv", rows(10, 10));
    pipeline.run().ends_with(0);
    let replacing = manifest("days", "delta: { path: lake/t, mode: replace }");
    pipeline.write("manifest.yaml", replacing);
    quiet(pipeline.run())
        .ends_with(1)
        .says("repair or restore the table first");
    let missing = manifest("days", "delta: { path: nowhere/t }");
    pipeline.write("manifest.yaml", missing);
    pipeline.run().ends_with(1).says("there is no folder");
    pipeline.write("file", "x");
    pipeline.write("manifest.yaml", manifest("days", "delta: { path: file }"));
    pipeline.run().ends_with(1);
}
