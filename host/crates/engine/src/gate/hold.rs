//! Rows that wait for their release, with what their chunks have beside them.

use std::io;
use std::sync::Arc;

use glovebox_core::{FinishedChunk, SinkError};

use super::aside;
use crate::blocks::Blocks;

/// Where rows wait: what is stored of them, and the numbers of what they are searched by.
pub(super) struct Store {
    pub(super) rows: Blocks,
    pub(super) keys: Blocks,
}

/// The rows of a chunk in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) rows: usize,
    pub(super) keys: usize,
    /// How many there are.
    pub(super) count: usize,
}

impl Store {
    pub(super) fn create() -> io::Result<Self> {
        Ok(Store {
            rows: Blocks::create()?,
            keys: Blocks::create()?,
        })
    }
}

impl Stored {
    /// The form in which a worker hands it on.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let numbers = [self.rows, self.keys, self.count];
        numbers.into_iter().flat_map(usize::to_le_bytes).collect()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.as_chunks();
        let &[rows, keys, count] = numbers else {
            return None;
        };
        rest.is_empty().then(|| Stored {
            rows: usize::from_le_bytes(rows),
            keys: usize::from_le_bytes(keys),
            count: usize::from_le_bytes(count),
        })
    }
}

/// Chunks whose rows wait.
pub(super) struct Hold {
    pub(super) store: Arc<Store>,
    /// What they have beside their rows.
    pub(super) asides: Blocks,
    pub(super) chunks: Vec<Waiting>,
}

/// A chunk whose rows wait.
pub(super) struct Waiting {
    pub(super) chunk: FinishedChunk,
    /// None where it has no row.
    pub(super) stored: Option<Stored>,
    aside: Option<usize>,
}

impl Hold {
    pub(super) fn create() -> io::Result<Self> {
        Ok(Hold {
            store: Arc::new(Store::create()?),
            asides: Blocks::create()?,
            chunks: Vec::new(),
        })
    }

    /// Keeps a chunk, and all that may be large of it in the files.
    pub(super) fn put(
        &mut self,
        mut chunk: FinishedChunk,
        stored: Option<Stored>,
    ) -> io::Result<()> {
        let aside = aside::pack(&mut chunk)?;
        let aside = match aside.is_empty() {
            true => None,
            false => Some(self.asides.put(aside)?),
        };
        self.chunks.push(Waiting {
            chunk,
            stored,
            aside,
        });
        Ok(())
    }
}

impl Waiting {
    /// The chunk, with what it has beside its rows.
    pub(super) fn whole(mut self, asides: &Blocks) -> io::Result<FinishedChunk> {
        if let Some(aside) = self.aside {
            aside::unpack(&asides.get(aside)?, &mut self.chunk)?;
        }
        Ok(self.chunk)
    }
}

/// The file could not be written or read.
pub(super) fn cannot(problem: &io::Error) -> SinkError {
    SinkError::Io {
        place: format!(
            "the rows that wait for their release into {} (set TMPDIR to a folder with more room)",
            std::env::temp_dir().display()
        ),
        problem: io::Error::new(problem.kind(), problem.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_rows_wait_is_handed_on() {
        let stored = Stored {
            rows: 3,
            keys: 4,
            count: 1 << 16,
        };
        assert_eq!(Stored::from_bytes(&stored.to_bytes()), Some(stored));
        assert_eq!(Stored::from_bytes(&[]), None);
    }
}
