//! A run's rejects, page by page: row numbers and rules, no values.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use poem_openapi::Object;
use serde::Deserialize;

/// The longest line that is read; a reject holds names and sentences of ours.
const MAX_LINE: u64 = 1 << 20;

/// A row that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Object)]
pub(crate) struct Reject {
    /// The row's number in its source, counted from 0.
    pub(crate) row: u64,
    /// The file that it stood in, where the source has several.
    #[oai(skip_serializing_if_is_none)]
    pub(crate) file: Option<String>,
    /// The line at which it starts, counted from 1, where the source has lines.
    #[oai(skip_serializing_if_is_none)]
    pub(crate) line: Option<u64>,
    /// Why; at least one.
    pub(crate) violations: Vec<Violation>,
}

/// A rule that a row broke.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Object)]
pub(crate) struct Violation {
    /// The step that said so, or `source` or `sink`.
    pub(crate) step: String,
    /// The column, where the rule is about one.
    #[oai(skip_serializing_if_is_none)]
    pub(crate) column: Option<String>,
    /// The rule's name.
    pub(crate) rule: String,
    /// What is wrong, without the value.
    pub(crate) message: String,
}

/// Some rejects, and where the next ones begin.
#[derive(Debug, Clone, PartialEq, Eq, Object)]
pub(crate) struct Page {
    /// In the order of the source.
    pub(crate) rejects: Vec<Reject>,
    /// What to give as `after` for the next page; absent at the end.
    #[oai(skip_serializing_if_is_none)]
    pub(crate) next: Option<String>,
}

/// At most so many rejects from a place on; none if the place is no line's beginning. A file that
/// is not there has none: it is written when the run is over.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn page(path: &Path, after: u64, at_most: usize) -> io::Result<Option<Page>> {
    let mut page = Page {
        rejects: Vec::new(),
        next: None,
    };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound && after == 0 => return Ok(Some(page)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let length = file.metadata()?.len();
    if after > length {
        return Ok(None);
    }
    if after > 0 {
        let mut before = [0];
        file.seek(SeekFrom::Start(after - 1))?;
        file.read_exact(&mut before)?;
        if before != *b"\n" {
            return Ok(None);
        }
    }
    let mut at = after;
    let mut lines = BufReader::new(file);
    let mut line = Vec::new();
    while page.rejects.len() < at_most {
        line.clear();
        let read = lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
        if read == 0 {
            return Ok(Some(page));
        }
        at += read as u64;
        page.rejects.push(serde_json::from_slice(&line)?);
    }
    page.next = (at < length).then(|| at.to_string());
    Ok(Some(page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejects.jsonl");
        assert_eq!(page(&path, 0, 2).unwrap().unwrap().rejects, []);
        let text: String = (0..5)
            .map(|n| format!(r#"{{"row":{n},"line":{},"violations":[]}}{}"#, n + 2, "\n"))
            .collect();
        std::fs::write(&path, &text).unwrap();
        let mut seen = Vec::new();
        let mut after = 0;
        loop {
            let page = page(&path, after, 2).unwrap().unwrap();
            seen.extend(page.rejects.iter().map(|r| r.row));
            match page.next {
                Some(next) => after = next.parse().unwrap(),
                None => break,
            }
        }
        assert_eq!(seen, [0, 1, 2, 3, 4]);
        assert_eq!(page(&path, 3, 2).unwrap(), None);
        assert_eq!(page(&path, 1 << 40, 2).unwrap(), None);
    }
}
