//! Rows that wait: in files without a name, encrypted under keys that only this process has, so that
//! nothing of them is left when it ends, however it ends.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

use glovebox_release::Spill;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// Blocks of bytes in a file, which several threads may put there and get.
pub(crate) struct Blocks {
    file: File,
    key: LessSafeKey,
    /// Where each block is in the file.
    places: Mutex<Vec<Place>>,
}

#[derive(Clone, Copy, Default)]
struct Place {
    at: u64,
    length: usize,
}

impl Blocks {
    pub(crate) fn create() -> io::Result<Self> {
        let mut secret = zeroize::Zeroizing::new([0; 32]);
        getrandom::fill(&mut *secret).map_err(io::Error::other)?;
        let key = UnboundKey::new(&AES_256_GCM, &*secret);
        let key = key.map_err(|_| io::Error::other("the cipher refuses its key"))?;
        Ok(Blocks {
            file: tempfile::tempfile()?,
            key: LessSafeKey::new(key),
            places: Mutex::default(),
        })
    }

    /// Puts a block there; returns its number.
    pub(crate) fn put(&self, mut bytes: Vec<u8>) -> io::Result<usize> {
        let length = bytes.len() + AES_256_GCM.tag_len();
        let (number, at) = {
            let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            let at = places.last().map_or(0, |last| last.at + last.length as u64);
            places.push(Place { at, length });
            (places.len() - 1, at)
        };
        let sealed = self
            .key
            .seal_in_place_append_tag(nonce(number), Aad::empty(), &mut bytes);
        sealed.map_err(|_| io::Error::other("a block could not be encrypted"))?;
        self.file.write_all_at(&bytes, at)?;
        Ok(number)
    }

    /// What was put there.
    pub(crate) fn get(&self, number: usize) -> io::Result<Vec<u8>> {
        let mut bytes = self.sealed(number)?;
        let opened = self
            .key
            .open_in_place(nonce(number), Aad::empty(), &mut bytes);
        let length = opened
            .map_err(|_| io::Error::other("what waited was changed"))?
            .len();
        bytes.truncate(length);
        Ok(bytes)
    }

    /// A block as it is in the file.
    fn sealed(&self, number: usize) -> io::Result<Vec<u8>> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.get(number).copied();
        drop(places);
        let place = place.ok_or_else(|| io::Error::other("there is no such block"))?;
        let mut bytes = vec![0; place.length];
        self.file.read_exact_at(&mut bytes, place.at)?;
        Ok(bytes)
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

/// What the search has no room for waits as rows do.
impl Spill for Blocks {
    fn put(&self, entries: &[u64]) -> io::Result<usize> {
        let bytes = entries.iter().flat_map(|entry| entry.to_le_bytes());
        Blocks::put(self, bytes.collect())
    }

    fn get(&self, place: usize, entries: &mut Vec<u64>) -> io::Result<()> {
        let bytes = Blocks::get(self, place)?;
        let (numbers, _) = bytes.as_chunks::<8>();
        entries.extend(numbers.iter().map(|number| u64::from_le_bytes(*number)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_come_back_as_they_went_and_wait_unreadable() {
        let blocks = Blocks::create().unwrap();
        let put = [b"first rows".to_vec(), Vec::new(), b"second".to_vec()];
        for (number, bytes) in put.iter().enumerate() {
            assert_eq!(blocks.put(bytes.clone()).unwrap(), number);
        }
        for (number, bytes) in put.iter().enumerate().rev() {
            assert_eq!(&blocks.get(number).unwrap(), bytes);
        }
        let sealed = blocks.sealed(0).unwrap();
        assert!(!sealed.windows(4).any(|w| w == b"rows"));
        blocks.places.lock().unwrap().swap(0, 2);
        assert!(blocks.get(0).is_err(), "a block in another's place");
        assert!(blocks.get(3).is_err());
    }

    #[test]
    fn what_the_search_has_no_room_for_comes_back() {
        let blocks = Blocks::create().unwrap();
        let place = Spill::put(&blocks, &[u64::MAX, 7]).unwrap();
        let mut entries = vec![1];
        Spill::get(&blocks, place, &mut entries).unwrap();
        assert_eq!(entries, [1, u64::MAX, 7]);
    }
}
