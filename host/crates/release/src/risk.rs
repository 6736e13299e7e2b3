//! How likely somebody is found in rows that others hold.
//!
//! Prosecutor, journalist and marketer risk: El Emam and Dankar 2008; without a larger population that the
//! rows were drawn from, the journalist's is the prosecutor's.

use crate::classes::Classes;
use crate::column::Column;
use crate::criteria::{Ground, entropy};
use crate::distance::distance;

/// What the classes of rows tell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Risk {
    /// Rows.
    pub rows: u64,
    /// Classes of rows that look the same.
    pub classes: u64,
    /// The members of the smallest class: k.
    pub smallest: u64,
    /// The members of the largest class.
    pub largest: u64,
    /// Members that are alone in their class.
    pub unique: u64,
    /// The risk of whoever is most at risk: one in the smallest class.
    pub highest: f64,
    /// The mean risk over all members: classes by members.
    pub average: f64,
    /// Classes by their members, in steps that double: 1, 2–3, 4–7 and so on.
    pub sizes: Vec<u64>,
    /// What each sensitive column tells.
    pub sensitive: Vec<Told>,
}

/// What a sensitive column's values tell of the members of a class, at worst.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Told {
    /// The fewest different values of a class: distinct l.
    pub distinct: u64,
    /// e to the least entropy of a class: entropy l.
    pub entropy: f64,
    /// The largest distance of a class from all rows, all values one apart.
    pub equal: f64,
    /// The same by the order of the values.
    pub ordered: f64,
}

impl Risk {
    /// Of the classes that are kept. Of a class that is not, nothing is told.
    pub fn of(classes: &Classes, sensitive: &[Column], kept: &dyn Fn(usize) -> bool) -> Self {
        let mut risk = Risk {
            smallest: u64::MAX,
            ..Risk::default()
        };
        let mut members = 0;
        for (_, (_, class)) in classes.iter().enumerate().filter(|(at, _)| kept(*at)) {
            risk.rows += class.rows;
            risk.classes += 1;
            members += class.members;
            risk.smallest = risk.smallest.min(class.members);
            risk.largest = risk.largest.max(class.members);
            risk.unique += u64::from(class.members == 1);
            let step = class.members.max(1).ilog2() as usize;
            if risk.sizes.len() <= step {
                risk.sizes.resize(step + 1, 0);
            }
            if let Some(size) = risk.sizes.get_mut(step) {
                *size += 1;
            }
        }
        if risk.classes == 0 {
            return Risk::default();
        }
        risk.highest = 1.0 / risk.smallest.max(1) as f64;
        risk.average = risk.classes as f64 / members.max(1) as f64;
        let columns = sensitive.iter().zip(classes.shares());
        risk.sensitive = columns
            .map(|(column, shares)| {
                let all = classes.all(shares, column.values(), kept);
                let (equal, ordered) =
                    (Ground::Equal.metric(column), Ground::Ordered.metric(column));
                let mut told = Told {
                    distinct: u64::MAX,
                    entropy: f64::INFINITY,
                    ..Told::default()
                };
                for class in (0..classes.len()).filter(|at| kept(*at)) {
                    let values = shares.of(class);
                    told.distinct = told.distinct.min(values.len() as u64);
                    told.entropy = told.entropy.min(entropy(values).exp());
                    told.equal = told.equal.max(distance(&equal, values, &all));
                    told.ordered = told.ordered.max(distance(&ordered, values, &all));
                }
                told
            })
            .collect();
        risk
    }
}
