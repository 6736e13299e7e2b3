//! So many within so long, for each of many subjects, in bounded memory.

use std::collections::{HashMap, VecDeque};

/// Subjects that are told apart; beyond, those that were quiet for longest are forgotten.
const MAX_SUBJECTS: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Bursts(HashMap<String, VecDeque<i64>>);

impl Bursts {
    /// Counts; whether it has been `at` times within `within` seconds. Then it is counted anew.
    pub(crate) fn add(
        &mut self,
        subject: &str,
        times: u64,
        now: i64,
        (at, within): (usize, i64),
    ) -> bool {
        if self.0.len() >= MAX_SUBJECTS && !self.0.contains_key(subject) {
            self.forget(now - within);
        }
        let seen = self.0.entry(subject.to_owned()).or_default();
        for _ in 0..times.min(at as u64) {
            seen.push_back(now);
        }
        while seen.len() > at || seen.front().is_some_and(|first| *first <= now - within) {
            seen.pop_front();
        }
        let full = seen.len() >= at;
        if full {
            self.0.remove(subject);
        }
        full
    }

    fn forget(&mut self, before: i64) {
        self.0
            .retain(|_, seen| seen.back().is_some_and(|l| *l > before));
        if self.0.len() >= MAX_SUBJECTS {
            // Half of them at once, so that whoever has many addresses does not make each call dear.
            let mut last: Vec<_> = self.0.values().filter_map(|s| s.back().copied()).collect();
            let middle = last.len() / 2;
            let (_, quiet, _) = last.select_nth_unstable(middle);
            let quiet = *quiet;
            self.0
                .retain(|_, seen| seen.back().is_some_and(|l| *l > quiet));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_so_many_within_so_long() {
        let mut bursts = Bursts::default();
        let mut add = |subject, times, now| bursts.add(subject, times, now, (3, 60));
        assert!(!add("a", 1, 0));
        assert!(!add("a", 1, 59));
        assert!(!add("b", 2, 59));
        // The first one is too long ago.
        assert!(!add("a", 1, 60));
        assert!(add("a", 1, 61));
        // It was told, and is counted anew.
        assert!(!add("a", 2, 62));
        assert!(add("b", u64::MAX, 62));
    }

    #[test]
    fn of_many_subjects_the_quietest_are_forgotten() {
        let mut bursts = Bursts::default();
        for n in 0..3 * MAX_SUBJECTS as i64 {
            bursts.add(&n.to_string(), 1, n, (2, i64::MAX / 2));
        }
        assert!((MAX_SUBJECTS / 2..=MAX_SUBJECTS).contains(&bursts.0.len()));
        assert!(bursts.add(&(3 * MAX_SUBJECTS - 1).to_string(), 1, 0, (2, i64::MAX / 2)));
    }
}
