//! What was usual: rows of roles by the hour, networks of administrators, rejects and plugins of
//! pipelines. Bounded, whatever the log holds.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// For so long what was is usual, in seconds.
pub(crate) const MEMORY: i64 = 30 * 24 * HOUR;
const HOUR: i64 = 60 * 60;
/// Roles, administrators and pipelines that are told apart; what comes beyond is not judged.
const MAX_SUBJECTS: usize = 10_000;
/// Networks of an administrator.
const MAX_NETWORKS: usize = 1_000;
/// Runs of a pipeline.
const MAX_RUNS: usize = 20;

/// Rows that a role read.
#[derive(Debug, Default)]
struct Hours {
    first: i64,
    current: (i64, u64),
    /// The greatest hour of each day.
    days: BTreeMap<i64, u64>,
}

#[derive(Debug, Default)]
pub(crate) struct Rows(HashMap<String, Hours>);

/// What a role has read in this hour, and in its past.
pub(crate) struct Read {
    pub(crate) now: u64,
    /// The most in any hour before.
    pub(crate) most: u64,
    /// For how long it has been known, in seconds.
    pub(crate) known: i64,
}

impl Rows {
    pub(crate) fn add(&mut self, role: &str, rows: u64, at: i64) -> Option<Read> {
        if self.0.len() >= MAX_SUBJECTS && !self.0.contains_key(role) {
            return None;
        }
        let hours = self.0.entry(role.to_owned()).or_insert_with(|| Hours {
            first: at,
            ..Hours::default()
        });
        let hour = at.div_euclid(HOUR);
        if hours.current.0 != hour {
            let (before, rows) = std::mem::replace(&mut hours.current, (hour, 0));
            let day = hours.days.entry(before.div_euclid(24)).or_default();
            *day = (*day).max(rows);
            hours
                .days
                .retain(|day, _| *day >= (at - MEMORY).div_euclid(24 * HOUR));
        }
        hours.current.1 = hours.current.1.saturating_add(rows);
        Some(Read {
            now: hours.current.1,
            most: hours.days.values().copied().max().unwrap_or(0),
            known: at - hours.first,
        })
    }
}

#[derive(Debug, Default)]
pub(crate) struct Networks(HashMap<String, BTreeSet<String>>);

impl Networks {
    /// Remembers it; whether it is a new one of somebody who has others.
    pub(crate) fn is_new(&mut self, user: &str, network: String) -> bool {
        if self.0.len() >= MAX_SUBJECTS && !self.0.contains_key(user) {
            return false;
        }
        let known = self.0.entry(user.to_owned()).or_default();
        let first = known.is_empty();
        let room = known.len() < MAX_NETWORKS;
        room && known.insert(network) && !first
    }
}

/// A pipeline's last runs.
#[derive(Debug, Default)]
pub(crate) struct Pipelines(HashMap<String, Pipeline>);

#[derive(Debug, Default)]
struct Pipeline {
    /// Shares of rejected rows.
    rates: VecDeque<f64>,
    plugins: Vec<String>,
}

impl Pipelines {
    fn of(&mut self, name: &str) -> Option<&mut Pipeline> {
        if self.0.len() >= MAX_SUBJECTS && !self.0.contains_key(name) {
            return None;
        }
        Some(self.0.entry(name.to_owned()).or_default())
    }

    /// The mean share of rejected rows of the runs before, if there were any; this one is the next's
    /// past.
    pub(crate) fn usual_rate(&mut self, name: &str, rate: f64) -> Option<f64> {
        let rates = &mut self.of(name)?.rates;
        let usual = match rates.len() {
            0 => None,
            runs => Some(rates.iter().sum::<f64>() / runs as f64),
        };
        rates.push_back(rate);
        if rates.len() > MAX_RUNS {
            rates.pop_front();
        }
        usual
    }

    /// Which of these plugins were others in the run before.
    pub(crate) fn changed(&mut self, name: &str, plugins: &[String]) -> Vec<String> {
        let Some(pipeline) = self.of(name) else {
            return Vec::new();
        };
        let before = std::mem::replace(&mut pipeline.plugins, plugins.to_vec());
        if before.is_empty() {
            return Vec::new();
        }
        let new = plugins.iter().filter(|plugin| !before.contains(plugin));
        new.cloned().collect()
    }
}
