//! The sinks that are tortured, and what they hold in the end.

use std::fmt::Write as _;

use crate::pipeline::Pipeline;
use crate::postgres::Postgres;
use crate::sqlite;

/// Public keys to which nobody has private ones.
const OFFICERS: [&str; 2] = [
    "x25519:q1oJpHIQo_HVJhNL6OVpTqV-s7RWardD1tMKfgGdWdk=",
    "x25519:mDlLLmwiv0XLflYB8fTtIJmZ7OE81z2GjvVT9tfzdrk=",
];

/// Into a table that is there: another one takes its place.
const SWAP: &str = "replace by another table";
/// How many rows it has before.
const OLD_ROWS: i64 = 50;

/// A sink and its mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A table in an SQLite file.
    Sqlite(&'static str),
    /// A table on a PostgreSQL server.
    Postgres(&'static str),
    /// A CSV file.
    Csv,
}

impl Target {
    /// All of them.
    pub const ALL: [Target; 8] = [
        Target::Sqlite("append"),
        Target::Sqlite("replace"),
        Target::Sqlite("upsert"),
        Target::Postgres("append"),
        Target::Postgres("replace"),
        Target::Postgres(SWAP),
        Target::Postgres("upsert"),
        Target::Csv,
    ];

    /// What tables call it.
    pub fn name(self) -> String {
        match self {
            Target::Sqlite(mode) => format!("SQLite, {mode}"),
            Target::Postgres(mode) => format!("PostgreSQL, {mode}"),
            Target::Csv => "CSV".into(),
        }
    }

    /// How the manifest masks names: by tokens, where they can be kept.
    pub(super) fn mask(self) -> String {
        match self {
            Target::Csv => {
                "mask: pseudonym\n    with: { method: hmac-sha256 }\n    keys: { pseudonym: salt }"
                    .into()
            }
            Target::Sqlite(_) | Target::Postgres(_) => {
                let [first, second] = OFFICERS;
                format!(
                    "mask: tokenize\n    keys: {{ tokenize: salt }}\n    \
                     tokens: {{ officers: [{first}, {second}] }}"
                )
            }
        }
    }

    /// The manifest's sink.
    pub(super) fn sink(self, database: &str, port: Option<u16>) -> String {
        let keys = |mode| match mode {
            "upsert" => ", keys: [id]",
            _ => "",
        };
        match self {
            Target::Sqlite(mode) => format!(
                "sqlite: {{ path: out.db, table: things, mode: {mode}{} }}",
                keys(mode)
            ),
            Target::Postgres(mode) => {
                let server = Postgres::shared();
                let keys = keys(mode);
                let mode = if mode == SWAP { "replace" } else { mode };
                format!(
                    "postgres: {{ host: {}, port: {}, database: {database}, user: {}, password: \
                     {{ secret: password }}, tls: {{ ca: \"{}\" }}, table: things, mode: {mode}{} }}",
                    server.host(),
                    port.unwrap_or(server.port()),
                    server.user(),
                    server.ca_path().display(),
                    keys
                )
            }
            Target::Csv => "csv: { path: out.csv }".into(),
        }
    }

    /// Makes what is there before the first run.
    pub(super) fn prepare(self, database: &str) {
        if self == Target::Postgres(SWAP) {
            let table = format!(
                "CREATE TABLE public.things (id bigint PRIMARY KEY, name text, note text); \
                 CREATE INDEX ON public.things (name); INSERT INTO public.things SELECT -i FROM \
                 generate_series(1, {OLD_ROWS}) i; CREATE SEQUENCE public.made_after"
            );
            let _ = Postgres::shared().query(database, &table);
        }
    }

    /// Whether another table has taken the place of the one that was there.
    pub(super) fn is_swapped(self, database: &str) -> bool {
        let younger = "SELECT (to_regclass('public.things')::oid > to_regclass('public.made_after')::oid)::text";
        self == Target::Postgres(SWAP)
            && Postgres::shared().query(database, younger) == [[Some("true".to_owned())]]
    }

    /// Whether a table that is replaced shows anything but what was there, or none of it.
    pub(super) fn is_torn(self, database: &str) -> bool {
        if self != Target::Postgres(SWAP) {
            return false;
        }
        let counts = "SELECT count(*) FILTER (WHERE id < 0)::text, count(*) FILTER (WHERE id >= 0)::text \
                      FROM public.things";
        let found = Postgres::shared().query(database, counts);
        let count = |place: usize| found.first()?.get(place)?.as_ref()?.parse::<i64>().ok();
        !matches!(
            (count(0), count(1)),
            (Some(OLD_ROWS), Some(0)) | (Some(0), Some(1..))
        )
    }

    /// The rows, sorted, one a line.
    pub(super) fn rows(self, pipeline: &Pipeline, database: &str) -> Vec<String> {
        let mut rows: Vec<String> = match self {
            Target::Sqlite(_) => sqlite::dump(&pipeline.path("out.db"), "things")
                .lines()
                .skip(1)
                .map(str::to_owned)
                .collect(),
            Target::Postgres(_) if !there(database) => vec!["(there is no table)".into()],
            Target::Postgres(_) => Postgres::shared()
                .query(database, "SELECT things::text FROM things")
                .into_iter()
                .map(|row| row.into_iter().flatten().collect())
                .collect(),
            Target::Csv => pipeline
                .read("out.csv")
                .lines()
                .map(str::to_owned)
                .collect(),
        };
        rows.sort_unstable();
        rows
    }

    /// What is left beside the table that should not be: tables aside, runs that are not closed, tokens without
    /// a row, rows without a token.
    pub(super) fn leftovers(self, pipeline: &Pipeline, database: &str) -> String {
        let found = match self {
            Target::Csv => return String::new(),
            Target::Sqlite(_) => sqlite::query(
                &pipeline.path("out.db"),
                "SELECT name FROM sqlite_schema WHERE name LIKE 'glovebox@_stage%' ESCAPE '@' \
                     UNION ALL SELECT 'run ' || state FROM glovebox_run WHERE state <> 'finished' \
                     UNION ALL SELECT 'kept ' || token FROM glovebox_token WHERE token NOT IN \
                     (SELECT name FROM things WHERE name IS NOT NULL) \
                     UNION ALL SELECT 'lost ' || name FROM things WHERE name NOT IN \
                     (SELECT token FROM glovebox_token) \
                     UNION ALL SELECT 'closed ' || token FROM glovebox_token WHERE key NOT IN \
                     (SELECT id FROM glovebox_token_key)",
            ),
            Target::Postgres(_) if !there(database) => return "(there is no table)".into(),
            Target::Postgres(_) => Postgres::shared().query(
                database,
                "SELECT relname::text FROM pg_class WHERE (relname LIKE 'stage%' OR relname LIKE 'wait@_%' \
                     ESCAPE '@') AND relkind = 'r' UNION ALL SELECT 'run ' || state FROM glovebox.run WHERE state <> \
                     'finished' \
                     UNION ALL SELECT 'kept ' || token FROM glovebox.token WHERE token NOT IN \
                     (SELECT name FROM things WHERE name IS NOT NULL) \
                     UNION ALL SELECT 'lost ' || name FROM things WHERE name NOT IN \
                     (SELECT token FROM glovebox.token) \
                     UNION ALL SELECT 'closed ' || token FROM glovebox.token WHERE key NOT IN \
                     (SELECT id FROM glovebox.token_key)",
            ),
        };
        let mut told = String::new();
        for name in found.into_iter().flatten().flatten() {
            let _ = write!(told, "{name}; ");
        }
        told
    }
}

fn there(database: &str) -> bool {
    let asked = "SELECT to_regclass('things')::text";
    Postgres::shared().query(database, asked) != [[None]]
}
