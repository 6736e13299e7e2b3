//! The Delta sink: reads what the table is, writes files beside it, and adds one version that names them.

use glovebox_core::{
    ChunkRecord, Earlier, Encoder, FinishedChunk, History, Job, Keeps, KeptReject, Listed, Mark,
    Published, Schema, SealedBlock, Secret, SinkError, Totals,
};
use glovebox_delta::{Change, Fitted, Table, Want, can_hold, commit, read};

use super::entry::{self, Entry};
use super::kept::{self, Keeping, Reading};
use super::parts::{Parts, random};
use super::place::Place;
use super::rows::Rows;
use super::shared::{self, Joined, Range};
use super::{Mode, Options};

/// Rows to a Delta table, which are in it once the run is whole.
///
/// Text is `string`, an integer `long`, a float `double`, a decimal `decimal`, a date `date`, a timestamp
/// `timestamp`, and bytes are `binary`. The version has the pipeline's transaction, and what a later run knows the
/// input by.
pub struct Sink {
    options: Options,
    place: Place,
    begun: Option<Begun>,
    joined: Option<Joined>,
}

/// A run that the table does not know yet.
struct Begun {
    table: Option<Table>,
    fitted: Fitted,
    schema: Schema,
    app: String,
    key: Secret,
    entry: Entry,
    kept: Option<Keeping>,
    parts: Parts,
    /// What others have stored of it, once that was asked.
    ranges: Vec<Range>,
}

impl Sink {
    /// A sink that will write there; nothing is asked or opened yet.
    pub fn new(options: Options) -> Self {
        Sink {
            place: Place::new(options.target.clone()),
            options,
            begun: None,
            joined: None,
        }
    }

    fn replaces(&self) -> bool {
        self.options.mode == Mode::Replace
    }

    fn table(&self, app: &str, files: bool) -> Result<Option<Table>, SinkError> {
        let want = Want {
            app,
            files,
            runs: true,
        };
        read(self.place.folder.as_ref(), &self.place, want).map_err(|e| self.place.failed(e))
    }

    /// The table, if it and what we would make of it fit.
    fn fitting(
        &self,
        schema: &Schema,
        app: &str,
        files: bool,
    ) -> Result<(Option<Table>, Fitted), SinkError> {
        can_hold(schema).map_err(|problem| self.place.shape(problem))?;
        let table = self.table(app, files)?;
        let fitted = match &table {
            Some(table) => table.takes(schema, self.replaces()),
            None => Ok(Fitted::default()),
        };
        let fitted = fitted.map_err(|problem| self.place.shape(problem))?;
        Ok((table, fitted))
    }

    fn entries(&self) -> Result<Vec<Entry>, SinkError> {
        let table = self.table("", false)?;
        Ok(table.map_or_else(Vec::new, |table| entry::entries(&table.runs)))
    }

    /// What a run has kept; nothing of one that the log does not know.
    fn kept(&self, run: &str, to: Reading<'_>) -> Result<(), SinkError> {
        match self.entries()?.into_iter().find(|entry| entry.run == run) {
            Some(entry) => kept::read(&self.place, &entry.journal, to),
            None => Ok(()),
        }
    }

    /// The key of the digests of inputs; none where the table has none yet.
    fn known_key(&self) -> Result<Option<Secret>, SinkError> {
        match &self.options.identity_key {
            Some(key) => Ok(Some(key.clone())),
            None => entry::key(&self.place),
        }
    }

    fn begun(&mut self) -> Result<&mut Begun, SinkError> {
        let early = self.place.internal("rows came before the sink was opened");
        self.begun.as_mut().ok_or(early)
    }
}

/// What the table's transactions call a pipeline.
fn app_of(pipeline: &str) -> String {
    format!("glovebox/{pipeline}")
}

impl glovebox_core::Sink for Sink {
    fn describe(&self) -> String {
        format!("Delta table {}", self.place)
    }

    fn probe(&mut self, schema: &Schema, _: Keeps) -> Result<Vec<String>, SinkError> {
        self.place.probe()?;
        self.fitting(schema, "", false)?;
        Ok(Vec::new())
    }

    fn history(&mut self) -> Result<Option<History>, SinkError> {
        let table = self.table("", false)?;
        let ran = table.as_ref().map(|table| table.runs.as_slice());
        let key = self.known_key()?;
        Ok(Some(History {
            appends: !self.replaces(),
            seen: entry::seen(ran),
            key,
            running: Vec::new(),
            held: match self.replaces() {
                true => Vec::new(),
                false => entry::held(entry::entries(ran.unwrap_or_default())),
            },
        }))
    }

    fn past(&mut self, pipeline: &str) -> Result<Option<Vec<Earlier>>, SinkError> {
        Ok(Some(entry::past(self.entries()?, pipeline)))
    }

    fn finished(&mut self, pipeline: &str, run: &str) -> Result<Option<Earlier>, SinkError> {
        let past = entry::past(self.entries()?, pipeline);
        Ok(past.into_iter().find(|earlier| earlier.run == run))
    }

    fn runs(&mut self, most: u32) -> Result<Option<Vec<Listed>>, SinkError> {
        Ok(Some(entry::listed(self.entries()?, most)))
    }

    fn open(&mut self, job: &Job, schema: &Schema) -> Result<Vec<ChunkRecord>, SinkError> {
        self.place.probe()?;
        let app = app_of(&job.pipeline);
        let (table, fitted) = self.fitting(schema, &app, self.replaces())?;
        let ran = table.as_ref().map(|table| table.runs.as_slice());
        if job.seen.is_some_and(|seen| seen != entry::seen(ran)) {
            return Err(SinkError::Overtaken {
                place: self.place.to_string(),
            });
        }
        let key = match &self.options.identity_key {
            Some(key) => key.clone(),
            None => entry::key_or_new(&self.place)?,
        };
        let kept = Keeping::begin(&self.place, &job.run, &random(&self.place)?)?;
        self.begun = Some(Begun {
            table,
            fitted,
            app,
            key,
            entry: Entry::begin(job, !self.replaces(), kept.name.clone()),
            kept: Some(kept),
            parts: Parts::new(
                self.place.clone(),
                schema,
                self.options.compression,
                self.options.file_bytes,
            ),
            schema: schema.clone(),
            ranges: Vec::new(),
        });
        Ok(Vec::new())
    }

    fn is_shared(&self) -> bool {
        true
    }

    /// There are no turns: nothing of a run is the table's before its first process says so, and no other takes it over.
    fn turn(&self) -> Option<i64> {
        self.begun.as_ref().map(|_| 0)
    }

    fn join(&mut self, job: &Job, _: i64, schema: &Schema) -> Result<(), SinkError> {
        let (_, fitted) = self.fitting(schema, "", false)?;
        let key = self.known_key()?;
        // Whoever has begun the run has made it.
        let key = key.ok_or_else(|| SinkError::Fenced {
            place: self.place.to_string(),
        })?;
        let at = (&self.place, &self.options);
        self.joined = Some(Joined::new(at, &job.run, (schema, fitted), key));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.joined.as_mut().map_or(Ok(()), Joined::flush)
    }

    fn key(&self) -> Option<Secret> {
        let begun = self.begun.as_ref().map(|begun| &begun.key);
        let joined = self.joined.as_ref().map(|joined| &joined.key);
        begun.or(joined).cloned()
    }

    fn begins(&mut self, with: &Mark, key: u16) -> Result<(), SinkError> {
        let begun = self.begun()?;
        begun.entry.beginning = Some(with.into());
        begun.entry.key = Some(key);
        Ok(())
    }

    fn chunks(&mut self, run: &str) -> Result<Vec<ChunkRecord>, SinkError> {
        let mut chunks = Vec::new();
        let mut add = |chunk| chunks.push(chunk);
        match &mut self.begun {
            Some(begun) if begun.entry.run == run => {
                begun.ranges = shared::stored(&self.place, run)?;
                for range in &begun.ranges {
                    kept::read(&self.place, &range.journal, Reading::of_chunks(&mut add))?;
                }
            }
            _ => self.kept(run, Reading::of_chunks(&mut add))?,
        }
        Ok(chunks)
    }

    fn encoder(&self) -> Box<dyn Encoder> {
        let place = self.place.to_string();
        Box::new(match (&self.begun, &self.joined) {
            (_, Some(joined)) => joined.encoder(),
            (Some(begun), _) => Rows::new(
                place,
                Some(begun.parts.arrow()),
                &begun.schema,
                &begun.fitted.not_null,
            ),
            (None, None) => Rows::new(place, None, &Schema::default(), &[]),
        })
    }

    fn write(&mut self, chunk: FinishedChunk) -> Result<(), SinkError> {
        if let Some(joined) = &mut self.joined {
            return joined.write(chunk);
        }
        let place = self.place.clone();
        let begun = self.begun()?;
        if let Some(kept) = &mut begun.kept {
            kept.add(&place, &chunk)?;
        }
        begun.parts.take(chunk.encoded.payload)
    }

    fn appends(&self) -> bool {
        !self.replaces()
    }

    fn commit(&mut self, totals: &Totals) -> Result<Published, SinkError> {
        let place = self.place.clone();
        let replaces = self.replaces();
        let keeps_rows = replaces && !self.options.replace_with_nothing;
        let begun = self.begun()?;
        let holds = begun.table.as_ref().is_some_and(|table| table.files() > 0);
        if keeps_rows && totals.rows.stored == 0 && holds {
            return self.withhold(totals);
        }
        if let Some(mut kept) = begun.kept.take() {
            for range in &mut begun.ranges {
                kept.add_range(&place, &range.journal)?;
                begun.parts.adopt(std::mem::take(&mut range.files));
            }
            kept.finish(&place)?;
        }
        begun.entry.end(totals);
        let entry = &begun.entry;
        let change = Change {
            app: &begun.app,
            schema: &begun.schema,
            added: begun.parts.finish()?,
            replaces,
            said: entry.to_json(),
            now: entry::now().0,
        };
        let same = |other: &_| entry.same_input(other);
        let committed = commit(place.folder.as_ref(), begun.table.as_ref(), &change, &same);
        let committed = committed.map_err(|e| place.failed(e));
        // Its files may be the table's by now.
        if matches!(committed, Ok(_) | Err(SinkError::Unknown { .. })) {
            shared::forget(&place, &begun.entry.run, &begun.ranges);
            self.begun = None;
        }
        committed.map(|_| Published::default())
    }

    fn withhold(&mut self, _: &Totals) -> Result<Published, SinkError> {
        self.abort();
        Ok(Published::nothing())
    }

    fn rejects(&mut self, run: &str, each: &mut dyn FnMut(KeptReject)) -> Result<(), SinkError> {
        let to = Reading {
            reject: Some(each),
            ..Reading::default()
        };
        self.kept(run, to)
    }

    fn sealed(&mut self, run: &str, each: &mut dyn FnMut(SealedBlock)) -> Result<(), SinkError> {
        let to = Reading {
            sealed: Some(each),
            ..Reading::default()
        };
        self.kept(run, to)
    }

    fn abort(&mut self) -> u64 {
        if let Some(mut begun) = self.begun.take() {
            begun.parts.discard();
            shared::discard(&self.place, &begun.entry.run);
            // Once it is finished it is not on its way any more.
            if begun.kept.is_none() {
                self.place.folder.discard(&begun.entry.journal);
            }
        }
        0
    }
}
