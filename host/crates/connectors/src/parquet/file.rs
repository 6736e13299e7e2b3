//! One Parquet file: its footer, and where the declared columns are in it.
//!
//! Owns what is checked before the first row; refuses a file without the declared columns, and what
//! its footer says that cannot be.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

use arrow_schema::DataType as ArrowType;
use glovebox_core::{Schema, SourceError};
use parquet::arrow::{
    FieldLevels, ProjectionMask, parquet_to_arrow_field_levels, parquet_to_arrow_schema_by_columns,
};
use parquet::basic::Compression;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use parquet::schema::types::SchemaDescriptor;

use super::columns::fits;
use super::pages::Region;
use crate::contain::contained;
use crate::names::{Place, nearest, told};

/// Bytes of a footer; one of a thousand row groups of a thousand columns has about 100 MB.
const LARGEST_FOOTER: u64 = 128 << 20;
/// Bytes of a chunk's columns, unpacked, that are aimed at.
pub(super) const CHUNK_BYTES: u64 = 4 << 20;
/// Rows of a chunk, at most.
pub(super) const CHUNK_ROWS: u64 = 64 << 10;
/// Rows of a batch at most.
pub(super) const BATCH_ROWS: usize = 8192;

/// What tells whether a path still leads to the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: (u64, u64),
    len: u64,
    changed: (i64, i64),
}

impl Stamp {
    /// The file's size in bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }
}

/// An opened file.
pub(super) struct Opened {
    pub(super) place: String,
    pub(super) stamp: Stamp,
    file: Arc<File>,
    pub(super) metadata: ParquetMetaData,
    /// The declared columns in the file's order, as the crate reads them.
    pub(super) levels: FieldLevels,
    /// For each declared column, its place among those.
    pub(super) places: Vec<usize>,
    /// The leaves that they are.
    leaves: Vec<usize>,
}

impl Opened {
    /// Opens a file and holds it against the declared columns.
    pub(super) fn open(path: &Path, schema: &Schema) -> Result<Self, SourceError> {
        let place = path.display().to_string();
        let io = |problem| SourceError::Io {
            place: place.clone(),
            problem,
        };
        let file = File::open(path).map_err(io)?;
        let about = file.metadata().map_err(io)?;
        if !about.is_file() {
            return Err(shape(
                &place,
                "is no regular file, and a Parquet file is read from its end; save it to a file \
                 first",
            ));
        }
        let stamp = Stamp {
            inode: (about.dev(), about.ino()),
            len: about.len(),
            changed: (about.mtime(), about.mtime_nsec()),
        };
        let footer = footer(&file, stamp.len, &place)?;
        let metadata = contained(|| ParquetMetaDataReader::decode_metadata(&footer));
        let metadata = metadata
            .and_then(Result::ok)
            .ok_or_else(|| shape(&place, "its footer cannot be read; the file is damaged"))?;
        let found = contained(|| columns(&metadata, schema, &place));
        let found = found.unwrap_or_else(|| Err(shape(&place, "its schema cannot be read")));
        let (leaves, places, levels) = found?;
        let opened = Opened {
            place,
            stamp,
            file: Arc::new(file),
            metadata,
            levels,
            places,
            leaves,
        };
        contained(|| opened.groups_are_possible()).unwrap_or_else(|| Err(opened.impossible()))?;
        Ok(opened)
    }

    pub(super) fn groups(&self) -> &[RowGroupMetaData] {
        self.metadata.row_groups()
    }

    /// Rows of all groups.
    pub(super) fn rows(&self) -> u64 {
        self.groups().iter().map(rows).sum()
    }

    /// The bytes in which a leaf's pages are.
    pub(super) fn region(&self, group: &RowGroupMetaData, leaf: usize) -> Region {
        let codec = group.columns().get(leaf).map(|c| c.compression());
        let gzip = matches!(codec, Some(Compression::GZIP(_)));
        Region::new(Arc::clone(&self.file), self.stamp.len, gzip)
    }

    /// Where a group's declared columns lie: start and length of each.
    pub(super) fn ranges(&self, group: &RowGroupMetaData) -> Vec<(u64, u64)> {
        let columns = self.leaves.iter().filter_map(|l| group.columns().get(*l));
        columns.map(|c| c.byte_range()).collect()
    }

    /// Rows that go into a chunk and into a batch of this group, by what its rows weigh.
    pub(super) fn portions(&self, group: &RowGroupMetaData) -> (u64, usize) {
        let columns = self.leaves.iter().filter_map(|l| group.columns().get(*l));
        let weight = columns.fold(0u64, |sum, c| {
            let packed = u64::try_from(c.uncompressed_size()).unwrap_or(0);
            let text = c.unencoded_byte_array_data_bytes().unwrap_or(0);
            sum.saturating_add(packed.max(u64::try_from(text).unwrap_or(0)))
        });
        let a_row = (weight / rows(group).max(1)).max(1);
        let chunk = (CHUNK_BYTES / a_row).clamp(1, CHUNK_ROWS);
        let batch = usize::try_from(chunk).unwrap_or(BATCH_ROWS).min(BATCH_ROWS);
        (chunk, batch)
    }

    fn groups_are_possible(&self) -> Result<(), SourceError> {
        for group in self.groups() {
            let within = |(start, len): (u64, u64)| {
                let end = start.checked_add(len);
                end.is_some_and(|end| end <= self.stamp.len)
            };
            let same = |leaf: &usize| group.columns().get(*leaf).is_some();
            if group.num_rows() < 0
                || !self.leaves.iter().all(same)
                || !self.ranges(group).into_iter().all(within)
            {
                return Err(self.impossible());
            }
            for leaf in &self.leaves {
                let codec = group.columns().get(*leaf).map(|c| c.compression());
                let name = match codec {
                    Some(Compression::BROTLI(_)) => "Brotli",
                    Some(Compression::LZO) => "LZO",
                    Some(Compression::LZ4) => "LZ4 in its old framing",
                    _ => continue,
                };
                let problem = format!(
                    "is compressed by {name}, which is not read; write it anew with zstd or snappy"
                );
                return Err(shape(&self.place, &problem));
            }
        }
        let sum = self.groups().iter().map(rows).try_fold(0, u64::checked_add);
        sum.map(drop).ok_or_else(|| self.impossible())
    }

    fn impossible(&self) -> SourceError {
        shape(
            &self.place,
            "its footer speaks of rows or bytes that it does not have; the file is damaged",
        )
    }
}

/// Rows of a group; a footer with a negative number was refused.
pub(super) fn rows(group: &RowGroupMetaData) -> u64 {
    u64::try_from(group.num_rows()).unwrap_or(0)
}

/// The footer's bytes, by the length that stands at the file's end.
fn footer(file: &File, len: u64, place: &str) -> Result<Vec<u8>, SourceError> {
    let no_parquet = || shape(place, "is no Parquet file: it does not end in PAR1");
    let io = |problem| SourceError::Io {
        place: place.to_owned(),
        problem,
    };
    let end = len.checked_sub(8).ok_or_else(no_parquet)?;
    let mut last = [0; 8];
    file.read_exact_at(&mut last, end).map_err(io)?;
    let [a, b, c, d, magic @ ..] = last;
    match &magic {
        b"PAR1" => {}
        b"PARE" => {
            let problem = "is encrypted, which is not read; decrypt it first";
            return Err(shape(place, problem));
        }
        _ => return Err(no_parquet()),
    }
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if length > end || length > LARGEST_FOOTER {
        let problem = format!(
            "its footer of {length} bytes is larger than the file or than {} MiB",
            LARGEST_FOOTER >> 20
        );
        return Err(shape(place, &problem));
    }
    let mut footer = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut footer, end - length).map_err(io)?;
    Ok(footer)
}

/// The leaves that are the declared columns, the place of each declared column among them, and how
/// they are read.
type Columns = (Vec<usize>, Vec<usize>, FieldLevels);

fn columns(
    metadata: &ParquetMetaData,
    schema: &Schema,
    place: &str,
) -> Result<Columns, SourceError> {
    let described = metadata.file_metadata().schema_descr();
    let mut leaves = Vec::new();
    let (mut missing, mut nested) = (Vec::new(), Vec::new());
    for field in &schema.fields {
        let name = &*field.name;
        let root = described.columns().iter().enumerate().find(|(_, leaf)| {
            let root = leaf.path().parts().first();
            root.is_some_and(|part| part == name)
        });
        match root {
            None => missing.push(name),
            Some((at, leaf)) if leaf.path().parts().len() == 1 && leaf.max_rep_level() == 0 => {
                leaves.push(at);
            }
            Some(_) => nested.push(format!("`{name}`")),
        }
    }
    if !missing.is_empty() {
        return Err(shape(place, &lacking(&missing, described, schema)));
    }
    if !nested.is_empty() {
        let problem = format!(
            "the values of {} are lists, maps or structs, which are not read; write columns of \
             single values, or remove it from `columns`",
            nested.join(", ")
        );
        return Err(shape(place, &problem));
    }
    let mut sorted = leaves.clone();
    sorted.sort_unstable();
    let place_of = |leaf: &usize| sorted.iter().position(|s| s == leaf).unwrap_or(0);
    let places: Vec<usize> = leaves.iter().map(place_of).collect();
    let mask = || ProjectionMask::leaves(described, sorted.iter().copied());
    let unreadable = |_| shape(place, "the types of its columns cannot be read");
    // Without the Arrow schema that a file may carry: what counts is how its values are stored.
    let types = parquet_to_arrow_schema_by_columns(described, mask(), None).map_err(unreadable)?;
    let mut misfits = Vec::new();
    for (field, at) in schema.fields.iter().zip(&places) {
        let found = types.fields().get(*at).map(|f| f.data_type());
        let found = found.unwrap_or(&ArrowType::Null);
        if let Err(advice) = fits(found, field.data_type) {
            misfits.push(format!("`{}` {advice}", field.name));
        }
    }
    if !misfits.is_empty() {
        return Err(shape(place, &misfits.join("; ")));
    }
    let levels = parquet_to_arrow_field_levels(described, mask(), None).map_err(unreadable)?;
    Ok((sorted, places, levels))
}

fn lacking(missing: &[&str], described: &SchemaDescriptor, schema: &Schema) -> String {
    let roots = described.root_schema().get_fields();
    let there: Vec<&str> = roots.iter().map(|root| root.name()).collect();
    let declared: Vec<&str> = schema.fields.iter().map(|f| &*f.name).collect();
    let list: Vec<String> = missing
        .iter()
        .map(|name| match nearest(name, &there) {
            Some(near) => format!("`{name}` (did you mean `{near}`?)"),
            None => format!("`{name}`"),
        })
        .collect();
    format!(
        "it has no column {}; it has {}; correct the name in `columns`, or remove it",
        list.join(", "),
        told(&declared, &there, Place::Schema)
    )
}

pub(super) fn shape(place: &str, problem: &str) -> SourceError {
    SourceError::Shape {
        place: place.to_owned(),
        problem: problem.to_owned(),
    }
}
