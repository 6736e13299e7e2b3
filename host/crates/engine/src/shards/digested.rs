//! Chunks with what is digested of their lines: on several threads, handed on in the source's order. To digest them costs
//! more than to read them, and where many executors work, all of them wait for this.

use std::collections::VecDeque;
use std::thread;

use crossbeam_channel::{Sender, bounded};
use glovebox_core::{Chunk, ChunkReader};

use crate::error::RunError;
use crate::identity::{Key, Lines};
use crate::peeked::Peeked;

/// Chunks that wait for each thread, besides the one that it is at.
const WAITING: usize = 2;

/// A chunk to be digested, and where it is waited for.
type Due = (Chunk, Sender<(Chunk, Lines)>);

/// Hands on each chunk until there is none, or `take` has no use for more.
pub(super) fn each(
    mut chunks: Peeked,
    key: &Key,
    threads: usize,
    take: &mut dyn FnMut(&Chunk, &Lines) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let threads = threads.max(1);
    thread::scope(|scope| {
        let (hand_out, taken) = bounded::<Due>(threads);
        for _ in 0..threads {
            let taken = taken.clone();
            scope.spawn(move || {
                for (chunk, done) in taken {
                    let lines = key.read(&chunk);
                    // Nobody waits for it where the cutting has ended early.
                    let _ = done.send((chunk, lines));
                }
            });
        }
        drop(taken);
        let mut due = VecDeque::new();
        loop {
            let next = chunks.next_chunk()?;
            let is_end = next.is_none();
            if let Some(chunk) = next {
                let (done, digested) = bounded(1);
                hand_out
                    .send((chunk, done))
                    .map_err(|_| RunError::Panicked)?;
                due.push_back(digested);
            }
            while due.len() > WAITING * threads || is_end {
                let Some(digested) = due.pop_front() else {
                    return Ok(());
                };
                let (chunk, lines) = digested.recv().map_err(|_| RunError::Panicked)?;
                take(&chunk, &lines)?;
            }
        }
    })
}
