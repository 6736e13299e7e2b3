//! Aggregates repeated audit events, so that they do not fill the disk: the first ones of a minute
//! are recorded singly, the rest as a count.
//! Memory is bounded: beyond a limit, unknown callers are counted together.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use glovebox_audit::Event;

use super::client::counted;

/// For so long it is counted before the count is recorded.
const MINUTE: Duration = Duration::from_secs(60);
/// Refusals of one stranger that are recorded one by one in a minute.
const REFUSALS: u32 = 10;
/// Refusals of all strangers that are recorded one by one in a minute.
const ALL_REFUSALS: u32 = 600;
/// Strangers that are told apart.
const MAX_STRANGERS: usize = 1000;
/// Looks of users that are told apart; more are recorded one by one, which their rates bound.
const MAX_READERS: usize = 20_000;

#[derive(Debug)]
struct Counted {
    since: Instant,
    told: u32,
    more: u64,
}

/// What has been done in this minute.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// By what they have in common.
    counts: HashMap<Event, Counted>,
    strangers: usize,
    /// Since when refusals of strangers are counted together, and how many there were.
    all: Option<(Instant, u32)>,
}

impl Tally {
    /// The event, if it is to be recorded by itself.
    pub(crate) fn count(&self, event: Event, now: Instant) -> Option<Event> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner {
            counts,
            strangers,
            all,
        } = &mut *inner;
        let mut what = event.clone().in_common(counted);
        let stranger = !event.is_by_somebody();
        if !counts.contains_key(&what) {
            if stranger && *strangers >= MAX_STRANGERS {
                what = what.from_anywhere();
            } else if !stranger && counts.len() >= MAX_READERS {
                return Some(event);
            }
        }
        let counted = counts.entry(what).or_insert_with(|| {
            *strangers += usize::from(stranger);
            Counted {
                since: now,
                told: 0,
                more: 0,
            }
        });
        let mut by_itself = counted.told < if stranger { REFUSALS } else { 1 };
        if by_itself && stranger {
            let (since, told) = all.get_or_insert((now, 0));
            if now.duration_since(*since) >= MINUTE {
                (*since, *told) = (now, 0);
            }
            by_itself = *told < ALL_REFUSALS;
            *told += u32::from(by_itself);
        }
        if by_itself {
            counted.told += 1;
            return Some(event);
        }
        counted.more += 1;
        None
    }

    /// The counts of minutes that are over, or of all.
    pub(crate) fn over(&self, now: Instant, all: bool) -> Vec<Event> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut over = Vec::new();
        inner.counts.retain(|event, counted| {
            if !all && now.duration_since(counted.since) < MINUTE {
                return true;
            }
            if counted.more > 0 {
                over.push(event.clone().count(counted.more));
            }
            false
        });
        inner.strangers = inner.counts.keys().filter(|e| !e.is_by_somebody()).count();
        over
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use glovebox_audit::{Action, Outcome};
    use serde_json::Value;

    use super::*;

    fn written(events: &[Event]) -> Vec<Value> {
        let written = events.iter().map(serde_json::to_value);
        written.collect::<Result<_, _>>().unwrap()
    }

    fn refusal(address: [u8; 4]) -> Event {
        Event::new(Action::Denied, Outcome::Failure)
            .reason("unauthorized")
            .source(IpAddr::from(address))
    }

    #[test]
    fn a_strangers_first_refusals_are_told_and_none_of_the_rest_is_lost() {
        let (tally, now) = (Tally::default(), Instant::now());
        let told = (0..500).filter(|_| tally.count(refusal([192, 0, 2, 1]), now).is_some());
        assert_eq!(told.count(), REFUSALS as usize);
        assert!(tally.over(now, false).is_empty());
        let over = tally.over(now + MINUTE, false);
        assert_eq!(over.len(), 1);
        let over = &written(&over)[0];
        assert_eq!(over["labels.count"], 500 - u64::from(REFUSALS));
        assert_eq!(over["source.ip"], "192.0.2.1");
        // A new minute begins.
        assert!(tally.count(refusal([192, 0, 2, 1]), now + MINUTE).is_some());
        assert!(tally.over(now + MINUTE, true).is_empty());
    }

    #[test]
    fn any_number_of_strangers_makes_a_bounded_number_of_records() {
        let (tally, now) = (Tally::default(), Instant::now());
        let (mut told, mut all) = (0, 0);
        for n in 0..20_000u32 {
            let [_, a, b, c] = n.to_be_bytes();
            for _ in 0..3 {
                told += u64::from(tally.count(refusal([10, a, b, c]), now).is_some());
                all += 1;
            }
        }
        assert_eq!(told, u64::from(ALL_REFUSALS));
        let over = tally.over(now, true);
        assert!(over.len() <= MAX_STRANGERS + 1, "{}", over.len());
        let counts = written(&over)
            .into_iter()
            .map(|e| e["labels.count"].as_u64());
        let counted: u64 = counts.flatten().sum();
        assert_eq!(told + counted, all);
    }

    #[test]
    fn a_users_looks_are_told_once_a_minute_for_each_thing() {
        let (tally, now) = (Tally::default(), Instant::now());
        let look = |run: &str| {
            let event = Event::new(Action::Viewed, Outcome::Success).run(run);
            let event = event.user_id("usr_a").user("ada");
            tally.count(event, now).is_some()
        };
        let told: Vec<bool> = ["a", "a", "b", "a", "b"].map(look).into();
        assert_eq!(told, [true, false, true, false, false]);
        let counts = written(&tally.over(now, true));
        let counts = counts
            .iter()
            .map(|e| (&e["labels.run"], &e["labels.count"]));
        let mut counts: Vec<_> = counts.map(|(run, n)| format!("{run} {n}")).collect();
        counts.sort();
        assert_eq!(counts, [r#""a" 2"#, r#""b" 1"#]);
    }
}
