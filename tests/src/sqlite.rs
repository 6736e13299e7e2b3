//! SQLite files, looked into and changed past the program under test.

use std::fmt::Write as _;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection, Row};

/// Does what `sql` says to a file that is there.
///
/// # Panics
/// When it fails.
pub fn execute(file: &Path, sql: &str) {
    let done = async {
        let options = SqliteConnectOptions::new().filename(file);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await?;
        connection.close().await
    };
    told(file, sql, done);
}

/// The rows that `sql` yields, every column of which must be text or null.
///
/// # Panics
/// When it fails.
pub fn query(file: &Path, sql: &str) -> Vec<Vec<Option<String>>> {
    let read = async {
        let options = SqliteConnectOptions::new().filename(file).read_only(true);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let rows = sqlx::raw_sql(AssertSqlSafe(sql))
            .fetch_all(&mut connection)
            .await?;
        let rows = rows
            .iter()
            .map(|row| (0..row.len()).map(|i| row.try_get(i)).collect())
            .collect::<Result<_, _>>()?;
        connection.close().await?;
        Ok::<_, sqlx::Error>(rows)
    };
    told(file, sql, read)
}

/// A whole table: a line with its columns and their types, then a line a row, in the order in
/// which they were stored, each cell as SQL writes it.
///
/// # Panics
/// When there is no such table.
pub fn dump(file: &Path, table: &str) -> String {
    let columns = query(
        file,
        &format!("SELECT name, type FROM pragma_table_info('{table}') ORDER BY cid"),
    );
    assert!(!columns.is_empty(), "{}: no {table}", file.display());
    let text = |cell: &Option<String>| cell.clone().unwrap_or_default();
    let heads: Vec<String> = columns
        .iter()
        .map(|column| column.iter().map(text).collect::<Vec<_>>().join(" "))
        .collect();
    let quoted: Vec<String> = columns
        .iter()
        .flat_map(|column| column.first())
        .map(|name| format!("quote(\"{}\")", text(name)))
        .collect();
    let sql = format!(
        "SELECT {} FROM \"{table}\" ORDER BY rowid",
        quoted.join(", ")
    );
    let mut dumped = heads.join(" | ") + "\n";
    for row in query(file, &sql) {
        let cells: Vec<String> = row.iter().map(text).collect();
        let _ = writeln!(dumped, "{}", cells.join(" | "));
    }
    dumped
}

fn told<T>(file: &Path, sql: &str, work: impl Future<Output = Result<T, sqlx::Error>>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let done = runtime
        .map_err(sqlx::Error::Io)
        .and_then(|runtime| runtime.block_on(work));
    match done {
        Ok(done) => done,
        Err(problem) => panic!("{}: `{sql}`: {problem}", file.display()),
    }
}
