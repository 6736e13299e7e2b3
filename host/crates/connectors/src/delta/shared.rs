//! A run that several processes write. Whoever has written a range's rows and journal puts a note of both where there is
//! none, so of all who were at a range one has stored it. Nothing of it is the table's before the run's first process,
//! which finds the notes, names those files in its version.

use std::io::Read as _;

use glovebox_core::{FinishedChunk, Schema, Secret, SinkError};
use glovebox_delta::{Added, Fitted, put};
use serde::{Deserialize, Serialize};

use super::Options;
use super::kept::{Keeping, as_name, is_name};
use super::parts::{Parts, random};
use super::place::Place;
use super::rows::Rows;

/// Where the notes are, in a folder for each run.
const FOLDER: &str = "_glovebox/ranges/";
/// The longest note that is read.
const MAX_NOTE: u64 = 1 << 20;

/// A range that is stored.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    /// The file of its chunks and rejects.
    journal: String,
    /// The files of its rows: name, bytes, rows.
    files: Vec<(String, u64, u64)>,
}

/// A process that has joined a run.
pub(super) struct Joined {
    place: Place,
    run: String,
    pub(super) key: Secret,
    schema: Schema,
    fitted: Fitted,
    parts: Parts,
    /// The range that is written: its first chunk, and its journal.
    range: Option<(u64, Keeping)>,
}

impl Joined {
    /// One that has written nothing yet.
    pub(super) fn new(
        (place, options): (&Place, &Options),
        run: &str,
        (schema, fitted): (&Schema, Fitted),
        key: Secret,
    ) -> Self {
        Joined {
            parts: Parts::new(
                place.clone(),
                schema,
                options.compression,
                options.file_bytes,
            ),
            place: place.clone(),
            run: run.to_owned(),
            key,
            schema: schema.clone(),
            fitted,
            range: None,
        }
    }

    pub(super) fn encoder(&self) -> Rows {
        let place = self.place.to_string();
        let arrow = Some(self.parts.arrow());
        Rows::new(place, arrow, &self.schema, &self.fitted.not_null)
    }

    /// Adds a chunk of the range that is written.
    pub(super) fn write(&mut self, chunk: FinishedChunk) -> Result<(), SinkError> {
        let (first, mut kept) = match self.range.take() {
            Some(range) => range,
            None => {
                let name = format!("{}-{}", self.run, chunk.record.index);
                let random = random(&self.place)?;
                let kept = Keeping::begin(&self.place, &name, &random)?;
                (chunk.record.index, kept)
            }
        };
        kept.add(&self.place, &chunk)?;
        self.range = Some((first, kept));
        self.parts.take(chunk.encoded.payload)
    }

    /// Stores the range, unless another process has.
    pub(super) fn flush(&mut self) -> Result<(), SinkError> {
        let Some((first, kept)) = self.range.take() else {
            return Ok(());
        };
        let files = self.parts.finish()?.iter();
        let note = Note {
            journal: kept.name.clone(),
            files: files
                .map(|file| (file.name.clone(), file.size, file.rows))
                .collect(),
        };
        kept.finish(&self.place)?;
        let bytes = serde_json::to_vec(&note);
        let bytes = bytes.map_err(|_| self.place.internal("a range has no JSON"))?;
        let name = format!("{}/{first}.json", folder_of(&self.run));
        let folder = self.place.folder.as_ref();
        match put(folder, &name, &bytes).map_err(|e| self.place.failed(e))? {
            true => self.parts.hand_over(),
            false => {
                self.parts.discard();
                folder.discard(&note.journal);
            }
        }
        Ok(())
    }
}

/// A range that another process has stored.
pub(super) struct Range {
    first: u64,
    pub(super) journal: String,
    pub(super) files: Vec<Added>,
}

fn folder_of(run: &str) -> String {
    format!("{FOLDER}{}", as_name(run))
}

/// The ranges of a run that are stored, in their order.
pub(super) fn stored(place: &Place, run: &str) -> Result<Vec<Range>, SinkError> {
    let folder = folder_of(run);
    let mut ranges = Vec::new();
    for entry in place.folder.list(&folder).map_err(place.io(&folder))? {
        let number = entry.name().strip_suffix(".json");
        // One that is on its way has another name.
        let Some(first) = number.and_then(|number| number.parse().ok()) else {
            continue;
        };
        let mut bytes = Vec::new();
        let opened = entry.open().map_err(place.io(&folder))?;
        let read = opened.take(MAX_NOTE).read_to_end(&mut bytes);
        read.map_err(place.io(&folder))?;
        let note: Option<Note> = serde_json::from_slice(&bytes).ok();
        let note = note.filter(|note| note.files.iter().all(|(name, ..)| is_part(name)));
        let Some(Note { journal, files }) = note else {
            return Err(place.shape(format!("a file in its folder `{folder}` cannot be read")));
        };
        let files = files.into_iter();
        ranges.push(Range {
            first,
            journal,
            files: files
                .map(|(name, size, rows)| Added { name, size, rows })
                .collect(),
        });
    }
    ranges.sort_by_key(|range| range.first);
    Ok(ranges)
}

/// Whether it is the name of a file of rows in the table's folder.
fn is_part(name: &str) -> bool {
    name.starts_with("part-") && is_name(name)
}

/// Takes the notes away, which nobody needs once the run has ended.
pub(super) fn forget(place: &Place, run: &str, ranges: &[Range]) {
    let folder = folder_of(run);
    for range in ranges {
        let name = format!("{folder}/{}.json", range.first);
        place.folder.discard(&name);
    }
    place.folder.discard_folder(&folder);
}

/// Takes back what others have stored of a run.
pub(super) fn discard(place: &Place, run: &str) {
    // What cannot be listed stays, in nobody's way.
    let ranges = stored(place, run).unwrap_or_default();
    for range in &ranges {
        place.folder.discard(&range.journal);
        for file in &range.files {
            place.folder.discard(&file.name);
        }
    }
    forget(place, run, &ranges);
}
