//! What happens to the rows that a target already holds, and in which order new ones arrive.

use serde_json::Value;

use crate::block::{Block, Reader, short};
use crate::declare::{self, At, Schema, Take, Words, words};
use crate::diagnostic::Diagnostic;
use crate::kinds::{OneOf, choice, word};
use crate::span::Spanned;

words! {
    /// What happens to the rows that a target already holds.
    pub enum Mode {
        /// They stay.
        Append = "append",
        /// They are removed, at the moment when the new ones appear.
        Replace = "replace",
        /// Those with the keys of a new row are updated; the others stay.
        Upsert = "upsert",
    }
}

impl Mode {
    /// Whether rows that were there may be other ones, or gone, after a run.
    pub fn replaces(self) -> bool {
        match self {
            Mode::Append => false,
            Mode::Replace | Mode::Upsert => true,
        }
    }
}

words! {
    /// Whether replacing rows may change other tables through foreign keys that cascade, triggers
    /// and rules.
    pub(super) enum SideEffects {
        /// A table with any of these is not replaced.
        Refuse = "refuse",
        /// They happen.
        Allow = "allow",
    }
}

words! {
    /// In which order rows are stored.
    pub(super) enum Order {
        /// Whatever is fastest.
        Any = "any",
        /// The source's.
        Source = "source",
    }
}

impl Take<SideEffects> for bool {
    fn take(word: Spanned<SideEffects>) -> bool {
        word.value == SideEffects::Allow
    }
}

impl Take<Order> for bool {
    fn take(word: Spanned<Order>) -> bool {
        word.value == Order::Source
    }
}

pub(super) const SIDE_EFFECTS: OneOf<SideEffects> = word::<SideEffects>().help(
    "write side-effects: refuse, or side-effects: allow to let foreign keys, triggers and rules of the table change others",
);

/// Those modes that a target has.
pub(super) struct Modes {
    name: &'static str,
    of: &'static [Mode],
    help: &'static str,
}

pub(super) const TABLE_MODE: Modes = Modes {
    name: "TableMode",
    of: &[Mode::Append, Mode::Replace, Mode::Upsert],
    help: "write mode: append to keep the rows that are there, mode: replace to exchange them all, or mode: upsert to exchange those with the same `keys:`",
};

pub(super) const FILE_MODE: Modes = Modes {
    name: "FileMode",
    of: &[Mode::Append, Mode::Replace],
    help: "write mode: append to keep the existing rows, or mode: replace to replace them all",
};

pub(super) const DELTA_MODE: Modes = Modes {
    name: "DeltaMode",
    of: &[Mode::Append, Mode::Replace],
    help: "write mode: append to keep the existing rows, or mode: replace to replace them all",
};

pub(super) const PARQUET_MODE: Modes = Modes {
    name: "ParquetMode",
    of: &[Mode::Replace],
    help: "write mode: replace, or write each run's rows to a separate file: many readers treat a \
          folder of them as one table",
};

impl Modes {
    fn words(&self) -> Vec<(&'static str, Mode, &'static str)> {
        let all = Mode::ALL.iter().copied();
        all.filter(|(_, mode, _)| self.of.contains(mode)).collect()
    }
}

impl declare::Kind for Modes {
    type Value = Mode;

    fn read(&self, reader: &mut Reader<'_>, at: &At<'_>) -> Option<Spanned<Mode>> {
        let text = reader.text(at.node, at.key, &at.example)?;
        let mode = Mode::ALL.iter().find(|(word, ..)| *word == text.value);
        let problem = match mode {
            Some((_, mode, _)) if self.of.contains(mode) => {
                return Some(Spanned::new(*mode, text.span));
            }
            Some((_, Mode::Upsert, _)) => "mode upsert needs a database: rows of a file cannot be \
                                          found by key"
                .to_owned(),
            Some(_) => "a Parquet file cannot be appended to".to_owned(),
            None => format!("unknown `mode`: `{}`", short(&text.value)),
        };
        reader.say(Diagnostic::error(text.span, problem).help(self.help));
        None
    }

    fn words(&self) -> String {
        let words = self.words();
        let words: Vec<String> = words.iter().map(|(w, ..)| format!("`{w}`")).collect();
        words.join(", ")
    }

    fn schema(&self, schema: &mut Schema) -> Value {
        schema.define(self.name, |_| choice(&self.words()))
    }
}

/// Complains of words by which rows may go, in modes that take none away.
pub(super) fn removals(reader: &mut Reader<'_>, block: &Block<'_>, mode: Option<&Mode>) {
    if let Some((_, span)) = block.get("replace-with-nothing")
        && mode != Some(&Mode::Replace)
    {
        reader.say(
            Diagnostic::error(span, "`replace-with-nothing` belongs to mode replace")
                .help("delete it: in the other modes a run without rows takes none away"),
        );
    }
    if let Some((_, span)) = block.get("side-effects")
        && mode == Some(&Mode::Append)
    {
        reader.say(
            Diagnostic::error(
                span,
                "`side-effects` belongs to the modes replace and upsert",
            )
            .help("delete it: mode append takes no rows away"),
        );
    }
}

/// Complains where `mode: upsert` and the columns by which it recognises a row do not go together.
pub(super) fn upserts(
    reader: &mut Reader<'_>,
    block: &Block<'_>,
    mode: Option<&Mode>,
    keys: Option<&Vec<Spanned<String>>>,
) {
    const EXAMPLE: &str = "keys: [customer_id]";
    match (block.get("keys"), mode) {
        (None, Some(Mode::Upsert)) => {
            reader.say(
                Diagnostic::error(
                    block.head.clone(),
                    "mode upsert needs keys to identify a row",
                )
                .help(format!("name the columns that identify a row: {EXAMPLE}")),
            );
        }
        (Some((node, _)), Some(Mode::Upsert)) if keys.is_none_or(Vec::is_empty) => {
            reader.say(
                Diagnostic::error(node.span.clone(), "mode upsert needs at least one key")
                    .help(format!("name the columns that identify a row: {EXAMPLE}")),
            );
        }
        (Some((_, span)), Some(Mode::Append | Mode::Replace)) => {
            reader.say(
                Diagnostic::error(span, "`keys` is only for mode upsert")
                    .help("delete it, or write mode: upsert"),
            );
        }
        _ => {}
    }
}
