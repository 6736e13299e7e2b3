//! A cache of masks, so that each distinct value is computed once per run. It does not hold the
//! values themselves, and it is bounded: beyond the limit, new values are computed but not kept.
//!
//! An entry is 16 bytes of keyed digest and 33 of result, 57 to 114 bytes in memory as the tables
//! grow. Two values share a digest by chance once in 10¹⁹ runs of a billion values, and nobody can
//! search for such a pair without the key.
//!
//! Waiting cannot deadlock: values are claimed when their computation begins, not when they are
//! queued, a computation waits for nothing, and who waits holds no claim.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::Mask;

/// The most results that are remembered, about 450 MB; below it every distinct value is
/// computed once.
pub const MEMO_ENTRIES: usize = 4_000_000;

/// Tables with a lock of their own, so that workers rarely meet.
const SHARDS: usize = 64;

/// What stands for a value: the first half of a keyed digest.
pub(crate) type Digest = [u8; 16];

pub(crate) struct Memo {
    shards: [Shard; SHARDS],
    entries_a_shard: usize,
}

#[derive(Default)]
struct Shard {
    slots: Mutex<HashMap<Digest, Slot>>,
    done: Condvar,
}

enum Slot {
    Computing,
    Done(Mask),
}

impl Memo {
    /// Room for about so many results.
    pub(crate) fn new(entries: usize) -> Self {
        Memo {
            shards: std::array::from_fn(|_| Shard::default()),
            entries_a_shard: entries.div_ceil(SHARDS),
        }
    }

    /// The result for a digest, if it is there.
    pub(crate) fn peek(&self, digest: Digest) -> Option<Mask> {
        match self.shard(digest).lock().get(&digest) {
            Some(Slot::Done(mask)) => Some(*mask),
            Some(Slot::Computing) | None => None,
        }
    }

    /// The result for a digest, or the right to compute it; never waits.
    pub(crate) fn claim(&self, digest: Digest) -> Claimed<'_> {
        let shard = self.shard(digest);
        let mut slots = shard.lock();
        let full = slots.len() >= self.entries_a_shard;
        match slots.entry(digest) {
            Entry::Occupied(slot) => match slot.get() {
                Slot::Done(mask) => Claimed::Done(*mask),
                Slot::Computing => Claimed::Elsewhere,
            },
            Entry::Vacant(_) if full => Claimed::Mine(None),
            Entry::Vacant(slot) => {
                slot.insert(Slot::Computing);
                Claimed::Mine(Some(Claim { shard, digest }))
            }
        }
    }

    /// The result for a digest that another worker was computing: waited for, and computed here
    /// if it was given up or not kept. Whoever waits may hold no claim.
    pub(crate) fn wait(&self, digest: Digest, compute: impl FnOnce() -> Mask) -> Mask {
        loop {
            match self.claim(digest) {
                Claimed::Done(mask) => return mask,
                Claimed::Mine(claim) => {
                    let mask = compute();
                    if let Some(claim) = claim {
                        claim.fulfil(mask);
                    }
                    return mask;
                }
                Claimed::Elsewhere => {
                    let shard = self.shard(digest);
                    let mut slots = shard.lock();
                    while let Some(Slot::Computing) = slots.get(&digest) {
                        slots = shard
                            .done
                            .wait(slots)
                            .unwrap_or_else(PoisonError::into_inner);
                    }
                }
            }
        }
    }

    fn shard(&self, digest: Digest) -> &Shard {
        let [first, ..] = digest;
        // The remainder is below their number.
        #[allow(clippy::indexing_slicing)]
        &self.shards[usize::from(first) % SHARDS]
    }
}

/// What became of asking for a result.
pub(crate) enum Claimed<'a> {
    /// It was there.
    Done(Mask),
    /// Another worker is computing it.
    Elsewhere,
    /// The asker is to compute it, and to hand it in if there is room for it.
    Mine(Option<Claim<'a>>),
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slot being computed; given back if the computation unwinds, so that nobody waits for ever.
pub(crate) struct Claim<'a> {
    shard: &'a Shard,
    digest: Digest,
}

impl Claim<'_> {
    /// Hands the result in.
    pub(crate) fn fulfil(self, mask: Mask) {
        self.shard.lock().insert(self.digest, Slot::Done(mask));
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut slots = self.shard.lock();
        if let Some(Slot::Computing) = slots.get(&self.digest) {
            slots.remove(&self.digest);
        }
        drop(slots);
        self.shard.done.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn digest(n: u32) -> Digest {
        let mut digest = [0; 16];
        digest[..4].copy_from_slice(&n.to_le_bytes());
        digest
    }

    fn mask(n: u32) -> Mask {
        [u8::try_from(n % 251).unwrap(); 32]
    }

    #[test]
    fn workers_that_meet_compute_each_value_once() {
        const WORKERS: usize = 8;
        const VALUES: u32 = 100;
        let memo = Memo::new(MEMO_ENTRIES);
        let computed = AtomicUsize::new(0);
        let start = Barrier::new(WORKERS);
        thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    start.wait();
                    for n in 0..VALUES {
                        let got = memo.wait(digest(n), || {
                            computed.fetch_add(1, Ordering::Relaxed);
                            thread::sleep(Duration::from_micros(300));
                            mask(n)
                        });
                        assert_eq!(got, mask(n));
                    }
                });
            }
        });
        assert_eq!(computed.into_inner(), VALUES as usize);
    }

    #[test]
    fn a_computation_that_unwinds_is_done_by_the_next_who_asks() {
        let memo = Memo::new(MEMO_ENTRIES);
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            memo.wait(digest(1), || panic!("in a computation"))
        }));
        assert!(unwound.is_err());
        assert_eq!(memo.wait(digest(1), || mask(1)), mask(1));
    }

    #[test]
    fn a_claim_is_one_workers_until_it_is_fulfilled_or_dropped() {
        let memo = Memo::new(MEMO_ENTRIES);
        let Claimed::Mine(Some(claim)) = memo.claim(digest(1)) else {
            panic!("nobody has claimed it");
        };
        assert!(matches!(memo.claim(digest(1)), Claimed::Elsewhere));
        assert_eq!(memo.peek(digest(1)), None);
        drop(claim);
        let Claimed::Mine(Some(claim)) = memo.claim(digest(1)) else {
            panic!("it was given back");
        };
        claim.fulfil(mask(1));
        assert!(matches!(memo.claim(digest(1)), Claimed::Done(done) if done == mask(1)));
        assert_eq!(memo.peek(digest(1)), Some(mask(1)));
    }

    #[test]
    fn a_full_memo_computes_and_keeps_what_it_has() {
        let memo = Memo::new(SHARDS);
        assert_eq!(memo.wait(digest(0), || mask(0)), mask(0));
        // The same shard, which has room for one.
        let other = digest(SHARDS as u32);
        for again in [3, 4] {
            assert_eq!(memo.wait(other, || mask(again)), mask(again));
        }
        assert_eq!(memo.wait(digest(0), || mask(9)), mask(0));
    }
}
