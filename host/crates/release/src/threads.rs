//! Work that is shared out to threads.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs `work` on so many threads, this one included; returns what each has made.
pub(crate) fn on<T: Send>(threads: usize, work: impl Fn() -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(&work)).collect();
        let mut made = vec![work()];
        for other in others {
            made.push(match other.join() {
                Ok(made) => made,
                Err(panic) => std::panic::resume_unwind(panic),
            });
        }
        made
    })
}

/// Numbers that several threads take in turn.
pub(crate) struct Turns {
    next: AtomicUsize,
    end: usize,
}

impl Turns {
    pub(crate) fn new(end: usize) -> Self {
        Turns {
            next: AtomicUsize::new(0),
            end,
        }
    }

    /// Those that this thread is to do.
    pub(crate) fn take(&self) -> impl Iterator<Item = usize> {
        std::iter::from_fn(|| {
            let next = self.next.fetch_add(1, Ordering::Relaxed);
            (next < self.end).then_some(next)
        })
    }

    /// Leaves nothing to do for anybody.
    pub(crate) fn end(&self) {
        self.next.store(self.end, Ordering::Relaxed);
    }
}
