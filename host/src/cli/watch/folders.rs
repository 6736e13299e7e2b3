//! The files that a manifest's source selects, as they are at a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use glovebox_connectors::input::{self, Input};
use glovebox_manifest::Manifest;
use glovebox_watch::Version;

/// What is watched.
pub(super) struct Folders {
    /// Folders, patterns and files, as the manifest names them.
    paths: Vec<PathBuf>,
    /// How the names of a folder's files end.
    endings: &'static [&'static str],
    ignore: Vec<glob::Pattern>,
}

impl Folders {
    /// What the manifest's source reads.
    ///
    /// # Errors
    /// A sentence: why that cannot be watched, and what to do.
    pub(super) fn of(manifest: &Manifest, ignore: Vec<glob::Pattern>) -> Result<Self, String> {
        let (inputs, endings) = manifest.source.inputs();
        let mut paths = Vec::new();
        for input in inputs {
            match &input.value {
                Input::Path(path) | Input::File(path) => paths.push(path.clone()),
                Input::Object(_) => {
                    return Err(
                        "the source is in an object store, which does not tell what is new; run the \
                         pipeline on its notices, or at times"
                            .into(),
                    );
                }
                Input::Stdin => {
                    return Err(
                        "the source is standard input; name a folder or a pattern of files".into(),
                    );
                }
            }
        }
        if paths.is_empty() {
            return Err("the source is a database; `watch` is for sources that read files".into());
        }
        let folders = Folders {
            paths,
            endings,
            ignore,
        };
        for path in &folders.paths {
            let folder = folders.folder(path);
            if input::is_pattern(&folder) && !folder.exists() {
                return Err(format!(
                    "{} has `*`, `?` or `[` in the name of a folder; name each folder with its \
                    own pattern",
                    path.display()
                ));
            }
            if !folder.is_dir() {
                return Err(format!(
                    "there is no folder {}; create it first",
                    folder.display()
                ));
            }
        }
        Ok(folders)
    }

    /// The folder in which files of a path arrive.
    fn folder(&self, path: &Path) -> PathBuf {
        match path.is_dir() {
            true => path.to_owned(),
            false => glovebox_files::folder(path).to_owned(),
        }
    }

    /// The folders in which files arrive, from the root.
    pub(super) fn watched(&self) -> BTreeSet<PathBuf> {
        let folders = self.paths.iter().map(|path| self.folder(path));
        folders
            .filter_map(|folder| std::path::absolute(folder).ok())
            .collect()
    }

    /// The files that there are, but for those that are still written by their names. What cannot be
    /// looked at is added to `problems`.
    pub(super) fn files(
        &self,
        problems: &mut BTreeMap<PathBuf, String>,
    ) -> BTreeMap<PathBuf, Version> {
        let mut found = BTreeMap::new();
        for path in &self.paths {
            let files = match input::at(path, self.endings) {
                Ok(files) => files,
                Err(problem) => {
                    problems.insert(self.folder(path), problem.to_string());
                    continue;
                }
            };
            for file in files.into_iter().filter(|file| !self.is_ignored(file)) {
                match Version::of(&file) {
                    Ok(Some(version)) => {
                        found.insert(file, version);
                    }
                    Ok(None) => {}
                    Err(problem) => {
                        problems.insert(file, problem.to_string());
                    }
                }
            }
        }
        found
    }

    fn is_ignored(&self, file: &Path) -> bool {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        self.ignore.iter().any(|pattern| pattern.matches(&name))
    }
}

impl fmt::Display for Folders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, path) in self.paths.iter().enumerate() {
            let between = if place == 0 { "" } else { ", " };
            write!(f, "{between}{}", path.display())?;
        }
        Ok(())
    }
}
