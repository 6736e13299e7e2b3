//! The decompressed bytes of one file, and the position in the file itself.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom, stdin};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use glovebox_core::{Object, SourceError};

use crate::age::Identity;

use super::ahead::Ahead;
use super::compression::{Compression, MAGIC, Unpacked};

/// What a file begins with that is encrypted with age, and one in its form for mails.
const AGE: &[u8] = b"age-encryption.org/v1\n";
const ARMORED: &[u8] = b"-----BEGIN AGE ";

/// Packed bytes are read by so many.
const BUFFER: usize = 128 << 10;

/// The bytes of a file.
pub struct Stream {
    inner: Box<dyn Read + Send>,
    /// Bytes of the packed file behind us, if it is packed.
    used: Option<Arc<AtomicU64>>,
    /// What has these bytes, as they are.
    places: Option<Places>,
}

/// What can be read from any place on.
enum Places {
    /// A file: it is one with that in `inner`, and so is its place.
    File(File),
    Object(Arc<dyn Object>),
}

impl Stream {
    pub(super) fn of_file(path: &Path, keys: &[Identity]) -> io::Result<Stream> {
        let mut file = File::open(path)?;
        let regular = file.metadata()?.is_file();
        let start = start_of(&mut file)?;
        if regular {
            file.rewind()?;
            let places = file.try_clone()?;
            let stream = Stream::opened(Box::new(file), &start, keys)?;
            let as_it_is = stream.used.is_none() && keys.is_empty();
            return Ok(Stream {
                places: as_it_is.then_some(Places::File(places)),
                ..stream
            });
        }
        let whole = Cursor::new(start.clone()).chain(file);
        Stream::opened(Box::new(whole), &start, keys)
    }

    pub(super) fn of_object(object: &Arc<dyn Object>, keys: &[Identity]) -> io::Result<Stream> {
        let mut bytes = Arc::clone(object).stream(0);
        let start = start_of(&mut bytes)?;
        let whole = Cursor::new(start.clone()).chain(bytes);
        let stream = Stream::opened(Box::new(whole), &start, keys)?;
        let as_it_is = stream.used.is_none() && keys.is_empty();
        Ok(Stream {
            places: as_it_is.then(|| Places::Object(Arc::clone(object))),
            ..stream
        })
    }

    pub(super) fn of_stdin(keys: &[Identity]) -> io::Result<Stream> {
        let mut input = stdin();
        let start = start_of(&mut input)?;
        let whole = Cursor::new(start.clone()).chain(input);
        Stream::opened(Box::new(whole), &start, keys)
    }

    /// Decrypted by one key after the other.
    fn opened(input: Box<dyn Read + Send>, start: &[u8], keys: &[Identity]) -> io::Result<Stream> {
        let refused = |problem: &str| Err(io::Error::new(io::ErrorKind::Unsupported, problem));
        match keys.split_first() {
            _ if start.starts_with(ARMORED) => refused(
                "it is encrypted with age and armored as text, which is not supported; encrypt it \
                without `--armor`",
            ),
            None if start == AGE => refused(
                "it is encrypted with age; name its key in the source: decrypt-with: { secret: \
                NAME }",
            ),
            None => Stream::unpacked(input, start, BUFFER),
            Some((key, inner)) if start == AGE => {
                let mut plain = key.decrypt(BufReader::with_capacity(BUFFER, input))?;
                let start = start_of(&mut plain)?;
                let whole = Cursor::new(start.clone()).chain(plain);
                Stream::opened(Box::new(whole), &start, inner)
            }
            Some(_) => refused(
                "it is not encrypted with age, as `decrypt-with` says that it is; encrypt it, or \
                delete `decrypt-with`",
            ),
        }
    }

    fn unpacked(
        input: impl Read + Send + 'static,
        start: &[u8],
        buffer: usize,
    ) -> io::Result<Stream> {
        let compression = Compression::of(start)?;
        if compression == Compression::None {
            return Ok(Stream::plain(input));
        }
        let used = Arc::new(AtomicU64::new(0));
        let packed = BufReader::with_capacity(buffer, input);
        Ok(Stream {
            inner: Box::new(Unpacked::new(packed, compression, Arc::clone(&used))?),
            used: Some(used),
            places: None,
        })
    }

    /// Bytes as they are.
    pub(crate) fn plain(input: impl Read + Send + 'static) -> Stream {
        Stream {
            inner: Box::new(input),
            used: None,
            places: None,
        }
    }

    /// Whether it can be read from any place on.
    pub(crate) fn has_places(&self) -> bool {
        self.places.is_some()
    }

    /// Goes to a place in the file, if it has places. `name` is what the file is called in an error.
    pub(crate) fn go_to(&mut self, offset: u64, name: &str) -> Result<bool, SourceError> {
        let file = match &mut self.places {
            None => return Ok(false),
            Some(Places::Object(object)) => {
                self.inner = Arc::clone(object).stream(offset);
                return Ok(true);
            }
            Some(Places::File(file)) => file,
        };
        match file.seek(SeekFrom::Start(offset)) {
            Ok(_) => Ok(true),
            Err(problem) => Err(SourceError::Io {
                place: name.to_owned(),
                problem,
            }),
        }
    }

    /// The same stream made into another; `used` counts the bytes of this one behind it.
    pub(crate) fn map(
        self,
        used: Arc<AtomicU64>,
        make: impl FnOnce(Box<dyn Read + Send>) -> Box<dyn Read + Send>,
    ) -> Stream {
        Stream {
            inner: make(self.inner),
            used: Some(self.used.unwrap_or(used)),
            places: None,
        }
    }

    /// The same stream, unpacked on a thread of its own, if there is something to unpack.
    pub(super) fn ahead(self) -> Stream {
        match self.used {
            None => self,
            Some(used) => {
                let ahead = Ahead::new(self.inner, used);
                Stream {
                    used: Some(ahead.used()),
                    inner: Box::new(ahead),
                    places: None,
                }
            }
        }
    }

    /// How much of the file is behind what has been read; none where that is just as much.
    pub(crate) fn used(&self) -> Option<u64> {
        self.used.as_ref().map(|used| used.load(Ordering::Relaxed))
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buf)
    }
}

fn start_of(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(MAGIC);
    input.take(MAGIC as u64).read_to_end(&mut start)?;
    Ok(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(bytes, 1).unwrap()
    }

    fn read(file: &[u8], ahead: bool) -> io::Result<(Vec<u8>, Option<u64>)> {
        let start = file.get(..MAGIC.min(file.len())).unwrap().to_vec();
        let mut stream = Stream::opened(Box::new(Cursor::new(file.to_vec())), &start, &[])?;
        if ahead {
            stream = stream.ahead();
        }
        let mut out = Vec::new();
        stream.read_to_end(&mut out)?;
        Ok((out, stream.used()))
    }

    fn lines(count: usize) -> Vec<u8> {
        (0..count)
            .flat_map(|i| format!("{i},some text\n").into_bytes())
            .collect()
    }

    #[test]
    fn files_are_unpacked_by_what_they_hold() {
        let text = lines(50_000);
        let (a, b) = text.split_at(text.len() / 3);
        let files = [
            (text.clone(), false),
            (gzip(&text), true),
            ([gzip(a), gzip(b)].concat(), true),
            (zstd(&text), true),
            ([zstd(a), zstd(b)].concat(), true),
            (
                [
                    &[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9],
                    &zstd(&text)[..],
                ]
                .concat(),
                true,
            ),
        ];
        for (file, packed) in files {
            for ahead in [false, true] {
                let (out, used) = read(&file, ahead).unwrap();
                assert!(out == text);
                assert_eq!(used, packed.then_some(file.len() as u64));
            }
        }
    }

    #[test]
    fn a_stream_that_is_cut_off_is_no_end() {
        let text = lines(20_000);
        for (name, file) in [("gzip", gzip(&text)), ("zstd", zstd(&text))] {
            for cut in [MAGIC, 40, file.len() / 2, file.len() - 9, file.len() - 1] {
                for ahead in [false, true] {
                    let error = read(&file[..cut], ahead).unwrap_err().to_string();
                    let said = format!("the {name} stream is truncated at byte ");
                    assert!(error.starts_with(&said), "{cut}: {error}");
                }
            }
        }
    }

    #[test]
    fn what_follows_a_stream_and_is_none_is_an_error() {
        for packed in [gzip(b"a\n1\n"), zstd(b"a\n1\n")] {
            let file = [&packed[..], b"2\n3\n4\n5\n6\n7\n8\n9\n"].concat();
            let error = read(&file, false).unwrap_err().to_string();
            assert!(error.contains("is damaged near byte"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_noticed_or_changes_nothing(at: prop::sample::Index, to: u8) {
            let text = lines(2_000);
            for packed in [gzip(&text), zstd::stream::encode_all(Cursor::new(&text), 3).unwrap()] {
                let mut file = packed.clone();
                let at = at.index(file.len());
                file[at] = to;
                // Headers have bytes that say nothing of the content; zstd has no checksum here.
                if let Ok((out, _)) = read(&file, true) && file.starts_with(&[0x1f, 0x8b]) {
                    prop_assert!(out == text || file == packed);
                }
            }
        }
    }

    #[test]
    fn what_is_packed_otherwise_is_refused_by_name() {
        for (start, name) in [
            (&b"\xfd7zXZ\0"[..], "xz"),
            (b"BZh91AY&SY", "bzip2"),
            (b"PK\x03\x04", "ZIP"),
            (b"\x04\x22\x4d\x18", "LZ4"),
        ] {
            let error = read(start, false).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        assert!(read(b"BZh9,some,text", false).is_ok());
    }
}
