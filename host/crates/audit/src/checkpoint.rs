//! Checkpoints: signed statements, in a second place, of where the log stands.

use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::chain::Head;
use crate::error::AuditError;
use crate::key::{PublicKey, SigningKey};
use crate::lines::{Lines, Mend};
use crate::segment::{self, Begin, Family, append, folder, sync_folder};
use crate::time::Time;

/// What is signed begins with this, so that a signature fits nothing else.
const DOMAIN: &[u8] = b"glovebox audit checkpoint\n";
const SEAM: &[u8] = b",\"signature\":\"";
const END: &[u8] = b"\"}";
/// An Ed25519 signature as base64.
const SIGNATURE: usize = 88;
/// The longest line of a checkpoint, in bytes.
pub(crate) const MAX_LINE: usize = 4096;

/// Where a log stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Statement {
    #[serde(rename = "@timestamp")]
    pub(crate) time: String,
    pub(crate) log: String,
    pub(crate) checkpoint: u64,
    pub(crate) segment: u64,
    pub(crate) sequence: u64,
    pub(crate) head: String,
    /// Segment, sequence and previous hash with which the log begins.
    pub(crate) begin: (u64, u64, String),
    /// SHA-256 of the checkpoint before.
    pub(crate) previous: String,
    /// The short name of the key that signed.
    pub(crate) key: String,
}

/// A line of checkpoints, read.
pub(crate) struct Signed<'a> {
    pub(crate) statement: Statement,
    body: &'a [u8],
    signature: &'a str,
}

impl<'a> Signed<'a> {
    pub(crate) fn read(line: &'a [u8]) -> Option<Self> {
        let rest = line.strip_suffix(END)?;
        let (rest, signature) = rest.split_at_checked(rest.len().checked_sub(SIGNATURE)?)?;
        let body = rest.strip_suffix(SEAM)?;
        let statement = serde_json::from_slice(&[body, b"}"].concat()).ok()?;
        let signature = std::str::from_utf8(signature).ok()?;
        Some(Signed {
            statement,
            body,
            signature,
        })
    }

    pub(crate) fn is_by(&self, key: &PublicKey) -> bool {
        self.statement.key == key.id()
            && key.verifies(&[DOMAIN, self.body].concat(), self.signature)
    }
}

/// Where the log stands now, for the next statement.
pub(crate) struct Stand<'a> {
    pub(crate) log: &'a str,
    pub(crate) segment: u64,
    pub(crate) sequence: u64,
    pub(crate) head: Head,
    pub(crate) begin: &'a Begin,
    pub(crate) time: Time,
}

/// Makes checkpoints.
pub(crate) struct Checkpointer {
    folder: PathBuf,
    key: SigningKey,
    /// The number of the last checkpoint; 0 before the first.
    number: u64,
    previous: Head,
    file: Option<(u64, File)>,
}

impl Checkpointer {
    /// Opens the second place, and the last statement there.
    pub(crate) fn open(
        place: PathBuf,
        key: SigningKey,
    ) -> Result<(Checkpointer, Option<Statement>), AuditError> {
        folder(&place)?;
        let (last, previous) = match newest(&place, &key, Mend::Yes)? {
            Some((statement, head)) => (Some(statement), head),
            None => (None, Head::BEGINNING),
        };
        let checkpointer = Checkpointer {
            folder: place,
            key,
            number: last.as_ref().map_or(0, |s| s.checkpoint),
            previous,
            file: None,
        };
        Ok((checkpointer, last))
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn sign(&mut self, stand: &Stand<'_>) -> Result<(), AuditError> {
        let statement = Statement {
            time: stand.time.text(),
            log: stand.log.into(),
            checkpoint: self.number + 1,
            segment: stand.segment,
            sequence: stand.sequence,
            head: stand.head.to_string(),
            begin: (
                stand.begin.segment,
                stand.begin.sequence,
                stand.begin.previous.to_string(),
            ),
            previous: self.previous.to_string(),
            key: self.key.public().id(),
        };
        let mut line = serde_json::to_vec(&statement)
            .map_err(|_| AuditError::Options("a checkpoint that is not JSON"))?;
        line.pop();
        let signature = self.key.sign(&[DOMAIN, &line].concat());
        line.extend_from_slice(SEAM);
        line.extend_from_slice(signature.as_bytes());
        line.extend_from_slice(END);
        let head = Head::of(&line);
        line.push(b'\n');

        let path = Family::Checkpoints.path(&self.folder, stand.segment);
        let file = match &mut self.file {
            Some((segment, file)) if *segment == stand.segment => file,
            other => {
                let file = append(&path).map_err(AuditError::file("open", &path))?;
                sync_folder(&self.folder)?;
                &mut other.insert((stand.segment, file)).1
            }
        };
        file.write_all(&line)
            .map_err(AuditError::file("write", &path))?;
        file.sync_data().map_err(AuditError::sync(&path))?;
        self.number += 1;
        self.previous = head;
        Ok(())
    }

    /// Deletes the checkpoints of segments before that one.
    pub(crate) fn retire(&self, before: u64) -> Result<(), AuditError> {
        let (numbers, _) = Family::Checkpoints.list(&self.folder)?;
        for number in numbers.into_iter().filter(|n| *n < before) {
            let path = Family::Checkpoints.path(&self.folder, number);
            std::fs::remove_file(&path).map_err(AuditError::file("delete", &path))?;
        }
        sync_folder(&self.folder)
    }
}

/// The last statement of a folder, and its hash.
pub(crate) fn newest(
    place: &Path,
    key: &SigningKey,
    mend: Mend,
) -> Result<Option<(Statement, Head)>, AuditError> {
    let (numbers, _) = Family::Checkpoints.list(place)?;
    for number in numbers.iter().rev() {
        let path = Family::Checkpoints.path(place, *number);
        let found = last_statement(&path, key, mend)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// The last statement of a file, and its hash. A line that a crash has torn is cut off: nobody
/// was told of it.
fn last_statement(
    path: &Path,
    key: &SigningKey,
    mend: Mend,
) -> Result<Option<(Statement, Head)>, AuditError> {
    let file = segment::read(path)?;
    let mut lines = Lines::new(BufReader::new(file), MAX_LINE);
    let mut last = None;
    while let Some(line) = lines.next().map_err(AuditError::file("read", path))? {
        if !line.whole && mend == Mend::No {
            break;
        }
        if !line.whole {
            tracing::warn!(file = %path.display(), "an incomplete checkpoint is removed");
            append(path)
                .and_then(|file| file.set_len(line.offset).and_then(|()| file.sync_all()))
                .map_err(AuditError::file("cut", path))?;
            break;
        }
        last = Some(line);
    }
    let Some(line) = last else { return Ok(None) };
    let broken = |problem: &str| AuditError::Broken {
        place: format!("{}, line {}", path.display(), line.number),
        problem: problem.into(),
    };
    let signed = Signed::read(&line.bytes).ok_or_else(|| broken("is not a checkpoint"))?;
    let public = key.public();
    if signed.statement.key == public.id() && !signed.is_by(public) {
        return Err(broken("is not signed by the key that it names"));
    }
    Ok(Some((signed.statement, Head::of(&line.bytes))))
}
