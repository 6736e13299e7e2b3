//! A thread that decompresses a stream ahead of the reader.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded};

/// Bytes of a block.
const BLOCK: usize = 256 << 10;
/// Blocks that wait.
const WAITING: usize = 4;

/// A block, and how much of the packed stream was used up for it and those before it.
struct Block {
    bytes: Vec<u8>,
    used: u64,
}

/// What a thread has read ahead.
pub(super) struct Ahead {
    blocks: Receiver<io::Result<Block>>,
    emptied: Sender<Vec<u8>>,
    bytes: Vec<u8>,
    at: usize,
    used: Arc<AtomicU64>,
    ended: bool,
}

impl Ahead {
    /// Starts the thread; it ends with the stream, or soon after `self` is dropped.
    pub(super) fn new(input: Box<dyn Read + Send>, counter: Arc<AtomicU64>) -> Self {
        let (to_reader, blocks) = bounded(WAITING);
        let (emptied, to_fill) = bounded::<Vec<u8>>(WAITING + 1);
        std::thread::spawn(move || unpack(input, &counter, &to_reader, &to_fill));
        Ahead {
            blocks,
            emptied,
            bytes: Vec::new(),
            at: 0,
            used: Arc::new(AtomicU64::new(0)),
            ended: false,
        }
    }

    /// How much of the packed stream was used up for what has been read here.
    pub(super) fn used(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.used)
    }
}

fn unpack(
    mut input: Box<dyn Read + Send>,
    counter: &AtomicU64,
    to_reader: &Sender<io::Result<Block>>,
    to_fill: &Receiver<Vec<u8>>,
) {
    loop {
        let mut bytes = to_fill
            .try_recv()
            .unwrap_or_else(|_| Vec::with_capacity(BLOCK));
        bytes.clear();
        let read = (&mut input).take(BLOCK as u64).read_to_end(&mut bytes);
        let used = counter.load(Ordering::Relaxed);
        // What came before an error is no use: the run ends here, and its rows have no numbers.
        let block = read.map(|_| Block { bytes, used });
        let last = block.as_ref().map_or(true, |b| b.bytes.is_empty());
        if to_reader.send(block).is_err() || last {
            return;
        }
    }
}

impl Read for Ahead {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.bytes.len() {
            if self.ended {
                return Ok(0);
            }
            let block = self.blocks.recv().map_err(|_| {
                io::Error::other("internal error: decompression ended early; please report it")
            })??;
            self.used.store(block.used, Ordering::Relaxed);
            self.ended = block.bytes.is_empty();
            let old = std::mem::replace(&mut self.bytes, block.bytes);
            let _ = self.emptied.try_send(old);
            self.at = 0;
        }
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let count = rest.len().min(buf.len());
        if let (Some(to), Some(from)) = (buf.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count;
        Ok(count)
    }
}
