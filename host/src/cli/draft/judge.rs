//! Looks at the columns of a source through recognisers, in a sample.

use std::path::PathBuf;

use glovebox_connectors::discover::{Sample, sample};
use glovebox_core::{Field, Limits, Source};
use glovebox_engine::Toolbox;
use glovebox_manifest::model::PluginRef;
use glovebox_scan::{CELLS, Recogniser, Verdict, look, weigh};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::say;
use crate::compose::Composed;

/// The standard plugin that recognises.
const STANDARD: &str = "personal-data";

/// Recognisers, and how they are shown cells.
pub(in crate::cli) struct Judge {
    recognisers: Vec<Recogniser>,
    seed: u64,
}

/// What a column seems to hold.
#[derive(Clone)]
pub(in crate::cli) struct Judged {
    /// The column.
    pub(in crate::cli) field: Field,
    /// Its cells that were looked at.
    pub(in crate::cli) cells: u64,
    /// Whether cells of its type are shown to recognisers at all.
    pub(in crate::cli) is_looked_at: bool,
    /// None if nothing speaks for personal data.
    pub(in crate::cli) verdict: Option<Verdict>,
}

impl Judge {
    /// The standard recogniser and one's own.
    ///
    /// # Errors
    /// When one is refused.
    pub(in crate::cli) fn new(
        composed: &Composed,
        own: &[PathBuf],
        seed: u64,
    ) -> anyhow::Result<Judge> {
        let limits = Limits::default();
        let standard = composed.plugin(&PluginRef::Standard(STANDARD.into()), &limits)?;
        let mut recognisers = vec![Recogniser::new(standard, glovebox_scan::config())?];
        for path in own {
            let plugin = PluginRef::File {
                path: path.clone(),
                sha256: None,
            };
            let plugin = composed.plugin(&plugin, &limits)?;
            recognisers.push(Recogniser::new(plugin, "{}".into())?);
        }
        Ok(Judge { recognisers, seed })
    }

    /// Draws a sample and looks at each of its columns.
    ///
    /// # Errors
    /// When the source cannot be read, or a recogniser fails.
    pub(in crate::cli) fn judge(
        &self,
        source: &dyn Source,
    ) -> anyhow::Result<(Sample, Vec<Judged>)> {
        let fields = &source.schema().fields;
        let bar = bar(fields.len());
        let drawn = sample(source, CELLS, self.seed, |rows| {
            bar.set_message(format!("{rows} rows"));
            bar.tick();
        })?;
        let judged = self.look(fields, &drawn, &bar)?;
        Ok((drawn, judged))
    }

    /// Looks at each column of rows that were drawn.
    ///
    /// # Errors
    /// When a recogniser fails.
    pub(in crate::cli) fn judge_drawn(
        &self,
        fields: &[Field],
        drawn: &Sample,
    ) -> anyhow::Result<Vec<Judged>> {
        self.look(fields, drawn, &bar(fields.len()))
    }

    /// Which rows are drawn.
    pub(in crate::cli) fn seed(&self) -> u64 {
        self.seed
    }

    fn look(
        &self,
        fields: &[Field],
        drawn: &Sample,
        bar: &ProgressBar,
    ) -> anyhow::Result<Vec<Judged>> {
        let mut judged = Vec::with_capacity(fields.len());
        for (place, field) in fields.iter().enumerate() {
            let looked = look(field, place, &drawn.batches, &self.recognisers)?;
            bar.inc(1);
            judged.push(Judged {
                field: field.clone(),
                cells: looked.cells,
                is_looked_at: looked.is_judged,
                verdict: weigh(&looked),
            });
        }
        bar.finish_and_clear();
        Ok(judged)
    }
}

fn bar(columns: usize) -> ProgressBar {
    if !say::is_terminal() || say::is_json() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(columns as u64);
    let template = "{spinner} {msg}  {pos} of {len} columns  {elapsed}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
