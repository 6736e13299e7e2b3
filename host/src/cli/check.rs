//! `glovebox check`: every check of a manifest that needs no row.

use std::path::{Path, PathBuf};

use anyhow::Context;
use glovebox_core::shown::printable;
use glovebox_core::{Announced, Field, Keeps, Schema, Sink, Source};
use glovebox_engine::{ArmedStep, Plan, PlannedStep, SignedBy, arm, attack, sink_schema};
use glovebox_manifest::Manifest;
use glovebox_manifest::model::{PluginRef, Undeclared};

use super::announce::announce_short_keys;
use super::manifest::{Text, is_manifest};
use super::table::Table;
use super::{Exit, say};
use crate::compose::Composed;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pipeline's manifest, or a folder, all manifests of which are checked.
    manifest: PathBuf,
    /// Also connect to source and sink, look for columns of the source that the manifest does not
    /// mention, and try the rejects' folder; nothing is changed.
    #[arg(long)]
    connect: bool,
    /// Also look at a sample of the source's cells, and fail on a column that surely is personal and is
    /// not declared so.
    #[arg(long)]
    scan: bool,
    /// Also show what undoing each mask costs an attacker.
    #[arg(long)]
    explain: bool,
    /// Refuse plugins that are files without a pin; `glovebox plugin pin` writes pins.
    #[arg(long)]
    locked: bool,
}

pub(super) fn check(args: &Args) -> anyhow::Result<Exit> {
    let composed = Composed::new()?;
    if !args.manifest.is_dir() {
        return check_one(args, &args.manifest, &composed);
    }
    let mut worst = Exit::Done;
    for manifest in manifests(&args.manifest)? {
        println!("{}:", manifest.display());
        let exit = check_one(args, &manifest, &composed).unwrap_or_else(|error| {
            // One that fails hides no other.
            say::error(&format!("{}: {error:#}", manifest.display()));
            Exit::Failed
        });
        if worst == Exit::Done || exit == Exit::Usage {
            worst = exit;
        }
    }
    Ok(worst)
}

/// The manifests of a folder, in the order of their names.
fn manifests(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let unlisted = || format!("cannot list {}", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(unlisted)? {
        let path = entry.with_context(unlisted)?.path();
        if is_manifest(&path) && path.is_file() {
            found.push(path);
        }
    }
    anyhow::ensure!(
        !found.is_empty(),
        "{} has no manifest: no file in it ends in .yaml or .yml",
        folder.display()
    );
    found.sort();
    Ok(found)
}

fn check_one(args: &Args, path: &Path, composed: &Composed) -> anyhow::Result<Exit> {
    let Some(text) = Text::read(path) else {
        return Ok(Exit::Usage);
    };
    let Some((manifest, plan)) = text.plan_locked(composed, args.locked) else {
        return Ok(Exit::Usage);
    };
    let mut problems = Vec::new();
    let steps = arm(&manifest, &plan, composed);
    let steps = steps.unwrap_or_else(|found| {
        problems.extend(found);
        Vec::new()
    });
    let source = glovebox_engine::arm::source(&manifest, plan.source.clone(), composed)
        .map_err(|found| problems.extend(found))
        .ok();
    let sink = glovebox_engine::arm::gated_sink(&manifest, &plan, composed)
        .map_err(|found| problems.extend(found))
        .ok();
    problems.extend(
        glovebox_engine::arm::recipients(&manifest, composed)
            .err()
            .into_iter()
            .flatten(),
    );
    if !problems.is_empty() {
        text.show(&problems);
        return Ok(Exit::Usage);
    }
    let missing = on_disk(&manifest, source.as_deref());
    if !missing.is_empty() {
        for problem in missing {
            say::error(&problem);
        }
        return Ok(Exit::Failed);
    }
    let piped = manifest.source.reads_stdin();
    if piped {
        println!("source  standard input: not checked, since it can be read only once");
    }
    announce_short_keys(&steps);
    if args.connect {
        let source = source.filter(|_| !piped);
        if let Some(source) = &source {
            source.probe()?;
            if !mentions_all(&manifest, source.as_ref())? {
                return Ok(Exit::Failed);
            }
        }
        let keeps = Keeps {
            sealed: manifest.rejects.sealed.is_some(),
            tokens: steps.iter().any(ArmedStep::makes_tokens),
        };
        connect(&manifest, &sink_schema(&plan, &steps), keeps, source, sink)?;
    }
    if args.scan && piped {
        say::error(
            "`--scan` cannot look at standard input, which can be read only once; scan a file of the same rows",
        );
        return Ok(Exit::Usage);
    }
    if args.scan && !holds_to_it(&text, &manifest, composed)? {
        return Ok(Exit::Failed);
    }
    summary(args, &manifest, &plan, &steps);
    println!("{} is valid", path.display());
    Ok(Exit::Done)
}

/// What the steps do, and what is stored.
fn summary(args: &Args, manifest: &Manifest, plan: &Plan, steps: &[ArmedStep<'_>]) {
    for (written, step) in manifest.steps.iter().zip(&plan.steps) {
        println!(
            "step    {}: {} ({}){}",
            step.name,
            step.title(),
            step.plugin.world(),
            provenance(&written.plugin, step.signed_by.as_ref())
        );
        masks(step);
    }
    if args.explain {
        print!("\n{}\n", costs(manifest, steps));
    }
    let stored = plan.stored();
    let columns: Vec<String> = stored
        .fields
        .iter()
        .map(|f| format!("{} {}", f.name, f.data_type))
        .collect();
    println!("stores  {}", columns.join(", "));
    if !args.connect {
        println!(
            "databases were not contacted, and of files only the beginning was read; \
                 --connect checks more"
        );
    }
}

/// Asks source, sink and rejects' folder whether they are fit for a run.
fn connect(
    manifest: &Manifest,
    stored: &Schema,
    keeps: Keeps,
    source: Option<Box<dyn Source>>,
    sink: Option<Box<dyn Sink>>,
) -> anyhow::Result<()> {
    let mut natives = Vec::new();
    if let Some(source) = source {
        natives = source.natives();
        println!("source  {}: has the declared columns", source.describe());
    }
    if let Some(mut sink) = sink {
        let notes = sink.probe(&stored.clone().with_natives(&natives), keeps)?;
        println!("sink    {}: accepts the rows", sink.describe());
        for note in notes {
            println!("        {note}");
        }
    }
    let rejects = &manifest.rejects.path;
    glovebox_engine::probe_rejects(rejects)?;
    println!("rejects {}: can be written", rejects.display());
    if let Some(sealed) = &manifest.rejects.sealed {
        glovebox_engine::probe_rejects(&sealed.path)?;
        println!("sealed  {}: can be written", sealed.path.display());
    }
    Ok(())
}

/// Names the columns of the source that the manifest does not mention; whether it may have them.
fn mentions_all(manifest: &Manifest, source: &dyn Source) -> anyhow::Result<bool> {
    const SHOWN: usize = 20;
    // The name of a declared column is that column, whatever the source calls it.
    let declared = |name: &str| manifest.columns.iter().any(|c| c.name.value == name);
    let exempt =
        |name: &str| !declared(name) && manifest.exemptions.iter().any(|e| e.column.value == name);
    let undeclared = source.undeclared()?;
    let names: Vec<&str> = undeclared.iter().map(Field::source_name).collect();
    let idle = manifest.exemptions.iter().map(|e| e.column.value.as_str());
    for idle in idle.filter(|name| !declared(name) && !names.contains(name)) {
        say::note(&format!(
            "the exemption of `{}` is for no column that was found in the source; delete it if it is misspelt or the \
             column is gone, since one that came back would be exempt",
            printable(idle)
        ));
    }
    let strangers: Vec<&&str> = names.iter().filter(|name| !exempt(name)).collect();
    if strangers.is_empty() {
        return Ok(true);
    }
    let shown = strangers.iter().take(SHOWN);
    let mut list: Vec<String> = shown.map(|name| format!("`{}`", printable(name))).collect();
    if strangers.len() > SHOWN {
        list.push(format!("and {} more", strangers.len() - SHOWN));
    }
    let said = format!(
        "the source has columns that the manifest does not mention: {}; declare each under \
        `columns`, with `personal: true` if it is, or list it under `exemptions`",
        list.join(", ")
    );
    let refused = manifest.undeclared == Undeclared::Refuse;
    match refused {
        true => say::error(&format!("{said} (`undeclared: refuse`)")),
        false => say::note(&said),
    }
    Ok(!refused)
}

/// Whether no column surely is personal that is not declared so, by a look at cells.
#[cfg(feature = "init")]
fn holds_to_it(text: &Text, manifest: &Manifest, composed: &Composed) -> anyhow::Result<bool> {
    use super::register::{Unopened, suspects, whole_source};

    let source = match whole_source(manifest, composed) {
        Ok(source) => source,
        Err(Unopened::Manifest(problems)) => {
            text.show(&problems);
            return Ok(false);
        }
        Err(Unopened::Source(error)) => return Err(error.into()),
    };
    let judge = super::draft::Judge::new(composed, &[], 0)?;
    let (_, judged) = judge.judge(source.as_ref())?;
    let unseen = judged
        .iter()
        .filter(|column| !column.is_looked_at || column.cells == 0);
    let unseen: Vec<String> = unseen
        .map(|column| format!("`{}`", printable(&column.field.name)))
        .collect();
    if !unseen.is_empty() {
        say::note(&format!(
            "nothing is known of {}: no cell was there, or none of a type that recognisers are shown",
            unseen.join(", ")
        ));
    }
    let suspects = suspects(manifest, &judged);
    for said in &suspects.asked {
        say::note(said);
    }
    for said in &suspects.refused {
        say::error(said);
    }
    if suspects.refused.is_empty() && suspects.asked.is_empty() {
        println!(
            "scanned {}: nothing was found in other columns than those declared personal",
            source.describe()
        );
    }
    Ok(suspects.refused.is_empty())
}

#[cfg(not(feature = "init"))]
fn holds_to_it(_: &Text, _: &Manifest, _: &Composed) -> anyhow::Result<bool> {
    anyhow::bail!(crate::without::INIT.refusal())
}

/// What a run needs and is not there, as far as files tell.
fn on_disk(manifest: &Manifest, source: Option<&dyn Source>) -> Vec<String> {
    let mut missing = Vec::new();
    let mut look = |found: Result<(), String>| missing.extend(found.err());
    look(source.map_or(Ok(()), |s| s.is_there().map_err(|e| e.to_string())));
    #[cfg(feature = "postgres")]
    for authorities in crate::compose::authorities(manifest) {
        look(glovebox_connectors::postgres::check_authorities(
            authorities,
        ));
    }
    let sink = manifest.sink.target.path().and_then(|path| path.parent());
    if let Some(folder) = sink.filter(|f| !f.as_os_str().is_empty() && !f.is_dir()) {
        let folder = folder.display();
        look(Err(format!(
            "the sink's folder {folder} does not exist; create it, or correct the sink's `path`"
        )));
    }
    let sealed = manifest.rejects.sealed.as_ref().map(|sealed| &sealed.path);
    for path in [&manifest.rejects.path].into_iter().chain(sealed) {
        let rejects = glovebox_engine::probe_rejects(path);
        look(rejects.map_err(|e| e.to_string()));
    }
    missing
}

/// What undoing each mask costs.
fn costs(manifest: &Manifest, steps: &[ArmedStep<'_>]) -> Table {
    let head = ["column", "kind", "step", "mask", "undone by"];
    let mut table = Table::new(head.map(str::to_owned));
    for cost in attack::costs(manifest, steps) {
        let kind = cost
            .kind
            .map_or_else(|| "-".into(), |kind| kind.to_string());
        table.words([cost.column, kind, cost.step, cost.mask, cost.undone_by]);
    }
    table
}

/// What is known of where a plugin comes from.
fn provenance(plugin: &PluginRef, signed_by: Option<&SignedBy>) -> String {
    let PluginRef::File { sha256, .. } = plugin else {
        return String::new();
    };
    let mut known = match sha256 {
        Some(_) => ", pinned".to_owned(),
        None => ", not pinned".to_owned(),
    };
    if let Some(signed) = signed_by {
        known += &format!(", signed by key {}", signed.key);
        if !signed.comment.is_empty() {
            known += &format!(" with the comment \"{}\"", signed.comment);
        }
    }
    known
}

/// What each masked column's mask may hold, and whether the leak guard sees to it.
fn masks(step: &PlannedStep) {
    let Announced::Masked { keeps, .. } = &step.announced else {
        return;
    };
    for (column, declared) in step.grants.masks.iter().zip(keeps) {
        let Some(field) = step.grants.fields.get(*column) else {
            continue;
        };
        let guarded = step.guarded.iter().find(|g| g.column == *column);
        match guarded {
            Some(guarded) => println!("        {}: {}", field.name, guarded.kept),
            None if step.unguarded.contains(&field.name) => println!(
                "        {}: {declared}; NOT GUARDED, since `leak-guard` is off",
                field.name
            ),
            None => println!("        {}: {declared}; not guarded", field.name),
        }
    }
}
