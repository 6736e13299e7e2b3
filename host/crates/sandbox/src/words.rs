//! A guest's output for its author: log lines, standard output, standard error, and the names of
//! functions in which it failed. Runs have none of this, because a guest's output may contain
//! cells: only a [`Workbench`](crate::Workbench) gives it to instances.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use glovebox_core::shown::printable;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError};

use crate::trace::Frame;

/// Bytes that are kept until they are taken, of the log and of each stream; the rest is dropped,
/// and a flood on one leaves room for a panic's message on another.
const KEPT: usize = 64 << 10;

/// Where words came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// A call of `log`, at this level.
    Log(&'static str),
    /// Standard output.
    Out,
    /// Standard error; a panic's message goes there.
    Error,
}

/// One line that a guest wrote, without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it was written.
    pub voice: Channel,
    /// Its text.
    pub text: String,
}

/// The words of guests as they come. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct GuestOutput(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    pieces: Vec<(Channel, Vec<u8>)>,
    /// Bytes of the log, standard output and standard error.
    bytes: [usize; 3],
    cut: bool,
    /// Where the last fault was.
    frames: Vec<Frame>,
}

impl GuestOutput {
    /// The lines since the last call, and whether there were more than are kept.
    pub fn take(&self) -> (Vec<Line>, bool) {
        let mut kept = self.kept();
        let frames = std::mem::take(&mut kept.frames);
        let fresh = Kept {
            frames,
            ..Kept::default()
        };
        let kept = std::mem::replace(&mut *kept, fresh);
        let mut lines = Vec::new();
        for (voice, bytes) in kept.pieces {
            let text = String::from_utf8_lossy(&bytes);
            lines.extend(text.lines().map(|text| Line {
                voice,
                text: printable(text),
            }));
        }
        (lines, kept.cut)
    }

    /// Where guest code was in the last fault since the last call, innermost first.
    pub fn take_frames(&self) -> Vec<Frame> {
        std::mem::take(&mut self.kept().frames)
    }

    /// Takes note of where a fault was.
    pub(crate) fn trace(&self, frames: Vec<Frame>) {
        self.kept().frames = frames;
    }

    /// Adds what was written, as far as there is room.
    pub(crate) fn say(&self, voice: Channel, bytes: &[u8]) {
        let mut kept = self.kept();
        let [log, out, error] = &mut kept.bytes;
        let held = match voice {
            Channel::Log(_) => log,
            Channel::Out => out,
            Channel::Error => error,
        };
        let room = KEPT.saturating_sub(*held);
        let part = bytes.get(..room).unwrap_or(bytes);
        *held += part.len();
        kept.cut |= part.len() < bytes.len();
        if part.is_empty() {
            return;
        }
        match kept.pieces.last_mut() {
            // Calls of `log` are lines; what is written on a stream may be half a line.
            Some((last, text)) if *last == voice && !matches!(voice, Channel::Log(_)) => {
                text.extend_from_slice(part);
            }
            _ => kept.pieces.push((voice, part.to_vec())),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A standard stream of a guest that is watched. It takes all that is written, so that a guest
/// does not act otherwise than in a run.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    pub(crate) words: GuestOutput,
    pub(crate) voice: Channel,
}

impl IsTerminal for Stream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stream {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {}
}

impl OutputStream for Stream {
    fn write(&mut self, bytes: Bytes) -> Result<(), StreamError> {
        self.words.say(self.voice, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    fn check_write(&mut self) -> Result<usize, StreamError> {
        // What wasmtime's own sink answers, which guests meet in runs.
        Ok(64 << 10)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.words.say(self.voice, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Channel, GuestOutput, KEPT};

    #[test]
    fn half_lines_join_and_control_characters_do_not_pass() {
        let words = GuestOutput::default();
        words.say(Channel::Error, b"pan");
        words.say(Channel::Error, b"icked\x1b[2J\nthere\n");
        words.say(Channel::Log("info"), b"one");
        words.say(Channel::Log("info"), b"two");
        let (lines, cut) = words.take();
        let texts: Vec<&str> = lines.iter().map(|l| l.text.as_str()).collect();
        assert_eq!(texts, ["panicked\u{fffd}[2J", "there", "one", "two"]);
        assert!(!cut);
        assert!(words.take().0.is_empty());
    }

    #[test]
    fn a_flood_is_cut() {
        let words = GuestOutput::default();
        for _ in 0..3 {
            words.say(Channel::Out, &[b'x'; KEPT / 2 + 1]);
        }
        words.say(Channel::Error, b"y");
        let (lines, cut) = words.take();
        assert!(cut);
        assert_eq!(lines.iter().map(|l| l.text.len()).sum::<usize>(), KEPT + 1);
    }
}
