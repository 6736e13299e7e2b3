//! Counts what each client holds at once: connections, requests, streams, uploads. A slot is
//! returned when it is dropped.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Who holds something.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    /// An address, or the network of an IPv6 customer: [`super::client::counted`].
    Address(IpAddr),
    /// A user, by id.
    User(String),
}

/// What may be held of one thing.
#[derive(Debug)]
pub(crate) struct Slots {
    most: usize,
    held: Mutex<HashMap<Holder, usize>>,
}

impl Slots {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Slots {
            most,
            held: Mutex::default(),
        })
    }

    /// One more for them; none if they hold the most.
    pub(crate) fn take(self: &Arc<Self>, holder: Holder) -> Option<Slot> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.get_mut(&holder) {
            Some(count) if *count >= self.most => return None,
            Some(count) => *count += 1,
            None if self.most == 0 => return None,
            None => drop(held.insert(holder.clone(), 1)),
        }
        Some(Slot {
            slots: Arc::clone(self),
            holder,
        })
    }
}

/// One of the things that are counted, held until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    holder: Holder,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let held = &self.slots.held;
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.holder) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_holder_has_the_most_and_gets_back_what_is_dropped() {
        let slots = Slots::new(2);
        let take = |name: &str| slots.take(Holder::User(name.into()));
        let (one, two) = (take("ada"), take("ada"));
        assert!(one.is_some() && two.is_some() && take("ada").is_none());
        assert!(take("bob").is_some());
        drop(one);
        let three = take("ada");
        assert!(three.is_some() && take("ada").is_none());
        drop((two, three));
        assert!(slots.held.lock().unwrap().is_empty());
    }
}
