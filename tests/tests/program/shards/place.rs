//! The pipeline that several processes work on, with what it reads and what it leaves.

use std::fmt::Write as _;
use std::process::Command;

use glovebox_tests::pipeline::{Pipeline, Ran, Running};
use glovebox_tests::postgres::Postgres;

const KEY: &str = "a-key-of-enough-bytes-for-digests";
/// A pair of nobody's, to which rejected rows are sealed.
const READER_PUBLIC: &str = "x25519:ycNustCCiDoAPGujuIyz2IFehtvHpuzAIq0lcuQzxgE=";

/// The columns of the journal that say what a chunk is: all but how long its steps took.
pub(crate) const CHUNKS: &str = "SELECT concat_ws(' ', chunk, first_row, read, stored, filtered, rejected, \
                      encode(digest, 'hex'), lines, encode(upto, 'hex'), \
                      (summary::json)->'rules') FROM glovebox.chunk ORDER BY chunk";

/// A pipeline with rejects of the source and of a step, from `source` into `sink`, with the secrets that it needs.
pub(crate) fn shared(source: &str, sink: &str) -> Pipeline {
    let manifest = format!(
        "name: shared
source: {source}
columns:
  id: {{ type: int64 }}
  name: {{ type: text, personal: true }}
  note: {{ type: text }}
credentials: [env]
steps:
  - {{ name: present, validate: required, reads: [name] }}
  - {{ name: alias, masks: [name], mask: pseudonym, with: {{ method: hmac-sha256 }}, keys: {{ pseudonym: salt }} }}
sink:
  {sink}
rejects: {{ path: rejects.jsonl, sealed-to: [reader] }}
"
    );
    Pipeline::new(&manifest)
        .env("GLOVEBOX_SECRET_DIGESTS", KEY)
        .env("GLOVEBOX_SECRET_READER", READER_PUBLIC)
        .env("GLOVEBOX_SECRET_SALT", "a-salt-of-enough-bytes-for-masks")
}

/// The sink of a table of the shared server.
fn table(database: &str, more: &str) -> String {
    let server = Postgres::shared();
    format!(
        "postgres: {{ host: {}, port: {}, database: {database}, user: {}, password: {{ secret: db }}, tls: {{ ca: {} }}, \
         table: people, identity-key: {{ secret: digests }}, {more} }}",
        server.host(),
        server.port(),
        server.user(),
        server.ca_path().display()
    )
}

/// The same pipeline over files in `shared`, into a database of its own.
pub(crate) struct Place {
    pub(crate) pipeline: Pipeline,
    pub(crate) database: String,
}

impl Place {
    pub(crate) fn new(source: &str, sink: &str) -> Place {
        let database = Postgres::shared().database("shards");
        let pipeline = shared(source, &table(&database, sink))
            .env("GLOVEBOX_SECRET_DB", Postgres::shared().password());
        Place { pipeline, database }
    }

    pub(crate) fn query(&self, sql: &str) -> Vec<String> {
        let rows = Postgres::shared().query(&self.database, sql).into_iter();
        rows.map(|row| row[0].clone().unwrap_or_default()).collect()
    }

    pub(crate) fn rows(&self) -> Vec<String> {
        self.query("SELECT concat_ws('|', id, name, note) FROM people ORDER BY id, note")
    }
}

pub(crate) fn counts(ran: &Ran) -> String {
    let report = &ran.report;
    format!(
        "{} {} {}",
        report["rows"], report["rejects"], report["superseded-rows"]
    )
}

/// About a kilobyte a row, with lines within cells, so that a few thousand make many ranges.
pub(crate) fn csv(first: usize, rows: usize) -> String {
    let mut csv = String::from("id,name,note\n");
    let padding = "lorem, \"\"ipsum\"\"\r\ndolor ".repeat(40);
    for id in first..first + rows {
        let _ = match id % 97 {
            13 => writeln!(csv, "{id},,no name"),
            31 => writeln!(csv, "{id},too,many,fields"),
            59 => writeln!(csv, "no number,name {id},x"),
            // Not for a table that has each once.
            71 => writeln!(csv, "{},again,{id}", id - 1),
            _ => writeln!(csv, "{id},\"name {}\",\"{padding}{id}\"", id % 1000),
        };
    }
    csv
}

pub(crate) fn jsonl(rows: usize) -> String {
    let mut lines = String::new();
    let padding = "lorem ipsum ".repeat(80);
    for id in 0..rows {
        let _ = match id % 97 {
            13 => writeln!(lines, "{{\"id\":{id},\"note\":\"no name\"}}"),
            31 => writeln!(lines, "{{\"id\":{id}"),
            _ => writeln!(
                lines,
                "{{\"id\":{id},\"name\":\"name {id}\",\"note\":\"{padding}\"}}"
            ),
        };
    }
    lines
}

/// A run that nobody disturbs, and one of the same over several processes.
pub(crate) fn pair(sink: &str, rows: usize) -> [Place; 2] {
    let places = [(); 2].map(|()| {
        let place = Place::new("{ csv: { path: in.csv } }", sink);
        place.pipeline.write("in.csv", csv(0, rows));
        place
    });
    let _ = places[0].pipeline.run().ends_with(0);
    places
}

pub(crate) fn same([alone, shared]: &[Place; 2]) {
    assert_eq!(alone.query(CHUNKS), shared.query(CHUNKS));
    assert_eq!(alone.rows(), shared.rows());
    let rejects = |place: &Place| place.pipeline.read("rejects.jsonl");
    assert_eq!(rejects(alone), rejects(shared));
}

/// Sends a signal to a process, which may have ended by itself.
pub(crate) fn signal(process: &str, name: &str) {
    let _ = Command::new("kill")
        .args([&format!("-{name}"), process])
        .status();
}

/// The processes that a run has started.
pub(crate) fn members(run: &Running) -> Vec<String> {
    let found = Command::new("pgrep")
        .args(["-P", &run.id().to_string()])
        .output();
    let found = String::from_utf8(found.unwrap().stdout).unwrap();
    found.lines().map(str::to_owned).collect()
}
