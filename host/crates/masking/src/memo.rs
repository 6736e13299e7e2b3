//! Each distinct value computed once a run.
//!
//! Owns the results of a slow method by a digest of their values, shared by all workers; a
//! value that another worker is computing is waited for. Refuses to hold the values
//! themselves, and to grow past its limit: then new values are computed and not kept.
//!
//! An entry is 16 bytes of keyed digest and 33 of result, 57 to 114 bytes in memory as the
//! tables grow. Two values share a digest by chance once in 10¹⁹ runs of a billion values,
//! and nobody can search for such a pair without the key.
//!
//! Waiting cannot deadlock: a value is claimed when its computation begins, not when it is
//! queued, and a computation waits for nothing.

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
    shards: Vec<Shard>,
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
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            entries_a_shard: entries.div_ceil(SHARDS),
        }
    }

    /// The result for a digest, computed if nobody has begun to.
    pub(crate) fn get(&self, digest: Digest, compute: impl FnOnce() -> Mask) -> Mask {
        let [first, ..] = digest;
        let Some(shard) = self.shards.get(usize::from(first) % SHARDS) else {
            return compute();
        };
        let mut slots = shard.lock();
        loop {
            let full = slots.len() >= self.entries_a_shard;
            match slots.entry(digest) {
                Entry::Occupied(slot) => match slot.get() {
                    Slot::Done(mask) => return *mask,
                    Slot::Computing => {
                        slots = shard
                            .done
                            .wait(slots)
                            .unwrap_or_else(PoisonError::into_inner);
                    }
                },
                Entry::Vacant(_) if full => {
                    drop(slots);
                    return compute();
                }
                Entry::Vacant(slot) => {
                    slot.insert(Slot::Computing);
                    break;
                }
            }
        }
        drop(slots);
        let claim = Claim { shard, digest };
        let mask = compute();
        claim.fulfil(mask);
        mask
    }
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slot being computed; given back if the computation unwinds, so that nobody waits for ever.
struct Claim<'a> {
    shard: &'a Shard,
    digest: Digest,
}

impl Claim<'_> {
    fn fulfil(self, mask: Mask) {
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
                        let got = memo.get(digest(n), || {
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
            memo.get(digest(1), || panic!("in a computation"))
        }));
        assert!(unwound.is_err());
        assert_eq!(memo.get(digest(1), || mask(1)), mask(1));
    }

    #[test]
    fn a_full_memo_computes_and_keeps_what_it_has() {
        let memo = Memo::new(SHARDS);
        assert_eq!(memo.get(digest(0), || mask(0)), mask(0));
        // The same shard, which has room for one.
        let other = digest(SHARDS as u32);
        for again in [3, 4] {
            assert_eq!(memo.get(other, || mask(again)), mask(again));
        }
        assert_eq!(memo.get(digest(0), || mask(9)), mask(0));
    }
}
