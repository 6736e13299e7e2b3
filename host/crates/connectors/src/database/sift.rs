//! Rows that only the database can reject: a duplicate key, a check, a trigger. They are found by
//! sending fewer and fewer rows until each one is isolated.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use glovebox_core::{Origin, Reject, SinkError, Violation};

/// Statements that a database may refuse in one run before the run ends. A row that is named by the
/// server costs two, one that has to be looked for about twenty.
pub(crate) const MAX_REFUSALS: usize = 40_000;
/// The rule of a row that refers to one which is not there.
pub(crate) const FOREIGN_KEY: &str = "foreign-key";
/// The fewest rows that are sent behind a refused one.
const MIN_ROWS: usize = 16;

/// What a database has against a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The rule that rejects bear.
    pub(crate) rule: &'static str,
    /// What is wrong, with names of the catalogue at the most.
    pub(crate) message: String,
    /// The column, where the database names one.
    pub(crate) column: Option<String>,
}

/// What became of rows that were sent together.
#[derive(Debug)]
pub(crate) enum Tried {
    /// All of them are in.
    Taken,
    /// None of them is, because of one; which it was, where the database told.
    Refused(Refusal, Option<usize>),
}

/// How many statements may still be refused, shared by all connections of a run.
#[derive(Debug)]
pub(crate) struct Budget(AtomicUsize);

impl Default for Budget {
    fn default() -> Self {
        Budget(AtomicUsize::new(MAX_REFUSALS))
    }
}

impl Budget {
    /// One less; false when there is none left.
    fn spend(&self) -> bool {
        let less = |left: usize| left.checked_sub(1);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
            .is_ok()
    }
}

/// Why a search ended early.
#[derive(Debug)]
pub(crate) enum Ended<E> {
    /// Too many statements were refused; the last for this.
    Spent(Refusal),
    /// By what has nothing to do with a row.
    Failed(E),
}

/// What is told when a search has cost too much.
pub(crate) fn spent(place: &str, refusal: &Refusal) -> SinkError {
    SinkError::Refused {
        place: place.into(),
        problem: format!(
            "it refuses too many rows to search for them one by one ({MAX_REFUSALS} statements \
            were refused); the last: {}",
            refusal.message
        ),
    }
}

/// Sends the rows of `rows`, in order, in as large pieces as are taken, and returns those that are
/// refused. `send` takes a piece whole or leaves no trace of it.
pub(crate) async fn sift<E>(
    rows: Range<usize>,
    budget: &Budget,
    mut send: impl AsyncFnMut(Range<usize>) -> Result<Tried, E>,
) -> Result<Vec<(usize, Refusal)>, Ended<E>> {
    let mut refused: Vec<(usize, Refusal)> = Vec::new();
    let mut next = rows.start;
    let mut since = rows.start;
    let mut window = rows.len();
    // The row that the database has named; it is sent alone once those before it are in.
    let mut named = None;
    while next < rows.end {
        let end = next.saturating_add(window.max(1)).min(rows.end);
        match send(next..end).await.map_err(Ended::Failed)? {
            Tried::Taken => {
                next = end;
                window = match named.take() {
                    Some(row) if row == end => 1,
                    _ => window.saturating_mul(2),
                };
            }
            Tried::Refused(refusal, hint) => {
                if !budget.spend() {
                    return Err(Ended::Spent(refusal));
                }
                let hint = hint.filter(|row| (next..end).contains(row));
                if end - next == 1 {
                    refused.push((next, refusal));
                    next = end;
                    // The next one is likely to be as far away as this one was from the last.
                    window = (next - since).saturating_mul(2).max(MIN_ROWS);
                    since = next;
                    named = None;
                } else if hint == Some(next) {
                    window = 1;
                } else if hint.is_some() {
                    named = hint;
                    window = hint.map_or(1, |row| row - next);
                } else {
                    window = (end - next) / 2;
                }
            }
        }
    }
    // A row may refer to one that stood behind it, which is in by now: from the last one on, a chain
    // of them takes a single pass.
    while refused
        .iter()
        .any(|(_, refusal)| refusal.rule == FOREIGN_KEY)
    {
        let before = refused.len();
        let mut still = Vec::with_capacity(before);
        for (row, refusal) in refused.into_iter().rev() {
            if refusal.rule != FOREIGN_KEY {
                still.push((row, refusal));
                continue;
            }
            match send(row..row + 1).await.map_err(Ended::Failed)? {
                Tried::Taken => {}
                Tried::Refused(refusal, _) if budget.spend() => still.push((row, refusal)),
                Tried::Refused(refusal, _) => return Err(Ended::Spent(refusal)),
            }
        }
        still.reverse();
        refused = still;
        if refused.len() == before {
            break;
        }
    }
    Ok(refused)
}

/// Where the rows of a payload stood in their source: batch by batch, how many and which.
#[derive(Debug, Default)]
pub(crate) struct Places<'a>(Vec<(usize, &'a Origin)>);

impl<'a> Places<'a> {
    /// Those of one payload behind those of another.
    pub(crate) fn extend(&mut self, origins: &'a [(Origin, usize)]) {
        self.0
            .extend(origins.iter().map(|(origin, rows)| (*rows, origin)));
    }

    /// The reject of the payloads' row `row`.
    pub(crate) fn reject(&self, row: usize, refusal: &Refusal) -> Option<Reject> {
        let mut first = 0;
        for (rows, origin) in &self.0 {
            if row < first + rows {
                return Some(reject(
                    origin.row(row - first),
                    origin.line(row - first),
                    origin.file().cloned(),
                    refusal,
                ));
            }
            first += rows;
        }
        None
    }
}

/// The reject of a row that a database refused.
pub(crate) fn reject(
    row: u64,
    line: Option<u64>,
    file: Option<std::sync::Arc<str>>,
    refusal: &Refusal,
) -> Reject {
    Reject {
        row,
        file,
        line,
        violations: vec![Violation {
            step: "sink".into(),
            column: refusal.column.as_deref().map(Into::into),
            rule: refusal.rule.into(),
            message: refusal.message.as_str().into(),
        }],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::convert::Infallible;

    use super::*;

    fn refusal() -> Refusal {
        Refusal {
            rule: "unique",
            message: "m".into(),
            column: None,
        }
    }

    /// The rows that a database refuses, and how many statements it got.
    fn search(count: usize, bad: &[usize], tells: bool) -> (Vec<usize>, usize) {
        let bad: BTreeSet<usize> = bad.iter().copied().collect();
        let mut sent = 0;
        let mut stored = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let found = runtime.block_on(sift::<Infallible>(
            0..count,
            &Budget::default(),
            async |rows: Range<usize>| {
                sent += 1;
                assert!(!rows.is_empty());
                Ok(match bad.range(rows.clone()).next() {
                    Some(row) => Tried::Refused(refusal(), tells.then_some(*row)),
                    None => {
                        stored.extend(rows);
                        Tried::Taken
                    }
                })
            },
        ));
        let found: Vec<usize> = found.unwrap().into_iter().map(|(row, _)| row).collect();
        let all: BTreeSet<usize> = stored.iter().chain(&found).copied().collect();
        assert_eq!(all.len(), stored.len() + found.len());
        assert_eq!(all, (0..count).collect());
        (found, sent)
    }

    #[test]
    fn just_the_rows_that_are_refused_alone_are_found() {
        for tells in [true, false] {
            for bad in [&[][..], &[0], &[99], &[0, 1, 2], &[7, 50, 51, 98, 99]] {
                assert_eq!(search(100, bad, tells).0, bad);
            }
            let all: Vec<usize> = (0..100).collect();
            assert_eq!(search(100, &all, tells).0, all);
        }
    }

    #[test]
    fn a_row_that_is_named_costs_a_few_statements_and_one_that_is_not_some_dozens() {
        assert!(search(50_000, &[31_234], true).1 <= 16);
        assert!(search(50_000, &[31_234], false).1 <= 48);
        let hundredth: Vec<usize> = (0..50_000).step_by(100).collect();
        assert!(search(50_000, &hundredth, true).1 <= 4 * 500);
        assert!(search(50_000, &hundredth, false).1 <= 20 * 500);
    }

    #[test]
    fn a_row_that_refers_to_a_later_one_goes_in_behind_it() {
        let mut stored = BTreeSet::new();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        // Each row refers to the next, and the last to none that there is.
        let found = runtime.block_on(sift::<Infallible>(
            0..8,
            &Budget::default(),
            async |rows: Range<usize>| {
                let refers = |row: usize| match row {
                    3 | 7 => true,
                    _ => stored.contains(&(row + 1)) || rows.contains(&(row + 1)),
                };
                Ok(match rows.clone().all(refers) && !rows.contains(&3) {
                    true => {
                        stored.extend(rows);
                        Tried::Taken
                    }
                    false => {
                        let rule = FOREIGN_KEY;
                        Tried::Refused(Refusal { rule, ..refusal() }, None)
                    }
                })
            },
        ));
        let found: Vec<usize> = found.unwrap().into_iter().map(|(row, _)| row).collect();
        assert_eq!(found, [0, 1, 2, 3]);
    }

    #[test]
    fn a_search_that_costs_too_much_ends() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let budget = Budget(AtomicUsize::new(10));
        let ended = runtime.block_on(sift::<Infallible>(0..1000, &budget, async |_| {
            Ok(Tried::Refused(refusal(), None))
        }));
        assert!(matches!(ended, Err(Ended::Spent(_))));
    }

    #[test]
    fn a_row_is_named_by_its_place_in_the_source() {
        let first = [(Origin::contiguous(10).with_lines(12, None), 3)];
        let second = [(Origin::scattered(20, Some(vec![1, 5])), 2)];
        let mut places = Places::default();
        places.extend(&first);
        places.extend(&second);
        let told = |row| places.reject(row, &refusal()).map(|r| (r.row, r.line));
        assert_eq!(told(2), Some((12, Some(14))));
        assert_eq!(told(4), Some((25, None)));
        assert_eq!(told(5), None);
    }
}
