//! gzip, whose members are unpacked one behind the other; or on several threads, where each tells its size, as `bgzip`
//! has them do (SAM/BAM format specification, section 4.1: BGZF).

use std::collections::VecDeque;
use std::io::{self, BufRead, Chain, Cursor, ErrorKind, Read};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use flate2::bufread::MultiGzDecoder;

/// Packed bytes that a thread gets at a time, at least, unless they are of too many members.
const JOB: usize = 256 << 10;
/// Members at a time: what they unpack to is held in memory.
const MEMBERS: usize = 32;
/// Jobs that wait for each thread, besides the one that it is at.
const WAITING: usize = 1;
/// Threads that unpack one file: as many as make more than a reader of rows takes.
const MOST: usize = 8;
/// The largest member, packed or not.
const MEMBER: usize = 64 << 10;
/// A member's header without its extra field: RFC 1952, section 2.3.
const HEADER: usize = 12;
/// That it has one.
const EXTRA: u8 = 4;

/// Whole members, and how many.
#[derive(Default)]
struct Job {
    packed: Vec<u8>,
    members: usize,
}

type Unpacked = io::Result<Vec<u8>>;

/// What comes next in a file.
enum Next {
    /// A member, which is in the job.
    Member,
    /// One that does not tell its size, or no member; with what was read of it.
    Other(Vec<u8>),
    End,
}

/// The bytes in all members of a file.
pub(super) struct Members<R> {
    /// None once `plain` has it.
    input: Option<R>,
    plain: Option<MultiGzDecoder<Chain<Cursor<Vec<u8>>, R>>>,
    threads: Option<Sender<(Job, Sender<Unpacked>)>>,
    due: VecDeque<Receiver<Unpacked>>,
    /// The beginning of what is read one behind the other, once all that is due is there.
    rest: Option<Vec<u8>>,
    is_end: bool,
    unpacked: Cursor<Vec<u8>>,
}

impl<R: BufRead> Members<R> {
    pub(super) fn new(input: R) -> Self {
        Members {
            input: Some(input),
            plain: None,
            threads: None,
            due: VecDeque::new(),
            rest: None,
            is_end: false,
            unpacked: Cursor::default(),
        }
    }

    /// Keeps the threads at work.
    fn hand_out(&mut self) -> io::Result<()> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.min(MOST);
        while self.due.len() < (1 + WAITING) * threads && !self.is_end && self.rest.is_none() {
            let job = self.job()?;
            if job.members == 0 {
                continue;
            }
            let to = self.threads.get_or_insert_with(|| start(threads));
            let (done, unpacked) = bounded(1);
            to.send((job, done)).map_err(|_| ended_early())?;
            self.due.push_back(unpacked);
        }
        Ok(())
    }

    fn job(&mut self) -> io::Result<Job> {
        let mut job = Job::default();
        let Some(input) = &mut self.input else {
            self.is_end = true;
            return Ok(job);
        };
        while job.packed.len() < JOB && job.members < MEMBERS {
            match member(input, &mut job.packed)? {
                Next::Member => job.members += 1,
                Next::Other(start) => {
                    self.rest = Some(start);
                    break;
                }
                Next::End => {
                    self.is_end = true;
                    break;
                }
            }
        }
        Ok(job)
    }
}

/// Reads a member, if it tells its size.
fn member(input: &mut impl BufRead, job: &mut Vec<u8>) -> io::Result<Next> {
    if input.fill_buf()?.is_empty() {
        return Ok(Next::End);
    }
    let mut start = Vec::with_capacity(HEADER);
    let header = input.by_ref().take(HEADER as u64).read_to_end(&mut start)?;
    let [0x1f, 0x8b, 8, flags, .., low, high] = start[..] else {
        return Ok(Next::Other(start));
    };
    if header < HEADER || flags & EXTRA == 0 {
        return Ok(Next::Other(start));
    }
    let extra = u16::from_le_bytes([low, high]);
    input.by_ref().take(extra.into()).read_to_end(&mut start)?;
    let Some(size) = start.get(HEADER..).and_then(size) else {
        return Ok(Next::Other(start));
    };
    // One that is smaller than its header is damaged, which is found where it is unpacked.
    let rest = size.saturating_sub(start.len());
    job.append(&mut start);
    match input.by_ref().take(rest as u64).read_to_end(job)? < rest {
        true => Err(ErrorKind::UnexpectedEof.into()),
        false => Ok(Next::Member),
    }
}

/// A member's size, by its extra field.
fn size(mut extra: &[u8]) -> Option<usize> {
    loop {
        let [a, b, low, high, rest @ ..] = extra else {
            return None;
        };
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        let field = rest.get(..length)?;
        match (a, b, field) {
            (b'B', b'C', [low, high]) => {
                return Some(usize::from(u16::from_le_bytes([*low, *high])) + 1);
            }
            _ => extra = rest.get(length..)?,
        }
    }
}

/// Threads that unpack, until there is nobody to do it for.
fn start(threads: usize) -> Sender<(Job, Sender<Unpacked>)> {
    let (to, jobs) = bounded::<(Job, Sender<Unpacked>)>(threads);
    for _ in 0..threads {
        let jobs = jobs.clone();
        thread::spawn(move || {
            for (job, done) in jobs {
                // Whoever waited for it may have ended.
                let _ = done.send(unpack(&job));
            }
        });
    }
    to
}

fn unpack(job: &Job) -> Unpacked {
    let most = job.members * MEMBER;
    let mut unpacked = Vec::with_capacity(most.min(4 * job.packed.len()));
    let members = MultiGzDecoder::new(&job.packed[..]);
    let read = members.take(most as u64 + 1).read_to_end(&mut unpacked);
    match read {
        Ok(length) if length <= most => Ok(unpacked),
        // All of it was there, so that it is not cut off.
        _ => Err(ErrorKind::InvalidData.into()),
    }
}

fn ended_early() -> io::Error {
    io::Error::other("internal error: decompression ended early; please report it")
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(plain) = &mut self.plain {
                return plain.read(buf);
            }
            let read = self.unpacked.read(buf)?;
            if read > 0 || buf.is_empty() {
                return Ok(read);
            }
            self.hand_out()?;
            if let Some(due) = self.due.pop_front() {
                self.unpacked = Cursor::new(due.recv().map_err(|_| ended_early())??);
                continue;
            }
            let (Some(start), Some(input)) = (self.rest.take(), self.input.take()) else {
                return Ok(0);
            };
            self.plain = Some(MultiGzDecoder::new(Cursor::new(start).chain(input)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, GzBuilder};
    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = GzBuilder::new().write(Vec::new(), Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    /// A member that tells its size, with another extra field before it.
    fn sized(bytes: &[u8]) -> Vec<u8> {
        let extra = [&b"XY\x03\x00abc"[..], b"BC\x02\x00\x00\x00"].concat();
        let builder = GzBuilder::new().extra(extra);
        let mut out = builder.write(Vec::new(), Compression::fast());
        out.write_all(bytes).unwrap();
        let mut member = out.finish().unwrap();
        let size = u16::try_from(member.len() - 1).unwrap().to_le_bytes();
        member[HEADER + 11..HEADER + 13].copy_from_slice(&size);
        member
    }

    fn text(bytes: usize) -> Vec<u8> {
        let lines = (0..).flat_map(|i| format!("{i},some text {}\n", i * 7919).into_bytes());
        lines.take(bytes).collect()
    }

    fn blocks(text: &[u8]) -> Vec<u8> {
        let end = sized(b"");
        let members = text.chunks(50_000).flat_map(sized);
        members.chain(end).collect()
    }

    fn read(packed: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Members::new(packed).read_to_end(&mut out).map(|_| out)
    }

    #[test]
    fn members_are_handed_on_in_their_order_whatever_they_tell() {
        let text = text(6_000_000);
        let (a, b) = text.split_at(2_000_001);
        for packed in [
            blocks(&text),
            gzip(&text),
            [blocks(a), gzip(b)].concat(),
            [gzip(a), blocks(b)].concat(),
            [gzip(a), gzip(b)].concat(),
        ] {
            assert!(read(&packed).unwrap() == text);
        }
        assert_eq!(read(&blocks(b"")).unwrap(), b"");
    }

    #[test]
    fn what_is_cut_off_or_is_too_much_is_an_error() {
        let packed = blocks(&text(400_000));
        for cut in [
            5,
            HEADER,
            HEADER + 3,
            100,
            packed.len() - 30,
            packed.len() - 1,
        ] {
            let error = read(&packed[..cut]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{cut}");
        }
        // A megabyte of zeros in a few hundred bytes.
        let error = read(&sized(&vec![0; 1 << 20])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let garbage = [&packed[..], b"no member at all"].concat();
        assert!(read(&garbage).is_err());
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_noticed_or_changes_nothing(at: prop::sample::Index, to: u8) {
            let text = text(120_000);
            let mut packed = blocks(&text);
            let at = at.index(packed.len());
            packed[at] = to;
            if let Ok(out) = read(&packed) {
                prop_assert!(out == text);
            }
        }
    }
}
