//! The files of a source: found by path, pattern or folder, opened one after the other, and
//! decompressed according to their content, not their name.

mod ahead;
mod compression;
mod find;
mod stream;

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

pub use find::{at, is_pattern};
pub use glovebox_core::Input;
use glovebox_core::SourceError;
use glovebox_core::shown::printable;

use crate::age::Identity;

pub(crate) use stream::Stream;

/// One file that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InputFile {
    /// Its path; none is standard input.
    path: Option<PathBuf>,
    /// What it is called in errors and rejects.
    name: Arc<str>,
}

impl InputFile {
    fn stdin() -> Self {
        InputFile {
            path: None,
            name: Arc::from(Input::Stdin.to_string()),
        }
    }

    fn at(path: PathBuf) -> Self {
        // Whoever names a file may mean the terminal on which it is shown.
        let name = Arc::from(printable(&path.display().to_string()));
        InputFile {
            path: Some(path),
            name,
        }
    }

    /// Its size, if it is a regular file.
    fn size(&self) -> Option<u64> {
        let of = std::fs::metadata(self.path.as_ref()?).ok()?;
        of.is_file().then_some(of.len())
    }
}

/// The files of a source, found at the first question.
#[derive(Debug)]
pub(crate) struct Inputs {
    given: Vec<Input>,
    endings: Vec<&'static str>,
    /// What opens them, from the outside in.
    identities: Vec<Identity>,
    files: OnceLock<Vec<InputFile>>,
    stdin_taken: AtomicBool,
}

impl Inputs {
    /// What is given, and the endings that the format's files have in a folder.
    pub(crate) fn new(given: &[Input], endings: &[&'static str]) -> Self {
        Inputs {
            given: given.to_vec(),
            endings: endings.to_vec(),
            identities: Vec::new(),
            files: OnceLock::new(),
            stdin_taken: AtomicBool::new(false),
        }
    }

    /// With the keys that open them, from the outside in.
    pub(crate) fn opened_by(mut self, identities: &[Identity]) -> Self {
        self.identities = identities.to_vec();
        self
    }

    /// The files, the same for the whole life of the source.
    pub(crate) fn files(&self) -> Result<&[InputFile], SourceError> {
        if let Some(files) = self.files.get() {
            return Ok(files);
        }
        let found = find::files(&self.given, &self.endings)?;
        Ok(self.files.get_or_init(|| found))
    }

    /// How many there are.
    pub(crate) fn count(&self) -> Result<usize, SourceError> {
        self.files().map(<[InputFile]>::len)
    }

    /// What a file is called, if there are several.
    pub(crate) fn name(&self, part: usize) -> Option<Arc<str>> {
        let files = self.files.get().filter(|files| files.len() > 1)?;
        files.get(part).map(|file| Arc::clone(&file.name))
    }

    /// What a file is called in an error.
    pub(crate) fn place(&self, part: usize) -> String {
        let file = self.files.get().and_then(|files| files.get(part));
        file.map_or_else(|| self.to_string(), |file| file.name.to_string())
    }

    /// Their size on disk, if all of them are regular files.
    pub(crate) fn size(&self) -> Option<u64> {
        let sizes = self.files().ok()?.iter().map(InputFile::size);
        sizes.sum()
    }

    /// A file's size, if it is a regular one, which can be opened more than once.
    pub(crate) fn size_of(&self, part: usize) -> Option<u64> {
        self.files().ok()?.get(part)?.size()
    }

    /// A file's path; none is standard input.
    pub(crate) fn path(&self, part: usize) -> Result<Option<&Path>, SourceError> {
        Ok(self.files()?.get(part).and_then(|f| f.path.as_deref()))
    }

    /// Opens each regular file; whether all are, since others may have something to be read once.
    pub(crate) fn are_there(&self) -> Result<bool, SourceError> {
        let mut regular = true;
        for file in self.files()? {
            let Some(path) = file.path.as_deref() else {
                regular = false;
                continue;
            };
            let io = |problem| SourceError::Io {
                place: file.name.to_string(),
                problem,
            };
            if std::fs::metadata(path).map_err(io)?.is_file() {
                std::fs::File::open(path).map_err(io)?;
            } else {
                regular = false;
            }
        }
        Ok(regular)
    }

    /// The bytes of a file, decompressed ahead of who reads them.
    pub(crate) fn open(&self, part: usize) -> Result<Stream, SourceError> {
        self.stream(part).map(Stream::ahead)
    }

    /// The same for a look at its beginning: nothing is read ahead.
    pub(crate) fn peek(&self, part: usize) -> Result<Stream, SourceError> {
        self.stream(part)
    }

    /// About how many rows all files have, by a look at the first: `count` gets a sample of it, and
    /// whether that is all of it, and says how many rows so many of its bytes have.
    pub(crate) fn estimate(
        &self,
        sample: u64,
        count: impl FnOnce(&[u8], bool) -> Option<(u64, usize)>,
    ) -> Option<u64> {
        let (all, first) = (self.size()?, self.size_of(0)?);
        let mut stream = self.peek(0).ok()?;
        let mut bytes = Vec::new();
        (&mut stream).take(sample).read_to_end(&mut bytes).ok()?;
        let whole = (bytes.len() as u64) < sample;
        let (rows, counted) = count(&bytes, whole)?;
        // Bytes on disk that hold the sample.
        let packed = match stream.used() {
            _ if whole => first,
            Some(used) => used,
            None => bytes.len() as u64,
        };
        if whole && all == first {
            return Some(rows);
        }
        let per_byte = bytes.len() as f64 / counted.max(1) as f64;
        let estimate = rows as f64 * per_byte * all as f64 / packed.max(1) as f64;
        // A guess for a person, and far below 2^53.
        Some(estimate as u64)
    }

    fn stream(&self, part: usize) -> Result<Stream, SourceError> {
        let place = self.place(part);
        let opened = match self.path(part)? {
            Some(path) => Stream::of_file(path, &self.identities),
            None if self.stdin_taken.swap(true, Ordering::Relaxed) => {
                return Err(SourceError::Shape {
                    place,
                    problem: "can be read only once; to run again, use a file".into(),
                });
            }
            None => Stream::of_stdin(&self.identities),
        };
        opened.map_err(|problem| SourceError::Io { place, problem })
    }
}

impl fmt::Display for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        for (i, input) in self.given.iter().take(SHOWN).enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{input}")?;
        }
        match self.given.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
