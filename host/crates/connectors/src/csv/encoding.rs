//! Decodes files in other encodings to UTF-8 while they are read. Invalid bytes get no replacement
//! character: they become a byte that is invalid in UTF-8, so that the row is rejected.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use encoding_rs::{Decoder, DecoderResult};

use crate::input::Stream;

/// An encoding of text.
pub type Encoding = &'static encoding_rs::Encoding;

/// Stands for bytes that are none of the encoding.
const UNREADABLE: u8 = 0xff;
/// Bytes that are read at once.
const BUFFER: usize = 64 << 10;

/// The encoding of that label, such as `windows-1252`, `latin1`, `utf-16le` or `shift_jis`; none
/// if there is no such label.
pub fn by_label(label: &str) -> Option<Encoding> {
    let found = encoding_rs::Encoding::for_label_no_replacement(label.as_bytes())?;
    // Its decoder makes one character of any text, by the standard.
    (found != encoding_rs::X_USER_DEFINED).then_some(found)
}

/// What an encoding is called.
pub(super) fn name(encoding: Option<Encoding>) -> &'static str {
    encoding.map_or("UTF-8", |e| e.name())
}

/// The encoding, if it is another than UTF-8.
pub(super) fn foreign(encoding: Option<Encoding>) -> Option<Encoding> {
    encoding.filter(|e| *e != encoding_rs::UTF_8)
}

/// The same stream in UTF-8.
pub(super) fn in_utf8(stream: Stream, encoding: Option<Encoding>) -> Stream {
    let Some(encoding) = foreign(encoding) else {
        return stream;
    };
    let used = Arc::new(AtomicU64::new(0));
    stream.map(Arc::clone(&used), |input| {
        Box::new(Recoded {
            input,
            decoder: encoding.new_decoder_with_bom_removal(),
            read: Vec::with_capacity(BUFFER),
            at: 0,
            ended: false,
            finished: false,
            out: Vec::new(),
            given: 0,
            used,
        })
    })
}

struct Recoded {
    input: Box<dyn Read + Send>,
    decoder: Decoder,
    /// Bytes of the file, of which those from `at` on are still to be decoded.
    read: Vec<u8>,
    at: usize,
    ended: bool,
    /// Whether the decoder has had all of them and given all it has.
    finished: bool,
    /// UTF-8, of which that from `given` on is still to be handed out.
    out: Vec<u8>,
    given: usize,
    used: Arc<AtomicU64>,
}

impl Recoded {
    fn more(&mut self) -> io::Result<()> {
        if self.at >= self.read.len() && !self.ended {
            self.read.clear();
            self.at = 0;
            (&mut self.input)
                .take(BUFFER as u64)
                .read_to_end(&mut self.read)?;
            self.ended = self.read.len() < BUFFER;
        }
        self.given = 0;
        self.out.resize(BUFFER * 3, 0);
        let bytes = self.read.get(self.at..).unwrap_or_default();
        let (result, read, written) =
            self.decoder
                .decode_to_utf8_without_replacement(bytes, &mut self.out, self.ended);
        self.out.truncate(written);
        self.at += read;
        self.used.fetch_add(read as u64, Ordering::Relaxed);
        match result {
            DecoderResult::Malformed(..) => self.out.push(UNREADABLE),
            DecoderResult::InputEmpty => self.finished = self.ended,
            DecoderResult::OutputFull => {}
        }
        Ok(())
    }
}

impl Read for Recoded {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.given >= self.out.len() {
            if self.finished {
                return Ok(0);
            }
            self.more()?;
        }
        let mut rest = self.out.get(self.given..).unwrap_or_default();
        let read = rest.read(buf)?;
        self.given += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], label: &str) -> Vec<u8> {
        let stream = Stream::plain(io::Cursor::new(bytes.to_vec()));
        let mut stream = in_utf8(stream, by_label(label));
        let mut out = Vec::new();
        stream.read_to_end(&mut out).unwrap();
        if foreign(by_label(label)).is_some() {
            assert_eq!(stream.used(), Some(bytes.len() as u64));
        }
        out
    }

    #[test]
    fn text_becomes_utf_8() {
        assert_eq!(
            read(b"Stra\xdfe \x80", "latin1"),
            "Stra\u{df}e \u{20ac}".as_bytes()
        );
        assert_eq!(
            read(b"\xff\xfea\0\xac\x20", "utf-16le"),
            "a\u{20ac}".as_bytes()
        );
        assert_eq!(read(b"\xfe\xff\0a", "utf-16be"), b"a");
        assert_eq!(read(b"\x83\x8f", "shift_jis"), "\u{30ef}".as_bytes());
        assert_eq!(read(b"a\xff", "utf-8"), b"a\xff");
    }

    #[test]
    fn what_is_none_of_it_is_no_utf_8() {
        assert_eq!(read(b"a\x83", "shift_jis"), b"a\xff");
        assert_eq!(read(b"a\0\x00\xd8b\0", "utf-16le"), b"a\xffb");
        assert_eq!(read(b"a\0b", "utf-16le"), b"a\xff");
    }

    #[test]
    fn long_texts_come_in_pieces() {
        let text = "\u{e9}\n".repeat(100_000);
        let latin: Vec<u8> = text.chars().map(|c| c as u8).collect();
        assert_eq!(read(&latin, "latin1"), text.as_bytes());
    }

    #[test]
    fn labels_are_those_of_the_standard() {
        for label in [
            "UTF-8",
            "Windows-1252",
            "latin1",
            "ISO-8859-15",
            "gb18030",
            "utf-16",
        ] {
            assert!(by_label(label).is_some(), "{label}");
        }
        for label in [
            "",
            "utf-7",
            "utf-32",
            "replacement",
            "x-user-defined",
            "ebcdic",
        ] {
            assert!(by_label(label).is_none(), "{label}");
        }
    }
}
