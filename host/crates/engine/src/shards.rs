//! One run over several processes, each of which works on ranges of its input.
//!
//! The process that began the run cuts its input into ranges and has others work on them, in any order. Each
//! of those joins the run at the sink, so a chunk is stored once whoever works on it, and again if the one
//! before died. At the end the journal, and not what the others say, tells whether every chunk is there: it is the
//! same, chunk for chunk, as that of one process.

mod cut;
mod digested;
mod member;
pub(crate) mod work;

pub(crate) use cut::{Cut, Cutting};
pub use member::{Member, Membership};
pub use work::{Joining, Range, Ranges, Shards, Taken, Worked};
