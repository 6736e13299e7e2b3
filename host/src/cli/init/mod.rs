//! `glovebox init`: a first manifest for a file or table that has none.
//!
//! Cells are looked at and never shown: what is written are names, types, options and guesses, for
//! somebody to read before the first run. It errs on the side of caution: what `glovebox scan` would
//! ask about is masked.

mod args;

use glovebox_connectors::discover::{Format, discover};

pub(super) use self::args::Args;
use super::draft::{
    self, Asked, Caution, Column, Database, Drafted, Judge, NO_TABLE, Places, refuse, scalar,
};
use super::{Exit, say};
use crate::compose::Composed;

pub(super) fn init(args: &Args) -> anyhow::Result<Exit> {
    let table = match Database::asked_for(&args.given) {
        Ok(Some((_, None))) => return refuse(NO_TABLE),
        Ok(Some((database, Some(table)))) => Some((database, table)),
        Ok(None) => None,
        Err(problem) => return refuse(&problem),
    };
    let asked = Asked {
        to: args.to.as_deref(),
        manifest: args.manifest.as_deref(),
    };
    let places = match &table {
        Some((_, table)) => Places::of_table(table, &asked),
        None => Places::of_files(&args.given.input, &asked),
    };
    if let Some(problem) = draft::obstacle(&places, args.force) {
        return refuse(&problem);
    }
    let composed = Composed::new()?;
    let (found, input) = match table {
        Some((database, table)) => {
            let found = draft::discover(database.login(&composed)?, &table)?;
            (found, database.keys(&table, &places))
        }
        None => {
            let path = format!("path: {}", scalar(&places.input()));
            (
                discover(&args.given.input, args.given.says_header())?,
                vec![path],
            )
        }
    };
    let judge = Judge::new(&composed, &[], 0)?;
    let source = found.format.source(found.fields.clone());
    let (sample, judged) = judge.judge(source.as_ref())?;
    let drafted = Drafted {
        places: &places,
        found: &found,
        sample: &sample,
        judged: &judged,
        input: &input,
        by: "init",
        caution: Caution::Mark,
        force: args.force,
    };
    let Some(columns) = drafted.write(&composed)? else {
        return Ok(Exit::Usage);
    };
    tell(&places, &columns);
    if let Format::Csv(options) = &found.format
        && !options.header
    {
        say::note(
            "the first line may be a row, so columns are numbered; if it names them, use \
            `--header --force`",
        );
    }
    drafted.notes();
    Ok(Exit::Done)
}

/// What was found.
fn tell(places: &Places, columns: &[Column]) {
    let personal = columns.iter().filter(|c| c.treatment.is_some()).count();
    println!(
        "{}: {} column{}, {personal} marked personal",
        places.manifest.display(),
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
}
