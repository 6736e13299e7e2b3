//! Rows that wait: in a file without a name, encrypted under a key that only this process has, so that
//! nothing of them is left when it ends, however it ends.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use glovebox_core::{FinishedChunk, SinkError};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// The rows of chunks.
pub(super) struct Hold {
    file: File,
    key: Key,
    end: u64,
    /// In their order, each with the length of its rows in the file.
    chunks: Vec<(FinishedChunk, usize)>,
}

/// Chunks in their order with the lengths of their rows, the file of those, and what decrypts it.
pub(super) type Taken = (Vec<(FinishedChunk, usize)>, File, Key);

/// Encrypts and decrypts what waits.
pub(super) struct Key(LessSafeKey);

/// Rows of a chunk as they wait, with its number.
pub(super) struct Waiting {
    pub(super) number: u64,
    pub(super) bytes: Vec<u8>,
    /// The file of the source in which they stood, where it has several.
    pub(super) of: Option<Arc<str>>,
}

impl Hold {
    pub(super) fn create() -> io::Result<Self> {
        let mut secret = zeroize::Zeroizing::new([0; 32]);
        getrandom::fill(&mut *secret).map_err(io::Error::other)?;
        let key = UnboundKey::new(&AES_256_GCM, &*secret);
        let key = key.map_err(|_| io::Error::other("the cipher refuses its key"))?;
        Ok(Hold {
            file: tempfile::tempfile()?,
            key: Key(LessSafeKey::new(key)),
            end: 0,
            chunks: Vec::new(),
        })
    }

    /// Keeps a chunk, and its rows in the file.
    pub(super) fn put(&mut self, chunk: FinishedChunk, rows: &[u8]) -> io::Result<()> {
        let mut bytes = rows.to_vec();
        if !bytes.is_empty() {
            self.key.encrypt(self.chunks.len() as u64, &mut bytes)?;
            self.file.write_all(&bytes)?;
        }
        self.end += bytes.len() as u64;
        self.chunks.push((chunk, bytes.len()));
        Ok(())
    }

    /// Hands each chunk's rows to `each`, in their order.
    pub(super) fn each(&mut self, each: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        for (number, chunk) in (0..).zip(&self.chunks) {
            if chunk.1 > 0 {
                let mut waiting = next(&mut self.file, number, chunk)?;
                let length = self.key.decrypt(&mut waiting)?;
                each(waiting.bytes.get(..length).unwrap_or_default())?;
            }
        }
        Ok(())
    }

    /// The chunks in their order, and what reads their rows.
    pub(super) fn take(mut self) -> io::Result<Taken> {
        self.file.seek(SeekFrom::Start(0))?;
        Ok((self.chunks, self.file, self.key))
    }
}

/// The next rows of the file.
pub(super) fn next(
    file: &mut File,
    number: u64,
    (chunk, length): &(FinishedChunk, usize),
) -> io::Result<Waiting> {
    let mut bytes = vec![0; *length];
    file.read_exact(&mut bytes)?;
    let of = chunk
        .encoded
        .origins
        .first()
        .and_then(|(origin, _)| origin.file().cloned());
    Ok(Waiting { number, bytes, of })
}

impl Key {
    /// Each number is used once, and the key for one file only.
    fn nonce(number: u64) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        if let Some(place) = nonce.last_chunk_mut::<8>() {
            *place = number.to_be_bytes();
        }
        Nonce::assume_unique_for_key(nonce)
    }

    fn encrypt(&self, number: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
        let sealed = self
            .0
            .seal_in_place_append_tag(Self::nonce(number), Aad::empty(), bytes);
        sealed.map_err(|_| io::Error::other("rows could not be encrypted"))
    }

    /// The rows.
    pub(super) fn decrypt(&self, waiting: &mut Waiting) -> io::Result<usize> {
        let nonce = Self::nonce(waiting.number);
        let opened = self
            .0
            .open_in_place(nonce, Aad::empty(), &mut waiting.bytes);
        let opened = opened.map_err(|_| io::Error::other("the rows that waited were changed"))?;
        Ok(opened.len())
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
    fn rows_come_back_as_they_went_and_wait_unreadable() {
        let mut hold = Hold::create().unwrap();
        for rows in [&b"first rows"[..], b"", b"second"] {
            hold.put(FinishedChunk::default(), rows).unwrap();
        }
        let (chunks, mut file, key) = hold.take().unwrap();
        let mut back = Vec::new();
        for (number, chunk) in (0..).zip(&chunks) {
            if chunk.1 == 0 {
                back.push(Vec::new());
                continue;
            }
            let mut waiting = next(&mut file, number, chunk).unwrap();
            assert!(
                !waiting
                    .bytes
                    .windows(4)
                    .any(|w| w == b"rows" || w == b"seco")
            );
            let length = key.decrypt(&mut waiting).unwrap();
            back.push(waiting.bytes[..length].to_vec());
        }
        assert_eq!(
            back,
            [b"first rows".to_vec(), Vec::new(), b"second".to_vec()]
        );
        file.seek(SeekFrom::Start(0)).unwrap();
        let mut moved = next(&mut file, 1, &chunks[0]).unwrap();
        assert!(
            key.decrypt(&mut moved).is_err(),
            "a chunk in another's place"
        );
    }
}
