//! A table's block ranges or a query's stream as chunks, in order, fetched ahead.
//! What waits is bounded: two ranges per connection, two pieces per range.

use std::collections::VecDeque;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use glovebox_core::{Chunk, ChunkReader, SourceError};

use super::Options;
use super::cut::{Bounds, Piece};
use super::decode::{reject, violation};
use super::fetch::{Fetched, Task, fetch_all};
use super::open::{self, Opened, Reading};
use super::session::Session;

/// The most connections, unless said otherwise.
const MAX_CONNECTIONS: usize = 4;
/// Ranges that are asked for ahead of their turn, for each connection.
const RANGES_AHEAD: usize = 2;
/// Pieces of a range that wait for their lease.
const PIECES_AHEAD: usize = 2;
/// Rows after which a chunk ends, so that rejects of very short rows stay bounded.
const CHUNK_ROWS: u64 = 1 << 16;
/// How often it is looked whether anybody still fetches.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// The largest row that may be asked for.
const MAX_BYTES: usize = 256 << 20;

/// Reads a source that is open.
pub(super) struct Chunks {
    options: Arc<Options>,
    opened: Opened,
    /// The session that took the snapshot, until the first thread takes it.
    lead: Option<Session>,
    threads: Vec<JoinHandle<()>>,
    tasks: Option<Sender<Task>>,
    stop: Arc<AtomicBool>,
    /// Ranges that are asked for, and the position behind each.
    waiting: VecDeque<(Receiver<Fetched>, Option<u64>)>,
    /// The first range that was not asked for.
    next_range: u64,
    index: u64,
    row: u64,
    position: u64,
}

impl Chunks {
    pub(super) fn new(options: Arc<Options>, lead: Session, opened: Opened) -> Self {
        Chunks {
            stop: lead.stop.clone(),
            options,
            opened,
            lead: Some(lead),
            threads: Vec::new(),
            tasks: None,
            waiting: VecDeque::new(),
            next_range: 0,
            index: 0,
            row: 0,
            position: 0,
        }
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            bytes: self.options.chunk_bytes.clamp(1, MAX_BYTES),
            rows: CHUNK_ROWS,
            record: self.options.max_record.clamp(1, MAX_BYTES),
        }
    }

    fn connections(&self) -> usize {
        let wanted = match self.options.connections {
            Some(connections) => connections.get(),
            None => thread::available_parallelism()
                .map_or(1, NonZero::get)
                .min(MAX_CONNECTIONS),
        };
        // Without a snapshot to share there is one.
        match self.opened.snapshot {
            Some(_) => wanted.min(usize::try_from(self.ranges()).unwrap_or(wanted)),
            None => 1,
        }
    }

    fn ranges(&self) -> u64 {
        match self.opened.reading {
            Reading::Stream => 1,
            Reading::Blocks { blocks, .. } => blocks.div_ceil(self.range_blocks()),
        }
    }

    fn range_blocks(&self) -> u64 {
        self.options.range_blocks.max(1)
    }

    /// Starts the threads that fetch.
    fn start(&mut self) -> Result<(), SourceError> {
        let Some(lead) = self.lead.take() else {
            return Ok(());
        };
        let (tasks, taken) = unbounded();
        self.tasks = Some(tasks);
        let (width, bounds) = (self.opened.layout.columns.len(), self.bounds());
        let more = self.connections().saturating_sub(1);
        let first = taken.clone();
        self.spawn(move || fetch_all(lead, &first, width, bounds))?;
        for _ in 0..more {
            let (options, stop) = (Arc::clone(&self.options), Arc::clone(&self.stop));
            let (taken, snapshot) = (taken.clone(), self.opened.snapshot.clone());
            self.spawn(move || {
                let session = Session::open(options, stop).and_then(|mut session| {
                    let options = session.options.clone();
                    session.work(async |c| open::begin(c, &options, snapshot.as_deref()).await)?;
                    Ok(session)
                });
                match session {
                    Ok(session) => fetch_all(session, &taken, width, bounds),
                    // Where the server has no connection left for it, the others do the work.
                    Err(error) => {
                        tracing::info!(%error, "the source is read over fewer connections")
                    }
                }
            })?;
        }
        Ok(())
    }

    fn spawn(&mut self, work: impl FnOnce() + Send + 'static) -> Result<(), SourceError> {
        let thread = thread::Builder::new()
            .name(format!("postgres-source-{}", self.threads.len()))
            .spawn(work)
            .map_err(|problem| SourceError::Io {
                place: self.options.place(),
                problem,
            })?;
        self.threads.push(thread);
        Ok(())
    }

    /// Asks for ranges until enough of them are under way.
    fn ask(&mut self) {
        let most = self.connections() * RANGES_AHEAD;
        let ranges = self.ranges();
        while self.waiting.len() < most && self.next_range < ranges {
            let first = self.next_range * self.range_blocks();
            let end = first + self.range_blocks();
            let last = self.next_range + 1 == ranges;
            let (sql, position) = match &self.opened.reading {
                Reading::Stream => (self.opened.copy(""), None),
                Reading::Blocks { block_bytes, .. } => {
                    // Of the last range every block, should more have come than were counted.
                    let upper = match last {
                        true => String::new(),
                        false => format!(" AND ctid < '({end},0)'::pg_catalog.tid"),
                    };
                    let range = format!(" WHERE ctid >= '({first},0)'::pg_catalog.tid{upper}");
                    (self.opened.copy(&range), Some(end * block_bytes))
                }
            };
            self.next_range += 1;
            let (out, pieces) = bounded(PIECES_AHEAD);
            self.waiting.push_back((pieces, position));
            if let Some(tasks) = &self.tasks {
                let _ = tasks.send(Task { sql, out });
            }
        }
    }

    /// The next piece of the range whose turn it is; none behind the last.
    fn piece(&mut self) -> Result<Option<Piece>, SourceError> {
        loop {
            self.ask();
            let Some((pieces, position)) = self.waiting.front() else {
                return Ok(None);
            };
            let piece = match pieces.recv_timeout(POLL_INTERVAL) {
                Ok(piece) => piece?,
                Err(RecvTimeoutError::Timeout) => {
                    if self.threads.iter().all(JoinHandle::is_finished) && pieces.is_empty() {
                        return Err(self.broken());
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.broken()),
            };
            match position {
                Some(position) if piece.last => self.position = *position,
                Some(_) => {}
                None => self.position += piece.bytes.len() as u64,
            }
            if piece.last {
                self.waiting.pop_front();
            }
            if piece.rows > 0 || piece.too_long > 0 {
                return Ok(Some(piece));
            }
        }
    }

    /// A thread that fetches went down, which the driver does on messages that no PostgreSQL sends.
    fn broken(&self) -> SourceError {
        SourceError::Shape {
            place: self.options.place(),
            problem:
                "a connection ended unexpectedly; either the server broke the protocol, or this \
                is a bug in Glovebox"
                    .into(),
        }
    }

    fn chunk(&mut self, piece: Piece) -> Chunk {
        let limit = self.bounds().record;
        let message = format!("the row is longer than {limit} bytes (`max-record`)");
        let behind = self.row + piece.rows;
        let too_long = violation(None, "too-long", message);
        let chunk = Chunk {
            index: self.index,
            first_row: self.row,
            rows: piece.rows,
            bytes: piece.bytes,
            rejects: (0..piece.too_long)
                .map(|i| reject(behind + i, vec![too_long.clone()]))
                .collect(),
            position: self.position,
            ..Chunk::default()
        };
        self.index += 1;
        self.row = behind + piece.too_long;
        chunk
    }

    /// Ends all connections: the snapshot keeps the server from cleaning up, and a lock on the table
    /// a sink from replacing it.
    fn end(&mut self) {
        self.tasks = None;
        self.waiting.clear();
        self.lead = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl ChunkReader for Chunks {
    fn next_chunk(&mut self) -> Result<Option<Chunk>, SourceError> {
        let piece = self.start().and_then(|()| self.piece());
        match piece {
            Ok(Some(piece)) => Ok(Some(self.chunk(piece))),
            Ok(None) => {
                self.end();
                Ok(None)
            }
            Err(error) => {
                self.stop.store(true, Ordering::Relaxed);
                self.next_range = u64::MAX;
                self.end();
                Err(error)
            }
        }
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.end();
    }
}
