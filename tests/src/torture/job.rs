//! One pipeline into one target of its own, from an input that has everything: quoted newlines,
//! rejects of the source and of a step, filtered rows, masked cells.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Target;
use crate::pipeline::{Pipeline, Ran};
use crate::postgres::Postgres;

/// A pipeline that is to be tortured.
pub(super) struct Job {
    pub(super) target: Target,
    pub(super) pipeline: Pipeline,
    pub(super) database: String,
    files: [(&'static str, String); 3],
}

/// A pair of nobody's, to which rejected rows are sealed.
const READER: &str = "PWvdw3lG4dbXjIiaQJ9QczU_39dSHlGmRz6w5z6N1II=";
const READER_PUBLIC: &str = "x25519:ycNustCCiDoAPGujuIyz2IFehtvHpuzAIq0lcuQzxgE=";

/// What a run leaves behind.
#[derive(Debug, PartialEq)]
pub(super) struct Found {
    rows: Vec<String>,
    rejects: String,
    /// The rejected rows, opened.
    sealed: Vec<String>,
    leftovers: String,
}

impl Found {
    /// How it differs, in counts: the rows are too many to print.
    pub(super) fn differs(&self, expected: &Found) -> String {
        let lost = missing(&expected.rows, &self.rows);
        let strange = missing(&self.rows, &expected.rows);
        let told = |as_due| if as_due { "as due" } else { "differ" };
        format!(
            "{} rows instead of {}: {lost} lost, {strange} doubled or changed; rejects {}; sealed \
             rejects {}; left over: {:?}",
            self.rows.len(),
            expected.rows.len(),
            told(self.rejects == expected.rejects),
            told(self.sealed == expected.sealed),
            self.leftovers
        )
    }
}

/// How many of the sorted rows are not among the others, counting doubles.
fn missing(rows: &[String], others: &[String]) -> usize {
    let mut others = others.iter().peekable();
    let mut missing = 0;
    for row in rows {
        while others.next_if(|other| *other < row).is_some() {}
        if others.next_if(|other| *other == row).is_none() {
            missing += 1;
        }
    }
    missing
}

impl Job {
    /// A fresh target and the input.
    pub(super) fn new(target: Target, rows: usize) -> Self {
        Job::through(target, rows, None)
    }

    /// The same, by a proxy on this port.
    pub(super) fn through(target: Target, rows: usize, port: Option<u16>) -> Self {
        let database = match target {
            Target::Postgres(_) => Postgres::shared().database("torture"),
            Target::Sqlite(_) | Target::Csv => String::new(),
        };
        Job::into_database(target, rows, database, port)
    }

    /// The same, into this database.
    pub(super) fn into_database(
        target: Target,
        rows: usize,
        database: String,
        port: Option<u16>,
    ) -> Self {
        let manifest = format!(
            "name: torture
source: {{ csv: {{ path: in.csv }} }}
columns:
  id:   {{ type: int64 }}
  name: {{ type: text, personal: true }}
  note: {{ type: text }}
credentials: [{{ files: keys }}, env]
steps:
  - name: present
    validate: required
    reads: [name]
  - name: alias
    masks: [name]
    {}
sink:
  {}
rejects: {{ path: rejects.jsonl, sealed-to: [reader] }}
",
            target.mask(),
            target.sink(&database, port)
        );
        let files = [
            ("manifest.yaml", manifest),
            ("in.csv", input(rows)),
            ("keys/private", READER.into()),
        ];
        let mut pipeline = Pipeline::empty()
            .env("GLOVEBOX_SECRET_SALT", "a salt for torture")
            .env("GLOVEBOX_SECRET_READER", READER_PUBLIC);
        if let Target::Postgres(_) = target {
            pipeline = pipeline.env("GLOVEBOX_SECRET_PASSWORD", Postgres::shared().password());
        }
        let job = Job {
            target,
            pipeline,
            database,
            files,
        };
        job.target.prepare(&job.database);
        job.write_files();
        job
    }

    /// Bytes of the input.
    pub(super) fn size(&self) -> u64 {
        self.files.iter().map(|(_, text)| text.len() as u64).sum()
    }

    /// Writes the manifest and the input, again if their folder was hidden by another.
    pub(super) fn write_files(&self) {
        for (name, text) in &self.files {
            self.pipeline.write(name, text);
        }
    }

    /// Runs it to its end, and tells how long that takes.
    pub(super) fn undisturbed(&self) -> Duration {
        let started = Instant::now();
        let _ = self.pipeline.run().ends_with(0);
        started.elapsed()
    }

    /// Goes on, or begins; the journal of what it finds are in its report.
    pub(super) fn go_on(&self) -> Ran {
        self.pipeline.run_with(&["--resume"])
    }

    /// Goes on with a run whose process is only asleep.
    pub(super) fn take_over(&self) -> Ran {
        self.pipeline.run_with(&["--resume", "--take-over"])
    }

    pub(super) fn result(&self) -> Found {
        Found {
            rows: self.target.rows(&self.pipeline, &self.database),
            rejects: self.pipeline.read("rejects.jsonl"),
            sealed: self.sealed(),
            leftovers: self.target.leftovers(&self.pipeline, &self.database),
        }
    }

    fn sealed(&self) -> Vec<String> {
        let open = "rejects open rejects.sealed --key private --files keys --reason torture --audit \
                    audit --output -";
        let opened = self.pipeline.call(&open.split(' ').collect::<Vec<_>>());
        let mut rows: Vec<String> = opened
            .ends_with(0)
            .stdout
            .lines()
            .map(str::to_owned)
            .collect();
        rows.sort_unstable();
        rows
    }
}

/// Whether a run's report adds up.
pub(super) fn adds_up(report: &Value) -> bool {
    let count = |name: &str| {
        let count = report.pointer(&format!("/rows/{name}"));
        count.and_then(Value::as_u64).unwrap_or(u64::MAX)
    };
    count("read")
        == count("stored")
            .saturating_add(count("filtered"))
            .saturating_add(count("rejected"))
}

/// About a kilobyte a row, so that a few thousand make many chunks.
fn input(rows: usize) -> String {
    let mut csv = String::from("id,name,note\n");
    let padding = "lorem, \"\"ipsum\"\"\r\ndolor ".repeat(40);
    for id in 0..rows {
        let _ = match id % 97 {
            13 => writeln!(csv, "{id},,no name"),
            31 => writeln!(csv, "{id},too,many,fields"),
            59 => writeln!(csv, "no number,name {id},x"),
            _ => writeln!(csv, "{id},\"name {}\",\"{padding}{id}\"", id % 1000),
        };
    }
    csv
}
