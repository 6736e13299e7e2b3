//! The Adult data set, on which ARX and others have been measured: the same nodes, losses and classes.

// clippy.toml lets tests fail loudly, but does not see that what they call is a test's too.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::{self, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use glovebox_release::{
    Base, Best, Block, Closeness, Column, Criteria, Diversity, Ground, Hierarchy, Histogram, Over,
    Refusal, Risk, Search, Sensitive,
};

struct Adult {
    quasi: Vec<Column>,
    sensitive: Vec<Column>,
    histogram: Histogram,
    rows: u64,
}

fn adult(sensitive: Option<&str>) -> Adult {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/adult");
    let mut text = String::new();
    let packed = std::fs::File::open(folder.join("adult.csv.gz")).unwrap();
    GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    let mut lines = text.lines().map(|line| line.split(';').collect::<Vec<_>>());
    let head = lines.next().unwrap();
    let split = |line: &str| line.split(';').map(str::to_owned).collect::<Vec<_>>();
    let column = |name: &&str| {
        let listed = std::fs::read_to_string(folder.join(format!("{name}.csv"))).unwrap();
        Column::new(Hierarchy::listed(listed.lines().map(split)).unwrap())
    };
    let own: Vec<usize> = (0..head.len())
        .filter(|&c| Some(head[c]) != sensitive)
        .collect();
    let told: Vec<usize> = (0..head.len())
        .filter(|&c| Some(head[c]) == sensitive)
        .collect();
    let mut columns: Vec<Column> = own.iter().chain(&told).map(|&c| column(&head[c])).collect();
    let mut histogram = Histogram::new(head.len());
    for row in lines {
        let cells = own.iter().chain(&told).zip(&mut columns);
        let key: Vec<u32> = cells
            .map(|(&c, column)| column.intern(Some(row[c])).unwrap())
            .collect();
        histogram.add(&key, 1);
    }
    let sensitive = columns.split_off(own.len());
    Adult {
        quasi: columns,
        sensitive,
        rows: histogram.total(),
        histogram,
    }
}

impl Adult {
    fn search<'a>(&'a self, criteria: &'a Criteria, percent: u64) -> Search<'a> {
        let over = Over {
            quasi: &self.quasi,
            sensitive: &self.sensitive,
            entity: false,
            counts: &self.histogram,
            criteria,
            suppress_at_most: self.rows * percent / 100,
            spill: None,
            threads: 2,
            stop: &|| false,
        };
        Search::new(over).unwrap()
    }
}

fn k(k: u64) -> Criteria {
    Criteria {
        k,
        sensitive: Vec::new(),
    }
}

/// Σ|class|², of the suppressed ones too.
fn squares(best: &Best) -> u64 {
    best.verdict
        .classes
        .iter()
        .map(|(_, class)| class.rows * class.rows)
        .sum()
}

#[test]
fn the_raw_rows() {
    let adult = adult(None);
    assert_eq!(adult.rows, 30_162);
    let criteria = k(1);
    let raw = adult.search(&criteria, 0).at(&vec![0; 9]).unwrap();
    let risk = Risk::of(&raw.classes, &[], &|_| true);
    assert_eq!(
        (risk.classes, risk.unique, risk.smallest),
        (19_502, 15_512, 1)
    );
    assert_eq!(risk.average, 0.6465751607983555);
}

/// One key, more often than there are between two looks at whether to stop.
struct Many;

impl Base for Many {
    fn width(&self) -> usize {
        9
    }

    fn total(&self) -> u64 {
        70_000
    }

    fn len(&self) -> usize {
        70_000
    }

    fn blocks(&self) -> usize {
        1
    }

    fn read(&self, _: usize, block: &mut Block) -> io::Result<()> {
        block.keys = self.len();
        block.columns = vec![vec![0; self.len()]; self.width()];
        Ok(())
    }
}

#[test]
fn a_search_that_is_stopped_says_so() {
    let adult = adult(None);
    let criteria = k(5);
    let over = Over {
        counts: &Many,
        stop: &|| true,
        ..*adult.search(&criteria, 0).over()
    };
    let stopped = Search::new(over)
        .map_err(Refusal::from)
        .and_then(|search| search.best());
    assert!(matches!(stopped, Err(Refusal::Stopped)), "{stopped:?}");
}

/// Where a level more costs nothing, since all rows have one value, it is not taken.
#[test]
fn of_nodes_with_one_loss_the_less_general_is_best() {
    let mut quasi = [vec![1, 10], vec![1, 10]].map(|w| Column::new(Hierarchy::widths(w).unwrap()));
    let mut histogram = Histogram::new(2);
    for row in [["31", "5"], ["32", "5"], ["33", "5"]] {
        let cells = row.into_iter().zip(&mut quasi);
        let key: Vec<u32> = cells
            .map(|(cell, column)| column.intern(Some(cell)).unwrap())
            .collect();
        histogram.add(&key, 1);
    }
    let criteria = k(3);
    let over = Over {
        quasi: &quasi,
        sensitive: &[],
        entity: false,
        counts: &histogram,
        criteria: &criteria,
        suppress_at_most: 0,
        spill: None,
        threads: 1,
        stop: &|| false,
    };
    let search = Search::new(over).unwrap();
    assert_eq!(search.best().unwrap().node, [1, 0]);
    assert_eq!(search.count().unwrap(), 6);
}

#[test]
fn the_best_node_of_k_anonymity() {
    let adult = adult(None);
    for (least, percent, node, loss, satisfying) in [
        (5, 0, [1, 2, 1, 1, 3, 2, 2, 1, 1], 407_289.538_892, 87),
        (5, 4, [1, 0, 1, 1, 3, 2, 2, 0, 1], 255_559.854_557, 4_452),
        (100, 0, [0, 4, 1, 1, 3, 2, 2, 1, 1], 453_196.893_246, 22),
        (100, 4, [1, 1, 1, 1, 3, 2, 2, 1, 1], 379_417.346_057, 474),
    ] {
        let criteria = k(least);
        let search = adult.search(&criteria, percent);
        let best = search.best().unwrap();
        assert_eq!(best.node, node, "k = {least}, {percent} %");
        assert!(
            (best.loss - loss).abs() < 1e-6,
            "{} is not {loss}",
            best.loss
        );
        assert_eq!(
            search.count().unwrap(),
            satisfying,
            "k = {least}, {percent} %"
        );
        let kept = |at: usize| best.verdict.kept[at];
        assert!(Risk::of(&best.verdict.classes, &[], &kept).smallest >= least);
    }
    let criteria = k(5);
    let best = adult.search(&criteria, 0).best().unwrap();
    assert_eq!(best.verdict.classes.len(), 48);
    let best = adult.search(&criteria, 4).best().unwrap();
    assert_eq!(best.verdict.suppressed(), 906);
    for (percent, satisfying) in [(0, 136), (4, 7_892)] {
        assert_eq!(adult.search(&k(2), percent).count().unwrap(), satisfying);
    }
}

#[test]
fn l_diversity_by_entropy() {
    let adult = adult(Some("occupation"));
    let sensitive = vec![Sensitive {
        l: Some(Diversity::Entropy(5.0)),
        t: None,
    }];
    let criteria = Criteria { k: 1, sensitive };
    let search = adult.search(&criteria, 0);
    let best = search.best().unwrap();
    assert_eq!(best.node, [1, 1, 1, 1, 3, 2, 2, 1]);
    assert!((best.loss - 324_620.526_992).abs() < 1e-6);
    assert_eq!(search.count().unwrap(), 33);
}

#[test]
fn t_closeness_by_equal_and_ordered_distance() {
    let adult = adult(Some("occupation"));
    for (ground, percent, least, node) in [
        (Ground::Equal, 0, 456_853_172, None),
        (Ground::Equal, 4, 311_880_088, None),
        (
            Ground::Ordered,
            4,
            2_712_340,
            Some([0, 0, 1, 1, 2, 2, 2, 0]),
        ),
    ] {
        let sensitive = vec![Sensitive {
            l: None,
            t: Some(Closeness { t: 0.2, ground }),
        }];
        let criteria = Criteria { k: 5, sensitive };
        let mut best: Option<(u64, Vec<usize>)> = None;
        let judged = adult.search(&criteria, percent).all(|found| {
            let squares = squares(&found);
            if best.as_ref().is_none_or(|(least, _)| squares < *least) {
                best = Some((squares, found.node));
            }
        });
        judged.unwrap();
        let (squares, found) = best.unwrap();
        assert_eq!(squares, least, "{ground:?}, {percent} %");
        if let Some(node) = node {
            assert_eq!(found, node);
        }
    }
}
