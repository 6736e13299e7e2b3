//! Honest: adds, for each of its columns, the same column again, a column of the rows' numbers in
//! the source where it is granted as `row`, and one of random numbers where as `random`. It keeps
//! the rows that its first column has not null where its configuration says `keep`.

use glovebox_guests::{Batch, Grant, Transformed, Transformer, int64};

struct Act;

impl Transformer for Act {
    fn apply(grant: &Grant, batch: Batch) -> Transformed {
        let row = |i: u32| match &batch.positions {
            Some(positions) => positions.get(i as usize).copied().unwrap_or(u32::MAX),
            None => i,
        };
        let place = |i| (batch.first_row + u64::from(row(i))) as i64;
        let mut echo = batch.columns.iter();
        let columns = grant.adds.iter().filter_map(|f| match f.name.as_str() {
            "row" => Some(int64((0..batch.rows).map(place))),
            "random" => Some(int64(
                (0..batch.rows).map(|_| wasip2::random::random::get_random_u64() as i64),
            )),
            _ => echo.next().cloned(),
        });
        Transformed {
            columns: columns.collect(),
            keep: match (grant.says("keep"), batch.columns.first()) {
                (true, Some(first)) => first.validity.clone(),
                _ => None,
            },
        }
    }
}

glovebox_guests::transformer!(Act);
