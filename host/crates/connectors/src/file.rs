//! A file as a sink, whatever its format.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use glovebox_core::{
    ChunkRecord, Earlier, Encoder, FinishedChunk, History, Job, Keeps, KeptReject, Payload,
    Published, Schema, Sink, SinkError, Totals,
};
use glovebox_files::{Base, Staged, Stamp};

use crate::age::{Encrypting, Recipients};
use crate::outlet::{Outlet, Target};

/// What happens to the rows that a file already holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// They go, with the file, when the run's rows are complete.
    #[default]
    Replace,
    /// They stay: the run's rows are added to a copy, which replaces the file.
    Append,
}

/// A format of rows in a file.
pub trait Format: Send {
    /// Its name.
    const NAME: &'static str;

    /// Whether it can hold these columns.
    ///
    /// # Errors
    /// A sentence: what cannot be held, and what to do.
    fn check(&self, schema: &Schema) -> Result<(), String>;

    /// What an empty file starts with.
    fn head(&self, schema: &Schema) -> Vec<u8>;

    /// Whether a file that starts so has these columns.
    ///
    /// # Errors
    /// A sentence: what differs, and what to do.
    fn fits(&self, start: &mut dyn BufRead, schema: &Schema) -> Result<(), String>;

    /// An encoder for one worker.
    fn encoder(&self, schema: Arc<Schema>, place: &str) -> Box<dyn Encoder>;
}

/// A file to which rows are written in a [`Format`].
#[derive(Debug)]
pub struct FileSink<F> {
    target: Target,
    mode: Mode,
    format: F,
    replace_with_nothing: bool,
    /// Who alone can read what is written, at no moment anybody else.
    recipients: Option<Recipients>,
    schema: Arc<Schema>,
    staged: Option<Output>,
    rows: u64,
}

impl<F: Format> FileSink<F> {
    /// A sink that will write to `path`; nothing is opened yet.
    pub fn new(path: impl Into<PathBuf>, mode: Mode, format: F) -> Self {
        FileSink::to(Target::File(path.into()), mode, format)
    }

    /// A sink that will write to `target`; nothing is opened yet.
    pub fn to(target: Target, mode: Mode, format: F) -> Self {
        FileSink {
            target,
            mode,
            format,
            replace_with_nothing: false,
            recipients: None,
            schema: Arc::default(),
            staged: None,
            rows: 0,
        }
    }

    /// Whether a run without rows takes the rows away that are there; it does not.
    pub fn replace_with_nothing(mut self, does: bool) -> Self {
        self.replace_with_nothing = does;
        self
    }

    /// Encrypts the file to these keys; only in mode replace.
    pub fn encrypt_to(mut self, recipients: Option<Recipients>) -> Self {
        self.recipients = recipients;
        self
    }

    fn place(&self) -> String {
        self.target.to_string()
    }

    fn io(&self, problem: io::Error) -> SinkError {
        SinkError::Io {
            place: self.place(),
            problem,
        }
    }

    fn shape(&self, problem: String) -> SinkError {
        SinkError::Shape {
            place: self.place(),
            problem,
        }
    }

    /// What is there, and the file to be continued, if it has something in it and fits.
    fn existing(&self, path: &Path, schema: &Schema) -> Result<(Base, Option<File>), SinkError> {
        if self.mode == Mode::Replace {
            return Ok((Base::Any, None));
        }
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((Base::Missing, None)),
            Err(e) => return Err(self.io(e)),
        };
        // Before it is copied, so that what is added meanwhile shows.
        let base = Base::Is(Stamp::of(&file).map_err(|e| self.io(e))?);
        if file.metadata().map_err(|e| self.io(e))?.len() == 0 {
            return Ok((base, None));
        }
        self.format
            .fits(&mut BufReader::new(&file), schema)
            .map_err(|problem| self.shape(problem))?;
        file.rewind().map_err(|e| self.io(e))?;
        Ok((base, Some(file)))
    }

    /// Whether the file that is there may have rows: it is not what a run without any would write.
    fn may_have_rows(&self, outlet: &Outlet) -> io::Result<bool> {
        let head = self.format.head(&self.schema);
        let Some((file, length)) = outlet.existing()? else {
            return Ok(false);
        };
        if length != head.len() as u64 {
            return Ok(length > 0);
        }
        let mut there = vec![0; head.len()];
        file.read_exact_at(&mut there, 0)?;
        Ok(there != head)
    }

    /// Refuses to add to what cannot be added to.
    fn can_be_added_to(&self) -> Result<(), SinkError> {
        match (&self.target, self.mode) {
            (Target::Object(..), Mode::Append) => Err(self.shape(
                "an object cannot be added to; use `mode: replace`, or another name for each run"
                    .into(),
            )),
            _ => Ok(()),
        }
    }

    fn internal(&self, problem: &str) -> SinkError {
        SinkError::Internal {
            place: self.place(),
            problem: problem.into(),
        }
    }
}

/// The file that is written.
enum Output {
    Plain(Outlet),
    Encrypted(Box<Encrypting<Outlet>>),
}

impl Output {
    fn begin(mut outlet: Outlet, to: Option<&Recipients>, head: &[u8]) -> io::Result<Output> {
        let Some(recipients) = to else {
            outlet.write_all(head)?;
            return Ok(Output::Plain(outlet));
        };
        let mut encrypting = recipients.encrypt(outlet)?;
        encrypting.write(head)?;
        Ok(Output::Encrypted(Box::new(encrypting)))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Output::Plain(outlet) => outlet.write_all(bytes),
            Output::Encrypted(encrypting) => encrypting.write(bytes),
        }
    }

    fn finish(self) -> io::Result<Outlet> {
        match self {
            Output::Plain(outlet) => Ok(outlet),
            Output::Encrypted(encrypting) => encrypting.finish(),
        }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Output")
    }
}

/// Copies a file and ends its last line, should it not have ended.
fn copy(staged: &mut Staged, file: &mut File) -> io::Result<()> {
    staged.copy(file)?;
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(());
    }
    staged.write(b"\n")
}

impl<F: Format> Sink for FileSink<F> {
    fn describe(&self) -> String {
        let how = match self.recipients {
            Some(_) => ", encrypted with age",
            None => "",
        };
        format!("{} in {}{how}", F::NAME, self.place())
    }

    fn probe(&mut self, schema: &Schema, _: Keeps) -> Result<Vec<String>, SinkError> {
        self.format.check(schema).map_err(|p| self.shape(p))?;
        self.can_be_added_to()?;
        self.target.probe().map_err(|e| self.io(e))?;
        match &self.target {
            Target::File(path) => self.existing(path, schema).map(|_| Vec::new()),
            Target::Object(..) => Ok(Vec::new()),
        }
    }

    /// A file keeps no journal: it is whole or not there.
    fn history(&mut self) -> Result<Option<History>, SinkError> {
        Ok(None)
    }

    fn past(&mut self, _: &str) -> Result<Option<Vec<Earlier>>, SinkError> {
        Ok(None)
    }

    fn open(&mut self, job: &Job, schema: &Schema) -> Result<Vec<ChunkRecord>, SinkError> {
        self.format.check(schema).map_err(|p| self.shape(p))?;
        self.can_be_added_to()?;
        let mut outlet = self.target.create(job.proven).map_err(|e| self.io(e))?;
        let mut goes_on = false;
        if let Outlet::File { staged, .. } = &mut outlet {
            let (base, existing) = self.existing(staged.target(), schema)?;
            staged.onto(base);
            if let Some(mut file) = existing {
                copy(staged, &mut file).map_err(|e| self.io(e))?;
                goes_on = true;
            }
        }
        let output = match (goes_on, &self.recipients) {
            (true, None) => Ok(Output::Plain(outlet)),
            (false, recipients) => {
                Output::begin(outlet, recipients.as_ref(), &self.format.head(schema))
            }
            (true, Some(_)) => {
                return Err(
                    self.shape("an encrypted file cannot be added to; use `mode: replace`".into())
                );
            }
        };
        self.schema = Arc::new(schema.clone());
        self.staged = Some(output.map_err(|e| self.io(e))?);
        self.rows = 0;
        Ok(Vec::new())
    }

    fn encoder(&self) -> Box<dyn Encoder> {
        self.format.encoder(Arc::clone(&self.schema), &self.place())
    }

    fn write(&mut self, chunk: FinishedChunk) -> Result<(), SinkError> {
        let Some(staged) = &mut self.staged else {
            return Err(self.internal("rows came before the sink was opened"));
        };
        self.rows += chunk.encoded.rows;
        match chunk.encoded.payload {
            Payload::Empty => Ok(()),
            Payload::Bytes(bytes) => staged.write(&bytes).map_err(|e| self.io(e)),
            Payload::Batches(_) => Err(self.internal("a file takes bytes, not columns")),
        }
    }

    fn appends(&self) -> bool {
        self.mode == Mode::Append
    }

    fn commit(&mut self, _: &Totals) -> Result<Published, SinkError> {
        let Some(output) = self.staged.take() else {
            return Err(self.internal("committed before the sink was opened"));
        };
        let outlet = output.finish().map_err(|e| self.io(e))?;
        let kept = self.mode == Mode::Replace
            && self.rows == 0
            && !self.replace_with_nothing
            && self.may_have_rows(&outlet).map_err(|e| self.io(e))?;
        let files = match kept {
            true => Vec::new(),
            false => outlet.publish().map_err(|e| self.io(e))?,
        };
        Ok(Published {
            kept,
            files,
            ..Published::default()
        })
    }

    fn withhold(&mut self, _: &Totals) -> Result<Published, SinkError> {
        self.staged = None;
        Ok(Published::nothing())
    }

    fn rejects(&mut self, _: &str, _: &mut dyn FnMut(KeptReject)) -> Result<(), SinkError> {
        Ok(())
    }

    fn abort(&mut self) -> u64 {
        self.staged = None;
        0
    }
}
