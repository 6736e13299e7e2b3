//! What a query over all rows makes of personal columns is personal, by whatever way it came; what is passed on
//! is known to be what it was.

// clippy.toml lets tests fail loudly, but does not see that what they call is a test's too.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use glovebox_core::{DataType, Field, Schema, Selected};
use glovebox_sql::{Room, gather};

fn personal(name: &str, data_type: DataType) -> Field {
    Field {
        personal: true,
        ..Field::new(name, data_type)
    }
}

/// `mail` and `pay` are personal, `id` and `town` are not; in the table `people`, `mail` and `name` are.
fn columns(text: &str) -> Vec<String> {
    let rows = Schema::new(vec![
        Field::new("id", DataType::Int64),
        Field::new("town", DataType::Text),
        personal("mail", DataType::Text),
        personal("pay", DataType::Int64),
    ]);
    let people = Schema::new(vec![
        personal("mail", DataType::Text),
        personal("name", DataType::Text),
        Field::new("size", DataType::Int64),
    ]);
    let room = Room {
        memory: 64 << 20,
        disk: 0,
        folder: std::env::temp_dir(),
    };
    let selection = gather(text, &rows, &[("people", people)], room)
        .map_err(|problem| problem.message)
        .unwrap();
    let output = selection.output.iter().map(|selected| match selected {
        Selected::Passed { place, name } => {
            let field = &rows.fields[*place];
            let mark = if field.personal { "!" } else { "" };
            format!("{name}={}{mark}", field.name)
        }
        Selected::Made { place, .. } => {
            let field = &selection.makes[*place];
            let mark = if field.personal { "!" } else { "" };
            format!("{}{mark}", field.name)
        }
    });
    output.collect()
}

#[test]
fn what_is_made_of_something_personal_is_personal() {
    for (text, expected) in [
        (
            "SELECT * FROM rows ORDER BY pay",
            &["id=id", "town=town", "mail=mail!", "pay=pay!"][..],
        ),
        (
            "SELECT mail AS a, lower(mail) AS b, id + 1 AS c FROM rows LIMIT 3",
            &["a=mail!", "b!", "c"],
        ),
        (
            "SELECT DISTINCT mail, town FROM rows",
            &["mail=mail!", "town=town"],
        ),
        (
            "SELECT town, max(mail) AS m, avg(id) AS i FROM rows GROUP BY town",
            &["town=town", "m!", "i"],
        ),
        // A count says how many there are, and nothing of what they are.
        (
            "SELECT town, count(mail) AS n, count(DISTINCT mail) AS d FROM rows GROUP BY town",
            &["town=town", "n", "d"],
        ),
        (
            "SELECT count(*) + max(pay) AS a, count(pay) + 1 AS b FROM rows",
            &["a!", "b"],
        ),
        (
            "SELECT sum(id) FILTER (WHERE pay > 3) AS s FROM rows",
            &["s!"],
        ),
        // Where somebody stands in an order is made of what it is by.
        (
            "SELECT id, row_number() OVER (ORDER BY pay) AS a, rank() OVER (PARTITION BY mail ORDER BY id) AS b FROM rows",
            &["id=id", "a!", "b"],
        ),
        (
            "SELECT count(mail) OVER (ORDER BY id) AS a, lag(pay) OVER (ORDER BY id) AS b, sum(id) OVER (ORDER BY pay) AS c FROM rows",
            &["a", "b!", "c"],
        ),
        (
            "SELECT CASE WHEN pay > 3 THEN 'rich' ELSE 'poor' END AS class FROM rows",
            &["class!"],
        ),
        // By way of other queries.
        (
            "WITH m AS (SELECT mail AS x, id AS y FROM rows) SELECT x, y, x || town AS z FROM m JOIN rows ON m.y = rows.id",
            &["x=mail!", "y=id", "z!"],
        ),
        (
            "SELECT id, (SELECT max(pay) FROM rows) AS top, (SELECT count(pay) FROM rows) AS n FROM rows",
            &["id=id", "top!", "n"],
        ),
        (
            "SELECT mail AS x FROM rows UNION ALL SELECT mail FROM rows",
            &["x=mail!"],
        ),
        (
            "SELECT town AS x FROM rows UNION ALL SELECT mail FROM rows",
            &["x!"],
        ),
        // What another table has.
        (
            "SELECT rows.id, people.name, people.size, people.mail FROM rows JOIN people ON rows.mail = people.mail",
            &["id=id", "name!", "size", "mail!"],
        ),
        (
            "SELECT town, max(people.name) AS a, count(people.name) AS b FROM rows LEFT JOIN people ON rows.mail = people.mail GROUP BY town",
            &["town=town", "a!", "b"],
        ),
        (
            "SELECT id FROM rows WHERE mail IN (SELECT mail FROM people)",
            &["id=id"],
        ),
        (
            "SELECT id FROM rows WHERE EXISTS (SELECT 1 FROM people WHERE people.mail = rows.mail)",
            &["id=id"],
        ),
    ] {
        assert_eq!(columns(text), expected, "{text}");
    }
}
