//! `glovebox init`: a first manifest for a file that has none.
//!
//! Cells are looked at and never shown: what is written are names, types, options and guesses, for
//! somebody to read before the first run.

mod manifest;
mod personal;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use arrow_array::cast::AsArray;
use glovebox_connectors::discover::{Doubt, Format, Found, Sample, discover, guess, sample};
use glovebox_core::{DataType, Field, endings};

use self::manifest::{Column, Draft, scalar};
use self::personal::{Kind, by_name, by_values};
use super::manifest::Text;
use super::{Exit, say};
use crate::compose::Composed;

/// Rows that types and shapes are found by.
const ROWS: usize = 10_000;
/// Endings of packed files, of the formats that are read, and others that such files have.
const ENDINGS: [&[&str]; 5] = [
    endings::PACKED,
    endings::TSV,
    endings::JSONL,
    endings::PARQUET,
    &["txt", "json", "dat"],
];

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A CSV, JSON or Parquet file, compressed or not; or a folder or pattern of such files.
    input: PathBuf,
    /// Where the rows should go: a .csv, .jsonl or .parquet file, or a SQLite .db; by default next
    /// to the input.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Where to write the manifest; by default next to the input.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// The first line of the CSV file names its columns.
    #[arg(long, conflicts_with = "no_header")]
    header: bool,
    /// The first line of the CSV file is a row.
    #[arg(long)]
    no_header: bool,
    /// Replace an existing manifest.
    #[arg(long)]
    force: bool,
}

pub(super) fn init(args: &Args) -> anyhow::Result<Exit> {
    if let Some(problem) = is_database(&args.input) {
        say::error(&problem);
        return Ok(Exit::Usage);
    }
    let header = (args.header || args.no_header).then_some(args.header);
    let places = Places::of(args);
    let Some(sink) = places.sink_block() else {
        say::error(&format!(
            "`--to {}`: the extension determines the format; use one of .csv, .jsonl, .parquet \
            and .db",
            places.sink.display()
        ));
        return Ok(Exit::Usage);
    };
    if !args.force && places.manifest.exists() {
        say::error(&format!(
            "{} already exists and was not changed; use `--force` to replace it, or `--manifest \
            FILE`",
            places.manifest.display()
        ));
        return Ok(Exit::Usage);
    }
    let found = discover(&args.input, header)?;
    let sample = sample(found.format.source(found.fields.clone()).as_ref(), ROWS)?;
    let columns = columns(&found, &sample);
    let head = head(&places, &sample);
    let text = Draft {
        name: &places.name,
        head: &head,
        format: &found.format,
        input: &places.input(),
        nulls: &columns.nulls,
        columns: &columns.all,
        sink: &sink,
    }
    .text();
    // What was found may not fit, such as a sink that is the input.
    let written = Text::new(&places.manifest, text);
    if written.manifest(&Composed::new()?).is_none() {
        return Ok(Exit::Usage);
    }
    write(&places.manifest, written.as_written(), args.force)?;
    tell(&places, &found, &sample, &columns.all);
    Ok(Exit::Done)
}

/// What to say of a database that is not read.
fn is_database(input: &Path) -> Option<String> {
    let text = input.to_string_lossy();
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Some(
            "manifests for PostgreSQL tables cannot be generated yet; copy the one in \
            docs/manifest.md, under \"From PostgreSQL\""
                .into(),
        );
    }
    if !input.is_file() {
        // A pipe would lose what is read of it here.
        return None;
    }
    let mut start = [0; 15];
    let read =
        std::fs::File::open(input).and_then(|mut f| io::Read::read_exact(&mut f, &mut start));
    (read.is_ok() && start == *b"SQLite format 3").then(|| {
        format!(
            "{} is a SQLite file, which can be a sink but not a source; export the table as CSV \
            first",
            input.display()
        )
    })
}

/// Where everything is.
struct Places {
    name: String,
    /// The folder of the manifest, in full.
    folder: PathBuf,
    manifest: PathBuf,
    /// The input in full.
    full: PathBuf,
    sink: PathBuf,
}

impl Places {
    fn of(args: &Args) -> Places {
        let full = std::path::absolute(&args.input).unwrap_or_else(|_| args.input.clone());
        let name = name(&args.input);
        // What a folder or pattern stands for would have the sink in it.
        let single = full.is_file();
        let beside = |file: String| match args.input.parent().filter(|_| single) {
            Some(parent) => parent.join(file),
            None => PathBuf::from(file),
        };
        let manifest = args
            .manifest
            .clone()
            .unwrap_or_else(|| beside(format!("{name}.yaml")));
        let ending = match single {
            true => ending(&args.input),
            false => "db",
        };
        let sink = args
            .to
            .clone()
            .unwrap_or_else(|| beside(format!("{name}.clean.{ending}")));
        let in_full = std::path::absolute(&manifest).unwrap_or_else(|_| manifest.clone());
        Places {
            folder: in_full.parent().unwrap_or(Path::new("/")).to_owned(),
            name,
            manifest,
            full,
            sink,
        }
    }

    /// A path as the manifest has it.
    fn written(&self, path: &Path) -> String {
        let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let inside = full.strip_prefix(&self.folder).unwrap_or(&full);
        inside.display().to_string()
    }

    fn input(&self) -> String {
        self.written(&self.full)
    }

    /// The sink's block; none if its ending says nothing.
    fn sink_block(&self) -> Option<String> {
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
    let plain = |c: char| match c {
        c if c.is_ascii_alphanumeric() => c,
        '_' | '.' => c,
        _ => '-',
    };
    let name: String = stem.chars().map(plain).take(64).collect();
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

/// The columns, and the words that stand for null among their cells.
struct Columns {
    all: Vec<Column>,
    nulls: BTreeSet<&'static str>,
}

fn columns(found: &Found, sample: &Sample) -> Columns {
    let mut nulls = BTreeSet::new();
    let all = found
        .fields
        .iter()
        .enumerate()
        .map(|(i, field)| column(found, field, &cells(sample, i, field), &mut nulls))
        .collect();
    Columns { all, nulls }
}

/// The cells of a column of text that are not null and not empty.
fn cells<'s>(sample: &'s Sample, column: usize, field: &Field) -> Vec<&'s str> {
    if field.data_type != DataType::Text {
        return Vec::new();
    }
    let texts = sample
        .batches
        .iter()
        .filter_map(|batch| batch.columns().get(column)?.as_string_opt::<i32>());
    let cells = texts.flat_map(|text| text.iter().flatten());
    cells.collect()
}

fn column(
    found: &Found,
    field: &Field,
    cells: &[&str],
    nulls: &mut BTreeSet<&'static str>,
) -> Column {
    let is_text = !matches!(found.format, Format::Parquet(_));
    let is_csv = matches!(found.format, Format::Csv(_));
    let mut guessed = guess(if is_text { cells } else { &[] }, is_csv);
    if !is_text {
        guessed.data_type = field.data_type;
    }
    let unnamed = matches!(&found.format, Format::Csv(options) if !options.header);
    let named = match unnamed && guessed.data_type == DataType::Text {
        true => Some(Kind::Unknown),
        false => by_name(&field.name),
    };
    let shaped = match guessed.doubt {
        Some(Doubt::TwoWays(_)) => None,
        _ => by_values(cells, guessed.data_type),
    };
    let kind = shaped
        .filter(|_| named.is_none_or(|n| n == Kind::Note))
        .or(named);
    let number = matches!(guessed.data_type, DataType::Int64 | DataType::Float64);
    if is_text && number && kind.is_some_and(Kind::is_code) {
        (guessed.data_type, guessed.formats) = (DataType::Text, None);
        guessed.nulls.clear();
    }
    nulls.extend(&guessed.nulls);
    let by = match (named == kind, shaped == kind) {
        _ if kind == Some(Kind::Unknown) => "",
        (true, true) => ", judging by its name and its cells",
        (true, false) => ", by its name",
        _ => ", by its cells",
    };
    let personal = kind.map(|kind| format!("{}{by}", kind.what()));
    let doubt = guessed.doubt.map(|doubt| match doubt {
        Doubt::TwoWays(what) => format!("{what}: `formats` says it"),
        Doubt::Misfits(of, misfits, all) => {
            let rejected = match guessed.data_type == of {
                true => ", whose rows are rejected",
                false => "",
            };
            format!("{misfits} of {all} cells are not {of}{rejected}")
        }
    });
    let empty = (is_text && cells.is_empty()).then(|| "all cells seen were empty".to_owned());
    Column {
        name: field.name.to_string(),
        data_type: guessed.data_type,
        from: field.from.clone(),
        formats: guessed.formats,
        treatment: kind.map(|kind| kind.treatment(guessed.data_type)),
        comment: personal.or(doubt).or(empty),
    }
}

fn head(places: &Places, sample: &Sample) -> String {
    let rows: usize = sample.batches.iter().map(|b| b.num_rows()).sum();
    let rows = rows + sample.rejects.len();
    let looked_at = match (sample.whole, rows) {
        (true, 1) => "its only row".to_owned(),
        (true, rows) => format!("all {rows} rows"),
        (false, rows) => format!("the first {rows} rows"),
    };
    let manifest = places.manifest.file_name().unwrap_or_default();
    format!(
        "A first manifest, generated by `glovebox init` from {looked_at}. Types, options and what \
        is personal are guesses:\n\
         check each column, then look at `glovebox preview {}` before you run it.",
        manifest.to_string_lossy().escape_debug()
    )
}

fn write(path: &Path, text: &str, force: bool) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true);
    match force {
        true => options.create(true).truncate(true),
        // Another one may have come since it was looked for.
        false => options.create_new(true),
    };
    options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// What was found, and what comes next.
fn tell(places: &Places, found: &Found, sample: &Sample, columns: &[Column]) {
    let manifest = places.manifest.display();
    let personal = columns.iter().filter(|c| c.treatment.is_some()).count();
    println!(
        "{manifest}: {} column{}, {personal} marked personal",
        columns.len(),
        if columns.len() == 1 { "" } else { "s" },
    );
    for column in columns.iter().filter(|c| c.treatment.is_some()) {
        println!(
            "  {}: {}",
            column.name,
            column.comment.as_deref().unwrap_or_default()
        );
    }
    if let Format::Csv(options) = &found.format
        && !options.header
    {
        say::note(
            "the first line may be a row, so columns are numbered; if it names them, use \
            `--header --force`",
        );
    }
    if found.left_out > 0 {
        say::note(&format!(
            "{} columns cannot be declared and were left out",
            found.left_out
        ));
    }
    let mut rules: BTreeMap<String, usize> = BTreeMap::new();
    for violation in sample.rejects.iter().flat_map(|reject| &reject.violations) {
        *rules.entry(violation.rule.to_string()).or_default() += 1;
    }
    if !sample.rejects.is_empty() {
        let rules: Vec<String> = rules.iter().map(|(r, n)| format!("{r} ({n})")).collect();
        say::note(&format!(
            "{} of the rows read would be rejected: {}",
            sample.rejects.len(),
            rules.join(", ")
        ));
    }
    if places.sink.exists() {
        say::note(&format!(
            "{} already exists, and a run would replace it",
            places.sink.display()
        ));
    }
    println!("check it, then:\n  glovebox preview {manifest}\n  glovebox run {manifest}");
}
