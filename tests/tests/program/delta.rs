//! Delta tables: what is written is what Python's `deltalake` reads, what that has made is continued or refused, and a
//! killed run leaves the version that was there or its own.

pub(crate) mod shared;
pub(crate) mod stored;
mod tables;
mod together;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use glovebox_tests::pipeline::{Pipeline, Ran};
use serde_json::Value;

/// What a cell is that must be nowhere but in the rows.
const CANARY: &str = "canary-person-41f0";

/// Asks `deltalake`: `rows TABLE`, `checkpoint TABLE`, `vacuum TABLE`, or a script of the test's own as `exec TABLE SCRIPT`.
const PYTHON: &str = r#"
import json, os, sys
from datetime import date, datetime
from decimal import Decimal
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
what, path, *more = sys.argv[1:]
store = json.loads(os.environ.get("STORE", "null"))

def cell(value):
    if value is None: return ""
    if isinstance(value, bool): return str(value).lower()
    if isinstance(value, datetime): return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, bytes): return "\\x" + value.hex()
    return str(value)

if what == "rows":
    table = DeltaTable(path, storage_options=store)
    rows = table.to_pyarrow_table()
    lines = [",".join(cell(row[name]) for name in rows.column_names) for row in rows.to_pylist()]
    types = {field.name: field.type.type if hasattr(field.type, "type") else str(field.type) for field in table.schema().fields}
    print(json.dumps({"version": table.version(), "types": types, "lines": lines, "files": len(table.file_uris())}))
elif what == "checkpoint":
    DeltaTable(path, storage_options=store).create_checkpoint()
elif what == "vacuum":
    gone = DeltaTable(path).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    print(json.dumps(gone))
else:
    exec(more[0])
sys.stdout.flush()
# Without the end of the interpreter, at which threads of its libraries may still be at work.
os._exit(0)
"#;

/// Python with deltalake, as `cargo xtask tools` installs it, if it could.
pub(crate) fn deltalake() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let python = target.join("tools/delta/bin/python");
    if python.is_file() {
        return Some(python);
    }
    eprintln!("not compared with deltalake; `cargo xtask tools` installs it");
    None
}

/// What Python prints.
pub(crate) fn asked(python: &Path, what: &[&str], store: &str) -> Value {
    let mut command = Command::new(python);
    command.args(["-c", PYTHON]).args(what).env("STORE", store);
    let asked = command.output().unwrap();
    let said = String::from_utf8_lossy(&asked.stderr);
    assert!(asked.status.success(), "{what:?}: {said}");
    serde_json::from_slice(&asked.stdout).unwrap_or_default()
}

/// A table in the pipeline's folder.
fn python(python: &Path, pipeline: &Pipeline, what: &[&str]) -> Value {
    let path = pipeline.path("lake/t").display().to_string();
    let what = [&what[..1], &[path.as_str()], &what[1..]].concat();
    asked(python, &what, "null")
}

pub(crate) fn lines(table: &Value) -> Vec<String> {
    let lines = table["lines"].as_array().unwrap().iter();
    lines
        .map(|line| line.as_str().unwrap().to_owned())
        .collect()
}

const COLUMNS: &str = "columns:
  id: { type: int64 }
  name: { type: text }
  price: { type: \"decimal(10,2)\" }
  share: { type: float64 }
  day: { type: date }
  at: { type: timestamp }
  ok: { type: boolean }
  raw: { type: bytes }
";

/// Of all types, with nulls; the name is personal only to whoever looks for it.
fn rows(from: usize, count: usize) -> String {
    let mut csv = String::from("id,name,price,share,day,at,ok,raw\n");
    for id in from..from + count {
        let name = if id % 5 == 0 { "" } else { CANARY };
        let (day, second, ok) = (id % 28 + 1, id % 60, id % 2 == 0);
        let price = if id % 7 == 0 {
            String::new()
        } else {
            format!("{id}.25")
        };
        let _ = writeln!(
            csv,
            "{id},{name},{price},{id}.5,2027-01-{day:02},2027-01-01T00:00:{second:02}Z,{ok},\\x{:04x}",
            id % 65_536
        );
    }
    csv
}

fn manifest(name: &str, sink: &str) -> String {
    format!(
        "name: {name}
source: {{ csv: {{ path: in.csv }} }}
{COLUMNS}sink: {{ {sink} }}
rejects: {{ path: rejects.jsonl }}
"
    )
}

fn pipeline(sink: &str, csv: &str) -> Pipeline {
    let pipeline = Pipeline::new(&manifest("days", sink)).file("in.csv", csv);
    std::fs::create_dir(pipeline.path("lake")).unwrap();
    pipeline
}

/// No cell and no secret in what is said.
fn quiet(ran: Ran) -> Ran {
    for said in [&ran.stderr, &ran.stdout] {
        assert!(!said.contains(CANARY), "{said}");
    }
    ran
}

/// What the CSV sink writes of the same rows, without its head.
fn as_csv(csv: &str) -> Vec<String> {
    let pipeline = pipeline("csv: { path: out.csv }", csv);
    pipeline.run().ends_with(0);
    let text = pipeline.read("out.csv");
    text.lines().skip(1).map(str::to_owned).collect()
}

pub(crate) fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}
