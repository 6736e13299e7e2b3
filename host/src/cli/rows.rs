//! `glovebox rows`: what the sink's table holds, read back from the database.
//! Only for tables: files can be opened with any viewer.

use std::path::PathBuf;

use glovebox_engine::arm::sink_password;
use glovebox_manifest::model::SinkTarget;

use super::Exit;
use super::manifest::Text;
use super::table::Table;
use crate::compose::{Composed, head};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The pipeline's manifest; its sink must be a table.
    manifest: PathBuf,
    /// How many rows to show.
    #[arg(short = 'n', long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rows: u32,
}

pub(super) fn rows(args: &Args) -> anyhow::Result<Exit> {
    let composed = Composed::new()?;
    let Some(text) = Text::read(&args.manifest) else {
        return Ok(Exit::Usage);
    };
    let Some((manifest, plan)) = text.plan(&composed) else {
        return Ok(Exit::Usage);
    };
    let password = match sink_password(&manifest, &composed) {
        Ok(password) => password,
        Err(problems) => {
            text.show(&problems);
            return Ok(Exit::Usage);
        }
    };
    let stored = plan.stored();
    let columns: Vec<&str> = stored.fields.iter().map(|f| &*f.name).collect();
    let Some(found) = head(&manifest.sink.target, password, &columns, args.rows)? else {
        let how = match manifest.sink.target {
            SinkTarget::Delta(_) => "a Delta table; open it with a reader of those",
            _ => "a file; open it with any viewer",
        };
        eprintln!("error: the sink is {how}");
        return Ok(Exit::Usage);
    };
    let mut table = Table::new(columns.iter().map(ToString::to_string));
    for row in found {
        table.row(row);
    }
    print!("{table}");
    Ok(Exit::Done)
}
