//! Cuts a Parquet file into chunks: slices of its row groups, none of two groups.
//! It does not read them: a worker reads the pages that it needs.

use std::sync::Arc;

use glovebox_core::{Chunk, ChunkReader, Place, SourceError, Within};
use sha2::{Digest, Sha256};

use super::file::{Opened, rows};
use super::files::Files;
use super::pages::{Opening, Refusals};
use crate::draw::Draw;

/// Bytes that are digested at once.
const BLOCK: u64 = 1 << 20;

/// Where a chunk's rows are, as its bytes say it: the digest of the group's declared columns, the
/// group's number, the first row in it, and how many rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slice {
    digest: [u8; 32],
    pub(super) group: u64,
    pub(super) skip: u64,
    pub(super) rows: u64,
}

impl Slice {
    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = self.digest.to_vec();
        for number in [self.group, self.skip, self.rows] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes
    }

    /// What was written by this process; none is a mistake of ours.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Slice> {
        let (digest, rest) = bytes.split_first_chunk::<32>()?;
        let ([group, skip, rows], []) = rest.as_chunks::<8>() else {
            return None;
        };
        Some(Slice {
            digest: *digest,
            group: u64::from_be_bytes(*group),
            skip: u64::from_be_bytes(*skip),
            rows: u64::from_be_bytes(*rows),
        })
    }
}

/// Reads the chunks of one file.
pub(super) struct Chunks {
    opened: Arc<Opened>,
    group: usize,
    /// The digest of the group that is cut, once it is known.
    digest: Option<[u8; 32]>,
    /// Rows of the group that are behind us.
    skip: u64,
    /// Rows of the file that are.
    row: u64,
    index: u64,
}

impl Chunks {
    pub(super) fn new(opened: Arc<Opened>) -> Self {
        Chunks {
            opened,
            group: 0,
            digest: None,
            skip: 0,
            row: 0,
            index: 0,
        }
    }

    /// SHA-256 of the group's declared columns as they lie in the file.
    fn digest(&self) -> Result<[u8; 32], SourceError> {
        let opened = &*self.opened;
        let mut hash = Sha256::new();
        let Some(group) = opened.groups().get(self.group) else {
            return Ok(hash.finalize().into());
        };
        for (start, len) in opened.ranges(group) {
            hash.update(len.to_be_bytes());
            let region = opened.region(Opening::default(), Refusals::default());
            for at in (0..len).step_by(BLOCK as usize) {
                let most = usize::try_from(BLOCK.min(len - at)).unwrap_or(0);
                let bytes = region.bytes(start + at, most);
                hash.update(bytes.map_err(|problem| SourceError::Io {
                    place: opened.place.clone(),
                    problem,
                })?);
            }
        }
        Ok(hash.finalize().into())
    }
}

impl ChunkReader for Chunks {
    fn next_chunk(&mut self) -> Result<Option<Chunk>, SourceError> {
        let opened = Arc::clone(&self.opened);
        while let Some(group) = opened.groups().get(self.group) {
            let left = rows(group).saturating_sub(self.skip);
            if left == 0 {
                self.group += 1;
                (self.skip, self.digest) = (0, None);
                continue;
            }
            let digest = match self.digest {
                Some(known) => known,
                None => *self.digest.insert(self.digest()?),
            };
            let (chunk_rows, _) = opened.portions(group);
            let slice = Slice {
                digest,
                group: self.group as u64,
                skip: self.skip,
                rows: left.min(chunk_rows),
            };
            let first_row = self.row;
            let within = Within {
                offset: slice.group,
                row: first_row,
                line: 0,
            };
            self.skip += slice.rows;
            self.row += slice.rows;
            let behind = u128::from(opened.stamp.len()) * u128::from(self.row);
            let position = behind / u128::from(opened.rows().max(1));
            let chunk = Chunk {
                index: self.index,
                // Each of a group says what all of it is, which is read for that.
                within: (slice.skip == 0).then_some(within),
                first_row,
                rows: slice.rows,
                bytes: slice.to_bytes(),
                position: u64::try_from(position).unwrap_or(u64::MAX),
                ..Chunk::default()
            };
            self.index += 1;
            return Ok(Some(chunk));
        }
        if self.row != opened.rows() {
            return Err(SourceError::shape(
                &opened.place,
                "internal error: rows were left out",
            ));
        }
        Ok(None)
    }

    fn go_to(&mut self, place: &Place) -> Result<bool, SourceError> {
        self.group = usize::try_from(place.within.offset).unwrap_or(usize::MAX);
        self.row = place.within.row;
        Ok(true)
    }
}

/// Rows of a slice of a sample.
const SAMPLED_ROWS: u64 = 500;
/// The most slices of one.
const SAMPLED: usize = 512;

/// Reads slices from all over some files, which nobody has to recognise: no group is digested.
pub(super) struct Slices {
    /// File and slice, and its first row in the file.
    slices: std::vec::IntoIter<(usize, Slice, u64)>,
    index: u64,
}

impl Slices {
    pub(super) fn new(files: &Files, seed: u64) -> Result<Self, SourceError> {
        let mut groups = Vec::new();
        let mut all = 0;
        for part in 0..files.inputs.count()? {
            let mut row = 0;
            for (number, group) in files.opened(part)?.groups().iter().enumerate() {
                groups.push((part, number as u64, rows(group), all, row));
                all += rows(group).div_ceil(SAMPLED_ROWS);
                row += rows(group);
            }
        }
        let slice = |place: u64| {
            let after = groups.partition_point(|(.., before, _)| *before <= place);
            let (part, group, rows, before, row) = *groups.get(after.checked_sub(1)?)?;
            let skip = (place - before) * SAMPLED_ROWS;
            let slice = Slice {
                digest: [0; 32],
                group,
                skip,
                rows: rows.checked_sub(skip)?.min(SAMPLED_ROWS),
            };
            (slice.rows > 0).then_some((part, slice, row + skip))
        };
        let places = Draw::new(seed).places(all, SAMPLED);
        let slices: Vec<_> = places.into_iter().filter_map(slice).collect();
        Ok(Slices {
            slices: slices.into_iter(),
            index: 0,
        })
    }
}

impl ChunkReader for Slices {
    fn next_chunk(&mut self) -> Result<Option<Chunk>, SourceError> {
        let Some((part, slice, first_row)) = self.slices.next() else {
            return Ok(None);
        };
        self.index += 1;
        Ok(Some(Chunk {
            index: self.index - 1,
            part,
            first_row,
            rows: slice.rows,
            bytes: slice.to_bytes(),
            ..Chunk::default()
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_is_read_as_it_is_written() {
        let slice = Slice {
            digest: [7; 32],
            group: 1,
            skip: 1 << 40,
            rows: 65_536,
        };
        let bytes = slice.to_bytes();
        assert_eq!(Slice::from_bytes(&bytes), Some(slice));
        assert_eq!(Slice::from_bytes(&bytes[1..]), None);
    }
}
