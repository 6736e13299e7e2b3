//! `glovebox scan`: which columns of a source may hold personal data. What is printed are names of
//! columns, kinds and shares, and never a cell.

mod args;
mod shown;

use glovebox_connectors::discover::{Found, discover};
use glovebox_connectors::sqlite;
use glovebox_core::shown::printable;

pub(super) use self::args::Args;
use self::shown::Scanned;
use super::draft::{
    self, Asked, Caution, Database, Drafted, Judge, NO_TABLE, Places, refuse, scalar,
};
use super::manifest::{Text, is_manifest};
use super::{Exit, say};
use crate::compose::Composed;

/// Tables of a schema or file that are scanned at the most.
const MAX_TABLES: usize = 1_000;

pub(super) fn scan(args: &Args) -> anyhow::Result<Exit> {
    if draft::is_sqlite(&args.given.input) {
        return of_sqlite(args);
    }
    let database = match Database::asked_for(&args.given) {
        Ok(database) => database,
        Err(problem) => return refuse(&problem),
    };
    let input = &args.given.input;
    let is_manifest = database.is_none() && is_manifest(input);
    if args.manifest.is_some() {
        if is_manifest {
            return refuse("there is a manifest already; `--manifest` is for a source without one");
        }
        if let Some((_, None)) = &database {
            return refuse(NO_TABLE);
        }
    }
    let composed = Composed::new()?;
    let judge = Judge::new(&composed, &args.recogniser, args.seed)?;
    let asked = asked(args);
    let undrafted = match database {
        _ if is_manifest => return of_manifest(args, &composed, &judge),
        Some((database, None)) => return of_schema(args, &composed, &judge, &database),
        Some((database, Some(table))) => {
            let places = Places::of_table(&table, &asked);
            Undrafted {
                found: draft::discover(database.login(&composed)?, &table)?,
                input: database.keys(&table, &places),
                places,
            }
        }
        None => {
            let places = Places::of_files(input, &asked);
            Undrafted {
                found: discover(input, args.given.says_header())?,
                input: vec![format!("path: {}", scalar(&places.input()))],
                places,
            }
        }
    };
    of_found(args, &composed, &judge, &undrafted)
}

/// A source that no manifest names, and what one would say of it.
struct Undrafted {
    found: Found,
    places: Places,
    input: Vec<String>,
}

fn asked(args: &Args) -> Asked<'_> {
    Asked {
        to: args.to.as_deref(),
        manifest: args.manifest.as_deref(),
    }
}

fn of_found(
    args: &Args,
    composed: &Composed,
    judge: &Judge,
    undrafted: &Undrafted,
) -> anyhow::Result<Exit> {
    let Undrafted {
        found,
        places,
        input,
    } = undrafted;
    if args.manifest.is_some()
        && let Some(problem) = draft::obstacle(places, args.force)
    {
        return refuse(&problem);
    }
    let source = found.format.source(found.fields.clone());
    let (sample, judged) = judge.judge(source.as_ref())?;
    let scanned = Scanned::new(source.describe(), &sample, judged.clone(), found.left_out);
    print(args, &[scanned]);
    if args.manifest.is_none() {
        return Ok(Exit::Done);
    }
    let drafted = Drafted {
        places,
        found,
        sample: &sample,
        judged: &judged,
        input,
        by: "scan",
        caution: Caution::Ask,
        force: args.force,
    };
    if drafted.write(composed)?.is_none() {
        return Ok(Exit::Usage);
    }
    if !args.json {
        drafted.notes();
    }
    Ok(Exit::Done)
}

fn of_schema(
    args: &Args,
    composed: &Composed,
    judge: &Judge,
    database: &Database,
) -> anyhow::Result<Exit> {
    let login = database.login(composed)?;
    let tables = draft::tables(login.clone(), &args.schema)?;
    if tables.is_empty() {
        anyhow::bail!(
            "{login} has no table that the role may read in schema `{}`; name another one with \
            `--schema`, or grant the role USAGE and SELECT",
            args.schema.escape_debug()
        );
    }
    too_many(tables.len());
    let mut scanned = Vec::new();
    let mut all = true;
    for table in tables.iter().take(MAX_TABLES) {
        let found = match draft::discover(login.clone(), table) {
            Ok(found) => found,
            // One that cannot be read hides no other.
            Err(problem) => {
                say::note(&format!("not scanned: {problem:#}"));
                all = false;
                continue;
            }
        };
        let source = found.format.source(found.fields.clone());
        match judge.judge(source.as_ref()) {
            Ok((sample, judged)) => {
                let place = table.to_string();
                scanned.push(Scanned::new(place, &sample, judged, found.left_out));
            }
            Err(problem) => {
                say::note(&format!("not scanned: {table}: {problem:#}"));
                all = false;
            }
        }
    }
    print(args, &scanned);
    Ok(if all { Exit::Done } else { Exit::Failed })
}

/// All tables of a SQLite file, or one.
fn of_sqlite(args: &Args) -> anyhow::Result<Exit> {
    let file = &args.given.input;
    if args.manifest.is_some() {
        return refuse(
            "a SQLite file can be a sink but not a source, so there is no manifest to write of it",
        );
    }
    let judge = Judge::new(&Composed::new()?, &args.recogniser, args.seed)?;
    let tables = match &args.given.table {
        Some(table) => vec![table.clone()],
        None => sqlite::tables(file)?,
    };
    if tables.is_empty() {
        anyhow::bail!("{} has no table", file.display());
    }
    too_many(tables.len());
    let mut scanned = Vec::new();
    let mut all = true;
    for table in tables.iter().take(MAX_TABLES) {
        let looked = sqlite::sampled(file, table, judge.seed())
            .map_err(anyhow::Error::from)
            .and_then(|found| Ok((judge.judge_drawn(&found.fields, &found.sample)?, found)));
        match looked {
            Ok((judged, found)) => {
                let place = printable(&found.name);
                scanned.push(Scanned::new(place, &found.sample, judged, found.left_out));
            }
            // One that cannot be read hides no other.
            Err(problem) => {
                say::note(&format!("not scanned: {}: {problem:#}", printable(table)));
                all = false;
            }
        }
    }
    print(args, &scanned);
    Ok(if all { Exit::Done } else { Exit::Failed })
}

fn too_many(tables: usize) {
    if tables > MAX_TABLES {
        say::note(&format!(
            "only the first {MAX_TABLES} of {tables} tables are scanned; name others with `--table`"
        ));
    }
}

fn of_manifest(args: &Args, composed: &Composed, judge: &Judge) -> anyhow::Result<Exit> {
    let Some(text) = Text::read(&args.given.input) else {
        return Ok(Exit::Usage);
    };
    let Some(manifest) = text.manifest(composed) else {
        return Ok(Exit::Usage);
    };
    let source = match super::register::whole_source(&manifest, composed) {
        Ok(source) => source,
        Err(super::register::Unopened::Manifest(problems)) => {
            text.show(&problems);
            return Ok(Exit::Usage);
        }
        Err(super::register::Unopened::Source(error)) => return Err(error.into()),
    };
    let (sample, judged) = judge.judge(source.as_ref())?;
    print(args, &[Scanned::new(source.describe(), &sample, judged, 0)]);
    Ok(Exit::Done)
}

fn print(args: &Args, scanned: &[Scanned]) {
    match args.json {
        true => println!("{:#}", shown::json(scanned, args.seed)),
        false => print!("{}", shown::table(scanned, args.all)),
    }
}
