//! Loads a manifest, plans it and arms its steps, and shows every problem at its place.

use std::path::{Path, PathBuf};

use glovebox_engine::{Plan, Toolbox, plan};
use glovebox_files::bounded;
use glovebox_manifest::{Diagnostic, Known, Manifest};

use super::say;
use crate::compose::Composed;
use crate::without;

/// Whether a path is a manifest's, which none of the formats that are read could be.
pub(super) fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "yaml" || e == "yml")
}

/// The largest manifest that is read, in bytes; the parser refuses smaller ones with an excerpt.
const MAX_SIZE: u64 = 2 << 20;

/// A manifest's file and text, to show problems in.
pub(super) struct Text {
    path: PathBuf,
    text: String,
}

impl Text {
    /// Reads the file; says why if it cannot.
    pub(super) fn read(path: &Path) -> Option<Text> {
        Text::load(path)
            .map_err(|problem| say::error(&problem))
            .ok()
    }

    /// The same, for whoever says it themselves.
    fn load(path: &Path) -> Result<Text, String> {
        match bounded::read_text(path, MAX_SIZE) {
            Ok(text) => Ok(Text {
                path: path.to_owned(),
                text,
            }),
            Err(error) => Err(format!(
                "cannot read the manifest {}: {error}",
                path.display()
            )),
        }
    }

    /// A manifest that is not written yet.
    #[cfg(feature = "init")]
    pub(super) fn new(path: &Path, text: String) -> Text {
        Text {
            path: path.to_owned(),
            text,
        }
    }

    /// Shows problems on standard error.
    pub(super) fn show(&self, problems: &[Diagnostic]) {
        let file = self.path.display().to_string();
        say::problems(|color| glovebox_manifest::render(problems, &file, &self.text, color));
    }

    /// The manifest as it was read.
    pub(super) fn as_written(&self) -> &str {
        &self.text
    }

    /// The manifest, or none after every problem has been shown; no plugin is loaded.
    pub(super) fn manifest(&self, composed: &Composed) -> Option<Manifest> {
        let read = self.parse(composed);
        read.map_err(|problems| self.show(&problems)).ok()
    }

    fn parse(&self, composed: &Composed) -> Result<Manifest, Vec<Diagnostic>> {
        let standard = composed.standard_plugins();
        let known = Known {
            standard: &standard,
            today: chrono::Utc::now().date_naive(),
        };
        glovebox_manifest::read(&self.path, &self.text, &known)
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
        self.try_plan(composed, locked)
            .map_err(|problems| self.show(&problems))
            .ok()
    }

    fn try_plan(
        &self,
        composed: &Composed,
        locked: bool,
    ) -> Result<(Manifest, Plan), Vec<Diagnostic>> {
        let manifest = self.parse(composed)?;
        let unpinned = if locked {
            glovebox_manifest::unpinned(&manifest)
        } else {
            Vec::new()
        };
        if !unpinned.is_empty() {
            return Err(unpinned);
        }
        let absent = without::absent(&manifest);
        if !absent.is_empty() {
            return Err(absent);
        }
        let plan = plan(&manifest, composed)?;
        Ok((manifest, plan))
    }
}

/// A manifest and its plan; none if it is not in order.
#[cfg(feature = "api")]
pub(super) fn planned(path: &Path, composed: &Composed) -> Option<(Manifest, Plan)> {
    let text = Text::load(path).ok()?;
    text.try_plan(composed, false).ok()
}

/// Whether a manifest can be run, as far as can be found out before a row is read.
#[cfg(feature = "api")]
pub(super) fn loads(path: &Path, composed: &Composed) -> Result<(), String> {
    use glovebox_engine::arm;

    let text = Text::load(path)?;
    let armed = || {
        let (manifest, plan) = text.try_plan(composed, false)?;
        arm(&manifest, &plan, composed)?;
        arm::source(&manifest, plan.source.clone(), composed)?;
        arm::recipients(&manifest, composed)?;
        arm::sink(&manifest, composed).map(drop)
    };
    armed().map_err(|problems: Vec<Diagnostic>| {
        let first = problems.first().map_or("", |p| p.message.as_str());
        match problems.len() {
            1 => format!("the manifest cannot be run: {first}"),
            many => format!("the manifest cannot be run: {first}, and {} more", many - 1),
        }
    })
}
