//! What the modes of a PostgreSQL sink cost beside each other, and beside the same by hand.

use std::process::Command;

use anyhow::ensure;
use glovebox_tests::postgres::Postgres;
use tempfile::TempDir;

use super::postgres::{SETTINGS, TABLE};
use super::{Contender, ROWS, TURNS, contenders, table};
use crate::timed::seconds;
use crate::{generate, glovebox};

/// The rows as they are, so that what is measured is the table.
const COLUMNS: &str = "columns:
  id: { type: int64 }
  first: { type: text }
  last: { type: text }
  email: { type: text }
  ssn: { type: text }
  amount: { type: float64 }
  joined: { type: date }
";
/// What an upsert is by hand; `$1` is `psql`, `$2` the file.
const BY_HAND: &str = r#"
    "$1" --no-psqlrc --quiet -v ON_ERROR_STOP=1 <<SQL
BEGIN;
CREATE TEMPORARY TABLE aside (LIKE public.people);
\copy aside FROM '$2' (FORMAT csv, HEADER)
INSERT INTO public.people SELECT * FROM aside ON CONFLICT (id) DO UPDATE SET first = excluded.first,
    last = excluded.last, email = excluded.email, ssn = excluded.ssn, amount = excluded.amount, joined = excluded.joined;
COMMIT;
SQL
"#;

/// An append, a replacement of as many rows, and an upsert of which every other row is there.
pub(crate) fn measure() -> anyhow::Result<Vec<String>> {
    let server = Postgres::start_with(SETTINGS);
    let database = server.database("modes");
    let folder = tempfile::tempdir()?;
    let arena = Arena {
        server,
        database,
        folder,
    };
    generate::people(&arena.folder.path().join("people.csv"), ROWS)?;
    let mut lines = Vec::new();
    for key in ["", ", PRIMARY KEY (id)"] {
        let [mut append, mut replace] = contenders(["`append`", "`replace`"]);
        for _ in 0..TURNS {
            arena.fresh(key, "");
            arena.ours("append", &mut append)?;
            // Into the table that has these rows.
            arena.ours("replace", &mut replace)?;
        }
        let job = format!(
            "2 M rows into PostgreSQL over TLS, a table of {}",
            if key.is_empty() {
                "no index"
            } else {
                "a primary key"
            }
        );
        lines.extend(table(&job, &replace, &[append], "≤ 1.15 × append"));
    }
    let [mut upsert, mut by_hand] =
        contenders(["`upsert`", "COPY and INSERT … ON CONFLICT by psql"]);
    for _ in 0..TURNS {
        let half = "DELETE FROM public.people WHERE id % 2 = 0; VACUUM ANALYZE public.people";
        let fill = arena.copied();
        arena.fresh(", PRIMARY KEY (id)", &fill);
        arena.query(half);
        let mut hand = Command::new("sh");
        hand.args(["-c", BY_HAND, "sh"])
            .arg(arena.server.psql_command(&arena.database).get_program())
            .arg(arena.folder.path().join("people.csv"));
        arena.server.set_environment(&mut hand, &arena.database);
        by_hand.seconds.push(seconds(&mut hand)?);
        arena.stored()?;
        arena.fresh(", PRIMARY KEY (id)", &fill);
        arena.query(half);
        arena.ours("upsert, keys: [id]", &mut upsert)?;
    }
    let job = "2 M rows into PostgreSQL over TLS, half of them there";
    lines.extend(table(job, &upsert, &[by_hand], "≤ 1.1 × by hand"));
    Ok(lines)
}

struct Arena {
    server: Postgres,
    database: String,
    folder: TempDir,
}

impl Arena {
    fn query(&self, sql: &str) {
        for sql in sql.split(';') {
            let _ = self.server.query(&self.database, sql);
        }
        let _ = self.server.query(&self.database, "CHECKPOINT");
    }

    /// The command that fills the table by psql.
    fn copied(&self) -> String {
        let file = self.folder.path().join("people.csv");
        format!(
            "\\copy public.people FROM '{}' (FORMAT csv, HEADER)",
            file.display()
        )
    }

    fn fresh(&self, key: &str, fill: &str) {
        self.query(&format!(
            "DROP TABLE IF EXISTS public.people; CREATE TABLE public.people ({TABLE}{key})"
        ));
        if !fill.is_empty() {
            let _ = self.server.query(&self.database, fill);
        }
    }

    fn stored(&self) -> anyhow::Result<()> {
        let found = self
            .server
            .query(&self.database, "SELECT count(*)::text FROM public.people");
        ensure!(
            found == [[Some(ROWS.to_string())]],
            "the table has {found:?} rows"
        );
        Ok(())
    }

    fn ours(&self, mode: &str, contender: &mut Contender) -> anyhow::Result<()> {
        let manifest = format!(
            "name: modes\nsource: {{ csv: {{ path: people.csv }} }}\n{COLUMNS}credentials: [env]\nsink: {{ postgres: {{ {}, \
             table: public.people, mode: {mode} }} }}\n",
            self.server.place(&self.database)
        );
        let path = self.folder.path().join("modes.yaml");
        std::fs::write(&path, manifest)?;
        let _ = self.server.query(&self.database, "CHECKPOINT");
        let secrets = [("GLOVEBOX_SECRET_PASSWORD", self.server.password())];
        let ran = glovebox::run_with(&path, &["--again"], &secrets)?;
        contender.seconds.push(ran.wall.as_secs_f64());
        self.stored()
    }
}
