use proptest::prelude::*;

use super::*;
use crate::column::Column;
use crate::criteria::Ground;
use crate::hierarchy::Hierarchy;

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-12, "{a} is not {b}");
}

/// The salaries of the paper's table 3: 3k to 11k, of which a class has the three lowest.
#[test]
fn salaries_of_the_paper() {
    let all = [1.0 / 9.0; 9];
    let places = Metric::Ordered((0..9).collect());
    close(distance(&places, &[(0, 1), (1, 1), (2, 1)], &all), 0.375);
    close(
        distance(&places, &[(3, 1), (5, 1), (8, 1)], &all),
        1.0 / 6.0,
    );
    close(
        distance(&Metric::Equal, &[(0, 1), (1, 1), (2, 1)], &all),
        2.0 / 3.0,
    );
}

/// Two groups of two: within a group a value moves half as far as out of it.
#[test]
fn values_of_one_group_are_nearer() {
    let all = [0.25; 4];
    let levels = Metric::Hierarchical(vec![vec![0, 1, 2, 3], vec![0, 0, 1, 1]]);
    close(
        distance(&levels, &[(0, 1), (1, 1), (2, 1), (3, 1)], &all),
        0.0,
    );
    close(distance(&levels, &[(0, 1), (2, 1)], &all), 0.25);
    close(distance(&levels, &[(0, 1), (1, 1)], &all), 0.5);
    close(distance(&levels, &[(0, 1)], &all), 0.625);
    // Of one level only, all are one apart.
    let flat = Metric::Hierarchical(vec![vec![0, 1, 2, 3]]);
    close(distance(&flat, &[(0, 1)], &all), 0.75);
    close(distance(&Metric::Equal, &[(0, 1)], &all), 0.75);
}

#[test]
fn one_value_alone_is_no_distance() {
    for metric in [Metric::Equal, Metric::Ordered(vec![0])] {
        close(distance(&metric, &[(0, 5)], &[1.0]), 0.0);
    }
    close(distance(&Metric::Equal, &[], &[1.0]), 0.0);
}

/// What is moved from where to where at the least cost, as a flow of whole numbers from one end to the other: found by
/// the cheapest way again and again (Busacker and Gowen 1960), which knows nothing of trees or of an order.
struct Flow {
    /// From, to, what there is room for, and the cost of each. After each comes the one that undoes it.
    arcs: Vec<(usize, usize, u64, i64)>,
    nodes: usize,
}

impl Flow {
    fn arc(&mut self, from: usize, to: usize, room: u64, cost: i64) {
        self.arcs
            .extend([(from, to, room, cost), (to, from, 0, -cost)]);
    }

    /// The cheapest way from the first node to the last, by its arcs (Bellman and Ford).
    fn cheapest(&self) -> Option<Vec<usize>> {
        let mut best: Vec<Option<(i64, usize)>> = vec![None; self.nodes];
        best[0] = Some((0, usize::MAX));
        for _ in 0..self.nodes {
            for (at, (from, to, room, cost)) in self.arcs.iter().enumerate() {
                let Some((before, _)) = best[*from].filter(|_| *room > 0) else {
                    continue;
                };
                if best[*to].is_none_or(|(known, _)| before + cost < known) {
                    best[*to] = Some((before + cost, at));
                }
            }
        }
        let (mut way, mut node) = (Vec::new(), self.nodes - 1);
        while node != 0 {
            let (_, arc) = best[node]?;
            way.push(arc);
            node = self.arcs[arc].0;
        }
        Some(way)
    }

    fn least_cost(mut self) -> i64 {
        let mut all = 0;
        while let Some(way) = self.cheapest() {
            let most = way.iter().map(|arc| self.arcs[*arc].2).min().unwrap();
            for arc in way {
                self.arcs[arc].2 -= most;
                self.arcs[arc ^ 1].2 += most;
                all += self.arcs[arc].3 * i64::try_from(most).unwrap();
            }
        }
        all
    }
}

/// The earth mover's distance by its definition, where moving a part of one value to another costs so many steps of
/// the farthest.
fn earth_movers(
    class: &[u64],
    all: &[u64],
    steps: impl Fn(usize, usize) -> i64,
    farthest: i64,
) -> f64 {
    let values = class.len();
    let (of_class, of_all) = (class.iter().sum::<u64>(), all.iter().sum::<u64>());
    let mut flow = Flow {
        arcs: Vec::new(),
        nodes: 2 * values + 2,
    };
    for from in 0..values {
        // In parts of which both have whole numbers.
        flow.arc(0, 1 + from, class[from] * of_all, 0);
        flow.arc(1 + values + from, 2 * values + 1, all[from] * of_class, 0);
        for to in 0..values {
            flow.arc(1 + from, 1 + values + to, u64::MAX >> 1, steps(from, to));
        }
    }
    flow.least_cost() as f64 / (of_class * of_all) as f64 / farthest.max(1) as f64
}

fn with_counts(class: &[u64]) -> Vec<(u32, u64)> {
    let values = (0..).zip(class.iter().copied());
    values.filter(|(_, count)| *count > 0).collect()
}

fn shares(all: &[u64]) -> Vec<f64> {
    let rows = all.iter().sum::<u64>() as f64;
    all.iter().map(|count| *count as f64 / rows).collect()
}

/// Of each value its line in a file: what it becomes at each level below the last. Each group becomes one of a few.
fn lines(values: usize, above: &[Vec<usize>]) -> Vec<Vec<String>> {
    let line = |value: usize| {
        let mut group = value;
        let mut line = vec![format!("v{value}")];
        for (level, to) in above.iter().enumerate() {
            group = to[group % to.len()];
            line.push(format!("l{level}g{group}"));
        }
        line
    };
    (0..values).map(line).collect()
}

proptest! {
    #[test]
    fn all_distances_are_those_of_the_cheapest_moves(
        counts in prop::collection::vec((0_u64..6, 0_u64..6), 1..9),
        above in prop::collection::vec(prop::collection::vec(0_usize..4, 1..6), 0..4),
        numbers in any::<bool>(),
    ) {
        // All rows have those of the class.
        let class: Vec<u64> = counts.iter().map(|(own, _)| *own).collect();
        let all: Vec<u64> = counts.iter().map(|(own, other)| own + other).collect();
        prop_assume!(class.iter().sum::<u64>() > 0);
        let told = |metric: &Metric| distance(metric, &with_counts(&class), &shares(&all));
        let values = class.len();
        let same = |told: f64, expected: f64| (told - expected).abs() < 1e-9;

        let equal = earth_movers(&class, &all, |a, b| i64::from(a != b), 1);
        prop_assert!(same(told(&Metric::Equal), equal));

        // As they come, their order is another one.
        let name = |at: usize| match numbers {
            true => (97 * (at + 1) % 89).to_string(),
            false => format!("n{}", 97 * (at + 1) % 89),
        };
        let mut column = Column::new(Hierarchy::values());
        (0..values).for_each(|at| assert!(column.intern(Some(&name(at))).is_some()));
        let less = |a: usize, b: usize| match numbers {
            true => name(a).parse::<u64>().unwrap() < name(b).parse::<u64>().unwrap(),
            false => name(a) < name(b),
        };
        let place = |at: usize| (0..values).filter(|other| less(*other, at)).count();
        let steps = |a: usize, b: usize| i64::try_from(place(a).abs_diff(place(b))).unwrap();
        let ordered = earth_movers(&class, &all, steps, i64::try_from(values - 1).unwrap());
        prop_assert!(same(told(&Ground::Ordered.metric(&column)), ordered));

        let lines = lines(values, &above);
        let hierarchy = Hierarchy::listed(&lines).unwrap();
        // A level at which all are the same is the last, which is added where there is none.
        let height = hierarchy.levels() - 1;
        let mut column = Column::new(hierarchy);
        lines.iter().for_each(|line| assert!(column.intern(Some(&line[0])).is_some()));
        let level = |a: usize, b: usize| {
            let same = lines[a].iter().zip(&lines[b]).position(|(a, b)| a == b);
            i64::try_from(same.unwrap_or(height)).unwrap()
        };
        let height_of_all = i64::try_from(height).unwrap();
        let by_levels = earth_movers(&class, &all, level, height_of_all);
        let told = told(&Ground::Hierarchical.metric(&column));
        prop_assert!(same(told, by_levels), "{told} is not {by_levels} of {lines:?}");
    }
}
