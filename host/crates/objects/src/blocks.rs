//! Blocks of an object that were read and may be again: whoever reads by places reads small pieces that lie
//! together.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// Bytes of a block.
pub(crate) const BLOCK: u64 = 1 << 20;
/// Blocks that are kept.
const KEPT: usize = 48;

/// The blocks that were read last.
#[derive(Default)]
pub(crate) struct Blocks(Mutex<VecDeque<(u64, Bytes)>>);

impl Blocks {
    /// The block that begins there, which is `read` unless it is kept. Two who ask at once both read it.
    pub(crate) fn get(
        &self,
        start: u64,
        read: impl FnOnce() -> io::Result<Bytes>,
    ) -> io::Result<Bytes> {
        if let Some(block) = self.kept(start) {
            return Ok(block);
        }
        let block = read()?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((start, block.clone()));
        if kept.len() > KEPT {
            kept.pop_front();
        }
        Ok(block)
    }

    fn kept(&self, start: u64) -> Option<Bytes> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().rposition(|(at, _)| *at == start)?;
        let found = kept.remove(place)?;
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
        let read = |start: u64| {
            let mut asked = false;
            let block = blocks.get(start, || {
                asked = true;
                Ok(Bytes::from(start.to_string()))
            });
            assert_eq!(block.unwrap(), start.to_string());
            asked
        };
        for start in 0..KEPT as u64 {
            assert!(read(start) && !read(start) && !read(0));
        }
        assert!(read(KEPT as u64), "another one");
        assert!(!read(0), "it was used last but one");
        assert!(read(1), "the one that was used longest ago is gone");
    }
}
