//! A file as a sink, whatever its format.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use glovebox_core::{
    ChunkRecord, Earlier, Encoder, FinishedChunk, History, Job, Keeps, KeptReject, Payload,
    Published, Schema, Sink, SinkError, Totals, WrittenFile,
};
use glovebox_files::{Base, Staged, StagedWriter, Stamp};
use sha2::{Digest, Sha256};

use crate::age::{Encrypting, Recipients};

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
    path: PathBuf,
    mode: Mode,
    format: F,
    replace_with_nothing: bool,
    /// Who alone can read what is written, at no moment anybody else.
    recipients: Option<Recipients>,
    schema: Arc<Schema>,
    staged: Option<Output>,
    rows: u64,
    /// Whether the digest of what is written is asked for.
    proven: bool,
}

impl<F: Format> FileSink<F> {
    /// A sink that will write to `path`; nothing is opened yet.
    pub fn new(path: impl Into<PathBuf>, mode: Mode, format: F) -> Self {
        FileSink {
            path: path.into(),
            mode,
            format,
            replace_with_nothing: false,
            recipients: None,
            schema: Arc::default(),
            staged: None,
            rows: 0,
            proven: false,
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
        self.path.display().to_string()
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
    fn may_have_rows(&self, path: &Path) -> io::Result<bool> {
        let head = self.format.head(&self.schema);
        let file = match File::open(path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(e) => return Err(e),
        };
        let mut there = Vec::new();
        file.take(head.len() as u64 + 1).read_to_end(&mut there)?;
        Ok(!there.is_empty() && there != head)
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
    Plain(Staged),
    Encrypted(Box<Encrypting<StagedWriter>>),
}

impl Output {
    fn begin(mut staged: Staged, to: Option<&Recipients>, head: &[u8]) -> io::Result<Output> {
        let Some(recipients) = to else {
            staged.write(head)?;
            return Ok(Output::Plain(staged));
        };
        let mut encrypting = recipients.encrypt(StagedWriter(staged))?;
        encrypting.write(head)?;
        Ok(Output::Encrypted(Box::new(encrypting)))
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Output::Plain(staged) => staged.write(bytes),
            Output::Encrypted(encrypting) => encrypting.write(bytes),
        }
    }

    fn finish(self) -> io::Result<Staged> {
        match self {
            Output::Plain(staged) => Ok(staged),
            Output::Encrypted(encrypting) => encrypting.finish().map(|writer| writer.0),
        }
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Output")
    }
}

/// Puts a file in its place. Its digest is taken before, if it is asked for: afterwards others could have
/// changed it.
pub(crate) fn publish(staged: Staged, proven: bool) -> io::Result<Vec<WrittenFile>> {
    let mut files = Vec::new();
    if proven {
        let mut hash = Sha256::new();
        let mut written = staged.reread()?;
        let mut bytes = vec![0; 1 << 20];
        loop {
            match written.read(&mut bytes)? {
                0 => break,
                read => hash.update(bytes.get(..read).unwrap_or_default()),
            }
        }
        files.push(WrittenFile {
            path: staged.target().to_owned(),
            sha256: hash.finalize().into(),
        });
    }
    staged.publish()?;
    Ok(files)
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
        Staged::probe(&self.path).map_err(|e| self.io(e))?;
        self.existing(&self.path, schema).map(|_| Vec::new())
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
        let mut staged = Staged::create(&self.path).map_err(|e| self.io(e))?;
        let (base, existing) = self.existing(staged.target(), schema)?;
        staged.onto(base);
        let output = match (existing, &self.recipients) {
            (Some(mut file), None) => copy(&mut staged, &mut file).map(|()| Output::Plain(staged)),
            (None, recipients) => {
                Output::begin(staged, recipients.as_ref(), &self.format.head(schema))
            }
            (Some(_), Some(_)) => {
                return Err(
                    self.shape("an encrypted file cannot be added to; use `mode: replace`".into())
                );
            }
        };
        self.schema = Arc::new(schema.clone());
        self.staged = Some(output.map_err(|e| self.io(e))?);
        self.rows = 0;
        self.proven = job.proven;
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
        let staged = output.finish().map_err(|e| self.io(e))?;
        let kept = self.mode == Mode::Replace
            && self.rows == 0
            && !self.replace_with_nothing
            && self
                .may_have_rows(staged.target())
                .map_err(|e| self.io(e))?;
        let files = match kept {
            true => Vec::new(),
            false => publish(staged, self.proven).map_err(|e| self.io(e))?,
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
