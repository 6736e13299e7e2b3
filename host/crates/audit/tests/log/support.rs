//! Logs to try things on.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use glovebox_audit::{
    Action, CheckpointPolicy, Checkpoints, Event, Log, Options, Outcome, PublicKey, SigningKey,
    Trust, Verification, verify,
};
use glovebox_core::Secret;
use tempfile::TempDir;

/// 32 zero bytes.
pub(crate) const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
/// 32 other bytes.
pub(crate) const OTHER_KEY: &str = "BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

pub(crate) fn key(text: &str) -> SigningKey {
    SigningKey::from_secret(&Secret::new(text.into())).unwrap()
}

pub(crate) fn event(n: u64) -> Event {
    Event::new(Action::DataRead, Outcome::Success)
        .user("ann")
        .source("192.0.2.7".parse().unwrap())
        .http("GET", "/sales")
        .dataset("sales")
        .rows(n)
        .columns(["product", "price"])
}

/// A log and its checkpoints, in folders beside each other.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Place {
            folder: TempDir::new().unwrap(),
        }
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.folder.path().join("checkpoints")
    }

    /// Small segments, and a checkpoint every few records.
    pub(crate) fn options(&self) -> Options {
        let mut options = Options::new(self.log());
        options.segment_size = 4000;
        options.checkpoints = Some(Checkpoints {
            folder: self.checkpoints(),
            key: key(KEY),
            pace: CheckpointPolicy {
                records: 7,
                time: Duration::from_secs(3600),
            },
        });
        options
    }

    pub(crate) fn open(&self) -> Log {
        Log::open(self.options()).unwrap()
    }

    /// Opens it, records so many events one after another, and closes it.
    pub(crate) fn write(&self, events: u64) {
        let log = self.open();
        for n in 0..events {
            log.record_blocking(event(n)).unwrap();
        }
        log.close().unwrap();
    }

    pub(crate) fn verify(&self) -> Verification {
        let keys = [public()];
        let checkpoints = self.checkpoints();
        let trust = Trust {
            checkpoints: Some(&checkpoints),
            keys: &keys,
            ..Trust::default()
        };
        verify(&self.log(), &trust).unwrap()
    }

    /// The files of the log in their order.
    pub(crate) fn segments(&self) -> Vec<PathBuf> {
        files(&self.log(), "audit-")
    }

    pub(crate) fn copy(&self) -> Place {
        let copy = Place::new();
        for (from, to) in [
            (self.log(), copy.log()),
            (self.checkpoints(), copy.checkpoints()),
        ] {
            fs::create_dir_all(&to).unwrap();
            for file in files(&from, "") {
                fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
            }
        }
        copy
    }
}

pub(crate) fn public() -> PublicKey {
    key(KEY).public().clone()
}

pub(crate) fn files(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with(prefix)
        })
        .collect();
    files.sort();
    files
}

/// A file's lines, each with its end.
pub(crate) fn lines(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap();
    bytes
        .split_inclusive(|b| *b == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

pub(crate) fn told(found: &Verification) -> String {
    let lines: Vec<_> = found.findings.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
