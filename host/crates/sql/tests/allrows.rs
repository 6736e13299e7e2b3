//! Queries over all rows: what they make, in how much memory, and how they end.

// clippy.toml lets tests fail loudly, but does not see that what they call is a test's too.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod room;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use glovebox_core::{DataType, Field, QueryFault, Schema, Unfinished};
use glovebox_sql::{Because, Hidden, Query, Room};

fn room(memory: usize) -> Room {
    Room {
        memory,
        disk: 1 << 30,
        folder: std::env::temp_dir(),
    }
}

/// The result's rows as text.
fn made(text: &str) -> Vec<Vec<String>> {
    let rows = room::rows();
    let query = Query::new(text, &room::columns(), &[], &room(64 << 20)).unwrap();
    ran(query, &|pass| {
        pass(rows.slice(0, 2));
        pass(rows.slice(2, 3));
        Ok(())
    })
    .unwrap()
}

type Feed<'f> = &'f (dyn Fn(&mut dyn FnMut(RecordBatch) -> bool) -> Result<(), String> + Sync);

fn ran(query: Query, feed: Feed<'_>) -> Result<Vec<Vec<String>>, Unfinished<String>> {
    let mut rows = Vec::new();
    let stop = AtomicBool::new(false);
    query.run(&[feed], &stop, &mut |batch| {
        let options = FormatOptions::default().with_null("∅");
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|column| {
                let shown = ArrayFormatter::try_new(column.as_ref(), &options).unwrap();
                shown.value(row).to_string()
            });
            rows.push(cells.collect());
        }
        Ok(())
    })?;
    Ok(rows)
}

fn numbers() -> Schema {
    Schema::new(vec![
        Field::new("i", DataType::Int64),
        Field::new("text", DataType::Text),
        Field::new("group", DataType::Int64),
    ])
}

/// `n` rows: `i` from 0 on in another order, `text` of 100 letters, `group` of a thousand.
fn many(n: i64) -> impl Fn(&mut dyn FnMut(RecordBatch) -> bool) -> Result<(), String> + Sync {
    let schema = numbers().to_arrow();
    move |pass| {
        for start in (0..n).step_by(8192) {
            let numbers: Vec<i64> = (start..n.min(start + 8192))
                .map(|i| i * 7_919 % n)
                .collect();
            let text = numbers.iter().map(|i| format!("{i:0>100}"));
            let columns: Vec<ArrayRef> = vec![
                Arc::new(Int64Array::from(numbers.clone())),
                Arc::new(StringArray::from_iter_values(text)),
                Arc::new(Int64Array::from_iter_values(
                    numbers.iter().map(|i| i % 1000),
                )),
            ];
            if !pass(RecordBatch::try_new(Arc::clone(&schema), columns).unwrap()) {
                break;
            }
        }
        Ok(())
    }
}

#[test]
fn rows_are_grouped_sorted_and_cut() {
    let text = "SELECT paid, count(*) AS n, sum(quantity) AS q FROM rows GROUP BY paid ORDER BY n DESC, q LIMIT 2";
    assert_eq!(
        made(text),
        [["∅", "2", "0"], ["true", "2", "9223372036854775811"]]
    );
}

#[test]
fn rows_are_joined_with_themselves_and_read_for_each_side() {
    let text =
        "SELECT a.id, b.id AS other FROM rows a JOIN rows b ON a.id = b.id + 1 ORDER BY a.id";
    assert_eq!(made(text), [["2", "1"], ["3", "2"], ["4", "3"], ["5", "4"]]);
    let text = "SELECT id FROM rows WHERE price > (SELECT avg(price) FROM rows)";
    assert_eq!(made(text), [["5"]]);
}

#[test]
fn windows_look_at_the_rows_around() {
    let text = "SELECT id, lag(id) OVER (ORDER BY id) AS before, sum(id) OVER (ORDER BY id) AS so_far FROM rows ORDER BY id";
    assert_eq!(made(text)[2], ["3", "2", "6"]);
}

#[test]
fn each_with_each_other_is_refused() {
    for text in [
        "SELECT a.id FROM rows a CROSS JOIN rows b",
        "SELECT a.id FROM rows a JOIN rows b ON a.price < b.price",
    ] {
        let problem = Query::new(text, &room::columns(), &[], &room(1 << 20))
            .err()
            .unwrap();
        assert_eq!(
            problem.message,
            "this join would pair each row with each other one"
        );
    }
}

#[test]
fn sums_and_products_that_do_not_fit_are_told() {
    let rows = room::rows();
    for text in [
        "SELECT sum(quantity * 2) AS q FROM rows",
        "SELECT quantity + 1 AS q FROM rows ORDER BY q",
        "SELECT id FROM rows WHERE quantity + 1 > 0 ORDER BY id",
    ] {
        let query = Query::new(text, &room::columns(), &[], &room(64 << 20)).unwrap();
        let ended = ran(query, &|pass| {
            pass(rows.clone());
            Ok(())
        });
        let told = matches!(ended, Err(Unfinished::Failed(QueryFault::TooLarge)));
        assert!(told, "{text}: {ended:?}");
    }
}

#[test]
fn what_does_not_fit_in_memory_is_sorted_and_grouped_on_the_disk() {
    let (schema, feed) = (numbers(), many(120_000));
    // 120,000 rows of 100 letters are 14 MB.
    let query = Query::new(
        "SELECT i FROM rows ORDER BY text DESC",
        &schema,
        &[],
        &room(9 << 20),
    );
    let sorted = ran(query.unwrap(), &feed).unwrap();
    assert_eq!(sorted.len(), 120_000);
    assert!(
        sorted
            .iter()
            .zip((0..120_000).rev())
            .all(|(row, i)| row[0] == i.to_string())
    );

    let text = "SELECT text, count(*) AS n FROM rows GROUP BY text ORDER BY text";
    let query = Query::new(text, &schema, &[], &room(9 << 20)).unwrap();
    let grouped = ran(query, &feed).unwrap();
    assert_eq!(grouped[2], [format!("{:0>100}", 2), "1".to_owned()]);
}

#[test]
fn memory_and_disk_that_do_not_suffice_are_told_apart() {
    let (schema, feed) = (numbers(), many(120_000));
    let sort = "SELECT i FROM rows ORDER BY text";
    let small = Room {
        disk: 1 << 20,
        ..room(9 << 20)
    };
    let query = Query::new(sort, &schema, &[], &small).unwrap();
    assert!(matches!(ran(query, &feed), Err(Unfinished::Disk)));
    let query = Query::new(sort, &schema, &[], &room(100_000)).unwrap();
    assert!(matches!(ran(query, &feed), Err(Unfinished::Memory)));
}

#[test]
fn the_same_query_makes_the_same_rows_in_the_same_order() {
    let (schema, feed) = (numbers(), many(50_000));
    let text = "SELECT \"group\", avg(i * 0.1e0) AS mean, stddev(i) AS spread FROM rows GROUP BY \"group\"";
    let once = || {
        ran(
            Query::new(text, &schema, &[], &room(64 << 20)).unwrap(),
            &feed,
        )
        .unwrap()
    };
    let first = once();
    assert_eq!(first.len(), 1000);
    assert!(first == once());
}

#[test]
fn a_stop_is_heard_while_rows_are_read() {
    let (schema, feed) = (numbers(), many(100_000_000));
    let query = Query::new(
        "SELECT count(*) AS n FROM rows",
        &schema,
        &[],
        &room(64 << 20),
    )
    .unwrap();
    let stop = AtomicBool::new(false);
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(100));
            stop.store(true, Ordering::Relaxed);
        });
        query.run(&[&feed], &stop, &mut |_| Ok(()))
    });
    assert!(matches!(ended, Err(Unfinished::Stopped)));
}

#[test]
fn what_reads_the_rows_fails_with_its_own_words() {
    let query = Query::new(
        "SELECT count(*) AS n FROM rows",
        &room::columns(),
        &[],
        &room(64 << 20),
    );
    let ended = ran(query.unwrap(), &|_| Err("the source is away".to_owned()));
    assert!(matches!(ended, Err(Unfinished::Other(told)) if told == "the source is away"));
}

#[test]
fn of_a_column_that_is_hidden_it_is_said_why() {
    let schema = Schema::new(vec![Field::new("id", DataType::Int64)]);
    let hidden = |name: &str, because| Hidden {
        name: name.to_owned(),
        because,
    };
    let hidden = [
        hidden("name", Because::Personal),
        hidden("age", Because::Generalised),
        hidden("box", Because::Opaque),
    ];
    for (text, said) in [
        (
            "SELECT name FROM rows",
            "`name` is personal, and no step has masked it",
        ),
        (
            "SELECT age FROM rows",
            "`age` is generalised by the release, once all rows are known",
        ),
        ("SELECT box FROM rows", "`box` is opaque: nothing reads it"),
    ] {
        let problem = Query::new(text, &schema, &hidden, &room(1 << 20));
        let problem = problem.err().unwrap();
        assert_eq!(problem.message, said);
        assert_eq!(problem.at.map(|at| at.start), Some(7));
    }
}

#[test]
fn two_columns_of_one_name_are_refused() {
    let text = "SELECT a.id, b.id FROM rows a JOIN rows b ON a.id = b.id";
    let problem = Query::new(text, &room::columns(), &[], &room(1 << 20));
    let message = problem.err().unwrap().message;
    assert_eq!(message, "two columns would be called `id`");
}
