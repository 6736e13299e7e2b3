//! Shows the cells of a column to recognisers, which are validators, and counts what they find. No
//! cell leaves: what comes back are the names of rules, which were fixed before the first cell, and
//! counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use glovebox_core::{
    Announced, Answer, Batch, DataType, Fault, Field, Grants, Instance, Origin, Plugin,
    PluginError, Schema,
};

/// Cells of a column that are looked at.
pub const CELLS: usize = 10_000;
/// Cells that one call gets,
const ROWS: usize = 2_048;
/// and bytes of them, about: far less than the memory of a recogniser.
const BYTES: usize = 4 << 20;

/// A validator whose rules are kinds.
pub struct Recogniser {
    plugin: Arc<dyn Plugin>,
    config: String,
}

/// What recognisers found in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// The column.
    pub name: Arc<str>,
    /// Its cells that were looked at: neither null nor empty.
    pub cells: u64,
    /// Whether recognisers could look at cells of its type.
    pub is_judged: bool,
    /// How many cells each rule was found in that was found at all.
    pub found: Vec<(Arc<str>, u64)>,
}

/// Why a recogniser is of no use.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// It is refused, or fails before it sees a cell.
    #[error("{0}")]
    Plugin(String),
    /// It is no validator.
    #[error("{0}: is no validator; a recogniser is a validator whose rules are kinds of data")]
    World(String),
    /// It failed over cells.
    #[error(transparent)]
    Fault(Fault),
    /// Cells could not be written as text.
    #[error("internal error: cells cannot be shown to recognisers")]
    Cells,
}

impl Recogniser {
    /// A plugin with its configuration.
    ///
    /// # Errors
    /// When it is no validator.
    pub fn new(plugin: Arc<dyn Plugin>, config: String) -> Result<Self, LookError> {
        match plugin.world() {
            glovebox_core::World::Validator => Ok(Recogniser { plugin, config }),
            _ => Err(LookError::World(plugin.name().to_owned())),
        }
    }

    fn open(&self, name: &str) -> Result<Opened, LookError> {
        let grants = Grants {
            fields: vec![Field::new(name, DataType::Text)],
            masks: Vec::new(),
            adds: Vec::new(),
        };
        let opened = self.plugin.open(&self.config, &grants);
        let instance = opened.map_err(|error| {
            LookError::Plugin(match error {
                PluginError::Config {
                    plugin, message, ..
                } => {
                    format!("{plugin}: refuses to be opened as a recogniser: {message}")
                }
                other => other.in_full(),
            })
        })?;
        let rules = match instance.announced() {
            Announced::Rules(rules) => rules.iter().map(|rule| Arc::clone(&rule.id)).collect(),
            _ => Vec::new(),
        };
        Ok(Opened {
            instance,
            rules,
            found: BTreeMap::new(),
        })
    }
}

struct Opened {
    instance: Box<dyn Instance>,
    rules: Vec<Arc<str>>,
    /// How many cells each rule was found in.
    found: BTreeMap<Arc<str>, u64>,
}

/// Looks at a column of the batches, at the first [`CELLS`] that are there.
///
/// # Errors
/// When a recogniser fails.
pub fn look(
    field: &Field,
    place: usize,
    batches: &[RecordBatch],
    recognisers: &[Recogniser],
) -> Result<Looked, LookError> {
    let mut looked = Looked {
        name: Arc::clone(&field.name),
        cells: 0,
        is_judged: is_shown(field.data_type),
        found: Vec::new(),
    };
    if !looked.is_judged {
        let columns = batches
            .iter()
            .filter_map(|batch| batch.columns().get(place));
        looked.cells = columns.map(|c| (c.len() - c.null_count()) as u64).sum();
        return Ok(looked);
    }
    let schema = Schema::new(vec![Field::new(Arc::clone(&field.name), DataType::Text)]);
    let mut opened = Vec::with_capacity(recognisers.len());
    for recogniser in recognisers {
        opened.push(recogniser.open(&field.name)?);
    }
    let mut left = CELLS;
    for column in batches
        .iter()
        .filter_map(|batch| batch.columns().get(place))
    {
        let mut from = 0;
        while let Some(cells) = texts(column, &mut from, left.min(ROWS)) {
            left -= cells.len();
            looked.cells += cells.len() as u64;
            let columns = vec![Arc::new(cells) as ArrayRef];
            let batch = RecordBatch::try_new(schema.to_arrow(), columns);
            let batch = Batch::new(batch.map_err(|_| LookError::Cells)?, Origin::contiguous(0));
            for opened in &mut opened {
                count(opened, &batch)?;
            }
        }
    }
    looked.found = found(&opened, looked.cells);
    Ok(looked)
}

/// What was found at the most, where several know a rule of that name, and in no more cells than there are.
fn found(opened: &[Opened], cells: u64) -> Vec<(Arc<str>, u64)> {
    let mut found: Vec<(Arc<str>, u64)> = Vec::new();
    for (rule, count) in opened.iter().flat_map(|opened| &opened.found) {
        let count = (*count).min(cells);
        match found.iter_mut().find(|(known, _)| known == rule) {
            Some((_, most)) => *most = (*most).max(count),
            None => found.push((Arc::clone(rule), count)),
        }
    }
    found
}

fn count(opened: &mut Opened, batch: &Batch) -> Result<(), LookError> {
    let answer = opened.instance.apply(batch).map_err(LookError::Fault)?;
    let Answer::Findings(findings) = answer else {
        return Ok(());
    };
    for finding in findings {
        let Some(rule) = opened.rules.get(finding.rule) else {
            continue;
        };
        *opened.found.entry(Arc::clone(rule)).or_default() += finding.rows.len() as u64;
    }
    Ok(())
}

/// Whether a text is empty, or a word that people write where they have nothing.
fn is_nothing(text: &str) -> bool {
    const NOTHING: [&str; 14] = [
        "-", "--", "?", ".", "na", "n/a", "#n/a", "nan", "nil", "none", "null", "\\n", "unknown",
        "tbd",
    ];
    let text = text.trim();
    text.is_empty()
        || NOTHING
            .iter()
            .any(|nothing| text.eq_ignore_ascii_case(nothing))
}

/// Whether cells of that type are shown to recognisers, as text.
fn is_shown(data_type: DataType) -> bool {
    use DataType::{Date, Int64, Text, Timestamp};
    matches!(data_type, Text | Int64 | Date | Timestamp)
}

/// The next cells that are neither null nor empty, up to so many, as text; none at the end.
fn texts(column: &ArrayRef, from: &mut usize, most: usize) -> Option<StringArray> {
    let mut cells = StringBuilder::new();
    let mut count = 0;
    let text = column.as_string_opt::<i32>();
    let days = column.as_primitive_opt::<Date32Type>();
    let times = column.as_primitive_opt::<TimestampMicrosecondType>();
    let numbers = column.as_primitive_opt::<Int64Type>();
    let mut bytes = 0;
    while *from < column.len() && count < most && bytes < BYTES {
        let row = *from;
        *from += 1;
        if column.is_null(row) {
            continue;
        }
        let day = || Some(days?.value_as_date(row)?.to_string());
        let time = || Some(times?.value_as_datetime(row)?.to_string());
        let number = || Some(numbers?.value(row).to_string());
        match text.map(|text| text.value(row)) {
            Some(cell) if is_nothing(cell) => continue,
            Some(cell) => {
                bytes += cell.len();
                cells.append_value(cell);
            }
            None => match day().or_else(time).or_else(number) {
                Some(cell) => cells.append_value(cell),
                None => continue,
            },
        }
        count += 1;
    }
    (count > 0).then(|| cells.finish())
}
