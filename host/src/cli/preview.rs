//! `glovebox preview`: the first rows through all steps, with nothing written.

use std::path::PathBuf;

use glovebox_engine::arm;

use super::Exit;
use super::cell::cell;
use super::manifest::Text;
use super::say;
use super::table::Table;
use crate::compose::Composed;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pipeline's manifest.
    manifest: PathBuf,
    /// How many rows to show.
    #[arg(short = 'n', long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rows: u32,
    /// Refuse plugin files without a pin; `glovebox plugin pin` writes pins.
    #[arg(long)]
    locked: bool,
}

pub(super) fn preview(args: &Args) -> anyhow::Result<Exit> {
    let composed = Composed::new()?;
    let Some(text) = Text::read(&args.manifest) else {
        return Ok(Exit::Usage);
    };
    let Some((manifest, plan)) = text.plan_locked(&composed, args.locked) else {
        return Ok(Exit::Usage);
    };
    if plan.gathers() {
        say::error(
            "a `gather:` step needs all rows, and a preview is of the first; ask with: glovebox query MANIFEST \
             'SELECT * FROM rows LIMIT 10'",
        );
        return Ok(Exit::Usage);
    }
    let armed = arm(&manifest, &plan, &composed).and_then(|steps| {
        let source = glovebox_engine::arm::source(&manifest, plan.source.clone(), &composed)?;
        Ok((steps, source))
    });
    let (steps, source) = match armed {
        Ok(armed) => armed,
        Err(problems) => {
            text.show(&problems);
            return Ok(Exit::Usage);
        }
    };
    let preview = glovebox_engine::preview(&plan, &steps, source.as_ref(), args.rows as usize)?;

    // What a release leaves of a cell is known once all rows are.
    let stored = plan.stored();
    let generalised = |name: &str| {
        plan.gate
            .as_ref()
            .is_some_and(|gate| gate.generalises(name))
    };
    let mut table = Table::new(stored.fields.iter().map(|f| f.name.to_string()));
    for batch in &preview.stored {
        for row in 0..batch.num_rows() {
            let cells = batch
                .columns()
                .iter()
                .zip(&plan.sink.fields)
                .take(stored.fields.len())
                .map(|(column, field)| match field.personal {
                    _ if generalised(&field.name) => Ok(Some("(generalised)".to_owned())),
                    true => Ok(Some("(personal)".to_owned())),
                    false => cell(column, field, row),
                })
                .collect::<anyhow::Result<Vec<_>>>()?;
            table.row(cells);
        }
    }
    print!("{table}");
    for reject in &preview.rejects {
        for violation in &reject.violations {
            let line = match (&reject.file, reject.line) {
                (Some(file), Some(line)) => format!(" ({file}, line {line})"),
                (Some(file), None) => format!(" ({file})"),
                (None, Some(line)) => format!(" (line {line})"),
                (None, None) => String::new(),
            };
            println!(
                "row {}{line} rejected by {}: {} ({})",
                reject.row, violation.step, violation.message, violation.rule
            );
        }
    }
    println!(
        "{} rows read, {} filtered, {} rejected; nothing was stored",
        preview.read,
        preview.filtered,
        preview.rejects.len()
    );
    Ok(Exit::Done)
}
