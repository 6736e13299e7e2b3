use std::collections::BTreeMap;
use std::sync::Mutex;

use proptest::prelude::*;

use super::*;
use crate::column::Column;
use crate::criteria::Criteria;
use crate::hierarchy::Hierarchy;
use crate::search::{Node, Refusal, Search, values};

/// Rows of three columns: numbers by widths, text by its first characters, and values as they are.
fn rows(cells: &[(u16, u16, u8)]) -> (Vec<Column>, Histogram) {
    let mut columns = vec![
        Column::new(Hierarchy::widths(vec![1, 8, 64]).unwrap()),
        Column::new(Hierarchy::prefixes(vec![4, 2, 1]).unwrap()),
        Column::new(Hierarchy::values()),
    ];
    let mut histogram = Histogram::new(3);
    for (number, text, value) in cells {
        let cells = [number.to_string(), format!("{text:04}"), value.to_string()];
        let key: Vec<u32> = columns
            .iter_mut()
            .zip(&cells)
            .map(|(column, cell)| column.intern(Some(cell)).unwrap())
            .collect();
        histogram.add(&key, 1);
    }
    (columns, histogram)
}

/// The rows of each class, counted one by one.
fn counted(columns: &[Column], histogram: &Histogram, node: &Node) -> BTreeMap<Vec<u32>, u64> {
    let mut classes = BTreeMap::new();
    for (key, rows) in histogram.iter() {
        let levels = columns.iter().zip(node).zip(key);
        let class = levels.map(|((column, level), value)| column.group_of(*level)[*value as usize]);
        *classes.entry(class.collect()).or_insert(0) += rows;
    }
    classes
}

#[derive(Default)]
struct Spilled(Mutex<Vec<Vec<u64>>>);

impl crate::base::Spill for Spilled {
    fn put(&self, entries: &[u64]) -> io::Result<usize> {
        let mut all = self.0.lock().unwrap();
        all.push(entries.to_vec());
        Ok(all.len() - 1)
    }

    fn get(&self, place: usize, entries: &mut Vec<u64>) -> io::Result<()> {
        entries.extend(&self.0.lock().unwrap()[place]);
        Ok(())
    }
}

/// Asks of these nodes, one after the other, and holds the answers against what is counted one by one.
fn same(
    cells: &[(u16, u16, u8)],
    nodes: &[Node],
    k: u64,
    suppress_at_most: u64,
    room: Room,
    threads: usize,
) -> usize {
    let (columns, histogram) = rows(cells);
    let criteria = Criteria {
        k,
        sensitive: Vec::new(),
    };
    let spilled = Spilled::default();
    let over = Over {
        quasi: &columns,
        sensitive: &[],
        entity: false,
        counts: &histogram,
        criteria: &criteria,
        suppress_at_most,
        spill: Some(&spilled),
        threads,
        stop: &|| false,
    };
    let values = values::counted(&over).unwrap();
    let entries = Entries::new(&over, &values, room).unwrap().unwrap();
    let mut sizes = Sizes::new(&over, &entries);
    for node in nodes {
        let classes = counted(&columns, &histogram, node);
        let small: u64 = classes.values().filter(|rows| **rows < k).sum();
        let expected = match small > suppress_at_most {
            true => Small::TooMany,
            false => Small::Few,
        };
        assert_eq!(sizes.small(node).unwrap(), expected, "{node:?}");
        let exact = sizes.exact(node).unwrap().unwrap();
        assert_eq!(exact.len(), classes.len(), "{node:?}");
        let exact: BTreeMap<Vec<u32>, u64> = exact
            .iter()
            .map(|(key, rows)| (key.to_vec(), rows))
            .collect();
        assert_eq!(exact, classes, "{node:?}");
    }
    spilled.0.into_inner().unwrap().len()
}

/// Finds the best node, and holds it against the one that is found by whole keys.
fn same_best(cells: &[(u16, u16, u8)], k: u64, suppress_at_most: u64, threads: usize) {
    let (columns, histogram) = rows(cells);
    let criteria = Criteria {
        k,
        sensitive: Vec::new(),
    };
    let over = Over {
        quasi: &columns,
        sensitive: &[],
        entity: false,
        counts: &histogram,
        criteria: &criteria,
        suppress_at_most,
        spill: None,
        threads,
        stop: &|| false,
    };
    let told = |search: io::Result<Search<'_>>| match search.unwrap().best() {
        Ok(best) => Some((best.node, best.verdict.released())),
        Err(Refusal::Unsatisfiable) => None,
        Err(refusal) => panic!("{refusal}"),
    };
    let whole = told(Search::of_whole_keys(over));
    assert_eq!(told(Search::new(over)), whole);
}

/// All nodes, in an order in which some are made of others.
fn all_nodes() -> Vec<Node> {
    let levels = |most: usize| 0..most;
    let mut nodes: Vec<Node> = levels(4)
        .flat_map(|a| levels(4).flat_map(move |b| levels(2).map(move |c| vec![a, b, c])))
        .collect();
    nodes.sort_by_key(|node| (node.iter().sum::<usize>() + 2) % 5);
    nodes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn nodes_are_judged_as_if_rows_were_counted_one_by_one(
        cells in prop::collection::vec((0_u16..300, 0_u16..40, 0_u8..4), 1..400),
        spread in 1_u16..250,
        k in 1_u64..7,
        most in 0_u64..60,
        threads in 1_usize..4,
    ) {
        // Some have few values in many rows, others the opposite.
        let cells: Vec<_> = cells.iter().map(|(a, b, c)| (a % spread, b * spread, *c)).collect();
        same(&cells, &all_nodes(), k, most, Room::default(), threads);
        same_best(&cells, k, most, threads);
    }
}

/// Many rows, of which most are alike in nothing: `spread` says how many values there are.
fn many(count: u32, spread: u32) -> Vec<(u16, u16, u8)> {
    let number = |at: u32, by: u32| u16::try_from(at.wrapping_mul(by) >> 7 & 0xffff).unwrap();
    (0..count)
        .map(|at| {
            let (a, b) = (number(at, 2_654_435_761), number(at, 40_503 * 65_537));
            (
                a % u16::try_from(spread).unwrap(),
                b % 5_000,
                (at % 3) as u8,
            )
        })
        .collect()
}

#[test]
fn what_does_not_fit_into_memory_is_spilled_and_counted_a_slice_after_the_other() {
    let cells = many(150_000, 40_000);
    let room = Room {
        rows: 64 << 10,
        kept: 64 << 10,
        counting: 64 << 10,
    };
    let nodes = [
        vec![0, 0, 0],
        vec![1, 0, 1],
        vec![0, 3, 0],
        vec![2, 2, 0],
        vec![3, 3, 1],
    ];
    assert!(same(&cells, &nodes, 5, 20_000, room, 2) > 0);
    assert_eq!(same(&cells, &nodes, 300, 20_000, Room::default(), 2), 0);
}

#[test]
fn what_a_part_of_the_rows_tells_is_not_believed_in_the_end() {
    // Of texts that begin with 0 to 4 there are many of each combination, and of the others one.
    let alike = (0..60_000).map(|at| ((at % 5) as u16, (at / 5 % 500) as u16 * 10, 0));
    let alone = (0..5_000).map(|at| (at, 5_000 + at, 0));
    let cells: Vec<_> = alike.chain(alone).collect();
    let (columns, histogram) = rows(&cells);
    let criteria = Criteria {
        k: 5,
        sensitive: Vec::new(),
    };
    let over = Over {
        quasi: &columns,
        sensitive: &[],
        entity: false,
        counts: &histogram,
        criteria: &criteria,
        suppress_at_most: 4_000,
        spill: None,
        threads: 1,
        stop: &|| false,
    };
    let values = values::counted(&over).unwrap();
    let entries = Entries::new(&over, &values, Room::default())
        .unwrap()
        .unwrap();
    let mut sizes = Sizes::new(&over, &entries);
    let node = vec![0, 0, 0];
    assert_eq!(sizes.small(&node).unwrap(), Small::TooMany);
    sizes.set_likely(true);
    assert_eq!(sizes.small(&node).unwrap(), Small::LikelyFew);
    for (most, threads) in [(4_000, 1), (4_999, 2), (100, 1), (5_000, 1)] {
        same_best(&cells, 5, most, threads);
    }
    // Where all are in one span a part of their cells is counted first.
    for most in [100, 10_000, 30_000] {
        same_best(&many(60_000, 40_000), 5, most, 2);
    }
}

#[test]
fn threads_share_what_is_in_few_groups() {
    // The second column has the most values, and five groups at its third level.
    let cells = many(150_000, 2_000);
    let nodes = [
        vec![0, 2, 0],
        vec![0, 2, 1],
        vec![1, 2, 0],
        vec![3, 2, 1],
        vec![0, 3, 0],
    ];
    for most in [0, 20_000, 200_000] {
        assert_eq!(same(&cells, &nodes, 5, most, Room::default(), 3), 0);
    }
}

#[test]
fn counts_that_are_larger_than_an_entry_can_tell_are_told() {
    // As many rows of one combination as its count has no bits for.
    let (columns, mut histogram) = rows(&[(1, 1, 1), (2, 2, 2)]);
    histogram.add(&[0, 0, 0], 1 << 41);
    let criteria = Criteria {
        k: 5,
        sensitive: Vec::new(),
    };
    let over = Over {
        quasi: &columns,
        sensitive: &[],
        entity: false,
        counts: &histogram,
        criteria: &criteria,
        suppress_at_most: 1,
        spill: None,
        threads: 1,
        stop: &|| false,
    };
    let best = crate::search::Search::new(over).unwrap().best().unwrap();
    assert_eq!(best.node, [0, 0, 0]);
    assert_eq!(
        (best.verdict.released(), best.verdict.suppressed()),
        ((1 << 41) + 1, 1)
    );
}
