//! Files of text as a source, whatever their format.

use std::io::Read;
use std::sync::Arc;

use glovebox_core::{
    ChunkReader, Decoder, Field, Formats, ObjectStore, Sampled, Schema, SourceError,
};

use crate::age::Identity;
use crate::formats;
use crate::input::{Given, Input, Inputs, Stream};
use crate::parts::Parts;
use crate::spread::{Pieces, piece};

/// How much of a file is looked at to estimate its rows.
const SAMPLE: u64 = 1 << 20;

/// A format of rows in files of text.
pub trait TextFormat: Send + Sync + Sized + 'static {
    /// Its name.
    const NAME: &'static str;

    /// What is learnt of files as they are opened, which decoders need.
    type Learnt: Send + Sync;

    /// The files, and the endings that a folder's files of this format have.
    fn inputs(&self) -> (&[Input], &'static [&'static str]);

    /// The keys that open encrypted files, from the outside in.
    fn identities(&self) -> &[Identity];

    /// How text of each column is spelled.
    fn formats(&self) -> &[Formats];

    /// All options that decide how bytes become rows.
    fn dialect(&self) -> String;

    /// Before any file was opened.
    fn nothing_learnt(&self, schema: &Schema) -> Self::Learnt;

    /// Opens a file before its first row. `most` is the most that is read of it at once.
    ///
    /// # Errors
    /// When it cannot be read or does not have the declared columns.
    fn begin(
        files: &Files<Self>,
        part: usize,
        stream: Stream,
        most: usize,
    ) -> Result<Box<dyn ChunkReader>, SourceError>;

    /// Learns of all files what a decoder has to know before it decodes.
    ///
    /// # Errors
    /// As [`TextFormat::begin`].
    fn look_ahead(_files: &Files<Self>) -> Result<(), SourceError> {
        Ok(())
    }

    /// A decoder for one worker.
    ///
    /// # Errors
    /// When an option or a column is impossible in the format.
    fn decoder(files: &Arc<Files<Self>>) -> Result<Box<dyn Decoder>, SourceError>;

    /// How many rows a sample has, which is all of a file or its start, and in how many of its bytes.
    fn count(&self, sample: &[u8], whole: bool) -> Option<(u64, usize)>;

    /// Whether a line end is one of a record as a rule, wherever the file is entered; known once it
    /// was begun.
    fn is_of_lines(files: &Files<Self>, part: usize) -> bool;

    /// Records of a stream that begins between two of them, somewhere within a file that was begun.
    ///
    /// # Errors
    /// As [`TextFormat::begin`].
    fn within(
        files: &Files<Self>,
        part: usize,
        stream: Stream,
    ) -> Result<Box<dyn ChunkReader>, SourceError>;

    /// The columns that files have beside the declared ones.
    ///
    /// # Errors
    /// When the first of them cannot be read.
    fn undeclared(files: &Files<Self>) -> Result<Vec<Field>, SourceError>;

    /// Declared columns, by place, that no record had so far.
    fn absent(_learnt: &Self::Learnt) -> Vec<usize> {
        Vec::new()
    }

    /// Opens the files and looks whether they have the declared columns.
    ///
    /// # Errors
    /// When they have not.
    fn probe(source: &TextSource<Self>) -> Result<(), SourceError> {
        glovebox_core::Source::chunks(source).map(drop)
    }
}

/// What is shared by those who read a source's files.
pub struct Files<F: TextFormat> {
    pub(crate) format: F,
    pub(crate) schema: Schema,
    pub(crate) inputs: Arc<Inputs>,
    pub(crate) learnt: F::Learnt,
}

impl<F: TextFormat> Files<F> {
    /// The size of each file, if all are regular, neither packed nor encrypted, and of lines.
    fn sizes_of_plain(&self) -> Result<Option<Vec<u64>>, SourceError> {
        if !self.format.identities().is_empty() {
            return Ok(None);
        }
        let mut sizes = Vec::new();
        for part in 0..self.inputs.count()? {
            let Some(size) = self.inputs.size_of(part) else {
                return Ok(None);
            };
            let plain = self.inputs.peek(part)?.used().is_none();
            if !plain || !F::is_of_lines(self, part) {
                return Ok(None);
            }
            sizes.push(size);
        }
        Ok(Some(sizes))
    }

    /// How the first file begins.
    pub(crate) fn beginning(&self, most: u64) -> Result<Vec<u8>, SourceError> {
        let mut bytes = Vec::new();
        let mut stream = self.inputs.peek(0)?;
        let read = (&mut stream).take(most).read_to_end(&mut bytes);
        read.map_err(|problem| SourceError::Io {
            place: self.inputs.place(0),
            problem,
        })?;
        Ok(bytes)
    }
}

/// Rows of files in a [`TextFormat`], one after the other, or of standard input.
pub struct TextSource<F: TextFormat> {
    pub(crate) files: Arc<Files<F>>,
}

impl<F: TextFormat> TextSource<F> {
    /// A source of these columns; nothing is opened yet.
    pub fn new(format: F, schema: Schema) -> Self {
        TextSource::of_objects(format, schema, None)
    }

    /// The same, where some of what it is given is in that store.
    pub fn of_objects(format: F, schema: Schema, objects: Option<Arc<dyn ObjectStore>>) -> Self {
        let (inputs, endings) = format.inputs();
        let inputs = Inputs::new(Given::new(inputs.to_vec(), objects), endings);
        let files = Files {
            inputs: Arc::new(inputs.opened_by(format.identities())),
            learnt: format.nothing_learnt(&schema),
            format,
            schema,
        };
        TextSource {
            files: Arc::new(files),
        }
    }
}

impl<F: TextFormat> glovebox_core::Source for TextSource<F> {
    fn describe(&self) -> String {
        format!("{} from {}", F::NAME, self.files.inputs)
    }

    fn dialect(&self) -> String {
        let Files { format, schema, .. } = &*self.files;
        let from: Vec<_> = schema.fields.iter().map(|f| &f.from).collect();
        let from = match from.iter().all(|f| f.is_none()) {
            true => String::new(),
            false => format!(" from={from:?}"),
        };
        format.dialect() + &from + &formats::dialect(format.formats())
    }

    fn schema(&self) -> &Schema {
        &self.files.schema
    }

    fn file(&self, part: usize) -> Option<Arc<str>> {
        self.files.inputs.name(part)
    }

    fn absent(&self) -> Vec<Arc<str>> {
        let columns = F::absent(&self.files.learnt).into_iter();
        let fields = columns.filter_map(|column| self.files.schema.fields.get(column));
        fields.map(|field| Arc::clone(&field.name)).collect()
    }

    fn probe(&self) -> Result<(), SourceError> {
        F::probe(self)
    }

    fn advice(&self, column: &str) -> Option<String> {
        formats::advice(&self.files.schema, self.files.format.formats(), column)
    }

    fn size_bytes(&self) -> Option<u64> {
        self.files.inputs.size()
    }

    fn estimate_rows(&self) -> Option<u64> {
        let count = |sample: &[u8], whole| self.files.format.count(sample, whole);
        self.files.inputs.estimate(SAMPLE, count)
    }

    fn is_there(&self) -> Result<(), SourceError> {
        if self.files.inputs.are_there()? {
            self.probe()?;
        }
        Ok(())
    }

    fn chunks(&self) -> Result<Box<dyn ChunkReader>, SourceError> {
        if self.files.inputs.count()? > 1 {
            F::look_ahead(&self.files)?;
        }
        let files = Arc::clone(&self.files);
        let open = move |part| {
            let stream = files.inputs.open(part)?;
            F::begin(&files, part, stream, usize::MAX)
        };
        let first = open(0)?;
        let parts = Parts::new(&self.files.inputs, Some(first), Box::new(open))?;
        Ok(Box::new(parts))
    }

    fn sample(&self, seed: u64) -> Result<Sampled, SourceError> {
        let chunks = self.chunks()?;
        let files = &self.files;
        let spread = files.sizes_of_plain()?;
        let spread = spread.and_then(|sizes| {
            let piece = piece(sizes.iter().sum(), self.estimate_rows())?;
            Some((sizes, piece))
        });
        Ok(match spread {
            Some((sizes, piece)) => {
                let (inputs, files) = (&files.inputs, Arc::clone(files));
                let within = move |part, stream| F::within(&files, part, stream);
                Sampled {
                    chunks: Box::new(Pieces::new(inputs, sizes, piece, seed, Box::new(within))),
                    is_spread: true,
                }
            }
            None => Sampled {
                chunks,
                is_spread: false,
            },
        })
    }

    fn undeclared(&self) -> Result<Vec<Field>, SourceError> {
        F::undeclared(&self.files)
    }

    /// A decoder of standard input learns what it has to know from [`TextSource::chunks`], which must
    /// have been called before it decodes.
    fn decoder(&self) -> Result<Box<dyn Decoder>, SourceError> {
        F::look_ahead(&self.files)?;
        F::decoder(&self.files)
    }
}
