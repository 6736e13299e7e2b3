use std::sync::Mutex;

use proptest::prelude::*;

use super::*;
use crate::base::Spill;
use crate::column::Column;
use crate::criteria::{Closeness, Ground, Sensitive};
use crate::hierarchy::Hierarchy;
use crate::histogram::Histogram;
use crate::search::{Best, Refusal, Search, values};

/// A row: three quasi-identifiers, two sensitive values, an entity.
type Row = ((u16, u16, u8), (u8, u8), u32);

/// Rows as they are searched.
struct Rows {
    quasi: Vec<Column>,
    sensitive: Vec<Column>,
    entity: bool,
    histogram: Histogram,
}

fn rows(cells: &[Row], sensitive: usize, entity: bool) -> Rows {
    let towns = [
        ["0", "low"],
        ["1", "low"],
        ["2", "high"],
        ["3", "high"],
        ["4", "high"],
    ];
    let listed = towns.map(|row| row.map(str::to_owned).to_vec());
    let mut columns = vec![
        Column::new(Hierarchy::widths(vec![1, 8, 64]).unwrap()),
        Column::new(Hierarchy::prefixes(vec![4, 2, 1]).unwrap()),
        Column::new(Hierarchy::values()),
        Column::new(Hierarchy::listed(listed).unwrap()),
        Column::new(Hierarchy::values()),
    ];
    columns.truncate(3 + sensitive);
    let mut histogram = Histogram::new(columns.len() + if entity { 2 } else { 0 });
    for ((number, text, value), (first, second), who) in cells {
        let cells = [
            number.to_string(),
            format!("{text:04}"),
            value.to_string(),
            first.to_string(),
            second.to_string(),
        ];
        let numbers = columns.iter_mut().zip(&cells);
        let mut key: Vec<u32> = numbers
            .map(|(column, cell)| column.intern(Some(cell)).unwrap())
            .collect();
        if entity {
            key.extend([*who % 3, *who]);
        }
        histogram.add(&key, 1);
    }
    Rows {
        sensitive: columns.split_off(3),
        quasi: columns,
        entity,
        histogram,
    }
}

impl Rows {
    fn over<'a>(&'a self, criteria: &'a Criteria, most: u64, spill: &'a Spilled) -> Over<'a> {
        Over {
            quasi: &self.quasi,
            sensitive: &self.sensitive,
            entity: self.entity,
            counts: &self.histogram,
            criteria,
            suppress_at_most: most,
            spill: Some(spill),
            threads: 2,
            stop: &|| false,
        }
    }
}

#[derive(Default)]
struct Spilled(Mutex<Vec<Vec<u64>>>);

impl Spill for Spilled {
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

/// A class with its rows and members, whether it is kept, and the values of each sensitive column.
type Told = (Vec<u32>, u64, u64, bool, Vec<Vec<(u32, u64)>>);

/// All that is told of a node that satisfies, by class.
fn told(best: &Best) -> (Vec<usize>, f64, Vec<Told>) {
    let verdict = &best.verdict;
    let classes = verdict.classes.iter().zip(&verdict.kept).enumerate();
    let mut told: Vec<Told> = classes
        .map(|(at, ((key, class), kept))| {
            let shares = verdict.classes.shares().iter();
            let values = shares.map(|shares| shares.of(at).to_vec()).collect();
            (key.to_vec(), class.rows, class.members, *kept, values)
        })
        .collect();
    told.sort();
    (best.node.clone(), best.loss, told)
}

/// What both ways of counting find: the best node, and all that satisfy.
fn found(search: &Search<'_>) -> Option<(Vec<usize>, f64, Vec<Told>)> {
    match search.best() {
        Ok(best) => Some(told(&best)),
        Err(Refusal::Unsatisfiable) => None,
        Err(refusal) => panic!("{refusal}"),
    }
}

fn same(rows: &Rows, criteria: &Criteria, most: u64) {
    let spill = Spilled::default();
    let over = rows.over(criteria, most, &spill);
    let search = Search::new(over).unwrap();
    assert!(search.members().is_some());
    let whole = Search::of_whole_keys(over).unwrap();
    assert!(whole.members().is_none() && whole.sizes().is_none());
    assert_eq!(found(&search), found(&whole));
    assert_eq!(search.count().unwrap(), whole.count().unwrap());
    let (mut all, mut of_whole) = (Vec::new(), Vec::new());
    search.all(|best| all.push(told(&best))).unwrap();
    whole.all(|best| of_whole.push(told(&best))).unwrap();
    assert_eq!(all, of_whole);
}

fn criterion() -> impl Strategy<Value = Sensitive> {
    let l = prop_oneof![
        Just(None),
        (1_u64..5).prop_map(|l| Some(Diversity::Distinct(l))),
        (1.0_f64..4.0).prop_map(|l| Some(Diversity::Entropy(l))),
        (0.3_f64..4.0, 1_u64..4).prop_map(|(c, l)| Some(Diversity::Recursive { c, l })),
    ];
    let ground = prop_oneof![
        Just(Ground::Equal),
        Just(Ground::Ordered),
        Just(Ground::Hierarchical)
    ];
    let t = prop_oneof![
        Just(None),
        (0.05_f64..0.8, ground).prop_map(|(t, ground)| Some(Closeness { t, ground })),
    ];
    (l, t).prop_map(|(l, t)| Sensitive { l, t })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn members_and_values_are_judged_as_if_all_keys_were_held(
        cells in prop::collection::vec(
            ((0_u16..200, 0_u16..40, 0_u8..3), (0_u8..5, 0_u8..60), 0_u32..60), 1..250),
        spread in (1_u16..200, 1_u16..250, prop_oneof![1_u8..6, 40_u8..60], 1_u32..60),
        asked in (prop_oneof![1_u64..6, 9_u64..14], prop::collection::vec(criterion(), 0..3), any::<bool>()),
        most in 0_u64..80,
    ) {
        let cells: Vec<Row> = cells
            .iter()
            .map(|((a, b, c), (first, second), who)| {
                let quasi = (a % spread.0, b * spread.1, *c);
                (quasi, (*first, second % spread.2), who % spread.3)
            })
            .collect();
        let (k, sensitive, entity) = asked;
        // Where only the size of classes is asked they are counted otherwise.
        let rows = rows(&cells, sensitive.len(), entity || sensitive.is_empty());
        same(&rows, &Criteria { k, sensitive }, most);
    }
}

/// Rows whose quasi-identifiers each have so many values that together they need more than 64 bits: all of them tell of
/// what kind a row is, but for some rows, in which one is as in rows of another kind.
fn wide(cells: &[(u32, u32, u32)], columns: u32, sensitive: usize, entity: bool) -> Rows {
    let mut of: Vec<Column> = (0..columns)
        .map(|_| Column::new(Hierarchy::values()))
        .collect();
    of.extend((0..sensitive).map(|_| Column::new(Hierarchy::values())));
    let mut histogram = Histogram::new(of.len() + if entity { 2 } else { 0 });
    for (at, (kind, other, who)) in (0..).zip(cells) {
        let odd = |column: u32| {
            if other % 7 == 0 && column == other % columns {
                1
            } else {
                0
            }
        };
        let quasi = (0..columns).map(|column| (kind + odd(column)) * (2 * column + 1) % 65_536);
        let values = 0..u32::try_from(sensitive).unwrap();
        let values = values.map(|column| (other + at * column) % 300);
        let numbers = of.iter_mut().zip(quasi.chain(values));
        let mut key: Vec<u32> = numbers
            .map(|(column, cell)| column.intern(Some(&cell.to_string())).unwrap())
            .collect();
        if entity {
            key.extend([0, *who]);
        }
        histogram.add(&key, 1);
    }
    Rows {
        sensitive: of.split_off(usize::try_from(columns).unwrap()),
        quasi: of,
        entity,
        histogram,
    }
}

/// How many numbers a class has, and an entry.
fn numbers(search: &Search<'_>) -> (usize, usize) {
    let members = search.members().unwrap();
    let packing = &members.records.packing;
    (packing.words(), packing.numbers())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn what_needs_more_than_64_bits_is_judged_as_if_all_keys_were_held(
        cells in prop::collection::vec((0_u32..200, 0_u32..300, 0_u32..90), 500..700),
        asked in (1_u64..5, prop::collection::vec(criterion(), 0..4), any::<bool>()),
        most in 0_u64..300,
    ) {
        let (k, sensitive, entity) = asked;
        let rows = wide(&cells, 9, sensitive.len(), entity);
        let criteria = Criteria { k, sensitive };
        let spill = Spilled::default();
        let (words, all) = numbers(&Search::new(rows.over(&criteria, most, &spill)).unwrap());
        prop_assert_eq!(words, 2);
        // Three columns of 300 values leave too few bits for an entity.
        let more = entity && criteria.sensitive.len() > 2;
        prop_assert_eq!(all, if more { 4 } else { 3 });
        same(&rows, &criteria, most);
    }
}

/// Where classes are told by hashes of which some are alike, the classes that are made are told apart nevertheless.
#[test]
fn classes_whose_hashes_are_alike_are_told_apart_by_others() {
    let cells: Vec<_> = (0..2_000)
        .map(|at| (at * 7 % 200, at % 300, at / 3))
        .collect();
    let rows = wide(&cells, 9, 1, true);
    let criteria = Criteria {
        k: 2,
        sensitive: vec![Sensitive::default()],
    };
    let spill = Spilled::default();
    let over = rows.over(&criteria, 0, &spill);
    let counts = values::counted(&over).unwrap();
    let whole = Search::of_whole_keys(over).unwrap();
    let told = |classes: &Classes| {
        let mut told: Vec<_> = classes
            .iter()
            .map(|(key, class)| (key.to_vec(), class))
            .collect();
        told.sort_by(|(a, _), (b, _)| a.cmp(b));
        told
    };
    let node = vec![0; 9];
    let expected = told(&whole.classes_at(&node).unwrap());
    let mut alike = 0;
    for seed in 0..30 {
        let mut records = Records::new(&over, &counts, Room::with_values())
            .unwrap()
            .unwrap();
        let many = expected.len() as u64;
        records.hashes = Hashes {
            seed,
            end: many * many,
        };
        let cells = records.packing.told(&node, records.hashes);
        assert!(cells.are_hashed());
        let terms = records.packing.celled(&node, &cells);
        let mut hashes = std::collections::HashSet::new();
        for part in &records.rows.parts {
            let each = |sum: u64, _: &[u64]| {
                hashes.insert(cells.cell(sum));
            };
            terms.each_of(records.packing.numbers(), &part.entries, each);
        }
        alike += u32::from(hashes.len() < expected.len());
        let classes = Members::new(&over, &records).classes(&node).unwrap();
        assert_eq!(told(&classes), expected);
        // Of fewer hashes than classes some are always alike.
        records.hashes.end = many / 2;
        assert!(Members::new(&over, &records).classes(&node).is_err());
    }
    assert!(alike > 0, "no seed had alike ones");
}

/// Rows of people of whom each has some, hardly two of them alike.
fn many(count: u32, spread: u16) -> Vec<Row> {
    let number = |at: u32, by: u32| u16::try_from(at.wrapping_mul(by) >> 7 & 0xffff).unwrap();
    let row = |at: u32| -> Row {
        let (a, b) = (number(at, 2_654_435_761), number(at, 40_503 * 65_537));
        let values = (b.to_le_bytes()[0] % 5, a.to_le_bytes()[0] % 4);
        ((a % spread, b % 5_000, 0), values, at / 3)
    };
    (0..count).map(row).collect()
}

/// In little memory and on several threads the same classes are found as in much on one.
#[test]
fn what_does_not_fit_into_memory_is_spilled_and_looked_at_a_slice_after_the_other() {
    in_little_as_in_much(
        &rows(&many(150_000, 30_000), 2, true),
        &[
            [0, 0, 0],
            [1, 1, 1],
            [2, 2, 0],
            [0, 3, 1],
            [3, 0, 0],
            [3, 2, 1],
            [3, 3, 1],
        ]
        .map(Vec::from),
    );
    // Classes of five columns of 16 bits each.
    let cells: Vec<_> = (0..120_000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 17, at % 300, at / 3))
        .collect();
    in_little_as_in_much(
        &wide(&cells, 5, 2, true),
        &[[0; 5], [1, 0, 1, 0, 0], [1, 1, 1, 1, 0], [1; 5]].map(Vec::from),
    );
}

fn in_little_as_in_much(rows: &Rows, nodes: &[Vec<usize>]) {
    let little = Room {
        rows: 256 << 10,
        kept: 0,
        counting: 256 << 10,
    };
    let closeness = Closeness {
        t: 0.3,
        ground: Ground::Equal,
    };
    let sensitive = vec![
        Sensitive {
            l: Some(Diversity::Distinct(3)),
            t: Some(closeness),
        },
        Sensitive {
            l: Some(Diversity::Entropy(1.5)),
            t: None,
        },
    ];
    let criteria = Criteria { k: 4, sensitive };
    let (spill, unused) = (Spilled::default(), Spilled::default());
    let over = rows.over(&criteria, 40_000, &spill);
    let alone = Over {
        spill: Some(&unused),
        threads: 1,
        ..over
    };
    let counts = values::counted(&over).unwrap();
    let in_little = Records::new(&over, &counts, little).unwrap().unwrap();
    let in_much = Records::new(&alone, &counts, Room::with_values())
        .unwrap()
        .unwrap();
    assert!(!spill.0.lock().unwrap().is_empty() && unused.0.lock().unwrap().is_empty());
    let (in_little, in_much) = (
        Members::new(&over, &in_little),
        Members::new(&alone, &in_much),
    );
    let told = |members: &Members<'_, '_>, node: &Node| {
        let classes = members.classes(node).unwrap();
        let told = classes.iter().enumerate().map(|(at, (key, class))| {
            let shares = classes.shares().iter();
            let values: Vec<_> = shares.map(|shares| shares.of(at).to_vec()).collect();
            (key.to_vec(), class.rows, class.members, values)
        });
        let mut told: Vec<_> = told.collect();
        // Hashes are in another order each time.
        told.sort();
        told
    };
    let mut satisfying = 0;
    for node in nodes {
        let satisfies = in_much.satisfies(node, &criteria).unwrap();
        assert_eq!(
            in_little.satisfies(node, &criteria).unwrap(),
            satisfies,
            "{node:?}"
        );
        satisfying += usize::from(satisfies);
        assert!(told(&in_little, node) == told(&in_much, node), "{node:?}");
    }
    assert!((1..nodes.len()).contains(&satisfying), "{satisfying}");
}
