//! From a path to a manifest, a plan and armed steps, with every problem shown at its place.
//!
//! Owns what `run`, `check` and `preview` begin with; refuses to go on past a problem.

use std::io::Read;
use std::path::{Path, PathBuf};

use chrono::Datelike;
use glovebox_engine::{Plan, Toolbox, plan};
use glovebox_manifest::{Diagnostic, Known, Manifest, read, render, unpinned};

use super::say;
use crate::compose::Composed;

/// A manifest larger than this is refused by the reader; no more of it is read.
const LARGEST: u64 = 2 << 20;

/// A manifest's file and text, to show problems in.
pub(super) struct Text {
    path: PathBuf,
    text: String,
}

impl Text {
    /// Reads the file; says why if it cannot.
    pub(super) fn read(path: &Path) -> Option<Text> {
        let read = || -> std::io::Result<String> {
            let mut text = String::new();
            std::fs::File::open(path)?
                .take(LARGEST)
                .read_to_string(&mut text)?;
            Ok(text)
        };
        match read() {
            Ok(text) => Some(Text {
                path: path.to_owned(),
                text,
            }),
            Err(error) => {
                say::error(&format!(
                    "cannot read the manifest {}: {error}",
                    path.display()
                ));
                None
            }
        }
    }

    /// Shows problems on standard error.
    pub(super) fn show(&self, problems: &[Diagnostic]) {
        let file = self.path.display().to_string();
        let shown = |color| render(problems, &file, &self.text, color);
        if say::is_json() {
            say::error(shown(false).trim_end());
        } else {
            eprint!("{}", shown(say::is_coloured()));
        }
    }

    /// The manifest as it was read.
    pub(super) fn as_written(&self) -> &str {
        &self.text
    }

    /// The manifest and its plan, or none after every problem has been shown.
    pub(super) fn plan(&self, composed: &Composed) -> Option<(Manifest, Plan)> {
        self.plan_locked(composed, false)
    }

    /// The same; if it is locked, no plugin is loaded before all are known to be pinned.
    pub(super) fn plan_locked(
        &self,
        composed: &Composed,
        locked: bool,
    ) -> Option<(Manifest, Plan)> {
        let standard = composed.standard_plugins();
        let known = Known {
            standard: &standard,
            today: today(),
        };
        let planned = read(&self.path, &self.text, &known).and_then(|manifest| {
            let unpinned = if locked {
                unpinned(&manifest)
            } else {
                Vec::new()
            };
            if !unpinned.is_empty() {
                return Err(unpinned);
            }
            let plan = plan(&manifest, composed)?;
            Ok((manifest, plan))
        });
        planned.map_err(|problems| self.show(&problems)).ok()
    }
}

/// Today in UTC as year, month and day.
pub(crate) fn today() -> (i32, u32, u32) {
    let today = chrono::Utc::now().date_naive();
    (today.year(), today.month(), today.day())
}
