//! The levels of a column, as the manifest or a file says them.

use std::path::PathBuf;

use glovebox_manifest::diagnostic::Diagnostic;
use glovebox_manifest::model::{self, Generalise, Spanned};
use glovebox_release::{DatePart, Hierarchy, HierarchyError};
use sha2::{Digest, Sha256};

/// A file of a hierarchy is not larger.
const MAX_HIERARCHY: u64 = 64 << 20;

/// The levels of a column; what tells a file's from others goes into the digest.
pub(super) fn hierarchy(
    name: &Spanned<String>,
    by: &Generalise,
    digest: &mut Sha256,
) -> Result<Hierarchy, Box<Diagnostic>> {
    let made = match by {
        Generalise::Values => Ok(Hierarchy::values()),
        Generalise::Width(widths) => Hierarchy::widths(widths.clone()),
        Generalise::Date(parts) => {
            Hierarchy::dates(parts.iter().map(|part| date_part(*part)).collect())
        }
        Generalise::Prefix(lengths) => {
            let lengths = lengths
                .iter()
                .map(|n| usize::try_from(*n).unwrap_or(usize::MAX));
            Hierarchy::prefixes(lengths.collect())
        }
        Generalise::Listed(file) => return listed(file, digest),
    };
    made.map_err(|error| {
        let problem = Diagnostic::error(
            name.span.clone(),
            format!("the levels of `{}`: {error}", name.value),
        );
        Box::new(problem.help(match by {
            Generalise::Width(_) => {
                "write each width as a multiple of the one before, like width: [1, 5, 20]"
            }
            Generalise::Date(_) => {
                "write longer and longer parts, like date: [month, year, decade]"
            }
            _ => "write fewer and fewer characters, like prefix: [5, 3, 1]",
        }))
    })
}

fn date_part(part: model::DatePart) -> DatePart {
    match part {
        model::DatePart::Day => DatePart::Day,
        model::DatePart::Month => DatePart::Month,
        model::DatePart::Quarter => DatePart::Quarter,
        model::DatePart::Year => DatePart::Year,
        model::DatePart::Decade => DatePart::Decade,
    }
}

/// Reads a hierarchy's file.
fn listed(file: &Spanned<PathBuf>, digest: &mut Sha256) -> Result<Hierarchy, Box<Diagnostic>> {
    let refused = |problem: String| {
        let problem = Diagnostic::error(
            file.span.clone(),
            format!("{}: {problem}", file.value.display()),
        );
        Box::new(problem.help("write a line a value: the value, what it becomes at the next level, and so on, separated by `;`"))
    };
    let text = glovebox_files::bounded::read_text(&file.value, MAX_HIERARCHY);
    let text = text.map_err(|e| refused(format!("cannot be read: {e}")))?;
    digest.update((text.len() as u64).to_be_bytes());
    digest.update(text.as_bytes());
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader
        .has_headers(false)
        .flexible(true)
        .delimiter(b';')
        .from_reader(text.as_bytes());
    let mut lines = Vec::new();
    for record in reader.records() {
        // Its own message could hold a value.
        let record =
            record.map_err(|_| refused(format!("line {} cannot be read", lines.len() + 1)))?;
        lines.push(record.iter().map(str::to_owned).collect::<Vec<_>>());
    }
    Hierarchy::listed(&lines).map_err(|error: HierarchyError| refused(error.to_string()))
}
