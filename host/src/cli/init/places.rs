//! Where the manifest, the input and the output of `glovebox init` are, and what they are called.

use std::path::{Path, PathBuf};

use glovebox_core::{TableName, endings};

use super::args::Args;
use super::manifest::scalar;

/// Endings of packed files, of the formats that are read, and others that such files have.
const ENDINGS: [&[&str]; 5] = [
    endings::PACKED,
    endings::TSV,
    endings::JSONL,
    endings::PARQUET,
    &["txt", "json", "dat"],
];

/// Where everything is.
pub(super) struct Places {
    pub(super) name: String,
    /// The folder of the manifest, in full.
    folder: PathBuf,
    pub(super) manifest: PathBuf,
    /// The input in full.
    full: PathBuf,
    pub(super) sink: PathBuf,
}

impl Places {
    /// Those of a file, a folder or a pattern.
    pub(super) fn of_files(args: &Args) -> Places {
        let name = name(&args.input);
        // What a folder or pattern stands for would have the sink in it.
        let is_single = args.input.is_file();
        let folder = match args.input.parent().filter(|_| is_single) {
            Some(parent) => parent,
            None => Path::new(""),
        };
        let ending = match is_single {
            true => ending(&args.input),
            false => "db",
        };
        Places::in_folder(folder, name, ending, args)
    }

    /// Those of a table: the folder that we are in.
    pub(super) fn of_table(table: &TableName, args: &Args) -> Places {
        Places::in_folder(Path::new(""), plain(&table.table), "db", args)
    }

    fn in_folder(folder: &Path, name: String, ending: &str, args: &Args) -> Places {
        let beside = |file: String| folder.join(file);
        let manifest = args.manifest.clone();
        let manifest = manifest.unwrap_or_else(|| beside(format!("{name}.yaml")));
        let sink = args.to.clone();
        let sink = sink.unwrap_or_else(|| beside(format!("{name}.clean.{ending}")));
        let in_full = std::path::absolute(&manifest).unwrap_or_else(|_| manifest.clone());
        Places {
            folder: in_full.parent().unwrap_or(Path::new("/")).to_owned(),
            full: std::path::absolute(&args.input).unwrap_or_else(|_| args.input.clone()),
            name,
            manifest,
            sink,
        }
    }

    /// A path as the manifest has it.
    pub(super) fn written(&self, path: &Path) -> String {
        let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let inside = full.strip_prefix(&self.folder).unwrap_or(&full);
        inside.display().to_string()
    }

    pub(super) fn input(&self) -> String {
        self.written(&self.full)
    }

    /// The sink's block; none if its ending says nothing.
    pub(super) fn sink_block(&self) -> Option<String> {
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
