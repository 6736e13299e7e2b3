//! A cluster, event by event: ranges are cut one after the other, handed out one after the other, and worked on at the same
//! time, while the database's time is shared among all who store. Executors differ in speed, and some die.

use glovebox_tests::torture::Seeded;

/// An executor asks for its next range so much later, on average: half of how often it polls.
const POLL: f64 = 0.025;
/// A range costs an executor so much besides its rows: a message there and back, a reader that is opened.
const BEGIN: f64 = 0.02;
/// Speeds differ by this share, either way.
const SPREAD: f64 = 0.2;
/// On average an executor dies after so many seconds; its range is done again after it was given up, and another
/// executor is in its place.
const LIFE: f64 = 7.0 * 24.0 * 3600.0;
const GIVEN_UP: f64 = 15.0;

/// What is simulated. Rates are in rows a second.
#[derive(Debug, Clone)]
pub(super) struct Cluster {
    pub(super) executors: usize,
    /// Of one executor.
    pub(super) rate: f64,
    /// Of the database, whoever stores.
    pub(super) database: f64,
    /// Of the process that cuts.
    pub(super) cutting: f64,
    /// Seconds of the scheduler for each range.
    pub(super) scheduling: f64,
    /// Of a range.
    pub(super) rows: f64,
    pub(super) ranges: usize,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Simulated {
    rows: f64,
    seconds: f64,
    /// Ranges that were done again.
    pub(super) again: usize,
}

impl Simulated {
    pub(super) fn rows_a_second(&self) -> f64 {
        self.rows / self.seconds
    }
}

/// What an executor is at.
#[derive(Debug, Clone, Copy)]
enum At {
    /// Waits for a range from this moment on.
    Free(f64),
    /// Begins one at this moment.
    Beginning(f64),
    /// Has so many rows left.
    Working(f64),
    /// Is dead and its range in nobody's hands until this moment.
    Dead(f64),
}

struct Executor {
    rate: f64,
    dies: f64,
    at: At,
}

/// Runs the cluster until all ranges are stored.
pub(super) fn simulate(cluster: &Cluster, seed: u64) -> Simulated {
    let mut random = Seeded::new(seed);
    let mut executors: Vec<Executor> = (0..cluster.executors)
        .map(|_| Executor {
            rate: cluster.rate * (1.0 + SPREAD * (2.0 * random.share() - 1.0)),
            dies: life(&mut random, 0.0),
            at: At::Free(POLL * random.share()),
        })
        .collect();
    let each = (cluster.rows / cluster.cutting).max(cluster.scheduling);
    let (mut now, mut handed_out, mut stored, mut again) = (0.0, 0_usize, 0_usize, 0_usize);
    let mut returned = 0_usize;
    let mut scheduler_free = 0.0_f64;
    while stored < cluster.ranges {
        let level = level(&executors, cluster.database);
        let mut next = f64::INFINITY;
        for executor in &executors {
            next = next.min(executor.dies.max(now));
            next = next.min(match executor.at {
                At::Free(since) if returned > 0 => since.max(scheduler_free).max(now),
                At::Free(since) if handed_out < cluster.ranges => {
                    let cut = (handed_out + 1) as f64 * each;
                    since.max(scheduler_free).max(cut).max(now)
                }
                At::Free(_) => f64::INFINITY,
                At::Beginning(at) | At::Dead(at) => at,
                At::Working(left) => now + left / executor.rate.min(level),
            });
        }
        let passed = next - now;
        now = next;
        for executor in &mut executors {
            if let At::Working(left) = &mut executor.at {
                *left -= passed * executor.rate.min(level);
            }
        }
        for executor in &mut executors {
            if executor.dies <= now {
                // What it worked on is done again; a chunk that it has stored is passed over, at a reader's cost.
                let had = matches!(executor.at, At::Working(_) | At::Beginning(_));
                returned += usize::from(had);
                again += usize::from(had);
                executor.at = At::Dead(now + GIVEN_UP);
                executor.dies = life(&mut random, now + GIVEN_UP);
                continue;
            }
            match executor.at {
                At::Free(since) if since <= now && scheduler_free <= now => {
                    let cut = (handed_out + 1) as f64 * each <= now + 1e-9;
                    if returned > 0 {
                        returned -= 1;
                    } else if handed_out < cluster.ranges && cut {
                        handed_out += 1;
                    } else {
                        continue;
                    }
                    scheduler_free = now + cluster.scheduling;
                    executor.at = At::Beginning(now + BEGIN);
                }
                At::Beginning(at) if at <= now => executor.at = At::Working(cluster.rows),
                At::Dead(until) if until <= now => executor.at = At::Free(now),
                At::Working(left) if left <= cluster.rows * 1e-9 => {
                    stored += 1;
                    executor.at = At::Free(now + 2.0 * POLL * random.share());
                }
                _ => {}
            }
        }
    }
    Simulated {
        rows: cluster.rows * cluster.ranges as f64,
        seconds: now,
        again,
    }
}

/// When an executor dies that began at `from`: exponentially distributed.
fn life(random: &mut Seeded, from: f64) -> f64 {
    from - LIFE * (1.0 - random.share()).ln()
}

/// How much of the database each gets at the most, so that all together get no more than there is: those who need less
/// leave the rest to the others.
fn level(executors: &[Executor], database: f64) -> f64 {
    let mut rates: Vec<f64> = executors
        .iter()
        .filter(|executor| matches!(executor.at, At::Working(_)))
        .map(|executor| executor.rate)
        .collect();
    rates.sort_by(f64::total_cmp);
    let mut left = database;
    let mut many = rates.len() as f64;
    for rate in rates {
        if rate * many > left {
            return left / many;
        }
        left -= rate;
        many -= 1.0;
    }
    f64::INFINITY
}
