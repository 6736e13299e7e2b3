//! Where a drafted manifest, its input and its output are, and what they are called.

use std::path::{Path, PathBuf};

use glovebox_core::{TableName, endings};

use super::manifest::scalar;

/// Endings of packed files, of the formats that are read, and others that such files have.
const ENDINGS: [&[&str]; 5] = [
    endings::PACKED,
    endings::TSV,
    endings::JSONL,
    endings::PARQUET,
    &["txt", "json", "dat"],
];

/// What was asked for of them.
pub(in crate::cli) struct Asked<'a> {
    pub(in crate::cli) to: Option<&'a Path>,
    pub(in crate::cli) manifest: Option<&'a Path>,
}

/// Where everything is.
pub(in crate::cli) struct Places {
    pub(in crate::cli) name: String,
    /// The folder of the manifest, in full.
    folder: PathBuf,
    pub(in crate::cli) manifest: PathBuf,
    /// The input in full.
    full: PathBuf,
    pub(in crate::cli) sink: PathBuf,
}

impl Places {
    /// Those of a file, a folder or a pattern.
    pub(in crate::cli) fn of_files(input: &Path, asked: &Asked<'_>) -> Places {
        let name = name(input);
        // What a folder or pattern stands for would have the sink in it.
        let is_single = input.is_file();
        let folder = match input.parent().filter(|_| is_single) {
            Some(parent) => parent,
            None => Path::new(""),
        };
        let ending = match is_single {
            true => ending(input),
            false => "db",
        };
        Places::in_folder(folder, name, ending, input, asked)
    }

    /// Those of a table: the folder that we are in.
    pub(in crate::cli) fn of_table(table: &TableName, asked: &Asked<'_>) -> Places {
        let nowhere = Path::new("");
        Places::in_folder(nowhere, plain(&table.table), "db", nowhere, asked)
    }

    fn in_folder(
        folder: &Path,
        name: String,
        ending: &str,
        input: &Path,
        asked: &Asked<'_>,
    ) -> Places {
        let beside = |file: String| folder.join(file);
        let manifest = asked.manifest.map(Path::to_owned);
        let manifest = manifest.unwrap_or_else(|| beside(format!("{name}.yaml")));
        let sink = asked.to.map(Path::to_owned);
        let sink = sink.unwrap_or_else(|| beside(format!("{name}.clean.{ending}")));
        let in_full = std::path::absolute(&manifest).unwrap_or_else(|_| manifest.clone());
        Places {
            folder: in_full.parent().unwrap_or(Path::new("/")).to_owned(),
            full: std::path::absolute(input).unwrap_or_else(|_| input.to_owned()),
            name,
            manifest,
            sink,
        }
    }

    /// A path as the manifest has it.
    pub(in crate::cli) fn written(&self, path: &Path) -> String {
        let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let inside = full.strip_prefix(&self.folder).unwrap_or(&full);
        inside.display().to_string()
    }

    pub(in crate::cli) fn input(&self) -> String {
        self.written(&self.full)
    }

    /// The sink's block; none if its ending says nothing.
    pub(in crate::cli) fn sink_block(&self) -> Option<String> {
        let path = scalar(&self.written(&self.sink));
        let kind = match self.sink.extension()?.to_str()? {
            e if endings::CSV.contains(&e) => "csv",
            e if endings::JSONL.contains(&e) => "jsonl",
            e if endings::PARQUET.contains(&e) => "parquet",
            "db" | "sqlite" | "sqlite3" => {
                let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
                let table: String = self.name.chars().map(plain).collect();
                return Some(format!(
                    "sqlite: {{ path: {path}, table: {}, mode: replace }}",
                    scalar(&table)
                ));
            }
            _ => return None,
        };
        Some(format!("{kind}: {{ path: {path} }}"))
    }
}

/// The pipeline's name: the file's without its endings, of signs that a name may have.
fn name(input: &Path) -> String {
    let file = input.file_name().unwrap_or_default().to_string_lossy();
    let mut stem = file.as_ref();
    while let Some(shorter) = shorter(stem) {
        stem = shorter;
    }
    plain(stem)
}

/// A name of signs that the name of a pipeline may have.
fn plain(name: &str) -> String {
    let plain = |c: char| match c {
        c if c.is_ascii_alphanumeric() => c,
        '_' | '.' => c,
        _ => '-',
    };
    let name: String = name.chars().map(plain).take(64).collect();
    let name = name.trim_matches(['-', '.', '_']);
    if name.is_empty() {
        "pipeline".into()
    } else {
        name.into()
    }
}

/// The name without the ending that it has, if it is one of such files.
fn shorter(name: &str) -> Option<&str> {
    let mut endings = ENDINGS.into_iter().flatten();
    endings.find_map(|ending| name.strip_suffix(ending)?.strip_suffix('.'))
}

/// The ending of what is written beside an input, by its own.
fn ending(input: &Path) -> &'static str {
    let file = input.to_string_lossy();
    let has = |endings: &[&str]| endings.iter().any(|e| file.contains(&format!(".{e}")));
    if has(endings::PARQUET) {
        "parquet"
    } else if has(&["json", "ndjson"]) {
        "jsonl"
    } else {
        "csv"
    }
}
