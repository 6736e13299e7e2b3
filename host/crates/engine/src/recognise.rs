//! Whether rows of an input are already in the target, using the marks that earlier runs left in
//! the sink's journal, for any pipeline, plan, name and compression.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};

use glovebox_core::{Chunk, Digest, Earlier, RunState, Sink, Source};

use crate::error::RunError;
use crate::identity::{Input, Key, Lines};

/// Chunks that are read before an input that has nothing of earlier ones passes for new.
const SAMPLE: u64 = 64;
/// Chunks that the journal is asked about at once.
const ASKED: usize = 64;
/// Inputs one behind the other that one input may be made of.
const PIECES: usize = 1000;

/// What is known of an input.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// No run has stored any of it, as far as can be told.
    New,
    /// All of it is of a run, or of several.
    All(Box<Earlier>),
    /// The inputs of one or several runs that finished are its beginning: so many rows.
    Grown(Box<Earlier>, u64),
    /// A run has stored some of it: at least so many rows.
    Some(Box<Earlier>, u64),
}

/// What is looked for at a line: that all since another one are a run's.
struct Wanted {
    since: Input,
    digest: Digest,
    run: usize,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Its first chunk.
    Beginning,
    /// So many rows, at the end of one of its chunks.
    Chunk(u64),
    /// All of it.
    Whole,
}

/// Looks at an input.
pub(crate) struct Recogniser<'a> {
    pub(crate) key: &'a Key,
    pub(crate) source: &'a dyn Source,
    pub(crate) sink: &'a mut dyn Sink,
    pub(crate) stop: &'a AtomicBool,
}

/// What is looked for in an input, by the number of the line, and what was found.
struct Search<'r> {
    runs: &'r [Earlier],
    wanted: BTreeMap<u64, Vec<Wanted>>,
    found: Found,
}

impl<'r> Search<'r> {
    fn new(runs: &'r [Earlier]) -> Self {
        let mut wanted = BTreeMap::new();
        expect(&mut wanted, runs, Input::default());
        Search {
            runs,
            wanted,
            found: Found::default(),
        }
    }
}

/// A line up to which an input is what was expected.
struct Meeting {
    run: usize,
    kind: Kind,
    /// The input up to it.
    upto: Input,
    /// The byte of the chunk behind it.
    end: usize,
}

#[derive(Default)]
struct Found {
    /// Where the inputs of runs that finished end, one behind the other: the last run, and all up
    /// to there.
    end: Option<(usize, Input)>,
    /// By run whose input begins alike: rows of it that are stored, as far as the two are one.
    rows: HashMap<usize, u64>,
    /// Chunks that a run has stored, wherever in its input: the line before it, the run, its rows.
    known: Vec<(u64, usize, u64)>,
    /// The run whose chunk ends where the input does.
    within: Option<(usize, u64)>,
}

impl Found {
    /// So many rows of a run are the input's.
    fn at_least(&mut self, run: usize, rows: u64) {
        let most = self.rows.entry(run).or_default();
        *most = rows.max(*most);
    }
}

impl Recogniser<'_> {
    /// Reads the input as far as it has to be.
    pub(crate) fn whole(&mut self, held: Vec<Earlier>) -> Result<Verdict, RunError> {
        let runs = comparable(self.key, held);
        if runs.is_empty() {
            return Ok(Verdict::New);
        }
        let mut chunks = self.source.chunks()?;
        let mut search = Search::new(&runs);
        let mut input = Input::default();
        let mut asked = Vec::new();
        let mut read = 0;
        while let Some(chunk) = chunks.next_chunk()? {
            if self.stop.load(Ordering::Relaxed) {
                return Err(RunError::Cancelled);
            }
            let lines = self.scan(&chunk, input, &mut search)?;
            let anywhere = self.key.anywhere(&lines);
            asked.extend(anywhere.map(|digest| (input.lines, digest)));
            if asked.len() >= ASKED {
                self.ask(&mut asked, &runs, &mut search.found)?;
            }
            input = input.with(&lines);
            read += 1;
            if read == SAMPLE {
                self.ask(&mut asked, &runs, &mut search.found)?;
                let found = &search.found;
                if found.known.is_empty() && found.rows.is_empty() && found.end.is_none() {
                    return Ok(Verdict::New);
                }
            }
        }
        self.ask(&mut asked, &runs, &mut search.found)?;
        let found = search.found;
        Ok(verdict(runs, &found, &input))
    }

    /// Looks at the first chunk of an input that can be read once.
    pub(crate) fn beginning(
        &mut self,
        held: Vec<Earlier>,
        first: &Chunk,
    ) -> Result<Verdict, RunError> {
        let runs = comparable(self.key, held);
        let mut search = Search::new(&runs);
        let lines = self.scan(first, Input::default(), &mut search)?;
        let found = search.found;
        let input = Input::default().with(&lines);
        let mark = self.key.mark(&input);
        // A pipe's beginning has to do.
        if let Some(run) = runs.iter().find(|run| run.beginning == Some(mark)) {
            return Ok(Verdict::All(Box::new(run.clone())));
        }
        Ok(verdict(runs, &found, &input))
    }

    /// Reads a chunk, and looks at the lines where something is expected.
    fn scan(
        &mut self,
        chunk: &Chunk,
        before: Input,
        search: &mut Search<'_>,
    ) -> Result<Lines, RunError> {
        loop {
            let (lines, met) = self.meetings(chunk, before, &search.wanted);
            let mut more = false;
            for met in met {
                more |= self.meet(&met, chunk, (before.rows, lines.rows), search)?;
            }
            if !more {
                return Ok(lines);
            }
        }
    }

    /// The lines of a chunk up to which an input is what was expected.
    fn meetings(
        &self,
        chunk: &Chunk,
        before: Input,
        wanted: &BTreeMap<u64, Vec<Wanted>>,
    ) -> (Lines, Vec<Meeting>) {
        let mut met = Vec::new();
        let mut next = wanted.range(before.lines + 1..).next().map(|(at, _)| *at);
        let lines = self.key.read_lines(chunk, |lines, end| {
            let at = before.lines + lines.count;
            if next != Some(at) {
                return;
            }
            let upto = before.with(lines);
            for wanted in wanted.get(&at).into_iter().flatten() {
                if self.key.mark(&upto.since(&wanted.since)).digest == wanted.digest {
                    met.push(Meeting {
                        run: wanted.run,
                        kind: wanted.kind,
                        upto,
                        end,
                    });
                }
            }
            next = wanted.range(at + 1..).next().map(|(at, _)| *at);
        });
        (lines, met)
    }

    /// Whether more is expected because of it, so that the chunk has to be read again. Of the rows
    /// are told those before the chunk and those in it.
    fn meet(
        &mut self,
        met: &Meeting,
        chunk: &Chunk,
        rows: (u64, u64),
        search: &mut Search<'_>,
    ) -> Result<bool, RunError> {
        let (run, at) = (met.run, met.upto.lines);
        let Search {
            runs,
            wanted,
            found,
        } = search;
        // Met once; the chunk may be read again.
        if let Some(there) = wanted.get_mut(&at) {
            there.retain(|w| w.run != run || w.kind != met.kind);
        }
        let Some(earlier) = runs.get(run) else {
            return Ok(false);
        };
        let mut more = false;
        match met.kind {
            Kind::Beginning => {
                found.rows.entry(run).or_default();
                for stored in self.sink.chunks(&earlier.run)? {
                    let Some(mark) = stored.upto.filter(|mark| mark.lines > at) else {
                        continue;
                    };
                    let rows = stored.first_row + stored.rows.read;
                    wanted.entry(mark.lines).or_default().push(Wanted {
                        since: Input::default(),
                        digest: mark.digest,
                        run,
                        kind: Kind::Chunk(rows),
                    });
                    more = true;
                }
            }
            Kind::Chunk(rows) => {
                found.at_least(run, rows);
                found.within = Some((run, at));
            }
            Kind::Whole => {
                let (rows_before, rows_of) = rows;
                let rows = match met.end == chunk.bytes.len() {
                    true => Some(rows_of),
                    false => self.rows_before(chunk, met.end)?,
                };
                match rows {
                    // Where a record goes on behind it, the rest would be other rows.
                    None => found.at_least(run, earlier.rows.read),
                    Some(rows) => {
                        let mut upto = met.upto;
                        upto.rows = rows_before + rows;
                        let further = found.end.is_none_or(|(_, end)| end.lines < at);
                        if further && wanted.len() < PIECES {
                            found.end = Some((run, upto));
                            expect(wanted, runs, upto);
                            more = true;
                        }
                    }
                }
            }
        }
        Ok(more)
    }

    /// How many rows stand before a byte of a chunk, where a line ends, if the next row begins with
    /// the next line.
    fn rows_before(&self, chunk: &Chunk, end: usize) -> Result<Option<u64>, RunError> {
        let Some(first_line) = chunk.first_line else {
            return Ok(None);
        };
        let mut next = end;
        let mut line = first_line + newlines(chunk.bytes.get(..end).unwrap_or_default());
        while let Some(rest) = chunk.bytes.get(next..)
            && let Some(blank) = [&b"\n"[..], b"\r\n"].iter().find(|b| rest.starts_with(b))
        {
            next += blank.len();
            line += 1;
        }
        let decoded = self.source.decoder()?.decode(chunk.clone())?;
        let mut starts: Vec<Option<u64>> = decoded.rejects.iter().map(|r| r.line).collect();
        for batch in &decoded.batches {
            starts.extend((0..batch.rows()).map(|row| batch.origin.line(row)));
        }
        let before = starts.iter().flatten().filter(|at| **at < line).count();
        let follows = starts.iter().flatten().filter(|at| **at >= line).min();
        let clean = follows.is_none_or(|at| *at == line) && !starts.contains(&None);
        Ok(clean.then_some(before as u64))
    }

    /// Asks the journal which chunks are stored, by whatever run.
    fn ask(
        &mut self,
        asked: &mut Vec<(u64, Digest)>,
        runs: &[Earlier],
        found: &mut Found,
    ) -> Result<(), RunError> {
        let asked = std::mem::take(asked);
        if asked.is_empty() {
            return Ok(());
        }
        let digests: Vec<Digest> = asked.iter().map(|(_, digest)| *digest).collect();
        for chunk in self.sink.known(&digests)? {
            let run = runs.iter().position(|run| run.run == chunk.run);
            let at = asked.iter().find(|(_, digest)| *digest == chunk.digest);
            if let (Some(run), Some((at, _))) = (run, at) {
                found.known.push((*at, run, chunk.read));
            }
        }
        Ok(())
    }
}

/// Runs over whole inputs, whose digests are by this key, and of which there is something that could
/// come twice.
fn comparable(key: &Key, held: Vec<Earlier>) -> Vec<Earlier> {
    let empty = |run: &Earlier| run.state == RunState::Finished && run.rows.stored == 0;
    held.into_iter()
        .filter(|run| run.key == Some(key.check()))
        .filter(|run| run.plan.rejects().is_none() && !empty(run))
        .collect()
}

/// Expects every run's input behind `since`.
fn expect(wanted: &mut BTreeMap<u64, Vec<Wanted>>, runs: &[Earlier], since: Input) {
    for (run, earlier) in runs.iter().enumerate() {
        let marks = [
            (earlier.whole, Kind::Whole),
            (
                earlier.beginning.filter(|_| since == Input::default()),
                Kind::Beginning,
            ),
        ];
        for (mark, kind) in marks {
            if let Some(mark) = mark.filter(|mark| mark.lines > 0) {
                wanted
                    .entry(since.lines + mark.lines)
                    .or_default()
                    .push(Wanted {
                        since,
                        digest: mark.digest,
                        run,
                        kind,
                    });
            }
        }
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// What all that was met comes to.
fn verdict(runs: Vec<Earlier>, found: &Found, input: &Input) -> Verdict {
    let run = |at: usize| runs.get(at).cloned().map(Box::new);
    let is_living = |at: usize| runs.get(at).is_some_and(|run| run.living.is_some());
    // One that is at it now, whether or not a row of it is stored.
    if let Some((at, rows)) = found.rows.iter().find(|(at, _)| is_living(**at))
        && let Some(earlier) = run(*at)
    {
        return Verdict::Some(earlier, *rows);
    }
    let end = found.end.map_or(0, |(_, end)| end.lines);
    if let Some((last, _)) = found.end.filter(|_| end == input.lines)
        && let Some(earlier) = run(last)
    {
        return Verdict::All(earlier);
    }
    if let Some((at, _)) = found.within.filter(|(_, lines)| *lines == input.lines)
        && let Some(earlier) = run(at)
    {
        return Verdict::All(earlier);
    }
    // By run: rows that are stored behind the inputs that are known whole.
    let mut behind: HashMap<usize, u64> = HashMap::new();
    for (at, run, rows) in &found.known {
        if *at >= end {
            *behind.entry(*run).or_default() += rows;
        }
    }
    let reached = found.end.map_or(0, |(_, end)| end.rows);
    for (run, rows) in &found.rows {
        if *rows > reached {
            let most = behind.entry(*run).or_default();
            *most = (*rows).max(*most);
        }
    }
    // Of several, the last that began.
    let most = behind
        .into_iter()
        .max_by_key(|(at, rows)| (*rows, std::cmp::Reverse(*at)));
    match (most, found.end) {
        (Some((at, rows)), _) => run(at).map(|earlier| Verdict::Some(earlier, rows)),
        (None, Some((last, end))) => run(last).map(|earlier| Verdict::Grown(earlier, end.rows)),
        (None, None) => None,
    }
    .unwrap_or(Verdict::New)
}

#[cfg(test)]
#[path = "recognise_tests.rs"]
mod tests;
