//! `glovebox init`: a first manifest for a file or table that has none.
//!
//! Cells are looked at and never shown: what is written are names, types, options and guesses, for
//! somebody to read before the first run.

mod args;
mod manifest;
mod personal;
mod places;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use arrow_array::cast::AsArray;
use glovebox_connectors::discover::{Doubt, Format, Found, Sample, discover, guess, sample};
use glovebox_core::{DataType, Field};

pub(super) use self::args::Args;
use self::manifest::{Column, Draft, scalar};
use self::personal::{Kind, by_name, by_values};
use self::places::Places;
use self::table::Table;
use super::manifest::Text;
use super::{Exit, say};
use crate::compose::Composed;

/// Rows that types and shapes are found by.
const ROWS: usize = 10_000;
pub(super) fn init(args: &Args) -> anyhow::Result<Exit> {
    let table = match Table::asked_for(args) {
        Ok(table) => table,
        Err(problem) => {
            say::error(&problem);
            return Ok(Exit::Usage);
        }
    };
    let places = match &table {
        Some(table) => Places::of_table(&table.name, args),
        None => Places::of_files(args),
    };
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
    let composed = Composed::new()?;
    let (found, input) = match &table {
        Some(table) => (table.discover(&composed)?, table.keys(&places)),
        None => {
            let header = (args.header || args.no_header).then_some(args.header);
            let path = format!("path: {}", scalar(&places.input()));
            (discover(&args.input, header)?, vec![path])
        }
    };
    let sample = sample(found.format.source(found.fields.clone()).as_ref(), ROWS)?;
    let columns = columns(&found, &sample);
    let head = head(&places, &sample);
    let text = Draft {
        name: &places.name,
        head: &head,
        format: &found.format,
        input: &input,
        nulls: &columns.nulls,
        columns: &columns.all,
        sink: &sink,
    }
    .text();
    // What was found may not fit, such as a sink that is the input.
    let written = Text::new(&places.manifest, text);
    if written.manifest(&composed).is_none() {
        return Ok(Exit::Usage);
    }
    write(&places.manifest, written.as_written(), args.force)?;
    tell(&places, &found, &sample, &columns.all);
    Ok(Exit::Done)
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
    let is_text = !found.format.has_types();
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
