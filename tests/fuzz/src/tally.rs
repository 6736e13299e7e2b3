//! How far mutants came, counted by recipe.

use std::collections::BTreeMap;
use std::fmt;

use crate::mutant::Recipe;
use crate::trial::Outcome;

/// Outcomes so far.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    counts: BTreeMap<(Outcome, Recipe), u64>,
}

impl Tally {
    /// Counts one.
    pub fn add(&mut self, recipe: Recipe, outcome: Outcome) {
        *self.counts.entry((outcome, recipe)).or_default() += 1;
    }

    /// Adds another's counts.
    pub fn merge(&mut self, other: Tally) {
        for (key, count) in other.counts {
            *self.counts.entry(key).or_default() += count;
        }
    }

    /// How many there were.
    pub fn all(&self) -> u64 {
        self.counts.values().sum()
    }

    /// How many were taken for plugins.
    pub fn loaded(&self) -> u64 {
        self.count(|outcome| !matches!(outcome, Outcome::Refused(_) | Outcome::LoadFault(_)))
    }

    /// How many were given rows.
    pub fn met_rows(&self) -> u64 {
        self.count(|outcome| matches!(outcome, Outcome::ApplyFault(_) | Outcome::Ran))
    }

    /// How many answered all batches.
    pub fn ran(&self) -> u64 {
        self.count(|outcome| *outcome == Outcome::Ran)
    }

    fn count(&self, which: impl Fn(&Outcome) -> bool) -> u64 {
        let counted = self
            .counts
            .iter()
            .filter(|((outcome, _), _)| which(outcome));
        counted.map(|(_, count)| count).sum()
    }

    fn lines<K: Ord>(&self, key: impl Fn(&Outcome, Recipe) -> K) -> BTreeMap<K, u64> {
        let mut lines = BTreeMap::new();
        for ((outcome, recipe), count) in &self.counts {
            *lines.entry(key(outcome, *recipe)).or_default() += count;
        }
        lines
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.all().max(1);
        let share = |count: u64| 100.0 * count as f64 / all as f64;
        for (outcome, count) in self.lines(|outcome, _| outcome.clone()) {
            let what = match outcome {
                Outcome::Refused(why) => format!("refused: {why}"),
                Outcome::LoadFault(kind) => format!("fault in `describe` or start-up: {kind}"),
                Outcome::NotOpened => "refused at `open`".into(),
                Outcome::OpenFault(kind) => format!("fault in `open`: {kind}"),
                Outcome::ApplyFault(kind) => format!("fault over rows: {kind}"),
                Outcome::Ran => "ran".into(),
                Outcome::Wrong(what) => format!("WRONG: {what}"),
            };
            writeln!(f, "{count:>9} {:>6.2} %  {what}", share(count))?;
        }
        writeln!(f)?;
        let met = |outcome: &Outcome| matches!(outcome, Outcome::ApplyFault(_) | Outcome::Ran);
        let deep = self.lines(|outcome, recipe| (recipe, met(outcome)));
        for (recipe, count) in self.lines(|_, recipe| recipe) {
            let met = deep.get(&(recipe, true)).copied().unwrap_or_default();
            writeln!(
                f,
                "{count:>9} by {recipe:<22} of which {met} met rows ({:.0} %)",
                100.0 * met as f64 / count.max(1) as f64
            )?;
        }
        Ok(())
    }
}
