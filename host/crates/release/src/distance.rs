//! The earth mover's distance between a class's values and those of all rows (Li, Li and
//! Venkatasubramanian, "t-Closeness", 2007), from 0 to 1.

/// How far apart two values are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Metric {
    /// One apart, whichever they are.
    Equal,
    /// By the places between them: of each value its place in the order.
    Ordered(Vec<u32>),
    /// By the level at which they become the same: of each level below the last, from the least
    /// general on, the group of each value.
    Hierarchical(Vec<Vec<u32>>),
}

/// The distance of a class, given by its values with their counts, from the shares of all rows.
pub(crate) fn distance(metric: &Metric, class: &[(u32, u64)], all: &[f64]) -> f64 {
    let rows: u64 = class.iter().map(|(_, count)| count).sum();
    if rows == 0 {
        return 0.0;
    }
    let shares = class
        .iter()
        .map(|&(value, count)| (value, count as f64 / rows as f64));
    match metric {
        Metric::Equal => equal(shares, all),
        Metric::Ordered(places) => ordered(shares, places, all),
        Metric::Hierarchical(levels) => hierarchical(shares, levels, all),
    }
}

/// ½ Σ|q − p|. A value that the class does not have adds its p, and all p together are 1.
fn equal(shares: impl Iterator<Item = (u32, f64)>, all: &[f64]) -> f64 {
    let more = shares.map(|(value, q)| {
        let p = all.get(value as usize).copied().unwrap_or_default();
        (q - p).abs() - p
    });
    (more.sum::<f64>() + 1.0) / 2.0
}

/// Σᵢ|Σ_{j≤i}(q − p)ⱼ| / (m − 1)
fn ordered(shares: impl Iterator<Item = (u32, f64)>, places: &[u32], all: &[f64]) -> f64 {
    if all.len() < 2 {
        return 0.0;
    }
    let extra = extras(shares, all);
    let mut in_order = vec![0.0; all.len()];
    for (extra, &place) in extra.iter().zip(places) {
        if let Some(at) = in_order.get_mut(place as usize) {
            *at = *extra;
        }
    }
    let mut carried = 0.0;
    let work: f64 = in_order
        .iter()
        .map(|extra| {
            carried += extra;
            f64::abs(carried)
        })
        .sum();
    work / (all.len() - 1) as f64
}

/// What cannot be settled below a node is carried up; what can costs the node's height.
fn hierarchical(shares: impl Iterator<Item = (u32, f64)>, levels: &[Vec<u32>], all: &[f64]) -> f64 {
    let height = levels.len() as f64;
    let mut work = 0.0;
    // Of each value the group that it is in so far: itself at first.
    let mut of: Vec<u32> = levels.first().cloned().unwrap_or_default();
    let mut level_extra = grouped(&of, &extras(shares, all));
    for (at, level) in levels
        .iter()
        .skip(1)
        .chain([&vec![0; all.len()]])
        .enumerate()
    {
        let groups = level.iter().max().map_or(0, |max| *max as usize + 1);
        let (mut more, mut less) = (vec![0.0; groups], vec![0.0; groups]);
        let mut seen = vec![false; level_extra.len()];
        for (&group, &parent) in of.iter().zip(level) {
            let (group, parent) = (group as usize, parent as usize);
            if seen.get(group).copied().unwrap_or(true) {
                continue;
            }
            if let Some(seen) = seen.get_mut(group) {
                *seen = true;
            }
            let extra: f64 = level_extra.get(group).copied().unwrap_or_default();
            let side = if extra > 0.0 { &mut more } else { &mut less };
            if let Some(sum) = side.get_mut(parent) {
                *sum += extra.abs();
            }
        }
        let moved: f64 = more
            .iter()
            .zip(&less)
            .map(|(more, less)| more.min(*less))
            .sum();
        work += moved * (at + 1) as f64 / height;
        level_extra = more
            .iter()
            .zip(&less)
            .map(|(more, less)| more - less)
            .collect();
        of.clone_from(level);
    }
    work
}

/// q − p of each value.
fn extras(shares: impl Iterator<Item = (u32, f64)>, all: &[f64]) -> Vec<f64> {
    let mut extra: Vec<f64> = all.iter().map(|p| -p).collect();
    for (value, q) in shares {
        if let Some(extra) = extra.get_mut(value as usize) {
            *extra += q;
        }
    }
    extra
}

fn grouped(of: &[u32], extra: &[f64]) -> Vec<f64> {
    let groups = of.iter().max().map_or(0, |max| *max as usize + 1);
    let mut sums = vec![0.0; groups];
    for (&group, extra) in of.iter().zip(extra) {
        if let Some(sum) = sums.get_mut(group as usize) {
            *sum += extra;
        }
    }
    sums
}

#[cfg(test)]
#[path = "distance_tests.rs"]
mod tests;
