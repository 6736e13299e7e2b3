//! Blocks of a bucket's objects that were read and may be again: whoever reads by places reads small pieces that
//! lie together.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// Bytes of a block.
pub(crate) const BLOCK: u64 = 1 << 20;
/// Blocks that are kept, of all objects together: one for each column of a table that several workers read.
const KEPT: usize = 96;

/// Which object a block is of, and where it begins.
type Place = (u64, u64);

/// The blocks that were read last.
#[derive(Default)]
pub(crate) struct Blocks {
    kept: Mutex<VecDeque<(Place, Bytes)>>,
    objects: AtomicU64,
}

impl Blocks {
    /// A number for an object, which no other has.
    pub(crate) fn number(&self) -> u64 {
        self.objects.fetch_add(1, Ordering::Relaxed)
    }

    /// The block that begins there, which is `read` unless it is kept. Two who ask at once both read it.
    pub(crate) fn get(
        &self,
        place: Place,
        read: impl FnOnce() -> io::Result<Bytes>,
    ) -> io::Result<Bytes> {
        if let Some(block) = self.kept(place) {
            return Ok(block);
        }
        let block = read()?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((place, block.clone()));
        if kept.len() > KEPT {
            kept.pop_front();
        }
        Ok(block)
    }

    fn kept(&self, place: Place) -> Option<Bytes> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().rposition(|(kept, _)| *kept == place)?;
        let found = kept.remove(at)?;
        let block = found.1.clone();
        kept.push_back(found);
        Some(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_last_is_kept_and_no_more() {
        let blocks = Blocks::default();
        let (one, other) = (blocks.number(), blocks.number());
        let read_of = |object: u64, start: u64| {
            let mut asked = false;
            let block = blocks.get((object, start), || {
                asked = true;
                Ok(Bytes::from(format!("{object} {start}")))
            });
            assert_eq!(block.unwrap(), format!("{object} {start}"));
            asked
        };
        let read = |start| read_of(one, start);
        for start in 0..KEPT as u64 {
            assert!(read(start) && !read(start) && !read(0));
        }
        assert!(read_of(other, 0), "of another object");
        assert!(!read(0), "it was used last but one");
        assert!(read(1), "the one that was used longest ago is gone");
    }
}
