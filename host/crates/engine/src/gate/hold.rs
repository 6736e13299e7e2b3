//! Rows that wait: in a file without a name, encrypted under a key that only this process has, so that
//! nothing of them is left when it ends, however it ends.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;

use glovebox_core::{FinishedChunk, SinkError};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::aside;

/// Blocks of bytes in such a file.
pub(super) struct Blocks {
    file: File,
    key: LessSafeKey,
    /// Of each block in the file.
    lengths: Vec<usize>,
}

/// A block as it is in the file, with its number.
pub(super) struct Block {
    pub(super) number: usize,
    bytes: Vec<u8>,
}

impl Blocks {
    pub(super) fn create() -> io::Result<Self> {
        let mut secret = zeroize::Zeroizing::new([0; 32]);
        getrandom::fill(&mut *secret).map_err(io::Error::other)?;
        let key = UnboundKey::new(&AES_256_GCM, &*secret);
        let key = key.map_err(|_| io::Error::other("the cipher refuses its key"))?;
        Ok(Blocks {
            file: tempfile::tempfile()?,
            key: LessSafeKey::new(key),
            lengths: Vec::new(),
        })
    }

    /// Puts a block behind the others.
    pub(super) fn put(&mut self, mut bytes: Vec<u8>) -> io::Result<()> {
        let nonce = nonce(self.lengths.len());
        let sealed = self
            .key
            .seal_in_place_append_tag(nonce, Aad::empty(), &mut bytes);
        sealed.map_err(|_| io::Error::other("a block could not be encrypted"))?;
        self.file.write_all(&bytes)?;
        self.lengths.push(bytes.len());
        Ok(())
    }

    /// Begins with the first block again.
    pub(super) fn rewind(&self) -> io::Result<()> {
        (&self.file).seek(SeekFrom::Start(0)).map(drop)
    }

    /// Reads the block of that number, which has to be the next.
    pub(super) fn read(&self, number: usize) -> io::Result<Option<Block>> {
        let Some(length) = self.lengths.get(number) else {
            return Ok(None);
        };
        let mut bytes = vec![0; *length];
        (&self.file).read_exact(&mut bytes)?;
        Ok(Some(Block { number, bytes }))
    }

    /// What was put there.
    pub(super) fn open(&self, mut block: Block) -> io::Result<Vec<u8>> {
        let opened = self
            .key
            .open_in_place(nonce(block.number), Aad::empty(), &mut block.bytes);
        let length = opened
            .map_err(|_| io::Error::other("what waited was changed"))?
            .len();
        block.bytes.truncate(length);
        Ok(block.bytes)
    }

    /// Hands all blocks to `each`, in their order, until that has had enough.
    pub(super) fn each(
        &self,
        each: &mut dyn FnMut(&[u8]) -> io::Result<ControlFlow<()>>,
    ) -> io::Result<()> {
        self.rewind()?;
        for number in 0.. {
            let Some(block) = self.read(number)? else {
                break;
            };
            if each(&self.open(block)?)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Each number is used once, and the key for one file only.
fn nonce(number: usize) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    if let Some(place) = nonce.last_chunk_mut::<8>() {
        *place = (number as u64).to_be_bytes();
    }
    Nonce::assume_unique_for_key(nonce)
}

/// Chunks whose rows are in such a file, a block each.
pub(super) struct Hold {
    pub(super) blocks: Blocks,
    /// What they have beside their rows.
    pub(super) asides: Blocks,
    pub(super) chunks: Vec<FinishedChunk>,
}

impl Hold {
    pub(super) fn create() -> io::Result<Self> {
        Ok(Hold {
            blocks: Blocks::create()?,
            asides: Blocks::create()?,
            chunks: Vec::new(),
        })
    }

    /// Keeps a chunk, and all that may be large of it in the files.
    pub(super) fn put(&mut self, mut chunk: FinishedChunk, rows: Vec<u8>) -> io::Result<()> {
        self.blocks.put(rows)?;
        self.asides.put(aside::pack(&mut chunk)?)?;
        self.chunks.push(chunk);
        Ok(())
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
    fn blocks_come_back_as_they_went_and_wait_unreadable() {
        let mut blocks = Blocks::create().unwrap();
        let put = [b"first rows".to_vec(), Vec::new(), b"second".to_vec()];
        for bytes in put.clone() {
            blocks.put(bytes).unwrap();
        }
        let mut back = Vec::new();
        let all = |bytes: &[u8]| {
            back.push(bytes.to_vec());
            Ok(ControlFlow::Continue(()))
        };
        blocks.each(&mut { all }).unwrap();
        assert_eq!(back, put);
        blocks.rewind().unwrap();
        let mut first = blocks.read(0).unwrap().unwrap();
        assert!(!first.bytes.windows(4).any(|w| w == b"rows"));
        first.number = 2;
        assert!(blocks.open(first).is_err(), "a block in another's place");
        assert!(blocks.read(3).unwrap().is_none());
    }
}
