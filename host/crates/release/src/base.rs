//! Counts of combinations, wherever they are.

use std::io;
use std::ops::ControlFlow;

use crate::histogram::Histogram;

/// Keys with counts. A key may come more than once; its counts are added up.
pub trait Base {
    /// The length of its keys.
    fn width(&self) -> usize;

    /// The sum of all counts.
    fn total(&self) -> u64;

    /// How many keys there are, with those that come again.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hands each key with its count to `each` until that has had enough.
    ///
    /// # Errors
    /// When they cannot be read.
    fn each(&self, each: &mut dyn FnMut(&[u32], u64) -> ControlFlow<()>) -> io::Result<()>;
}

impl Base for Histogram {
    fn width(&self) -> usize {
        Histogram::width(self)
    }

    fn total(&self) -> u64 {
        Histogram::total(self)
    }

    fn len(&self) -> usize {
        Histogram::len(self)
    }

    fn each(&self, each: &mut dyn FnMut(&[u32], u64) -> ControlFlow<()>) -> io::Result<()> {
        for (key, count) in self.iter() {
            if each(key, count).is_break() {
                break;
            }
        }
        Ok(())
    }
}
