//! The statements of pages, as they are sent.

use super::super::Column;
use super::*;

fn table(key: Key) -> Table {
    let column = |name: &str, data_type, not_null| Column {
        name: name.into(),
        data_type,
        not_null,
    };
    Table {
        schema: Some("public".into()),
        name: "sales\"x".into(),
        columns: vec![
            column("id", DataType::Int64, true),
            column("pro\"duct", DataType::Text, false),
            column("day", DataType::Date, false),
        ],
        key,
    }
}

fn query() -> Query {
    Query {
        columns: vec![1],
        filters: Vec::new(),
        sort: Vec::new(),
        after: None,
        limit: 10,
    }
}

#[test]
fn names_are_quoted_and_values_bound() {
    let mut query = query();
    query.filters.push(Filter::Compare {
        column: 1,
        comparison: Comparison::Equal,
        value: Cell::Text("'; DROP TABLE x; --".into()),
    });
    let made = statement(Dialect::Sqlite, &table(Key::RowId), &query, &Casts::new()).unwrap();
    assert_eq!(
        made.sql,
        "SELECT \"pro\"\"duct\", _rowid_ FROM \"sales\"\"x\" WHERE \"pro\"\"duct\" = $1 \
         ORDER BY _rowid_ LIMIT $2"
    );
    assert_eq!(made.bound.len(), 2);
}

#[test]
fn a_place_counts_nulls_last_in_both_directions() {
    let mut query = query();
    query.sort = vec![Sort {
        column: 2,
        descending: true,
    }];
    query.after = Some(vec![Cell::Date(1), Cell::Int64(7)]);
    let made = statement(
        Dialect::Postgres,
        &table(Key::Columns(vec![0])),
        &query,
        &Casts::new(),
    )
    .unwrap();
    assert_eq!(
        made.sql,
        "SELECT CASE WHEN pg_catalog.pg_typeof(\"pro\"\"duct\") = 'pg_catalog.text'::pg_catalog.regtype \
         THEN \"pro\"\"duct\"::text ELSE CASE WHEN \"pro\"\"duct\" IS DISTINCT FROM NULL \
         THEN pg_catalog.format('%s', \"pro\"\"duct\") END END, (\"day\"::date - date '1970-01-01')::integer, \
         \"id\"::bigint FROM \"public\".\"sales\"\"x\" WHERE \
         (((\"day\" < $1::text::date OR \"day\" IS NULL)) OR \
         (\"day\" = $3::text::date AND \"id\" > $2)) \
         ORDER BY \"day\" IS NULL, \"day\" DESC, \"id\" LIMIT 11"
    );
    query.after = Some(vec![Cell::Null, Cell::Int64(7)]);
    let made = statement(
        Dialect::Postgres,
        &table(Key::Columns(vec![0])),
        &query,
        &Casts::new(),
    )
    .unwrap();
    assert!(
        made.sql
            .contains("WHERE ((\"day\" IS NULL AND \"id\" > $1))"),
        "{}",
        made.sql
    );
}

#[test]
fn a_column_that_is_wanted_and_of_the_place_is_selected_once() {
    let mut query = query();
    query.columns = vec![2, 0];
    query.sort = vec![Sort {
        column: 1,
        descending: false,
    }];
    let key = Key::Columns(vec![0, 2]);
    let made = statement(Dialect::Sqlite, &table(key), &query, &Casts::new()).unwrap();
    assert!(
        made.sql
            .starts_with("SELECT \"day\", \"id\", \"pro\"\"duct\" FROM"),
        "{}",
        made.sql
    );
    assert_eq!(made.order, [(2, Some(1)), (1, Some(0)), (0, Some(2))]);
}

#[test]
fn a_place_of_another_order_is_refused() {
    let mut query = query();
    for after in [vec![], vec![Cell::Null], vec![Cell::Int64(1); 2]] {
        query.after = Some(after);
        assert!(statement(Dialect::Sqlite, &table(Key::RowId), &query, &Casts::new()).is_err());
    }
}
