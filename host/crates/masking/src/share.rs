//! Distributes the new values of a batch among the cores and, on each, among its lanes.
//! A worker never waits while it holds a claim, so workers with the same values cannot deadlock.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use crate::memo::{Claim, Claimed, Digest, Memo};
use crate::{Mask, lanes};

type Queue<'v> = Mutex<std::vec::IntoIter<(&'v [u8], Digest)>>;

/// What one core did.
#[derive(Default)]
struct Share<'v> {
    masks: Vec<(&'v [u8], Mask)>,
    /// Values that another worker has in hand.
    elsewhere: Vec<(&'v [u8], Digest)>,
}

/// The masks of distinct values: those remembered, and the others in groups on all cores.
pub(crate) fn masks<'v>(
    memo: &Memo,
    distinct: Vec<&'v [u8]>,
    digest: impl Fn(&[u8]) -> Digest + Sync,
    derive: impl Fn(&[&[u8]]) -> Vec<Mask> + Sync,
) -> HashMap<&'v [u8], Mask> {
    let looked_up: Vec<_> = distinct
        .into_par_iter()
        .map(|value| {
            let digest = digest(value);
            (value, digest, memo.peek(digest))
        })
        .collect();
    let mut masks = HashMap::with_capacity(looked_up.len());
    let mut new = Vec::new();
    for (value, digest, remembered) in looked_up {
        match remembered {
            Some(mask) => drop(masks.insert(value, mask)),
            None => new.push((value, digest)),
        }
    }
    if new.is_empty() {
        return masks;
    }

    let cores = rayon::current_num_threads();
    let size = group_size(new.len(), cores, lanes::widest());
    let tasks = new.len().div_ceil(size).min(cores);
    let queue = Mutex::new(new.into_iter());
    let shares: Vec<_> = (0..tasks)
        .into_par_iter()
        .with_max_len(1)
        .map(|_| share(memo, &queue, size, &derive))
        .collect();

    let mut elsewhere = Vec::new();
    for share in shares {
        masks.extend(share.masks);
        elsewhere.extend(share.elsewhere);
    }
    for (value, digest) in elsewhere {
        let mask = memo.wait(digest, || derive(&[value]).pop().unwrap_or_default());
        masks.insert(value, mask);
    }
    masks
}

/// Values of a group: as many as the lanes take, and no more than an even share of the cores,
/// since an idle core is worth more than a full vector.
fn group_size(values: usize, cores: usize, widest: usize) -> usize {
    values.div_ceil(cores.max(1)).clamp(1, widest.max(1))
}

/// One core's part: groups from the queue until it is empty.
fn share<'v>(
    memo: &Memo,
    queue: &Queue<'v>,
    size: usize,
    derive: impl Fn(&[&[u8]]) -> Vec<Mask>,
) -> Share<'v> {
    let mut share = Share::default();
    loop {
        let group = group(memo, queue, size, &mut share);
        if group.is_empty() {
            return share;
        }
        let (values, claims): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        for ((value, claim), mask) in values.iter().zip(claims).zip(derive(&values)) {
            if let Some(claim) = claim {
                claim.fulfil(mask);
            }
            share.masks.push((value, mask));
        }
    }
}

/// The next values that nobody has in hand, claimed; none at the end of the queue.
fn group<'v, 'm>(
    memo: &'m Memo,
    queue: &Queue<'v>,
    size: usize,
    share: &mut Share<'v>,
) -> Vec<(&'v [u8], Option<Claim<'m>>)> {
    let mut group = Vec::with_capacity(size);
    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    while group.len() < size {
        let Some((value, digest)) = queue.next() else {
            break;
        };
        match memo.claim(digest) {
            Claimed::Mine(claim) => group.push((value, claim)),
            Claimed::Done(mask) => share.masks.push((value, mask)),
            Claimed::Elsewhere => share.elsewhere.push((value, digest)),
        }
    }
    group
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;
    use crate::memo::MEMO_ENTRIES;

    fn digest(value: &[u8]) -> Digest {
        let mut digest = Digest::default();
        digest[..value.len()].copy_from_slice(value);
        digest
    }

    fn mask(value: &[u8]) -> Mask {
        [value[0] ^ value[1]; 32]
    }

    fn values(n: u16) -> Vec<[u8; 2]> {
        (0..n).map(u16::to_le_bytes).collect()
    }

    fn slices(values: &[[u8; 2]]) -> Vec<&[u8]> {
        values.iter().map(<[u8; 2]>::as_slice).collect()
    }

    #[test]
    fn each_value_gets_its_own_mask_whatever_their_number() {
        for n in [0, 1, 2, 15, 16, 17, 33, 250] {
            let values = values(n);
            let memo = Memo::new(MEMO_ENTRIES);
            for again in [false, true] {
                let masks = masks(&memo, slices(&values), digest, |group| {
                    assert!(!again && group.len() <= lanes::widest());
                    group.iter().map(|value| mask(value)).collect()
                });
                assert_eq!(masks.len(), values.len());
                for value in &values {
                    assert_eq!(masks.get(value.as_slice()), Some(&mask(value)));
                }
            }
        }
    }

    #[test]
    fn workers_with_the_same_values_compute_each_once_and_wait_for_the_rest() {
        const WORKERS: usize = 4;
        let values = values(200);
        let memo = Memo::new(MEMO_ENTRIES);
        let computed = AtomicUsize::new(0);
        let start = Barrier::new(WORKERS);
        thread::scope(|scope| {
            for worker in 0..WORKERS {
                let (values, memo, computed, start) = (&values, &memo, &computed, &start);
                scope.spawn(move || {
                    let mut order = slices(values);
                    order.rotate_left(worker * 50);
                    start.wait();
                    let masks = masks(memo, order, digest, |group| {
                        computed.fetch_add(group.len(), Ordering::Relaxed);
                        thread::sleep(std::time::Duration::from_millis(1));
                        group.iter().map(|value| mask(value)).collect()
                    });
                    for value in values {
                        assert_eq!(masks.get(value.as_slice()), Some(&mask(value)));
                    }
                });
            }
        });
        assert_eq!(computed.into_inner(), values.len());
    }

    #[test]
    fn a_memo_without_room_computes_all_and_keeps_none() {
        let values = values(40);
        let memo = Memo::new(0);
        let computed = AtomicUsize::new(0);
        for _ in 0..2 {
            let masks = masks(&memo, slices(&values), digest, |group| {
                computed.fetch_add(group.len(), Ordering::Relaxed);
                group.iter().map(|value| mask(value)).collect()
            });
            assert_eq!(masks.len(), 40);
        }
        assert_eq!(computed.into_inner(), 80);
    }

    #[test]
    fn groups_fill_the_lanes_but_leave_no_core_idle() {
        for ((values, cores, widest), size) in [
            ((1, 2, 16), 1),
            ((2, 2, 16), 1),
            ((20, 2, 16), 10),
            ((100, 2, 16), 16),
            ((100, 64, 16), 2),
            ((100, 2, 1), 1),
            ((5, 0, 0), 1),
        ] {
            assert_eq!(group_size(values, cores, widest), size);
        }
    }
}
