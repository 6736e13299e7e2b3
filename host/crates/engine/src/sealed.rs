//! The sealed file: the rejected rows with their cells, encrypted to the recipients that the manifest
//! names. docs/manifest.md describes its format.
//!
//! Every line is JSON. The first says which run it is of, the last how many blocks there are, and each
//! line between is a block: the rows of a chunk in one piece, so that none can be taken out, moved or put
//! in. A block opens within its run and place only.
//!
//! Whoever has a public key can make blocks, so the last line has to show that the run itself has written
//! it: it holds, encrypted, a secret of the run, whose digest is part of every block's context, and a
//! digest of all lines before it.

mod read;
mod rows;
mod write;

use glovebox_core::Secret;
use glovebox_core::hex;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use read::{SealedError, SealedFile, SealedTotals};
pub(crate) use rows::RowSealer;
pub(crate) use write::SealedWriter;

/// The version of the format.
const VERSION: u32 = 1;
/// Bytes of a run's secret.
const SECRET: usize = 32;

/// The first line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    #[serde(rename = "glovebox-rejects")]
    version: u32,
    pipeline: String,
    run: String,
    /// SHA-256 of the run's secret, in hexadecimal.
    proof: String,
}

impl Header {
    fn new(pipeline: &str, run: &str, secret: &[u8]) -> Self {
        Header {
            version: VERSION,
            pipeline: pipeline.to_owned(),
            run: run.to_owned(),
            proof: hex(Sha256::digest(secret)),
        }
    }

    fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// In what a block opens.
fn block_context(header: &str, chunk: u64, part: u32, rows: u64) -> String {
    format!("{header}\nchunk {chunk} part {part} rows {rows}")
}

/// In what the last line opens.
fn end_context(header: &str, blocks: u64, rows: u64) -> String {
    format!("{header}\nend blocks {blocks} rows {rows}")
}

/// A secret of the run, which another process that goes on with it has too; `journal` is the key of the
/// sink's journal, if it keeps one.
pub(crate) fn secret_of(run: &str, journal: Option<&Secret>) -> Result<Secret, getrandom::Error> {
    let Some(key) = journal else {
        let mut secret = vec![0; SECRET];
        getrandom::fill(&mut secret)?;
        return Ok(Secret::new(secret));
    };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose()) else {
        return Err(getrandom::Error::UNEXPECTED);
    };
    mac.update(b"glovebox sealed rejects\n");
    mac.update(run.as_bytes());
    Ok(Secret::new(mac.finalize().into_bytes().to_vec()))
}

#[cfg(test)]
#[path = "sealed_tests.rs"]
mod tests;
