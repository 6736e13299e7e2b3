//! What a query over single rows may not say: each with the exact text that is shown for it, in
//! `refused.txt`. `GLOVEBOX_BLESS=1` writes the file anew.

// clippy.toml lets tests fail loudly, but does not see that what they call is a test's too.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod room;

use std::fmt::Write as _;
use std::path::Path;

use glovebox_core::Limits;

/// A statement a line; those of several lines have `\n` in them.
const STATEMENTS: &[&str] = &[
    // Not one query.
    "",
    "SELEC price FROM rows",
    "SELECT price FROM rows WHERE",
    "SELECT price FROM rows; SELECT price FROM rows",
    "INSERT INTO rows VALUES (1)",
    "UPDATE rows SET price = 0",
    "DELETE FROM rows",
    "CREATE TABLE t AS SELECT * FROM rows",
    "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
    "DROP TABLE rows",
    "COPY rows TO '/tmp/rows.csv'",
    "SET datafusion.execution.target_partitions = 1",
    "EXPLAIN SELECT price FROM rows",
    "SHOW TABLES",
    "VALUES (1)",
    // Other tables.
    "SELECT price",
    "SELECT price FROM sales",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_user",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM generate_series(1, 1000000000)",
    // More than one row.
    "SELECT price FROM rows ORDER BY price",
    "SELECT price FROM rows LIMIT 1",
    "SELECT DISTINCT price FROM rows",
    "SELECT country, sum(price) AS total FROM rows GROUP BY country",
    "SELECT count(*) AS n FROM rows",
    "SELECT row_number() OVER () AS n FROM rows",
    "SELECT a.price FROM rows a, rows b",
    "SELECT a.price FROM rows a JOIN rows b ON a.price = b.price",
    "SELECT a.price FROM rows a CROSS JOIN rows b",
    "SELECT price FROM rows UNION ALL SELECT price FROM rows",
    "SELECT price FROM rows WHERE price > (SELECT avg(price) FROM rows)",
    "SELECT price FROM rows WHERE price IN (SELECT price FROM rows)",
    "SELECT price FROM rows WHERE EXISTS (SELECT 1 FROM rows)",
    "WITH RECURSIVE r AS (SELECT price FROM rows UNION ALL SELECT price FROM r) SELECT * FROM r",
    "SELECT country FROM rows HAVING country = 'DE'",
    "SELECT price INTO t FROM rows",
    "SELECT price FROM rows FOR UPDATE",
    "SELECT price FROM rows TABLESAMPLE (10 PERCENT)",
    // Functions.
    "SELECT now() AS at FROM rows",
    "SELECT CURRENT_DATE AS today FROM rows",
    "SELECT random() AS r FROM rows",
    "SELECT uuid() AS id FROM rows",
    "SELECT version() AS v FROM rows",
    "SELECT uper(country) AS c FROM rows",
    "SELECT frobnicate(country) AS c FROM rows",
    "SELECT repeat(country, 1000000000) AS c FROM rows",
    "SELECT pg_read_file('/etc/passwd') AS c FROM rows",
    // Columns and types.
    "SELECT prize FROM rows",
    "SELECT\n  price,\n  contry\nFROM rows",
    "SELECT price * 2 FROM rows",
    "SELECT price, country AS price FROM rows",
    "SELECT *, price * 2 AS price FROM rows",
    "SELECT country * 2 AS c FROM rows",
    "SELECT price AS p FROM rows WHERE price",
    "SELECT price AS p FROM rows WHERE p > 1",
    "SELECT at - at AS gap FROM rows",
    "SELECT NULL AS nothing FROM rows",
    "SELECT box AS b, lower(box) AS c FROM rows",
    "SELECT upper(price, 2) AS c FROM rows",
    "SELECT regexp_like(country, '(') AS c FROM rows",
    "SELECT CAST(price AS NONSENSE) AS c FROM rows",
    "SELECT $1 AS c FROM rows",
    "SELECT ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((1)))))))))))))))))))))))))))))))))))))))))))))))))))))))))))) AS c FROM rows",
];

#[test]
fn each_is_refused_with_its_exact_text() {
    let columns = room::columns();
    let mut told = String::new();
    for statement in STATEMENTS {
        let refused = match glovebox_sql::select(statement, &columns, &Limits::default()) {
            Err(refused) => refused,
            Ok(_) => panic!("this is no query over single rows: {statement}"),
        };
        let (before, marked) = match &refused.at {
            Some(at) => (&statement[..at.start], &statement[at.clone()]),
            None => ("", ""),
        };
        let line = before.rfind('\n').map_or(0, |end| end + 1);
        let end = statement[line..]
            .find('\n')
            .map_or(statement.len(), |end| line + end);
        let _ = writeln!(told, "{}", &statement[line..end]);
        if !marked.is_empty() {
            let marks = "^".repeat(marked.lines().next().unwrap_or_default().chars().count());
            let spaces = " ".repeat(before[line..].chars().count());
            let _ = writeln!(told, "{spaces}{marks}");
        }
        let _ = writeln!(told, "  {}", refused.message);
        if let Some(help) = &refused.help {
            let _ = writeln!(told, "  help: {help}");
        }
        told.push('\n');
    }
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/refused.txt");
    if std::env::var_os("GLOVEBOX_BLESS").is_some() {
        std::fs::write(&golden, &told).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(told == expected, "refused.txt is not what is said:\n{told}");
}

/// Of DataFusion's functions a program has more if it was built with clusters.
#[test]
fn what_is_not_listed_is_refused_whatever_datafusion_was_built_with() {
    for call in [
        "md5(country)",
        "sha256(country)",
        "make_array(country)",
        "encode(country, 'hex')",
    ] {
        let statement = format!("SELECT {call} AS c FROM rows");
        let refused = glovebox_sql::select(&statement, &room::columns(), &Limits::default());
        assert!(refused.is_err(), "{call}");
    }
}
