//! What mutants come from: standard plugins and hostile guests, each with a step that it fits.

use std::path::{Path, PathBuf};

use glovebox_core::{DataType, Field, Grants};

use crate::sections::without_custom;

/// A component that loads and runs, and what it is opened with.
#[derive(Debug, Clone)]
pub(crate) struct Seed {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    pub(crate) config: &'static str,
    pub(crate) grants: Grants,
}

/// All seeds, read from the target folder.
#[derive(Debug, Clone)]
pub struct Seeds(pub(crate) Vec<Seed>);

/// A seed that is not there.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {problem}; build plugins and guests first: cargo xtask plugins", file.display())]
pub struct SeedError {
    file: PathBuf,
    problem: std::io::Error,
}

/// Which columns a seed's step grants.
#[derive(Clone, Copy)]
enum Step {
    /// Reads all columns.
    Reads,
    /// Reads the text column alone.
    ReadsText,
    /// Reads all columns and masks the text.
    Masks,
    /// Reads all columns and adds one of this type.
    Adds(DataType),
}

const STANDARD: [(&str, &str, Step); 8] = [
    ("required", "{}", Step::Reads),
    ("length", r#"{"min":1,"max":9}"#, Step::ReadsText),
    (
        "allowed-values",
        r#"{"values":["Lyon","Paris"]}"#,
        Step::ReadsText,
    ),
    ("redact", "{}", Step::Masks),
    ("partial", r#"{"mask-last":4}"#, Step::Masks),
    ("pseudonym", r#"{"method":"hmac-sha256"}"#, Step::Masks),
    ("generalize", r#"{"prefix":2}"#, Step::Masks),
    ("row-id", r#"{"prefix":"cust"}"#, Step::Adds(DataType::Text)),
];

const GUESTS: [(&str, &str, Step); 9] = [
    ("is_honest", "{}", Step::Reads),
    ("finds_out_of_range", r#"{"act":"row"}"#, Step::Reads),
    ("aliases_one_buffer", "{}", Step::Reads),
    ("reads_wild", "{}", Step::Reads),
    ("points_at_bad_spans", r#"{"act":"past"}"#, Step::Masks),
    ("names_another_key", "{}", Step::Masks),
    ("returns_bad_offsets", r#"{"act":"falling"}"#, Step::Masks),
    ("echoes", r#"{"act":"keep"}"#, Step::Adds(DataType::Int64)),
    ("returns_extremes", "{}", Step::Adds(DataType::Float64)),
];

impl Seeds {
    /// Reads them from a target folder, such as `target`.
    ///
    /// # Errors
    /// When one of them was not built.
    pub fn read(target: &Path) -> Result<Seeds, SeedError> {
        let standard = target.join("plugins");
        let guests = target.join("wasm32-wasip2/plugin/examples");
        let named = (STANDARD.iter().map(|seed| (&standard, seed)))
            .chain(GUESTS.iter().map(|seed| (&guests, seed)));
        named
            .map(|(folder, &(name, config, step))| {
                let file = folder.join(format!("{name}.wasm"));
                let bytes = std::fs::read(&file).map_err(|problem| SeedError { file, problem })?;
                Ok(Seed {
                    name,
                    bytes: without_custom(&bytes),
                    config,
                    grants: step.grants(),
                })
            })
            .collect::<Result<_, _>>()
            .map(Seeds)
    }
}

impl Step {
    fn grants(self) -> Grants {
        let text = Field::new("city", DataType::Text);
        let number = Field::new("number", DataType::Int64);
        let mut grants = Grants {
            fields: vec![text, number],
            masks: Vec::new(),
            adds: Vec::new(),
        };
        match self {
            Step::Reads => {}
            Step::ReadsText => grants.fields.truncate(1),
            Step::Masks => grants.masks.push(0),
            Step::Adds(data_type) => grants.adds.push(Field::new("new", data_type)),
        }
        grants
    }
}
