//! Something that is wrong with a log, and where.

use std::fmt;

use serde::Serialize;

/// The most findings that are listed; all are counted.
const MAX_LISTED: u64 = 100;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// The file, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            f.write_str(file)?;
            if let Some(line) = self.line {
                write!(f, ", line {line}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.problem)
    }
}

#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) list: Vec<Finding>,
    pub(super) wrong: u64,
    pub(super) notes: Vec<String>,
}

impl Findings {
    pub(super) fn of_a_line(&mut self, file: &str, line: u64, problem: impl Into<String>) {
        self.add(Some(file), Some(line), problem.into());
    }

    pub(super) fn of_a_file(&mut self, file: &str, problem: impl Into<String>) {
        self.add(Some(file), None, problem.into());
    }

    pub(super) fn of_the_log(&mut self, problem: impl Into<String>) {
        self.add(None, None, problem.into());
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    fn add(&mut self, file: Option<&str>, line: Option<u64>, problem: String) {
        self.wrong += 1;
        if self.wrong <= MAX_LISTED {
            self.list.push(Finding {
                file: file.map(Into::into),
                line,
                problem,
            });
        }
    }
}
