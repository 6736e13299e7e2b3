//! `glovebox proof show`: what a proof states, for a person.

use std::io::Write;
use std::path::PathBuf;

use glovebox_core::shown::printable;
use glovebox_proof::{Column, Gathered, KeyUsed, Opened, Predicate, Step, Touch, open, read};

use super::read::{pack, public_key};
use crate::cli::table::Table;
use crate::cli::{Exit, say};

#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// The proof
    file: PathBuf,
    /// The public key that signed it, as PEM; without it, anybody may have written the file
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    /// Print the signed statement as JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn run(&self) -> anyhow::Result<Exit> {
        let bytes = pack(&self.file)?;
        let key = self.public_key.as_deref().map(public_key).transpose()?;
        let opened = match &key {
            Some(key) => open(&bytes, key),
            None => read(&bytes),
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(refused) => {
                say::error(&format!("{}: {refused}", self.file.display()));
                return Ok(Exit::Failed);
            }
        };
        if self.json {
            println!("{}", serde_json::to_string_pretty(&opened.statement)?);
            return Ok(Exit::Done);
        }
        let mut out = Vec::new();
        write(&opened, key.is_some(), &mut out)?;
        print!("{}", String::from_utf8_lossy(&out));
        Ok(Exit::Done)
    }
}

fn write(opened: &Opened, verified: bool, out: &mut impl Write) -> std::io::Result<()> {
    let stated = &opened.statement.predicate;
    let run = &stated.run;
    match verified {
        true => writeln!(out, "signed by key {}", opened.key)?,
        false => writeln!(
            out,
            "NOT VERIFIED: it names key {}; give --public-key",
            short(&opened.key)
        )?,
    }
    let shown = |text: &str| printable(text);
    writeln!(
        out,
        "run       {} of {}",
        shown(&run.name),
        shown(&run.pipeline)
    )?;
    writeln!(
        out,
        "proven    {} by {}",
        shown(&run.proven),
        shown(&run.program)
    )?;
    writeln!(out, "manifest  sha256 {}", shown(&stated.manifest.sha256))?;
    writeln!(out, "from      {}", shown(&stated.source))?;
    writeln!(out, "to        {}", shown(&stated.sink))?;
    for subject in &opened.statement.subject {
        for (kind, digest) in &subject.digest {
            writeln!(
                out,
                "left      {}: {} {}",
                shown(&subject.name),
                shown(kind),
                shown(digest)
            )?;
        }
    }
    write_counts(stated, out)?;
    writeln!(out, "\n{}", columns(stated))?;
    writeln!(out, "{}", steps(&stated.steps))?;
    for reject in &stated.rejects {
        let rows = match reject.rows {
            1 => "1 row".to_owned(),
            rows => format!("{rows} rows"),
        };
        let column = reject.column.as_deref().unwrap_or("the row");
        let (step, rule) = (shown(&reject.step), shown(&reject.rule));
        writeln!(out, "rejected by {step}: {rule} {} ({rows})", shown(column))?;
    }
    let unmasked = stated.exemptions.iter().map(|e| ("let out unmasked", e));
    let register = stated.register_exemptions.iter();
    let register = register.map(|e| ("exempt from the register", e));
    for (what, exempt) in unmasked.chain(register) {
        let until = exempt.until.as_deref().unwrap_or("any day");
        writeln!(
            out,
            "{what}: {}, by {}, until {}: {}",
            shown(&exempt.column),
            shown(&exempt.owner),
            shown(until),
            shown(&exempt.reason)
        )?;
    }
    if let Some(release) = &stated.release {
        writeln!(out, "release")?;
        for (what, value) in release.as_object().into_iter().flatten() {
            writeln!(out, "  {:18} {}", shown(what), shown(&value.to_string()))?;
        }
    }
    if let Some(audit) = &stated.audit {
        writeln!(out, "audit log {}:{}", audit.record, shown(&audit.hash))?;
    }
    Ok(())
}

fn write_counts(stated: &Predicate, out: &mut impl Write) -> std::io::Result<()> {
    let rows = &stated.rows;
    let of = |which: fn(&Gathered) -> String| stated.gathers.iter().map(which).collect::<String>();
    let made = of(|gather| format!(" + {} made by {}", gather.made, printable(&gather.step)));
    let taken = of(|gather| format!(" + {} taken by {}", gather.taken, printable(&gather.step)));
    match (rows.read, rows.filtered, rows.rejected) {
        (Some(read), Some(filtered), Some(rejected)) => writeln!(
            out,
            "rows      {read} read{made} = {} stored + {filtered} filtered + {rejected} rejected{taken}",
            rows.stored
        )?,
        _ => writeln!(
            out,
            "rows      {} stored; fewer than k were filtered or rejected",
            rows.stored
        )?,
    }
    let Some(chunks) = stated.chunks.filter(|chunks| chunks.undigested > 0) else {
        return Ok(());
    };
    writeln!(
        out,
        "          {} of {} chunks without a digest of their rows: a run without `proof` stored them",
        chunks.undigested, chunks.count
    )
}

fn columns(stated: &Predicate) -> Table {
    let head = [
        "column",
        "from",
        "personal",
        "step",
        "method",
        "key",
        "may keep",
        "undone by",
    ];
    let mut table = Table::new(head.map(str::to_owned));
    let of = |column: &Column, touch: Option<&Touch>| {
        let whole = touch.cloned().unwrap_or_default();
        [
            column.name.clone(),
            column.source.clone().unwrap_or_else(|| "-".into()),
            if column.personal { "yes" } else { "no" }.into(),
            touch.map_or_else(|| "-".into(), |touch| touch.step.clone()),
            touch.map_or_else(|| untouched(column), method),
            whole.key.as_ref().map_or_else(|| "-".into(), key),
            guard(touch),
            whole.undone_by.unwrap_or_else(|| "-".into()),
        ]
    };
    for column in &stated.columns {
        if column.steps.is_empty() {
            table.words(of(column, None));
        }
        for touch in &column.steps {
            table.words(of(column, Some(touch)));
        }
    }
    table
}

/// What became of a column that no step masked or made.
fn untouched(column: &Column) -> String {
    match column.level {
        Some(level) => format!("generalised, level {} of {}", level.is, level.of),
        None => "as it came".into(),
    }
}

fn steps(steps: &[Step]) -> Table {
    let head = ["step", "does", "plugin", "sha256", "signed by"];
    let mut table = Table::new(head.map(str::to_owned));
    for step in steps {
        let signer = step.signed_by.clone();
        table.words([
            step.name.clone(),
            step.does.clone(),
            step.plugin.clone(),
            step.sha256.clone(),
            signer.unwrap_or_else(|| "-".into()),
        ]);
    }
    table
}

/// How a step made the cells.
pub(in crate::cli) fn method(touch: &Touch) -> String {
    let mut method = touch.method.clone();
    if let Some(iterations) = touch.iterations {
        method += &format!(" ({iterations} iterations)");
    }
    if !touch.made_of.is_empty() {
        method += &format!(", made of {}", touch.made_of.join(", "));
    }
    if !touch.inside.is_empty() {
        method += &format!(", only at {}", touch.inside.join(", "));
    }
    method
}

/// What the leak guard let stay.
pub(in crate::cli) fn guard(touch: Option<&Touch>) -> String {
    match touch {
        Some(touch) if touch.unguarded => "NOT GUARDED".into(),
        Some(touch) => touch.may_keep.clone().unwrap_or_else(|| "-".into()),
        None => "-".into(),
    }
}

/// A key by its name and version.
pub(in crate::cli) fn key(key: &KeyUsed) -> String {
    let mut text = key.name.clone();
    if key.version > 0 {
        text += &format!(" version {}", key.version);
    }
    if key.remote {
        text += ", which stays on its server";
    }
    text
}

fn short(id: &str) -> String {
    printable(&id.chars().take(16).collect::<String>())
}
