//! What is counted before nodes are judged: how often each value occurs, from which the loss of a level
//! follows, and the different combinations, where they have to be held as they are.

use std::io;
use std::ops::ControlFlow;

use super::rollup::BETWEEN_LOOKS;
use super::{Counts, Over, stopped};
use crate::base::{Block, each};
use crate::column::Column;
use crate::histogram::Histogram;
use crate::threads::{Turns, on};

/// Combinations that are held in memory: of six columns some 130 MiB.
const IN_MEMORY: usize = 3 << 20;

/// How often each value of each quasi-identifier occurs, then of each sensitive column.
pub(super) fn counted(over: &Over<'_>) -> io::Result<Vec<Vec<u64>>> {
    let none = || -> Vec<Vec<u64>> {
        let columns = over.quasi.iter().chain(over.sensitive);
        columns.map(|column| vec![0; column.values()]).collect()
    };
    let turns = Turns::new(over.counts.blocks());
    let counted: Vec<io::Result<_>> = on(over.threads.max(1), || {
        let (mut values, mut block) = (none(), Block::default());
        for number in turns.take() {
            let read = stopped(over).and_then(|()| over.counts.read(number, &mut block));
            read.inspect_err(|_| turns.end())?;
            for (column, values) in block.columns.iter().zip(&mut values) {
                for (value, count) in column.iter().zip(block.counts()) {
                    if let Some(sum) = values.get_mut(*value as usize) {
                        *sum += count;
                    }
                }
            }
        }
        Ok(values)
    });
    let mut all = none();
    for values in counted {
        for (all, values) in all.iter_mut().zip(values?) {
            for (sum, count) in all.iter_mut().zip(values) {
                *sum += count;
            }
        }
    }
    Ok(all)
}

/// Different combinations, if there are not too many.
pub(super) fn merged<'a>(over: &Over<'a>) -> io::Result<Counts<'a>> {
    let mut histogram = Histogram::new(over.counts.width());
    let (mut read, mut stop) = (0_usize, Ok(()));
    each(over.counts, &mut |key, count| {
        histogram.add(key, count);
        read += 1;
        if read.is_multiple_of(BETWEEN_LOOKS) {
            stop = stopped(over);
        }
        match stop.is_err() || histogram.len() > IN_MEMORY {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    stop?;
    Ok(match histogram.len() > IN_MEMORY {
        true => Counts::AsTheyAre,
        false => Counts::Merged(histogram),
    })
}

/// The loss of each level of a column.
pub(super) fn losses(column: &Column, counts: &[u64]) -> Vec<f64> {
    let levels = 0..column.levels();
    levels.map(|level| loss(column, counts, level)).collect()
}

fn loss(column: &Column, counts: &[u64], level: usize) -> f64 {
    let mut groups = vec![0_u64; column.groups(level)];
    let values = || column.group_of(level).iter().zip(counts);
    for (&group, count) in values() {
        if let Some(sum) = groups.get_mut(group as usize) {
            *sum += count;
        }
    }
    let occurring = values().filter(|(_, count)| **count > 0);
    let terms = occurring.map(|(&group, &count)| {
        let group = groups.get(group as usize).copied().unwrap_or(count);
        count as f64 * (group as f64 / count as f64).log2()
    });
    // Values are numbered as they come; the sum is the same in whatever order that is.
    let mut terms: Vec<f64> = terms.collect();
    terms.sort_by(f64::total_cmp);
    terms.into_iter().sum()
}
