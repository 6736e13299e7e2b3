//! What may be done over and over, so that its records do not fill the disk: the first ones of a
//! minute one by one, the rest of it as a count.
//!
//! Owns the minutes; refuses to forget one that was counted, and to grow with the number of
//! strangers: beyond a bound they are counted together.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::audit::{Action, Event, Outcome};
use super::client::counted;

/// For so long it is counted before the count is recorded.
const MINUTE: Duration = Duration::from_secs(60);
/// Refusals of one stranger that are recorded one by one in a minute.
const REFUSALS: u32 = 10;
/// Refusals of all strangers that are recorded one by one in a minute.
const ALL_REFUSALS: u32 = 600;
/// Strangers that are told apart.
const STRANGERS: usize = 1000;
/// Looks of users that are told apart; more are recorded one by one, which their rates bound.
const LOOKS: usize = 20_000;

/// What is counted together. Of a stranger that is the address and the reason, and nothing that they
/// could choose.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct What {
    action: Action,
    outcome: Outcome,
    reason: Option<&'static str>,
    from: Option<IpAddr>,
    /// Who, by what, at what: of somebody who is known.
    known: Option<(String, Option<String>, [Option<String>; 3])>,
}

#[derive(Debug)]
struct Counted {
    since: Instant,
    told: u32,
    more: u64,
    event: Event,
}

/// What has been done in this minute.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    counts: HashMap<What, Counted>,
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
        let mut what = what(&event);
        let stranger = what.known.is_none();
        if !counts.contains_key(&what) {
            if stranger && *strangers >= STRANGERS {
                what.from = None;
            } else if !stranger && counts.len() >= LOOKS {
                return Some(event);
            }
        }
        let counted = counts.entry(what).or_insert_with(|| {
            *strangers += usize::from(stranger);
            Counted {
                since: now,
                told: 0,
                more: 0,
                event: without_moment(&event),
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
        inner.counts.retain(|_, counted| {
            if !all && now.duration_since(counted.since) < MINUTE {
                return true;
            }
            if counted.more > 0 {
                let mut event = counted.event.clone();
                event.count = Some(counted.more);
                over.push(event);
            }
            false
        });
        inner.strangers = inner.counts.keys().filter(|w| w.known.is_none()).count();
        over
    }
}

fn what(event: &Event) -> What {
    let known = event.who.as_ref().map(|who| {
        let route = event
            .route
            .as_ref()
            .map(|(method, path)| format!("{method} {path}"));
        let at = [route, event.target.clone(), event.run.clone()];
        (who.id.clone(), who.by.clone(), at)
    });
    What {
        action: event.action,
        outcome: event.outcome,
        reason: event.reason,
        from: event.from.map(counted),
        known,
    }
}

/// What holds for every one that is counted with it.
fn without_moment(event: &Event) -> Event {
    let mut event = event.clone();
    event.request = None;
    event.rows = None;
    if event.who.is_none() {
        event.route = None;
        event.from = event.from.map(counted);
    }
    event
}

#[cfg(test)]
mod tests {
    use super::super::audit::Who;
    use super::*;

    fn refusal(address: [u8; 4]) -> Event {
        let mut event = Event::new(Action::Authentication, Outcome::Failure).reason("unauthorized");
        event.from = Some(IpAddr::from(address));
        event
    }

    #[test]
    fn a_strangers_first_refusals_are_told_and_none_of_the_rest_is_lost() {
        let (tally, now) = (Tally::default(), Instant::now());
        let told = (0..500).filter(|_| tally.count(refusal([192, 0, 2, 1]), now).is_some());
        assert_eq!(told.count(), REFUSALS as usize);
        assert!(tally.over(now, false).is_empty());
        let over = tally.over(now + MINUTE, false);
        assert_eq!(over.len(), 1);
        assert_eq!(over[0].count, Some(500 - u64::from(REFUSALS)));
        assert_eq!(over[0].from, Some(IpAddr::from([192, 0, 2, 1])));
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
        assert!(over.len() <= STRANGERS + 1, "{}", over.len());
        let counted: u64 = over.iter().filter_map(|e| e.count).sum();
        assert_eq!(told + counted, all);
    }

    #[test]
    fn a_users_looks_are_told_once_a_minute_for_each_thing() {
        let (tally, now) = (Tally::default(), Instant::now());
        let look = |run: &str| {
            let mut event = Event::new(Action::View, Outcome::Success).run(run);
            event.who = Some(Who {
                id: "usr_a".into(),
                name: "ada".into(),
                by: None,
            });
            tally.count(event, now).is_some()
        };
        let told: Vec<bool> = ["a", "a", "b", "a", "b"].map(look).into();
        assert_eq!(told, [true, false, true, false, false]);
        let mut counts: Vec<_> = tally.over(now, true);
        counts.sort_by_key(|e| e.run.clone());
        let counts: Vec<_> = counts.iter().map(|e| (e.run.as_deref(), e.count)).collect();
        assert_eq!(counts, [(Some("a"), Some(2)), (Some("b"), Some(1))]);
    }
}
