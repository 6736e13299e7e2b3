//! The files of a source: found by path, pattern or folder, opened one after the other, and
//! decompressed according to their content, not their name.

mod ahead;
mod compression;
mod find;
mod members;
mod regular;
mod stream;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

pub use find::{at, is_pattern};
pub use glovebox_core::Input;
use glovebox_core::shown::printable;
use glovebox_core::{Object, ObjectStore, SourceError};

use crate::age::Identity;

pub(crate) use regular::Regular;
#[cfg(feature = "parquet")]
pub(crate) use regular::Seeking;
pub(crate) use stream::Stream;

/// What a source is given, and the store in which its objects are.
#[derive(Debug, Clone, Default)]
pub struct Given {
    inputs: Vec<Input>,
    objects: Option<Arc<dyn ObjectStore>>,
}

impl Given {
    /// These, of which objects are in that store.
    pub fn new(inputs: Vec<Input>, objects: Option<Arc<dyn ObjectStore>>) -> Self {
        Given { inputs, objects }
    }
}

impl From<Vec<Input>> for Given {
    fn from(inputs: Vec<Input>) -> Self {
        Given::new(inputs, None)
    }
}

/// What a file is to whoever opens it.
#[derive(Debug, Clone)]
enum Opens {
    Stdin,
    File(PathBuf),
    Object(Arc<dyn Object>),
}

/// One file that is read.
#[derive(Debug, Clone)]
pub(crate) struct InputFile {
    opens: Opens,
    /// What it is called in errors and rejects.
    name: Arc<str>,
}

impl InputFile {
    fn stdin() -> Self {
        InputFile {
            opens: Opens::Stdin,
            name: Arc::from(Input::Stdin.to_string()),
        }
    }

    fn at(path: PathBuf) -> Self {
        // Whoever names a file may mean the terminal on which it is shown.
        let name = Arc::from(printable(&path.display().to_string()));
        InputFile {
            opens: Opens::File(path),
            name,
        }
    }

    fn of(object: Arc<dyn Object>) -> Self {
        let name = Arc::from(printable(&object.url().to_string()));
        InputFile {
            opens: Opens::Object(object),
            name,
        }
    }

    /// Its path, if it is a file.
    fn path(&self) -> Option<&PathBuf> {
        match &self.opens {
            Opens::File(path) => Some(path),
            Opens::Stdin | Opens::Object(_) => None,
        }
    }

    /// Its size, if it is a regular file or an object.
    fn size(&self) -> Option<u64> {
        match &self.opens {
            Opens::Stdin => None,
            Opens::File(path) => {
                let of = std::fs::metadata(path).ok()?;
                of.is_file().then_some(of.len())
            }
            Opens::Object(object) => Some(object.size()),
        }
    }

    /// Opens it to be read by places; none is standard input.
    fn regular(&self) -> io::Result<Option<Regular>> {
        Ok(Some(match &self.opens {
            Opens::Stdin => return Ok(None),
            Opens::File(path) => Regular::File(File::open(path)?),
            Opens::Object(object) => Regular::Object(Arc::clone(object)),
        }))
    }
}

/// The files of a source, found at the first question.
#[derive(Debug)]
pub(crate) struct Inputs {
    given: Given,
    endings: Vec<&'static str>,
    /// What opens them, from the outside in.
    identities: Vec<Identity>,
    files: OnceLock<Vec<InputFile>>,
    stdin_taken: AtomicBool,
}

impl Inputs {
    /// What is given, and the endings that the format's files have in a folder.
    pub(crate) fn new(given: Given, endings: &[&'static str]) -> Self {
        Inputs {
            given,
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

    /// Their size where they are, if all of them are regular files or objects.
    pub(crate) fn size(&self) -> Option<u64> {
        let sizes = self.files().ok()?.iter().map(InputFile::size);
        sizes.sum()
    }

    /// A file's size, if it is a regular one or an object, which can be opened more than once.
    pub(crate) fn size_of(&self, part: usize) -> Option<u64> {
        self.files().ok()?.get(part)?.size()
    }

    /// A file to be read by places; none is standard input.
    pub(crate) fn regular(&self, part: usize) -> Result<Option<Regular>, SourceError> {
        let Some(file) = self.files()?.get(part) else {
            return Ok(None);
        };
        file.regular().map_err(|problem| SourceError::Io {
            place: file.name.to_string(),
            problem,
        })
    }

    /// Opens each regular file, as an object was found; whether all are, since others may have something to be read once.
    pub(crate) fn are_there(&self) -> Result<bool, SourceError> {
        let mut regular = true;
        for file in self.files()? {
            let path = match &file.opens {
                Opens::File(path) => path,
                Opens::Object(_) => continue,
                Opens::Stdin => {
                    regular = false;
                    continue;
                }
            };
            let io = |problem| SourceError::Io {
                place: file.name.to_string(),
                problem,
            };
            if std::fs::metadata(path).map_err(io)?.is_file() {
                File::open(path).map_err(io)?;
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
        let opens = self.files()?.get(part).map(|file| &file.opens);
        let opened = match opens {
            Some(Opens::File(path)) => Stream::of_file(path, &self.identities),
            Some(Opens::Object(object)) => Stream::of_object(object, &self.identities),
            _ if self.stdin_taken.swap(true, Ordering::Relaxed) => {
                return Err(SourceError::Shape {
                    place,
                    problem: "can be read only once; to run again, use a file".into(),
                });
            }
            _ => Stream::of_stdin(&self.identities),
        };
        opened.map_err(|problem| SourceError::Io { place, problem })
    }
}

impl fmt::Display for Inputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        for (i, input) in self.given.inputs.iter().take(SHOWN).enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{input}")?;
        }
        match self.given.inputs.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
