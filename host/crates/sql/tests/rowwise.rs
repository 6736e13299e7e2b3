//! What queries over single rows make, and of which rows they make nothing.

// clippy.toml lets tests fail loudly, but does not see that what they call is a test's too.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod room;

use arrow_array::Array as _;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use glovebox_core::{Answer, DataType, FaultKind, QueryFault, Selected};

/// The rows after the query, as text, a column of the output after the other; `∅` is null.
fn made(text: &str) -> Vec<Vec<String>> {
    let query = room::select(text);
    let rows = room::rows();
    let Answer::Selected { columns, keep } = room::answer(&query, &rows).unwrap() else {
        panic!("no query's answer");
    };
    let left = match keep {
        Some(keep) => arrow_select::filter::filter_record_batch(&rows, &keep).unwrap(),
        None => rows,
    };
    let shown = query.output.iter().map(|column| {
        let cells = match column {
            Selected::Passed { place, .. } => left.column(*place),
            Selected::Made { place, .. } => &columns[*place],
        };
        assert_eq!(cells.len(), left.num_rows());
        let options = FormatOptions::default().with_null("∅");
        let cells = ArrayFormatter::try_new(cells.as_ref(), &options).unwrap();
        (0..left.num_rows())
            .map(|i| cells.value(i).to_string())
            .collect()
    });
    shown.collect()
}

fn fails(text: &str, row: usize) -> QueryFault {
    let query = room::select(text);
    match room::answer(&query, &room::rows().slice(row, 1)) {
        Err(fault) => match fault.kind {
            FaultKind::Query(kind) => kind,
            other => panic!("{other:?}"),
        },
        Ok(answer) => panic!("{answer:?}"),
    }
}

#[test]
fn columns_are_computed_renamed_left_out_and_passed_on() {
    let made = made("SELECT id, name AS who, price + 1 AS more, upper(country) AS land FROM rows");
    assert_eq!(made[0], ["1", "2", "3", "4", "5"]);
    assert_eq!(made[1], ["Ann", "Bob", "Cid", "Dan", "Eve"]);
    assert_eq!(made[2], ["3.50", "1.00", "∅", "0.00", "100000000.99"]);
    assert_eq!(made[3], ["DE", "FR", "∅", "", "12"]);
}

#[test]
fn a_condition_that_is_not_known_keeps_no_row() {
    assert_eq!(
        made("SELECT id FROM rows WHERE price >= 0")[0],
        ["1", "2", "5"]
    );
    assert_eq!(made("SELECT id FROM rows WHERE NOT (price >= 0)")[0], ["4"]);
    assert_eq!(made("SELECT id FROM rows WHERE paid")[0], ["1", "5"]);
    assert_eq!(made("SELECT id FROM rows WHERE NULL")[0], [""; 0]);
}

#[test]
fn what_is_filtered_first_is_not_computed() {
    let text =
        "SELECT 100 / quantity AS per FROM (SELECT * FROM rows WHERE quantity > 0) WHERE id < 3";
    assert_eq!(made(text)[0], ["25", "33"]);
    assert_eq!(
        made("SELECT 100 / quantity AS per FROM rows WHERE quantity <> 0 AND id < 3")[0],
        ["25", "33"]
    );
}

#[test]
fn queries_within_from_are_folded_into_one() {
    let text = "WITH r AS (SELECT id * 2 AS twice, price FROM rows WHERE id > 1) \
                SELECT twice + 1 AS odd, twice FROM r WHERE twice < 9";
    assert_eq!(made(text), [["5", "7", "9"], ["4", "6", "8"]]);
}

#[test]
fn only_columns_that_are_named_are_read() {
    let query = room::select("SELECT *, quantity + 1 AS more FROM rows WHERE paid");
    assert_eq!(query.reads, [3, 8]);
    assert_eq!(query.output.len(), 11);
    let query = room::select("SELECT * FROM rows");
    assert_eq!(query.reads, [0; 0]);
    let query = room::select("SELECT * REPLACE (quantity + 1 AS quantity) FROM rows");
    assert_eq!(query.output.len(), 10);
    assert_eq!(
        query.output[3],
        Selected::Made {
            place: 0,
            of: vec![3]
        }
    );
}

#[test]
fn names_are_found_in_any_case_unless_they_are_quoted() {
    assert_eq!(
        made("select ID, Price AS p FROM ROWS WHERE Rows.id = 1"),
        [["1"], ["2.50"]]
    );
    assert!(
        glovebox_sql::select(
            "SELECT \"ID\" FROM rows",
            &room::columns(),
            &Default::default()
        )
        .is_err()
    );
}

#[test]
fn literals_with_a_point_are_exact() {
    let query = room::select("SELECT price * 1.19 AS gross FROM rows");
    assert_eq!(
        query.makes[0].data_type,
        DataType::Decimal {
            precision: 14,
            scale: 4
        }
    );
    assert_eq!(
        made("SELECT price * 1.19 AS gross FROM rows WHERE id = 1")[0],
        ["2.9750"]
    );
}

#[test]
fn decimals_beside_floats_become_floats() {
    assert_eq!(
        made("SELECT id FROM rows WHERE weight > 1.7")[0],
        ["3", "4", "5"]
    );
    assert_eq!(
        made("SELECT id FROM rows WHERE weight BETWEEN 1.0 AND 1.7")[0],
        ["1"]
    );
    assert_eq!(
        made("SELECT id FROM rows WHERE weight IN (1.5, 2)")[0],
        ["1", "5"]
    );
    assert_eq!(
        made("SELECT weight * 1.5 AS w FROM rows WHERE id = 4")[0],
        ["inf"]
    );
    assert_eq!(
        made("SELECT id FROM rows WHERE weight > price AND id < 3")[0],
        [""; 0]
    );
}

#[test]
fn days_and_times() {
    let text = "SELECT date_trunc('month', sold) AS m, date_part('year', sold) AS y, sold + INTERVAL '1 day' AS d, \
                to_char(sold, '%d.%m.%Y') AS t, CAST(at AS DATE) AS a FROM rows WHERE id = 1";
    let made = made(text);
    assert_eq!(made[0], ["2024-01-01T00:00:00Z"]);
    assert_eq!(made[1], ["2024"]);
    assert_eq!(made[2], ["2024-01-03"]);
    assert_eq!(made[3], ["02.01.2024"]);
    assert_eq!(made[4], ["1970-01-01"]);
}

#[test]
fn missing_values_and_cases() {
    assert_eq!(
        made("SELECT coalesce(country, 'XX') AS c FROM rows")[0],
        ["DE", "FR", "XX", "", "12"]
    );
    assert_eq!(
        made("SELECT nullif(country, '') AS c FROM rows")[0],
        ["DE", "FR", "∅", "∅", "12"]
    );
    let text = "SELECT CASE WHEN quantity > 3 THEN 'many' WHEN quantity IS NULL THEN 'unknown' ELSE 'few' END AS c FROM rows";
    assert_eq!(made(text)[0], ["many", "few", "few", "unknown", "many"]);
}

#[test]
fn a_cell_that_makes_it_fail_is_told_by_its_kind_alone() {
    assert_eq!(
        fails("SELECT 1 / quantity AS q FROM rows", 2),
        QueryFault::DivideByZero
    );
    assert_eq!(
        fails("SELECT 1 % quantity AS q FROM rows", 2),
        QueryFault::DivideByZero
    );
    assert_eq!(
        fails("SELECT quantity + 1 AS q FROM rows", 4),
        QueryFault::TooLarge
    );
    assert_eq!(
        fails("SELECT -(-quantity - 1) AS q FROM rows", 4),
        QueryFault::TooLarge
    );
    assert_eq!(
        fails("SELECT quantity * 2 AS q FROM rows", 4),
        QueryFault::TooLarge
    );
    assert_eq!(
        fails("SELECT CAST(country AS BIGINT) AS q FROM rows", 0),
        QueryFault::Convert
    );
    assert_eq!(
        fails("SELECT CAST(country AS DATE) AS q FROM rows", 0),
        QueryFault::Convert
    );
    assert_eq!(
        fails("SELECT CAST(country AS DOUBLE) AS q FROM rows", 0),
        QueryFault::Convert
    );
    assert_eq!(
        fails("SELECT to_timestamp(country) AS q FROM rows", 0),
        QueryFault::Convert
    );
    assert_eq!(
        fails("SELECT id FROM rows WHERE CAST(country AS BIGINT) > 1", 0),
        QueryFault::Convert
    );
}

#[test]
fn try_cast_makes_null_of_what_cannot_be_converted() {
    assert_eq!(
        made("SELECT TRY_CAST(country AS BIGINT) AS q FROM rows")[0],
        ["∅", "∅", "∅", "∅", "12"]
    );
}

#[test]
fn what_is_made_of_something_personal_is_personal() {
    let query = room::select(
        "SELECT length(name) AS n, id + 1 AS i, concat(country, name) AS c, 1 AS one FROM rows",
    );
    let personal: Vec<bool> = query.makes.iter().map(|field| field.personal).collect();
    assert_eq!(personal, [true, false, true, false]);
}

#[test]
fn an_opaque_column_is_passed_on_and_not_read() {
    let query = room::select("SELECT id, box FROM rows WHERE id > 0");
    assert_eq!(query.reads, [0]);
}

#[test]
fn columns_larger_than_the_limit_are_not_made() {
    let limits = glovebox_core::Limits {
        returned: 20,
        ..Default::default()
    };
    let query =
        glovebox_sql::select("SELECT id + 1 AS i FROM rows", &room::columns(), &limits).unwrap();
    let all = room::answer(&query, &room::rows()).unwrap_err();
    assert_eq!(all.kind, FaultKind::Query(QueryFault::TooMuch));
    assert!(room::answer(&query, &room::rows().slice(0, 1)).is_ok());
}

#[test]
fn the_same_query_over_halves_makes_the_same() {
    let text = "SELECT round(weight * 3.3, 2) AS w, substr(name, 2) AS s, price / 3 AS p FROM rows WHERE id <> 2";
    let query = room::select(text);
    let rows = room::rows();
    let columns = |answer| match answer {
        Answer::Selected { columns, .. } => columns,
        other => panic!("{other:?}"),
    };
    let whole = columns(room::answer(&query, &rows).unwrap());
    let first = columns(room::answer(&query, &rows.slice(0, 3)).unwrap());
    let second = columns(room::answer(&query, &rows.slice(3, 2)).unwrap());
    for ((whole, first), second) in whole.iter().zip(&first).zip(&second) {
        assert_eq!(&whole.slice(0, 2), first);
        assert_eq!(&whole.slice(2, 2), second);
    }
}
