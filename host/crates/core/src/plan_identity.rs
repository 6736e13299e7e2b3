//! What a run is known by in addition to its input: its plan, and which rows of the input it is for.
//!
//! A journal stores it as one text. Others may have edited that, so every text can be read: one that is
//! not understood is the digest of a plan that nobody has.

use std::fmt;

/// Before the digest of the rejects that a run is for.
const REJECTS: char = '+';
/// Before the run that rejected them.
const REJECTED_BY: char = '@';
/// Before the first row that a run is for.
const FROM: char = '>';

/// A plan, and the rows that it is for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlanIdentity {
    /// SHA-256 of all that decides what a row becomes, in hexadecimal.
    pub digest: String,
    /// Which rows of an input.
    pub rows: PlanRows,
}

/// Rows of an input.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PlanRows {
    /// All.
    #[default]
    All,
    /// Those from this one on, counted from 0; never 0.
    From(u64),
    /// Those that an earlier run rejected.
    Rejects {
        /// Digest of their numbers, in hexadecimal.
        digest: String,
        /// That run, if it is known.
        of: Option<String>,
    },
}

impl PlanIdentity {
    /// The same plan for the rows from this one on.
    #[must_use]
    pub fn beginning(self, row: u64) -> Self {
        let rows = match row {
            0 => PlanRows::All,
            row => PlanRows::From(row),
        };
        PlanIdentity { rows, ..self }
    }

    /// The first row that it is for; of rejects, 0.
    pub fn first_row(&self) -> u64 {
        match self.rows {
            PlanRows::From(row) => row,
            PlanRows::All | PlanRows::Rejects { .. } => 0,
        }
    }

    /// Digest of the rejects that it is for; none of a plan for rows of an input as they come.
    pub fn rejects(&self) -> Option<&str> {
        match &self.rows {
            PlanRows::Rejects { digest, .. } => Some(digest),
            PlanRows::All | PlanRows::From(_) => None,
        }
    }

    /// The run that rejected them, if that was known.
    pub fn rejects_of(&self) -> Option<&str> {
        match &self.rows {
            PlanRows::Rejects { of, .. } => of.as_deref(),
            PlanRows::All | PlanRows::From(_) => None,
        }
    }

    /// Whether the two are one but for the row that this one begins with.
    pub fn is_of(&self, whole: &PlanIdentity) -> bool {
        let rows = match &self.rows {
            PlanRows::From(_) => &PlanRows::All,
            rows @ (PlanRows::All | PlanRows::Rejects { .. }) => rows,
        };
        self.digest == whole.digest && *rows == whole.rows
    }
}

impl fmt::Display for PlanIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.digest)?;
        match &self.rows {
            PlanRows::All => Ok(()),
            PlanRows::From(row) => write!(f, "{FROM}{row}"),
            PlanRows::Rejects { digest, of: None } => write!(f, "{REJECTS}{digest}"),
            PlanRows::Rejects {
                digest,
                of: Some(of),
            } => write!(f, "{REJECTS}{digest}{REJECTED_BY}{of}"),
        }
    }
}

impl From<&str> for PlanIdentity {
    fn from(text: &str) -> Self {
        let of = |digest: &str, rows| PlanIdentity {
            digest: digest.to_owned(),
            rows,
        };
        if let Some((plan, rejects)) = text.split_once(REJECTS) {
            let (digest, run) = match rejects.split_once(REJECTED_BY) {
                Some((digest, run)) => (digest, Some(run.to_owned())),
                None => (rejects, None),
            };
            let digest = digest.to_owned();
            return of(plan, PlanRows::Rejects { digest, of: run });
        }
        if let Some((plan, row)) = text.split_once(FROM)
            && let Some(row) = row.parse().ok().filter(|row| *row > 0)
        {
            return of(plan, PlanRows::From(row));
        }
        of(text, PlanRows::All)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> PlanIdentity {
        text.into()
    }

    #[test]
    fn what_journals_hold_is_read_and_written_as_it_stands() {
        let run = "20261122T073921-6d0ec3a5b1f2";
        let of_run = format!("4f1a+09ab@{run}");
        for text in ["4f1a", "4f1a>15", "4f1a+09ab", &of_run, "", "4f1a>x", ">0"] {
            assert_eq!(read(text).to_string(), text);
        }
        let rejects = read(&of_run);
        assert_eq!(
            (rejects.digest.as_str(), rejects.rejects()),
            ("4f1a", Some("09ab"))
        );
        assert_eq!(rejects.rejects_of(), Some(run));
        assert_eq!(read("4f1a+09ab").rejects_of(), None);
        assert_eq!(
            (read("4f1a").rejects(), read("4f1a").first_row()),
            (None, 0)
        );
    }

    #[test]
    fn rows_from_one_on_are_of_the_plan_for_all() {
        let whole = read("4f1a");
        let rest = whole.clone().beginning(15);
        assert_eq!(
            (rest.to_string().as_str(), rest.first_row()),
            ("4f1a>15", 15)
        );
        assert!(rest.is_of(&whole) && whole.is_of(&whole) && !whole.is_of(&rest));
        assert!(!read("4f1b>15").is_of(&whole) && !read("4f1a+09ab").is_of(&whole));
        assert_eq!(whole.clone().beginning(0), whole);
    }
}
