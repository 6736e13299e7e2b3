//! Reads what comes from outside up to a limit, so that no file, device or pipe fills the memory.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// All bytes of a file.
///
/// # Errors
/// What the system says; [`ErrorKind::FileTooLarge`] if there are more than `most` bytes.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    // A file says its size before any of it is read; a device or a pipe has to be read to know.
    if file.metadata().is_ok_and(|about| about.len() > most) {
        return Err(too_large(most));
    }
    read_all(file, most)
}

fn read_all(from: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_large(most));
    }
    Ok(bytes)
}

/// A text file.
///
/// # Errors
/// As of [`read`]; [`ErrorKind::InvalidData`] if it is not UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    text(read(path, most)?)
}

/// All text that comes from a pipe.
///
/// # Errors
/// As of [`read_text`].
pub fn read_text_from(pipe: impl Read, most: u64) -> io::Result<String> {
    text(read_all(pipe, most)?)
}

fn text(bytes: Vec<u8>) -> io::Result<String> {
    let invalid = |_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8 text");
    String::from_utf8(bytes).map_err(invalid)
}

fn too_large(most: u64) -> io::Error {
    let limit = match most >> 20 {
        0 => format!("{} KiB", most >> 10),
        mebibytes => format!("{mebibytes} MiB"),
    };
    io::Error::new(
        ErrorKind::FileTooLarge,
        format!("it is larger than {limit}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: u64 = 2 << 10;

    #[test]
    fn a_limit_is_reached_and_not_passed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![b'x'; 2048]).unwrap();
        assert_eq!(read(file.path(), MOST).unwrap().len(), 2048);
        std::fs::write(file.path(), vec![b'x'; 2049]).unwrap();
        let error = read(file.path(), MOST).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        assert_eq!(error.to_string(), "it is larger than 2 KiB");
    }

    #[test]
    fn what_has_no_size_is_read_no_further_than_the_limit() {
        let error = read(Path::new("/dev/zero"), MOST).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
    }

    #[test]
    fn text_is_utf_8() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"caf\xe9").unwrap();
        let error = read_text(file.path(), MOST).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        std::fs::write(file.path(), "café").unwrap();
        assert_eq!(read_text(file.path(), MOST).unwrap(), "café");
    }
}
