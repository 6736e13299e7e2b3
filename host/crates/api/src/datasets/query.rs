//! Parses a query string: columns, filters, order, cursor, limit.
//!
//! A list may come in one parameter or in several.

use glovebox_datasets::{Cell, Comparison, Filter, Query, Sort, Table};

use super::super::config::{ROWS, View};
use super::super::problem::Problem;

/// Filters at most.
const MAX_FILTERS: usize = 32;
/// Columns to sort by at most.
const MAX_SORTS: usize = 8;

/// A query, and the cursor that has yet to be opened.
#[derive(Debug, PartialEq)]
pub(crate) struct Asked {
    pub(crate) query: Query,
    pub(crate) cursor: Option<String>,
}

fn bad(detail: impl Into<String>) -> Problem {
    Problem::bad_query().detail(detail)
}

/// Reads the parameters of a request.
///
/// # Errors
/// 400 with what is wrong: names are repeated only if they are declared, values never.
pub(crate) fn read(
    parameters: &[(String, String)],
    table: &Table,
    view: &View,
) -> Result<Asked, Problem> {
    let mut said = Said {
        table,
        view,
        columns: None,
        sort: None,
        filters: Vec::new(),
        one_of: Vec::new(),
    };
    let mut limit = None;
    let mut cursor = None;
    for (name, value) in parameters {
        match name.as_str() {
            "columns" => said.columns(value)?,
            "sort" => said.sort(value)?,
            "limit" => {
                let rows = value
                    .parse::<usize>()
                    .ok()
                    .filter(|n| (1..=view.rows_at_most).contains(n))
                    .ok_or_else(|| bad(format!("`limit` is 1 to {}.", view.rows_at_most)))?;
                set(&mut limit, rows, "limit")?;
            }
            "cursor" => set(&mut cursor, value.clone(), "cursor")?,
            filter => said.filter(filter, value)?,
        }
    }
    let Said {
        columns,
        sort,
        mut filters,
        one_of,
        ..
    } = said;
    let one_of = one_of
        .into_iter()
        .map(|(column, values)| Filter::OneOf { column, values });
    filters.extend(one_of);
    if filters.len() > MAX_FILTERS {
        return Err(bad(format!("at most {MAX_FILTERS} filters are allowed.")));
    }
    Ok(Asked {
        query: Query {
            columns: columns.unwrap_or_else(|| view.columns.clone()),
            filters,
            sort: sort.map(|(sort, _)| sort).unwrap_or_default(),
            after: None,
            limit: limit.unwrap_or(ROWS.min(view.rows_at_most)),
        },
        cursor,
    })
}

/// What the parameters so far say of a table.
struct Said<'t> {
    table: &'t Table,
    view: &'t View,
    columns: Option<Vec<usize>>,
    /// With how many were named.
    sort: Option<(Vec<Sort>, usize)>,
    filters: Vec<Filter>,
    one_of: Vec<(usize, Vec<Cell>)>,
}

impl Said<'_> {
    fn column(&self, name: &str) -> Result<usize, Problem> {
        let is_named = |c: &usize| self.table.columns.get(*c).is_some_and(|d| d.name == name);
        let mut visible = self.view.columns.iter().copied();
        visible
            .find(is_named)
            .ok_or_else(|| unknown(self.table, self.view))
    }

    fn columns(&mut self, value: &str) -> Result<(), Problem> {
        for part in value.split(',') {
            let column = self.column(part)?;
            let list = self.columns.get_or_insert_default();
            if list.contains(&column) {
                return Err(bad("`columns` names a column twice."));
            }
            list.push(column);
        }
        Ok(())
    }

    fn sort(&mut self, value: &str) -> Result<(), Problem> {
        for part in value.split(',') {
            let (name, descending) = match part.strip_prefix('-') {
                Some(name) => (name, true),
                None => (part, false),
            };
            let (_, named) = self.sort.get_or_insert_default();
            *named += 1;
            if *named > MAX_SORTS {
                return Err(bad(format!("`sort` takes at most {MAX_SORTS} columns.")));
            }
            let column = self.column(name)?;
            let (list, _) = self.sort.get_or_insert_default();
            // Again by the same column changes nothing.
            if list.iter().all(|s| s.column != column) {
                list.push(Sort { column, descending });
            }
        }
        Ok(())
    }

    fn filter(&mut self, filter: &str, value: &str) -> Result<(), Problem> {
        let (name, operator) = match filter.split_once('[') {
            None => (filter, "eq"),
            Some((name, operator)) => (name, operator.strip_suffix(']').unwrap_or_default()),
        };
        let column = self.column(name)?;
        let place = self.table.columns.get(column);
        let place = place.ok_or_else(Problem::internal)?;
        let cell = || {
            Cell::parse(value, place.data_type).ok_or_else(|| {
                bad(format!(
                    "the value for `{}` is not a valid {}.",
                    place.name, place.data_type
                ))
            })
        };
        let comparison = match operator {
            "eq" => Comparison::Equal,
            "ne" => Comparison::NotEqual,
            "lt" => Comparison::Less,
            "lte" => Comparison::AtMost,
            "gt" => Comparison::Greater,
            "gte" => Comparison::AtLeast,
            "starts-with" => {
                if place.data_type != glovebox_core::DataType::Text {
                    return Err(bad("`starts-with` is for text."));
                }
                Comparison::StartsWith
            }
            "in" => {
                let cell = cell()?;
                match self.one_of.iter_mut().find(|(c, _)| *c == column) {
                    Some((_, values)) if values.len() < 100 => values.push(cell),
                    Some(_) => return Err(bad("`in` takes at most 100 values.")),
                    None => self.one_of.push((column, vec![cell])),
                }
                return Ok(());
            }
            "null" => {
                let is = match value {
                    "true" => true,
                    "false" => false,
                    _ => return Err(bad("`null` is true or false.")),
                };
                self.filters.push(Filter::Null { column, is });
                return Ok(());
            }
            _ => {
                return Err(bad(
                    "a filter is NAME=VALUE or NAME[OPERATOR]=VALUE; the operators are \
                     eq, ne, lt, lte, gt, gte, in, starts-with, null.",
                ));
            }
        };
        self.filters.push(Filter::Compare {
            column,
            comparison,
            value: cell()?,
        });
        Ok(())
    }
}

fn set<T>(place: &mut Option<T>, value: T, name: &str) -> Result<(), Problem> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(bad(format!("`{name}` is given twice."))),
    }
}

/// A parameter that is neither ours nor a column of theirs.
fn unknown(table: &Table, view: &View) -> Problem {
    let columns = view.columns.iter().filter_map(|c| table.columns.get(*c));
    let names: Vec<&str> = columns.map(|c| c.name.as_str()).collect();
    bad(format!(
        "a parameter names no column; the columns are: {}.",
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use glovebox_core::DataType;
    use glovebox_datasets::{Column, Key};

    use super::*;

    fn table() -> Table {
        let column = |name: &str, data_type| Column {
            name: name.into(),
            data_type,
            not_null: false,
        };
        Table {
            schema: None,
            name: "sales".into(),
            columns: vec![
                column("secret", DataType::Text),
                column("product", DataType::Text),
                column("price", DataType::Float64),
            ],
            key: Key::RowId,
        }
    }

    fn asked(parameters: &[(&str, &str)]) -> Result<Asked, Problem> {
        let parameters: Vec<_> = parameters
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        let view = View {
            columns: vec![1, 2],
            rows_at_most: 50,
        };
        read(&parameters, &table(), &view)
    }

    #[test]
    fn nothing_said_is_all_that_may_be_seen() {
        let Asked { query, cursor } = asked(&[]).unwrap();
        assert_eq!((query.columns, query.limit, cursor), (vec![1, 2], 50, None));
        assert!(query.filters.is_empty() && query.sort.is_empty());
    }

    #[test]
    fn every_part_is_read() {
        let Asked { query, cursor } = asked(&[
            ("columns", "price"),
            ("sort", "-price,product,price"),
            ("limit", "7"),
            ("cursor", "c"),
            ("price[gte]", "1.5"),
            ("product[in]", "a"),
            ("product[in]", "b,c"),
            ("product[null]", "false"),
            ("product", "x"),
        ])
        .unwrap();
        assert_eq!(cursor.unwrap(), "c");
        assert_eq!((query.columns, query.limit), (vec![2], 7));
        let step = |column, descending| Sort { column, descending };
        assert_eq!(query.sort, [step(2, true), step(1, false)]);
        assert_eq!(query.filters.len(), 4);
        let values = vec![Cell::Text("a".into()), Cell::Text("b,c".into())];
        assert_eq!(query.filters[3], Filter::OneOf { column: 1, values });
    }

    #[test]
    fn a_list_may_come_in_one_parameter_or_in_several() {
        for (one, several) in [
            (
                &[("columns", "price,product")][..],
                &[("columns", "price"), ("columns", "product")][..],
            ),
            (
                &[("sort", "-price,product")],
                &[("sort", "-price"), ("sort", "product")],
            ),
        ] {
            assert_eq!(asked(one).unwrap(), asked(several).unwrap());
        }
    }

    #[test]
    fn what_is_hidden_unknown_doubled_or_of_another_type_is_refused() {
        let canary = "canary-5a";
        for bad in [
            &[("secret", "x")][..],
            &[("columns", "secret")],
            &[("sort", "secret")],
            &[("secret[gte]", "x")],
            &[("columns", "price,price")],
            &[("columns", "price"), ("columns", "price")],
            &[("sort", "price"); 9],
            &[("columns", "")],
            &[(
                "sort",
                "price,price,price,price,price,price,price,price,price",
            )],
            &[("limit", "0")],
            &[("limit", "51")],
            &[("limit", "-1")],
            &[("limit", "1"), ("limit", "2")],
            &[("price", canary)],
            &[("price[gte", "1")],
            &[("price[like]", "1")],
            &[("price[starts-with]", "1")],
            &[("product[null]", "maybe")],
            &[(canary, "1")],
            &[("product; DROP TABLE sales", "1")],
        ] {
            let problem = asked(bad).unwrap_err();
            let told = format!("{problem:?}");
            assert_eq!(problem.status(), 400, "{bad:?}");
            assert!(!told.contains(canary) && !told.contains("secret"), "{told}");
        }
    }
}
