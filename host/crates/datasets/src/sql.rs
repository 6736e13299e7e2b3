//! The one statement of a page, in either dialect.
//! It contains only quoted, declared names and a number of rows: all values are bound.

use std::collections::HashMap;
use std::fmt::Write;

use glovebox_core::DataType;

use super::{Cell, Comparison, Filter, Key, PageError, Query, Sort, Table};
use glovebox_connectors::database::quote;
use glovebox_connectors::postgres::written;

/// Whose SQL it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// A statement and what is bound to it.
#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) bound: Vec<Cell>,
    /// The columns of the place, and where they stand in a row; the row number is of none.
    pub(super) order: Vec<(usize, Option<usize>)>,
}

/// A column of the order; none is the row number.
struct Step {
    column: Option<usize>,
    descending: bool,
    not_null: bool,
}

/// The types, as SQL, of PostgreSQL's columns that are read as text and are none: UUIDs, enums, addresses.
pub(super) type Casts = HashMap<String, String>;

/// Whether a text is compared with a column, so that its [`Casts`] have to be known.
pub(super) fn compares_text(query: &Query) -> bool {
    let text = |cell: &Cell| matches!(cell, Cell::Text(_));
    let filters = query.filters.iter().any(|filter| match filter {
        Filter::Null { .. } => false,
        Filter::OneOf { values, .. } => values.iter().any(text),
        Filter::Compare { value, .. } => text(value),
    });
    filters || query.after.iter().flatten().any(text)
}

pub(super) fn statement(
    dialect: Dialect,
    table: &Table,
    query: &Query,
    casts: &Casts,
) -> Result<Statement, PageError> {
    let steps = order(table, query)?;
    let mut build = Build {
        dialect,
        table,
        casts,
        bound: Vec::new(),
    };
    for sort in &query.sort {
        build.ordered(sort.column)?;
    }
    let wanted = query.columns.iter().map(|c| build.selected(Some(*c)));
    let mut selected: Vec<String> = wanted.collect::<Result<_, _>>()?;
    let mut order = Vec::with_capacity(steps.len());
    for step in &steps {
        // What is wanted anyway is not sent twice.
        let there = query.columns.iter().position(|c| Some(*c) == step.column);
        order.push((there.unwrap_or(selected.len()), step.column));
        if there.is_none() {
            selected.push(build.selected(step.column)?);
        }
    }
    let mut conditions = Vec::new();
    for filter in &query.filters {
        conditions.push(build.filter(filter)?);
    }
    if let Some(after) = &query.after {
        conditions.push(build.after(&steps, after)?);
    }
    let mut by = Vec::new();
    for step in &steps {
        let name = build.name(step.column)?;
        let down = if step.descending { " DESC" } else { "" };
        if step.not_null {
            by.push(format!("{name}{down}"));
        } else {
            by.push(format!("{name} IS NULL, {name}{down}"));
        }
    }
    let from = match &table.schema {
        Some(schema) if dialect == Dialect::Postgres => {
            format!("{}.{}", quote(schema), quote(&table.name))
        }
        _ => quote(&table.name),
    };
    let mut sql = format!("SELECT {} FROM {from}", selected.join(", "));
    if !conditions.is_empty() {
        let _ = write!(sql, " WHERE {}", conditions.join(" AND "));
    }
    let _ = write!(sql, " ORDER BY {}", by.join(", "));
    // One more than wanted tells whether there is a next page.
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX - 1) + 1;
    let limit = match query.filters.is_empty() {
        // PostgreSQL plans a statement with a bound limit each time it runs, which is a fifth of its work for
        // a page; without one it keeps the plan.
        true => limit.to_string(),
        // What is rare needs another plan than what is frequent.
        false => build.bind(None, Cell::Int64(limit)),
    };
    let _ = write!(sql, " LIMIT {limit}");
    Ok(Statement {
        sql,
        bound: build.bound,
        order,
    })
}

fn order(table: &Table, query: &Query) -> Result<Vec<Step>, PageError> {
    let mut steps: Vec<Step> = Vec::new();
    for Sort { column, descending } in &query.sort {
        let declared = table.columns.get(*column).ok_or(UNKNOWN)?;
        steps.push(Step {
            column: Some(*column),
            descending: *descending,
            not_null: declared.not_null,
        });
    }
    match &table.key {
        Key::RowId => steps.push(Step {
            column: None,
            descending: false,
            not_null: true,
        }),
        Key::Columns(columns) => {
            for column in columns {
                if !steps.iter().any(|s| s.column == Some(*column)) {
                    steps.push(Step {
                        column: Some(*column),
                        descending: false,
                        not_null: true,
                    });
                }
            }
        }
    }
    Ok(steps)
}

const UNKNOWN: PageError = PageError::Query("a column is named that the table does not have");

struct Build<'t> {
    dialect: Dialect,
    table: &'t Table,
    casts: &'t Casts,
    bound: Vec<Cell>,
}

impl Build<'_> {
    fn column(&self, column: usize) -> Result<&super::Column, PageError> {
        self.table.columns.get(column).ok_or(UNKNOWN)
    }

    /// The name as it is compared and ordered by: in PostgreSQL by the column's own collation, whose
    /// index a page can follow, and in which only equal bytes are equal.
    fn name(&self, column: Option<usize>) -> Result<String, PageError> {
        let Some(column) = column else {
            return Ok("_rowid_".into());
        };
        Ok(quote(&self.column(column)?.name))
    }

    /// SQLite has decimals as text, whose order is not that of numbers.
    fn ordered(&self, column: usize) -> Result<(), PageError> {
        match (self.dialect, self.column(column)?.data_type) {
            (Dialect::Sqlite, DataType::Decimal { .. }) => Err(PageError::Query(
                "SQLite stores decimals as text: they can be compared with `=` and `!=` but not \
                sorted",
            )),
            _ => Ok(()),
        }
    }

    /// The column as it is read, in a type whose bytes we know.
    fn selected(&self, column: Option<usize>) -> Result<String, PageError> {
        let Some(column) = column else {
            return Ok("_rowid_".into());
        };
        let column = self.column(column)?;
        let name = quote(&column.name);
        if self.dialect == Dialect::Sqlite {
            return Ok(name);
        }
        Ok(match column.data_type {
            DataType::Boolean => format!("{name}::boolean"),
            DataType::Int64 => format!("{name}::bigint"),
            DataType::Float64 => format!("{name}::double precision"),
            DataType::Decimal { .. } => format!("{name}::text"),
            // Half the time of asking its type how it is written; which type it is may change at any time.
            DataType::Text => format!(
                "CASE WHEN pg_catalog.pg_typeof({name}) = 'pg_catalog.text'::pg_catalog.regtype \
                 THEN {name}::text ELSE {} END",
                written(&name)
            ),
            DataType::Bytes => format!("{name}::bytea"),
            DataType::Date => format!("({name}::date - date '1970-01-01')::integer"),
            DataType::Timestamp => {
                format!("(extract(epoch from {name}::timestamptz) * 1000000)::bigint")
            }
            DataType::Opaque => return Err(UNKNOWN),
        })
    }

    /// The type of a column that is read as text and is none.
    fn cast(&self, column: Option<usize>) -> Option<&str> {
        let column = self.table.columns.get(column?)?;
        self.casts.get(&column.name).map(String::as_str)
    }

    /// Binds a value that is compared with a column, and says how the statement refers to it.
    fn bind(&mut self, column: Option<usize>, cell: Cell) -> String {
        let cast = match (self.dialect, &cell) {
            (Dialect::Sqlite, _) => String::new(),
            (_, Cell::Decimal(_)) => "::text::numeric".into(),
            (_, Cell::Date(_)) => "::text::date".into(),
            (_, Cell::Timestamp(_)) => "::text::timestamptz".into(),
            (_, Cell::Text(_)) => match self.cast(column) {
                Some(cast) => format!("::text::{cast}"),
                None => String::new(),
            },
            _ => String::new(),
        };
        self.bound.push(cell);
        format!("${}{cast}", self.bound.len())
    }

    fn filter(&mut self, filter: &Filter) -> Result<String, PageError> {
        Ok(match filter {
            Filter::Null { column, is } => {
                let name = self.name(Some(*column))?;
                format!("{name} IS {}NULL", if *is { "" } else { "NOT " })
            }
            Filter::OneOf { column, values } => {
                let name = self.name(Some(*column))?;
                let values: Vec<_> = values
                    .iter()
                    .map(|v| self.bind(Some(*column), v.clone()))
                    .collect();
                format!("{name} IN ({})", values.join(", "))
            }
            Filter::Compare {
                column,
                comparison: Comparison::StartsWith,
                value,
            } => {
                let name = self.name(Some(*column))?;
                // Not LIKE: its signs would have to be escaped, and SQLite's folds case.
                match self.dialect {
                    Dialect::Sqlite => {
                        let one = self.bind(None, value.clone());
                        let two = self.bind(None, value.clone());
                        format!("substr({name}, 1, length({one})) = {two}")
                    }
                    Dialect::Postgres => {
                        let text = match self.cast(Some(*column)) {
                            Some(_) => "::text",
                            None => "",
                        };
                        let one = self.bind(None, value.clone());
                        format!("starts_with({name}{text}, {one})")
                    }
                }
            }
            Filter::Compare {
                column,
                comparison,
                value,
            } => {
                if !matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
                    self.ordered(*column)?;
                }
                let sign = match comparison {
                    Comparison::Equal | Comparison::StartsWith => "=",
                    Comparison::NotEqual => "<>",
                    Comparison::Less => "<",
                    Comparison::AtMost => "<=",
                    Comparison::Greater => ">",
                    Comparison::AtLeast => ">=",
                };
                let name = self.name(Some(*column))?;
                let value = self.bind(Some(*column), value.clone());
                format!("{name} {sign} {value}")
            }
        })
    }

    /// Rows behind a place: equal in the first columns and behind in the next. Nulls are last.
    fn after(&mut self, steps: &[Step], after: &[Cell]) -> Result<String, PageError> {
        if after.len() != steps.len() {
            return Err(PageError::Query("the cursor belongs to another order"));
        }
        let mut ways = Vec::new();
        for (depth, (step, cell)) in steps.iter().zip(after).enumerate() {
            let name = self.name(step.column)?;
            let behind = match cell {
                // Nothing is behind null but what the next columns tell apart.
                Cell::Null => continue,
                cell => {
                    let sign = if step.descending { "<" } else { ">" };
                    let value = self.bind(step.column, cell.clone());
                    if step.not_null {
                        format!("{name} {sign} {value}")
                    } else {
                        format!("({name} {sign} {value} OR {name} IS NULL)")
                    }
                }
            };
            let mut all = Vec::new();
            for (step, cell) in steps.iter().zip(after).take(depth) {
                let name = self.name(step.column)?;
                all.push(match cell {
                    Cell::Null => format!("{name} IS NULL"),
                    cell => format!("{name} = {}", self.bind(step.column, cell.clone())),
                });
            }
            all.push(behind);
            ways.push(format!("({})", all.join(" AND ")));
        }
        if ways.is_empty() {
            return Err(PageError::Query("the cursor belongs to another order"));
        }
        Ok(format!("({})", ways.join(" OR ")))
    }
}

#[cfg(test)]
#[path = "sql_tests.rs"]
mod tests;
