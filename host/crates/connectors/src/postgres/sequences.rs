//! Advances the sequences of columns that a run has filled, so that the server's next row gets a
//! fresh number.

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::Options;
use super::ending::Ending;
use super::existing::Found;
use super::name::Name;
use super::refusal::{Fault, fault};
use crate::database::quote;

/// A sequence that a column takes its numbers from.
struct Sequence {
    /// The column, quoted.
    column: String,
    /// Its quoted name, with its schema.
    name: String,
    upward: bool,
    /// What the role would have to be granted to set it.
    lacking: Vec<String>,
}

/// The sequences of identity columns, and those that defaults of columns ask.
async fn of_columns(
    connection: &mut PgConnection,
    table: &Found,
    columns: &[&str],
    options: &Options,
) -> Result<Vec<Sequence>, Fault> {
    let rows: Vec<(String, String, String, bool, bool, bool)> = sqlx::query_as(
        "WITH uses (sequence, attnum) AS (\
             SELECT d.objid, d.refobjsubid FROM pg_catalog.pg_depend d \
             WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
             AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass \
             AND d.deptype = 'i' AND d.refobjid = $1::int8::oid \
             UNION \
             SELECT d.refobjid, f.adnum FROM pg_catalog.pg_attrdef f \
             JOIN pg_catalog.pg_depend d ON d.objid = f.oid \
             AND d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass \
             AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass \
             WHERE f.adrelid = $1::int8::oid) \
         SELECT a.attname::text, n.nspname::text, s.relname::text, q.seqincrement > 0, \
         pg_catalog.has_sequence_privilege(s.oid, 'SELECT') \
         AND pg_catalog.has_sequence_privilege(s.oid, 'UPDATE') \
         AND pg_catalog.has_schema_privilege(n.oid, 'USAGE'), \
         pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT') \
         FROM uses u \
         JOIN pg_catalog.pg_class s ON s.oid = u.sequence AND s.relkind = 'S' \
         JOIN pg_catalog.pg_sequence q ON q.seqrelid = s.oid \
         JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = $1::int8::oid AND a.attnum = u.attnum \
         WHERE a.attname = ANY ($2) AND a.atttypid IN (20, 21, 23) ORDER BY a.attnum",
    )
    .bind(table.oid)
    .bind(columns)
    .fetch_all(connection)
    .await
    .map_err(|e| fault(e, &options.place()))?;
    let role = quote(&options.login.user);
    let mut sequences = Vec::with_capacity(rows.len());
    for (column, schema, name, upward, settable, readable) in rows {
        let (column, schema) = (quote(&column), quote(&schema));
        let name = format!("{schema}.{}", quote(&name));
        let mut lacking = Vec::new();
        if !settable {
            lacking.push(format!(
                "GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT, UPDATE ON SEQUENCE \
                 {name} TO {role}"
            ));
        }
        if !readable {
            let table = &table.name;
            lacking.push(format!("GRANT SELECT ({column}) ON {table} TO {role}"));
        }
        sequences.push(Sequence {
            column,
            name,
            upward,
            lacking,
        });
    }
    Ok(sequences)
}

/// What to do where the role may not set one.
pub(super) async fn forbidden(
    connection: &mut PgConnection,
    table: &Found,
    columns: &[&str],
    options: &Options,
) -> Result<Vec<String>, Fault> {
    let sequences = of_columns(connection, table, columns, options).await?;
    let lacking = sequences
        .iter()
        .filter(|sequence| !sequence.lacking.is_empty());
    Ok(lacking
        .map(|Sequence { column, lacking, .. }| {
            format!(
                "the run fills column {column}, so its sequence must be advanced, which the role \
                may not do; run: {}, or leave the column out",
                lacking.join("; ")
            )
        })
        .collect())
}

/// Sets the sequences behind the numbers that the table holds.
pub(super) async fn forward(
    connection: &mut PgConnection,
    ending: &Ending<'_>,
) -> Result<(), Fault> {
    let Ending {
        options,
        schema,
        target,
        ..
    } = ending;
    let place = options.place();
    let name = Name::parse(options)?;
    let Some(found) = super::existing::find(connection, &name, options).await? else {
        return Ok(());
    };
    let columns: Vec<&str> = schema.fields.iter().map(|field| &*field.name).collect();
    for sequence in of_columns(connection, &found, &columns, options).await? {
        let Sequence {
            column,
            name,
            upward,
            ..
        } = sequence;
        let (most, beyond) = if upward { ("max", ">") } else { ("min", "<") };
        // A number beyond what the sequence can have is none that it would give.
        let sql = format!(
            "SELECT pg_catalog.setval(s.seqrelid::pg_catalog.regclass, t.most) \
             FROM (SELECT pg_catalog.{most}({column})::int8 AS most FROM {target}) t, {name} l, \
             pg_catalog.pg_sequence s \
             WHERE s.seqrelid = $1::pg_catalog.regclass AND t.most BETWEEN s.seqmin AND s.seqmax \
             AND (t.most {beyond} l.last_value OR (t.most = l.last_value AND NOT l.is_called))"
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(&name)
            .execute(&mut *connection)
            .await
            .map_err(|e| fault(e, &place))?;
    }
    Ok(())
}
