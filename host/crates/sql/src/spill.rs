//! What does not fit in memory waits in files that no one else can read: encrypted under a key that only this
//! process has, and without a name from the start, so that nothing is left after a crash.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _, Nonce, Tag};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SpillFile, SpillWriter, TempFileFactory};
use futures_util::{Stream, stream};

/// Bytes that are encrypted together.
const FRAME: usize = 64 << 10;
/// Bytes of a frame's length.
const LEN: usize = 4;
/// Bytes of its tag.
const TAG: usize = 16;

/// Files for what does not fit, up to so many bytes together.
pub(crate) struct Spill {
    folder: PathBuf,
    room: Arc<Room>,
}

/// What all files of a query together may take.
struct Room {
    most: u64,
    used: AtomicU64,
}

impl Spill {
    pub(crate) fn new(folder: PathBuf, most: u64) -> Self {
        let used = AtomicU64::new(0);
        Spill {
            folder,
            room: Arc::new(Room { most, used }),
        }
    }
}

impl TempFileFactory for Spill {
    fn create_temp_file(&self, _: &str) -> Result<Arc<dyn SpillFile>> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|_| io::Error::other("no randomness"))?;
        // On Linux a file that never had a name; elsewhere it loses it at once.
        let file = tempfile::tempfile_in(&self.folder)?;
        let cipher = ChaCha20Poly1305::new(&key.into());
        zeroize::Zeroize::zeroize(&mut key);
        Ok(Arc::new(Hidden(Arc::new(Inner {
            file,
            cipher,
            size: AtomicU64::new(0),
            frames: AtomicU64::new(0),
            room: Arc::clone(&self.room),
        }))))
    }
}

struct Hidden(Arc<Inner>);

struct Inner {
    file: File,
    /// A key of its own, so that the number of a frame is a nonce.
    cipher: ChaCha20Poly1305,
    size: AtomicU64,
    frames: AtomicU64,
    room: Arc<Room>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let size = self.size.load(Ordering::Relaxed);
        self.room.used.fetch_sub(size, Ordering::Relaxed);
    }
}

impl SpillFile for Hidden {
    fn size(&self) -> Option<u64> {
        Some(self.0.size.load(Ordering::Relaxed))
    }

    fn read_stream(&self) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>> {
        Ok(Box::pin(stream::iter(Frames {
            inner: Arc::clone(&self.0),
            offset: 0,
            frame: 0,
        })))
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>> {
        Ok(Box::new(Writer {
            inner: Arc::clone(&self.0),
            waiting: Vec::with_capacity(FRAME),
        }))
    }
}

impl Inner {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let frame = self.frames.fetch_add(1, Ordering::Relaxed);
        let mut sealed = bytes.to_vec();
        let text = sealed.as_mut_slice().into();
        let tag = self.cipher.encrypt_inout_detached(&nonce(frame), &[], text);
        sealed.extend_from_slice(&tag.map_err(|_| io::Error::other("cannot encrypt"))?);
        let len = u32::try_from(sealed.len()).map_err(io::Error::other)?;
        let size = (LEN + sealed.len()) as u64;
        let used = self.room.used.fetch_add(size, Ordering::Relaxed);
        let offset = self.size.fetch_add(size, Ordering::Relaxed);
        if used + size > self.room.most {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_all_at(&len.to_le_bytes(), offset)?;
        self.file.write_all_at(&sealed, offset + LEN as u64)
    }

    /// The frame that begins there, and where the next one does.
    fn frame(&self, offset: u64, frame: u64) -> io::Result<(Vec<u8>, u64)> {
        let mut len = [0; LEN];
        self.file.read_exact_at(&mut len, offset)?;
        let mut sealed = vec![0; u32::from_le_bytes(len) as usize];
        self.file.read_exact_at(&mut sealed, offset + LEN as u64)?;
        let next = offset + (LEN + sealed.len()) as u64;
        let changed = || io::Error::other("a file was changed by somebody else");
        let tag = sealed.split_off(sealed.len().checked_sub(TAG).ok_or_else(changed)?);
        let tag = Tag::try_from(tag.as_slice()).map_err(|_| changed())?;
        let text = sealed.as_mut_slice().into();
        let opened = self
            .cipher
            .decrypt_inout_detached(&nonce(frame), &[], text, &tag);
        opened.map_err(|_| changed())?;
        Ok((sealed, next))
    }
}

fn nonce(frame: u64) -> Nonce {
    let mut nonce = [0; 12];
    if let Some(number) = nonce.first_chunk_mut() {
        *number = frame.to_le_bytes();
    }
    nonce.into()
}

struct Frames {
    inner: Arc<Inner>,
    offset: u64,
    frame: u64,
}

impl Iterator for Frames {
    type Item = Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.frame >= self.inner.frames.load(Ordering::Relaxed) {
            return None;
        }
        let read = self.inner.frame(self.offset, self.frame);
        Some(match read {
            Ok((bytes, next)) => {
                self.offset = next;
                self.frame += 1;
                Ok(bytes.into())
            }
            Err(error) => {
                self.frame = u64::MAX;
                Err(DataFusionError::IoError(error))
            }
        })
    }
}

struct Writer {
    inner: Arc<Inner>,
    waiting: Vec<u8>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = FRAME - self.waiting.len();
        let taken = bytes.get(..room.min(bytes.len())).unwrap_or_default();
        self.waiting.extend_from_slice(taken);
        if self.waiting.len() == FRAME {
            self.flush()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.waiting.is_empty() {
            self.inner.append(&self.waiting)?;
            self.waiting.clear();
        }
        Ok(())
    }
}

impl SpillWriter for Writer {
    fn finish(&mut self) -> Result<()> {
        Ok(self.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;

    fn spill(most: u64) -> (tempfile::TempDir, Spill) {
        let folder = tempfile::tempdir().unwrap();
        let spill = Spill::new(folder.path().to_owned(), most);
        (folder, spill)
    }

    fn read(file: &dyn SpillFile) -> Vec<u8> {
        let mut stream = file.read_stream().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut all = Vec::new();
            while let Some(bytes) = stream.next().await {
                all.extend_from_slice(&bytes.unwrap());
            }
            all
        })
    }

    #[test]
    fn what_is_written_is_read_again_and_lies_there_for_nobody() {
        let (folder, spill) = spill(1 << 30);
        let file = spill.create_temp_file("sort").unwrap();
        let canary = b"canary-7c1d ".repeat(50_000);
        let mut writer = file.open_writer().unwrap();
        writer.write_all(&canary).unwrap();
        writer.finish().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        // The file without a name, as root sees it.
        let found = std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .flatten()
            .any(|fd| {
                let is = std::fs::read_link(fd.path());
                let is = is.is_ok_and(|at| at.starts_with(folder.path()));
                is && {
                    let bytes = std::fs::read(fd.path()).unwrap();
                    assert!(bytes.len() > canary.len());
                    assert!(!bytes.windows(11).any(|w| w == b"canary-7c1d"));
                    true
                }
            });
        assert!(found);
        assert!(read(file.as_ref()) == canary);
    }

    #[test]
    fn a_changed_byte_is_found() {
        let (_folder, spill) = spill(1 << 20);
        let file = spill.create_temp_file("sort").unwrap();
        let mut writer = file.open_writer().unwrap();
        writer.write_all(b"rows").unwrap();
        writer.finish().unwrap();
        let at = std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .flatten()
            .find(|fd| {
                let is = std::fs::read_link(fd.path());
                is.is_ok_and(|at| at.starts_with(_folder.path()))
            });
        let other = File::options()
            .write(true)
            .open(at.unwrap().path())
            .unwrap();
        other.write_all_at(b"x", 6).unwrap();
        let mut stream = file.read_stream().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        assert!(
            runtime
                .block_on(async { stream.next().await.unwrap() })
                .is_err()
        );
    }

    #[test]
    fn there_is_no_more_room_than_was_given() {
        let (_folder, spill) = spill(100_000);
        let file = spill.create_temp_file("sort").unwrap();
        let mut writer = file.open_writer().unwrap();
        let full = writer.write_all(&vec![0; 200_000]).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        drop((writer, file));
        let file = spill.create_temp_file("sort").unwrap();
        let mut writer = file.open_writer().unwrap();
        writer.write_all(&vec![0; 50_000]).unwrap();
        writer.finish().unwrap();
    }
}
