//! Side effects of inserting or deleting rows of a table: foreign keys of other tables, triggers,
//! conflict clauses.

use glovebox_core::{Schema, SinkError};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::refusal::refusal;
use super::{Mode, Options};
use crate::database::{quote, shown};

/// How many of a kind are named.
const NAMED: usize = 3;

/// What acts on a table's rows beside the statements of a run.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// Each trigger's name, and what sets it off.
    triggers: Vec<(String, Event)>,
    /// Whether a constraint says that rows are dropped or exchanged where it is broken.
    clause: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Insert,
    Update,
    Delete,
}

impl Effects {
    /// Reads them; a table that is not there has none.
    pub(super) async fn of(
        connection: &mut SqliteConnection,
        options: &Options,
    ) -> Result<Self, SinkError> {
        let found: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT type, name, coalesce(sql, '') FROM main.sqlite_schema \
             WHERE tbl_name = ? COLLATE NOCASE AND type IN ('table', 'trigger') ORDER BY name",
        )
        .bind(options.table.as_str())
        .fetch_all(connection)
        .await
        .map_err(|e| refusal(e, &options.place()))?;
        let mut effects = Effects::default();
        for (kind, name, sql) in found {
            let words = words(&sql);
            if kind == "table" {
                effects.clause |= words.windows(3).any(
                    |w| matches!(w, [on, conflict, how] if on == "ON" && conflict == "CONFLICT" && how != "ABORT"),
                );
            } else if let Some(event) = words.iter().find_map(|word| event(word)) {
                effects.triggers.push((name, event));
            }
        }
        Ok(effects)
    }

    /// Whether anything but the statement itself may decide how many rows are there after it.
    pub(super) fn any(&self) -> bool {
        self.clause || !self.triggers.is_empty()
    }

    /// Refuses a table that has not taken each row once, and says what in it may have done that.
    pub(super) fn differ(&self, options: &Options, sent: u64, kept: i128) -> SinkError {
        let mut suspects = Vec::new();
        let triggers = self.triggers.iter().map(|(name, event)| {
            let event = match event {
                Event::Insert => "INSERT",
                Event::Update => "UPDATE",
                Event::Delete => "DELETE",
            };
            format!("{} (on {event})", shown(name))
        });
        let triggers = enumerated(triggers.collect());
        if !triggers.is_empty() {
            suspects.push(format!("its trigger {triggers}"));
        }
        if self.clause {
            suspects.push("an ON CONFLICT clause in its definition".to_owned());
        }
        let suspects = match suspects.is_empty() {
            true => "another program that changed the table at the same time".into(),
            false => suspects.join(", or "),
        };
        let kept = match kept {
            0.. => kept.to_string(),
            lost => format!("none, and lost {}", lost.unsigned_abs()),
        };
        SinkError::Refused {
            place: options.place(),
            problem: format!(
                "{sent} rows were sent, but the table kept {kept}, by SQLite's own count; the \
                cause is {suspects}. None of these rows is stored: remove it for the load, or \
                filter such rows with a step before they are sent"
            ),
        }
    }
}

/// All rows of a table.
pub(super) async fn count(
    connection: &mut SqliteConnection,
    table: &str,
    place: &str,
) -> Result<u64, SinkError> {
    number(connection, &format!("SELECT count(*) FROM {table}"), place).await
}

/// A statement's one number.
pub(super) async fn number(
    connection: &mut SqliteConnection,
    sql: &str,
    place: &str,
) -> Result<u64, SinkError> {
    let rows: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_one(connection)
        .await
        .map_err(|e| refusal(e, place))?;
    Ok(u64::try_from(rows).unwrap_or(0))
}

/// A foreign key of another table.
struct Reference {
    table: String,
    on_delete: String,
    on_update: String,
    /// The columns of ours that it names; none is the primary key.
    referenced: Vec<String>,
    referring: Vec<String>,
}

/// Why the run's mode would change other tables, or could not be carried out because of them.
pub(super) async fn obstacles(
    connection: &mut SqliteConnection,
    options: &Options,
    schema: &Schema,
) -> Result<Vec<String>, SinkError> {
    let mut found = Vec::new();
    if options.mode.appends() {
        return Ok(found);
    }
    let allowed = options.lenient.side_effects;
    for other in references(connection, options).await? {
        let name = shown(&other.table);
        if options.mode == Mode::Upsert {
            found.extend(
                (!allowed)
                    .then(|| on_update(&other, &name, schema, options))
                    .flatten(),
            );
            continue;
        }
        let effect = match other.on_delete.as_str() {
            "CASCADE" => "delete rows there",
            "SET NULL" => "empty cells there",
            "SET DEFAULT" => "overwrite cells there",
            _ => {
                found.extend(holds_on(connection, &other, &name, options).await?);
                continue;
            }
        };
        if !allowed {
            found.push(format!(
                "replacing its rows would {effect}: table {name} references it by a foreign key \
                on ({}) with ON DELETE {}; use `mode: upsert`, which deletes no rows, or write \
                `side-effects: allow` in the sink to permit it",
                enumerated(other.referring.iter().map(|c| shown(c)).collect()),
                other.on_delete
            ));
        }
    }
    if options.mode == Mode::Replace && !allowed {
        let effects = Effects::of(connection, options).await?;
        let deleting = effects.triggers.iter().filter(|(_, e)| *e == Event::Delete);
        let deleting = enumerated(deleting.map(|(name, _)| shown(name)).collect());
        if !deleting.is_empty() {
            found.push(format!(
                "replacing its rows would fire what may change other tables: its DELETE trigger \
                 {deleting}; use `mode: upsert`, or write `side-effects: allow` in the sink to \
                     permit it"
            ));
        }
    }
    Ok(found)
}

fn on_update(other: &Reference, name: &str, schema: &Schema, options: &Options) -> Option<String> {
    let effect = match other.on_update.as_str() {
        "CASCADE" => "change cells",
        "SET NULL" => "empty cells",
        "SET DEFAULT" => "overwrite cells",
        _ => return None,
    };
    let is_updated = |column: &String| {
        let same = |other: &str| other.eq_ignore_ascii_case(column);
        schema.fields.iter().any(|f| same(&f.name)) && !options.keys.iter().any(|k| same(k))
    };
    other.referenced.iter().any(is_updated).then(|| {
        format!(
            "an upsert of its rows could {effect} of another table: table {name} references, with \
            ON UPDATE {}, columns that are not in `keys`; leave these columns out, or write \
             `side-effects: allow` in the sink to permit it",
            other.on_update
        )
    })
}

/// A foreign key that would refuse the deletion in the end, if the other table has such rows.
async fn holds_on(
    connection: &mut SqliteConnection,
    other: &Reference,
    name: &str,
    options: &Options,
) -> Result<Option<String>, SinkError> {
    let filled: Vec<String> = other
        .referring
        .iter()
        .map(|column| format!("{} IS NOT NULL", quote(column)))
        .collect();
    let held = format!(
        "SELECT EXISTS (SELECT 1 FROM {} WHERE {})",
        quote(&other.table),
        filled.join(" AND ")
    );
    let held = number(connection, &held, &options.place()).await? > 0;
    Ok(held.then(|| {
        format!(
            "rows of table {name} reference the rows to be replaced by a foreign key on ({}), so \
            SQLite would refuse that in the end; use `mode: upsert`",
            enumerated(other.referring.iter().map(|c| shown(c)).collect())
        )
    }))
}

async fn references(
    connection: &mut SqliteConnection,
    options: &Options,
) -> Result<Vec<Reference>, SinkError> {
    let found: Vec<(String, i64, String, String, String, Option<String>)> = sqlx::query_as(
        "SELECT t.name, f.id, f.\"from\", f.on_delete, f.on_update, f.\"to\" \
         FROM main.sqlite_schema t, pragma_foreign_key_list(t.name) f \
         WHERE t.type = 'table' AND f.\"table\" = ?1 COLLATE NOCASE \
         AND t.name <> ?1 COLLATE NOCASE ORDER BY t.name, f.id, f.seq",
    )
    .bind(options.table.as_str())
    .fetch_all(connection)
    .await
    .map_err(|e| refusal(e, &options.place()))?;
    let mut all: Vec<((String, i64), Reference)> = Vec::new();
    for (table, id, from, on_delete, on_update, to) in found {
        let key = (table.clone(), id);
        if all.last().is_none_or(|(last, _)| *last != key) {
            let reference = Reference {
                table,
                on_delete,
                on_update,
                referenced: Vec::new(),
                referring: Vec::new(),
            };
            all.push((key, reference));
        }
        if let Some((_, reference)) = all.last_mut() {
            reference.referring.push(from);
            reference.referenced.extend(to);
        }
    }
    Ok(all.into_iter().map(|(_, reference)| reference).collect())
}

fn enumerated(names: Vec<String>) -> String {
    let (first, more) = names.split_at(names.len().min(NAMED));
    let mut text = first.join(", ");
    if !more.is_empty() {
        text.push_str(&format!(" and {} more", more.len()));
    }
    text
}

/// What sets a trigger off: none of these words can be a name without quotes.
fn event(word: &str) -> Option<Event> {
    match word {
        "INSERT" => Some(Event::Insert),
        "UPDATE" => Some(Event::Update),
        "DELETE" => Some(Event::Delete),
        _ => None,
    }
}

/// The words of a statement in capitals, without comments and whatever stands in quotes.
fn words(sql: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let past = |end: &str| {
            rest.get(first.len_utf8()..)
                .and_then(|r| Some((r, r.find(end)? + end.len())))
        };
        let skipped = match first {
            '-' if rest.starts_with("--") => past("\n"),
            '/' if rest.starts_with("/*") => past("*/"),
            '\'' | '"' | '`' => past(first.encode_utf8(&mut [0; 4])),
            '[' => past("]"),
            c if c.is_alphanumeric() || c == '_' => {
                let end = rest
                    .find(|c: char| !c.is_alphanumeric() && c != '_')
                    .unwrap_or(rest.len());
                let (word, after) = rest.split_at(end);
                found.push(word.to_ascii_uppercase());
                rest = after;
                continue;
            }
            '-' | '/' => Some((rest, 1)),
            c => Some((rest, c.len_utf8())),
        };
        // What is not closed reaches to the end.
        rest = skipped
            .and_then(|(from, end)| from.get(end..))
            .unwrap_or_default();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_leave_comments_and_quotes_out() {
        assert_eq!(
            words("create/*on conflict*/trigger \"delete\" -- insert\nafter [update] UPDATE on t"),
            ["CREATE", "TRIGGER", "AFTER", "UPDATE", "ON", "T"]
        );
        assert_eq!(words("a - b / c 'it''s' \"open"), ["A", "B", "C"]);
        assert!(words("/* never closed").is_empty());
    }
}
