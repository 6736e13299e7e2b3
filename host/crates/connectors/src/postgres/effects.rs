//! Side effects of inserting or deleting rows of a table: foreign keys of other tables, triggers,
//! rules, tables that inherit.

use glovebox_core::Schema;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row};

use super::refusal::{Fault, fault};
use super::{Mode, Options};
use crate::database::{quote, shown};

/// The table `$1` and its partitions.
const TREE: &str = "tree AS (SELECT $1::int8::oid AS oid \
     UNION SELECT relid::oid FROM pg_catalog.pg_partition_tree($1::int8::oid::regclass))";
/// How many of a kind are named.
const NAMED: usize = 3;

/// A foreign key of another table.
struct Reference {
    constraint: String,
    schema: String,
    table: String,
    on_delete: String,
    on_update: String,
    deferred: bool,
    referring: Vec<String>,
    referenced: Vec<String>,
    readable: bool,
}

fn reference(row: &PgRow) -> sqlx::Result<Reference> {
    Ok(Reference {
        constraint: row.try_get(0)?,
        schema: row.try_get(1)?,
        table: row.try_get(2)?,
        on_delete: row.try_get(3)?,
        on_update: row.try_get(4)?,
        deferred: row.try_get(5)?,
        referring: row.try_get(6)?,
        referenced: row.try_get(7)?,
        readable: row.try_get(8)?,
    })
}

/// Why the run's mode would change other tables, or could not be carried out because of them.
pub(super) async fn obstacles(
    connection: &mut PgConnection,
    oid: i64,
    schema: &Schema,
    options: &Options,
) -> Result<Vec<String>, Fault> {
    let mut found: Vec<String> = uncounted(connection, oid, options)
        .await?
        .into_iter()
        .collect();
    if options.mode.appends() {
        return Ok(found);
    }
    for other in references(connection, oid, options).await? {
        let name = format!(
            "{} (foreign key {})",
            shown(&other.table),
            shown(&other.constraint)
        );
        match options.mode {
            Mode::Replace => found.extend(on_delete(connection, &other, &name, options).await?),
            _ => found.extend(on_update(&other, &name, schema, options)),
        }
    }
    if options.mode == Mode::Replace && !options.lenient.side_effects {
        found.extend(on_deletion(connection, oid, options).await?);
    }
    Ok(found)
}

/// Why it could not be counted what triggers and rules make of the rows, where there are any.
async fn uncounted(
    connection: &mut PgConnection,
    oid: i64,
    options: &Options,
) -> Result<Option<String>, Fault> {
    let place = options.place();
    if !has_any(connection, oid, &place).await? {
        return Ok(None);
    }
    let (counts, select): (bool, bool) = sqlx::query_as(
        "SELECT pg_catalog.current_setting('track_counts') = 'on', \
         pg_catalog.has_table_privilege($1::int8::oid, 'SELECT')",
    )
    .bind(oid)
    .fetch_one(connection)
    .await
    .map_err(|e| fault(e, &place))?;
    Ok(match options.mode {
        Mode::Append if !counts => Some(
            "it has triggers, but the server does not count their effects; set track_counts to on"
                .into(),
        ),
        Mode::Replace | Mode::AppendWhole if !select => Some(format!(
            "it has triggers or rules, but the role may not count the remaining rows; run: \
             GRANT SELECT ON it TO {}",
            quote(&options.login.user)
        )),
        _ => None,
    })
}

async fn on_delete(
    connection: &mut PgConnection,
    other: &Reference,
    name: &str,
    options: &Options,
) -> Result<Option<String>, Fault> {
    let (action, effect) = match other.on_delete.as_str() {
        "c" => ("CASCADE", "delete rows there"),
        "n" => ("SET NULL", "empty cells there"),
        "d" => ("SET DEFAULT", "overwrite cells there"),
        // What is only looked at in the end may be right by then.
        "a" if other.deferred => return Ok(None),
        _ => {
            let held = other.readable && has_rows(connection, other, options).await?;
            return Ok(held.then(|| {
                format!(
                    "rows of table {name} reference the rows to be replaced, so the database \
                    would refuse that in the end; use `mode: upsert`, or make the \
                     constraint DEFERRABLE INITIALLY DEFERRED with ON DELETE NO ACTION"
                )
            }));
        }
    };
    Ok((!options.lenient.side_effects).then(|| {
        format!(
            "replacing its rows would {effect}: table {name} references it with ON DELETE \
            {action}; use `mode: upsert`, which deletes no rows, or write `side-effects: allow` \
            in the sink to permit it"
        )
    }))
}

fn on_update(other: &Reference, name: &str, schema: &Schema, options: &Options) -> Option<String> {
    let (action, effect) = match other.on_update.as_str() {
        "c" => ("CASCADE", "change cells"),
        "n" => ("SET NULL", "empty cells"),
        "d" => ("SET DEFAULT", "overwrite cells"),
        _ => return None,
    };
    let is_updated =
        |column: &String| schema.position(column).is_some() && !options.keys.contains(column);
    let touched = other.referenced.iter().any(is_updated);
    (touched && !options.lenient.side_effects).then(|| {
        format!(
            "an upsert of its rows could {effect} of another table: table {name} references, with \
            ON UPDATE {action}, columns that are not in `keys`; leave these columns out, or write \
                `side-effects: allow` in the sink to permit it"
        )
    })
}

/// Foreign keys of other tables to this one or a partition of it, each once.
async fn references(
    connection: &mut PgConnection,
    oid: i64,
    options: &Options,
) -> Result<Vec<Reference>, Fault> {
    let sql = format!(
        "WITH {TREE} SELECT c.conname::text, n.nspname::text, r.relname::text, \
         c.confdeltype::text, c.confupdtype::text, c.condeferred, \
         ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a \
               WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)), \
         ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a \
               WHERE a.attrelid = c.confrelid AND a.attnum = ANY (c.confkey)), \
         pg_catalog.has_schema_privilege(n.oid, 'USAGE') \
         AND pg_catalog.has_table_privilege(r.oid, 'SELECT') \
         FROM pg_catalog.pg_constraint c \
         JOIN pg_catalog.pg_class r ON r.oid = c.conrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace \
         WHERE c.contype = 'f' AND c.confrelid IN (SELECT oid FROM tree) \
         AND c.conrelid NOT IN (SELECT oid FROM tree) \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint p \
             WHERE p.oid = c.conparentid AND p.confrelid IN (SELECT oid FROM tree)) \
         ORDER BY r.relname, c.conname"
    );
    sqlx::query(AssertSqlSafe(sql))
        .bind(oid)
        .fetch_all(connection)
        .await
        .and_then(|rows| rows.iter().map(reference).collect())
        .map_err(|e| fault(e, &options.place()))
}

/// Whether a row of the other table refers to any.
async fn has_rows(
    connection: &mut PgConnection,
    other: &Reference,
    options: &Options,
) -> Result<bool, Fault> {
    let filled: Vec<String> = other
        .referring
        .iter()
        .map(|column| format!("{} IS NOT NULL", quote(column)))
        .collect();
    sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT EXISTS (SELECT FROM {}.{} WHERE {})",
        quote(&other.schema),
        quote(&other.table),
        filled.join(" AND ")
    )))
    .fetch_one(connection)
    .await
    .map_err(|e| fault(e, &options.place()))
}

/// Triggers and rules that a DELETE sets off, and tables whose rows it would take too.
async fn on_deletion(
    connection: &mut PgConnection,
    oid: i64,
    options: &Options,
) -> Result<Vec<String>, Fault> {
    const REMEDY: &str = "use `mode: upsert`, or write `side-effects: allow` in the sink to \
                         permit it";
    let mut found = Vec::new();
    let triggers = named(connection, oid, options, TRIGGERS_ON_DELETE).await?;
    if !triggers.is_empty() {
        found.push(format!(
            "replacing its rows would fire what may change other tables: its DELETE trigger \
             {triggers}; {REMEDY}"
        ));
    }
    let rules = named(connection, oid, options, RULES_ON_DELETE).await?;
    if !rules.is_empty() {
        found.push(format!(
            "replacing its rows would do something else: its rule ON DELETE {rules}; {REMEDY}"
        ));
    }
    let children = named(connection, oid, options, CHILDREN).await?;
    if !children.is_empty() {
        found.push(format!(
            "replacing its rows would empty the table that inherits from it: {children}; use a \
            table without children, or write `side-effects: allow` in the sink to permit it"
        ));
    }
    Ok(found)
}

const TRIGGERS_ON_DELETE: &str = "SELECT DISTINCT t.tgname::text FROM pg_catalog.pg_trigger t \
     WHERE t.tgrelid IN (SELECT oid FROM tree) AND NOT t.tgisinternal \
     AND t.tgenabled IN ('O', 'A') AND t.tgtype & 8 <> 0 ORDER BY 1";
const RULES_ON_DELETE: &str = "SELECT r.rulename::text FROM pg_catalog.pg_rewrite r \
     WHERE r.ev_class IN (SELECT oid FROM tree) AND r.ev_enabled IN ('O', 'A') \
     AND r.ev_type = '4' ORDER BY 1";
const CHILDREN: &str = "SELECT c.relname::text FROM pg_catalog.pg_inherits i \
     JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid \
     WHERE i.inhparent IN (SELECT oid FROM tree) AND NOT c.relispartition ORDER BY 1";
/// All that acts on a row's way in, or in exchange for another.
const TRIGGERS: &str = "SELECT DISTINCT pg_catalog.concat(t.tgname, E'\\n', \
     CASE WHEN t.tgtype & 2 <> 0 THEN 'BEFORE ' WHEN t.tgtype & 64 <> 0 THEN 'INSTEAD OF ' \
     ELSE 'AFTER ' END, pg_catalog.concat_ws(' OR ', \
     CASE WHEN t.tgtype & 4 <> 0 THEN 'INSERT' END, \
     CASE WHEN t.tgtype & 8 <> 0 THEN 'DELETE' END, \
     CASE WHEN t.tgtype & 16 <> 0 THEN 'UPDATE' END)) FROM pg_catalog.pg_trigger t \
     WHERE t.tgrelid IN (SELECT oid FROM tree) AND NOT t.tgisinternal \
     AND t.tgenabled IN ('O', 'A') ORDER BY 1";
const RULES: &str = "SELECT pg_catalog.concat(r.rulename, E'\\n', 'ON ', CASE r.ev_type \
     WHEN '2' THEN 'UPDATE' WHEN '3' THEN 'INSERT' ELSE 'DELETE' END) \
     FROM pg_catalog.pg_rewrite r WHERE r.ev_class IN (SELECT oid FROM tree) \
     AND r.ev_enabled IN ('O', 'A') AND r.ev_type <> '1' ORDER BY 1";

async fn list(
    connection: &mut PgConnection,
    oid: i64,
    options_place: &str,
    query: &str,
) -> Result<Vec<String>, Fault> {
    sqlx::query_scalar(AssertSqlSafe(format!("WITH {TREE} {query}")))
        .bind(oid)
        .fetch_all(connection)
        .await
        .map_err(|e| fault(e, options_place))
}

async fn named(
    connection: &mut PgConnection,
    oid: i64,
    options: &Options,
    query: &str,
) -> Result<String, Fault> {
    let names = list(connection, oid, &options.place(), query).await?;
    Ok(enumerated(names.iter().map(|name| shown(name))))
}

fn enumerated(names: impl Iterator<Item = String>) -> String {
    let names: Vec<String> = names.collect();
    let (first, more) = names.split_at(names.len().min(NAMED));
    let mut text = first.join(", ");
    if !more.is_empty() {
        text.push_str(&format!(" and {} more", more.len()));
    }
    text
}

/// Whether anything but the statement itself may decide how many rows are there after it.
pub(super) async fn has_any(
    connection: &mut PgConnection,
    oid: i64,
    place: &str,
) -> Result<bool, Fault> {
    for query in [TRIGGERS, RULES] {
        if !list(connection, oid, place, query).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What of a table may have made of so many rows so many others, for people.
pub(super) async fn suspects(
    connection: &mut PgConnection,
    oid: i64,
    place: &str,
) -> Result<String, Fault> {
    let mut found = Vec::new();
    for (kind, query) in [("trigger", TRIGGERS), ("rule", RULES)] {
        let all = list(connection, oid, place, query).await?;
        let all = all.iter().map(|line| match line.rsplit_once('\n') {
            Some((name, when)) => format!("{} ({when})", shown(name)),
            None => shown(line),
        });
        let all = enumerated(all);
        if !all.is_empty() {
            found.push(format!("its {kind} {all}"));
        }
    }
    Ok(match found.is_empty() {
        true => "something in the database other than a trigger or rule of the table".into(),
        false => found.join(", or "),
    })
}
