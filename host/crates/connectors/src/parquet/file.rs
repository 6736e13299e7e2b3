//! One Parquet file: its footer, and where the declared columns are in it.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use glovebox_core::{Schema, SourceError};
use parquet::basic::Compression;
use parquet::file::column_crypto_metadata::ColumnCryptoMetaData;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};

use super::at::Places;
use super::key::{Key, Keys, Module, Sealed, Spot};
use super::pages::{Opening, Refusals, Region};
use super::schema::{Columns, columns};
use super::thrift::{Encryption, encryption, is_encrypted};
use crate::contain::contained;
use crate::input::Regular;

/// Bytes of a footer; one of a thousand row groups of a thousand columns has about 100 MB.
const MAX_FOOTER_SIZE: u64 = 128 << 20;
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
    /// That of a regular file, or of an object, which is the same for as long as it is read; none is another
    /// kind of file.
    fn of(file: &Regular) -> io::Result<Option<Stamp>> {
        let about = match file {
            Regular::File(file) => file.metadata()?,
            Regular::Object(object) => {
                return Ok(Some(Stamp {
                    inode: (0, 0),
                    len: object.size(),
                    changed: (0, 0),
                }));
            }
        };
        Ok(about.is_file().then(|| Stamp {
            inode: (about.dev(), about.ino()),
            len: about.len(),
            changed: (about.mtime(), about.mtime_nsec()),
        }))
    }

    /// The file's size in bytes.
    pub(super) fn len(&self) -> u64 {
        self.len
    }
}

/// An opened file.
pub(super) struct Opened {
    pub(super) place: String,
    pub(super) stamp: Stamp,
    places: Arc<Places>,
    /// How many bytes there are, once they are opened.
    len: u64,
    pub(super) metadata: ParquetMetaData,
    /// What opens its pages, if it is encrypted.
    pub(super) sealed: Option<Arc<Sealed>>,
    /// The declared columns.
    pub(super) columns: Columns,
}

impl Opened {
    /// Opens a file, by those keys if it is encrypted, and holds it against the declared columns.
    pub(super) fn open(
        file: Regular,
        place: String,
        schema: &Schema,
        keys: &Keys,
    ) -> Result<Self, SourceError> {
        let io = |problem| SourceError::Io {
            place: place.clone(),
            problem,
        };
        let Some(stamp) = Stamp::of(&file).map_err(io)? else {
            return Err(SourceError::shape(
                &place,
                "is not a regular file, but a Parquet file is read from its end; save it to a \
                file first",
            ));
        };
        let (places, len) = Places::of(file, stamp.len, keys.around.as_ref()).map_err(io)?;
        let (footer, sealed) = match (footer(&places, len, &place)?, &keys.of_file) {
            (Footer::Plain(footer), None) if !is_encrypted(&footer) => (footer, None),
            (Footer::Plain(footer), _) => return Err(not_sealed(&footer, &place)),
            (Footer::Sealed(_), None) => {
                let problem =
                    "is encrypted; name its key in the source: decrypt-with: { secret: NAME }";
                return Err(SourceError::shape(&place, problem));
            }
            (Footer::Sealed(footer), Some(key)) => {
                let (footer, sealed) =
                    open_footer(&footer, key).map_err(|p| SourceError::shape(&place, p))?;
                (footer, Some(Arc::new(sealed)))
            }
        };
        let metadata = contained(|| ParquetMetaDataReader::decode_metadata(&footer));
        let metadata = metadata.and_then(Result::ok).ok_or_else(|| {
            SourceError::shape(&place, "its footer cannot be read; the file is damaged")
        })?;
        let found = contained(|| columns(&metadata, schema, &place));
        let found =
            found.unwrap_or_else(|| Err(SourceError::shape(&place, "its schema cannot be read")));
        let columns = found?;
        let opened = Opened {
            place,
            stamp,
            places: Arc::new(places),
            len,
            metadata,
            sealed,
            columns,
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

    /// The file's bytes, for pages that are opened so.
    pub(super) fn region(&self, opening: Opening, refusals: Refusals) -> Region {
        Region::new(Arc::clone(&self.places), self.len, opening, refusals)
    }

    /// Where the pages of a group's column are, to whoever opens them.
    pub(super) fn spot(&self, group: usize, leaf: usize) -> Option<Spot> {
        let ordinal = self.groups().get(group)?.ordinal();
        let ordinal = ordinal.map_or(u16::try_from(group).ok(), |n| u16::try_from(n).ok());
        Some(Spot {
            group: ordinal?,
            column: u16::try_from(leaf).ok()?,
        })
    }

    /// Where a group's declared columns lie: start and length of each.
    pub(super) fn ranges(&self, group: &RowGroupMetaData) -> Vec<(u64, u64)> {
        let columns = self
            .columns
            .leaves
            .iter()
            .filter_map(|l| group.columns().get(*l));
        columns.map(|c| c.byte_range()).collect()
    }

    /// Rows that go into a chunk and into a batch of this group, by what its rows weigh.
    pub(super) fn portions(&self, group: &RowGroupMetaData) -> (u64, usize) {
        let columns = self
            .columns
            .leaves
            .iter()
            .filter_map(|l| group.columns().get(*l));
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
                end.is_some_and(|end| end <= self.len)
            };
            let same = |leaf: &usize| group.columns().get(*leaf).is_some();
            if group.num_rows() < 0
                || !self.columns.leaves.iter().all(same)
                || !self.ranges(group).into_iter().all(within)
            {
                return Err(self.impossible());
            }
            let own_key = |leaf: &usize| {
                let found = group.columns().get(*leaf).and_then(|c| c.crypto_metadata());
                !matches!(
                    found,
                    None | Some(ColumnCryptoMetaData::ENCRYPTION_WITH_FOOTER_KEY)
                )
            };
            if self.columns.leaves.iter().any(own_key) {
                let problem = "has columns under keys of their own, which is not supported; \
                              encrypt footer and columns with one key";
                return Err(SourceError::shape(&self.place, problem));
            }
            for leaf in &self.columns.leaves {
                let codec = group.columns().get(*leaf).map(|c| c.compression());
                if codec == Some(Compression::LZO) {
                    let problem = "is compressed with LZO, which is not supported; write it with \
                                  zstd or snappy";
                    return Err(SourceError::shape(&self.place, problem));
                }
            }
        }
        let sum = self.groups().iter().map(rows).try_fold(0, u64::checked_add);
        sum.map(drop).ok_or_else(|| self.impossible())
    }

    fn impossible(&self) -> SourceError {
        SourceError::shape(
            &self.place,
            "its footer refers to rows or bytes that it does not have; the file is damaged",
        )
    }
}

/// Rows of a group; a footer with a negative number was refused.
pub(super) fn rows(group: &RowGroupMetaData) -> u64 {
    u64::try_from(group.num_rows()).unwrap_or(0)
}

/// A footer's bytes.
enum Footer {
    Plain(Vec<u8>),
    /// With what stands before it.
    Sealed(Vec<u8>),
}

/// The footer's bytes, by the length that stands at the file's end.
fn footer(file: &Places, len: u64, place: &str) -> Result<Footer, SourceError> {
    let no_parquet = || SourceError::shape(place, "is not a Parquet file: it does not end in PAR1");
    let io = |problem| SourceError::Io {
        place: place.to_owned(),
        problem,
    };
    let end = len.checked_sub(8).ok_or_else(no_parquet)?;
    let mut last = [0; 8];
    file.read_exact_at(&mut last, end).map_err(io)?;
    let [a, b, c, d, magic @ ..] = last;
    let footer = match &magic {
        b"PAR1" => Footer::Plain,
        b"PARE" => Footer::Sealed,
        _ => return Err(no_parquet()),
    };
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if length > end {
        let problem = format!("its footer of {length} bytes is larger than the file");
        return Err(SourceError::shape(place, &problem));
    }
    if length > MAX_FOOTER_SIZE {
        let problem = format!(
            "has a footer of {} MiB, but the limit is {} MiB; write the file with fewer columns \
            or larger row groups, or as several files",
            length.div_ceil(1 << 20),
            MAX_FOOTER_SIZE >> 20
        );
        return Err(SourceError::shape(place, &problem));
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut bytes, end - length).map_err(io)?;
    Ok(footer(bytes))
}

/// The opened footer, and what opens the file's pages.
fn open_footer(footer: &[u8], key: &Key) -> Result<(Vec<u8>, Sealed), &'static str> {
    let file = match encryption(footer) {
        Some((Encryption::Gcm(file), start)) => (file, footer.get(start..).unwrap_or_default()),
        Some((Encryption::Ctr, _)) => {
            return Err(
                "is encrypted by AES-GCM-CTR, which is not supported; write it with \
                 AES_GCM_V1",
            );
        }
        Some((Encryption::UnknownPrefix, _)) => {
            return Err(
                "is encrypted with an AAD prefix that it does not hold; write it with \
                 the prefix stored, or without one",
            );
        }
        None => return Err("is encrypted, and how cannot be read; the file is damaged"),
    };
    let (file, module) = file;
    let key = key.clone();
    let sealed = Sealed { key, file };
    let opened = sealed.open(Module::Footer, Spot::default(), module);
    let opened = opened.ok_or(
        "its footer is not opened by the key of `decrypt-with`: that is another key, or the file \
         was changed",
    );
    Ok((opened?, sealed))
}

/// Why a file with that footer, which anybody can read, is not read.
fn not_sealed(footer: &[u8], place: &str) -> SourceError {
    let problem = match is_encrypted(footer) {
        true => {
            "is encrypted and its footer is not, which is not supported; write it with an \
            encrypted footer"
        }
        false => {
            "is not encrypted, as `decrypt-with` says that it is; encrypt it, or delete \
            `decrypt-with`"
        }
    };
    SourceError::shape(place, problem)
}
