//! The table's name, and the schema that it resolves to.

use glovebox_core::{SinkError, TableName};

use super::Options;
use crate::database::{misfit, quote};

/// The longest name that PostgreSQL does not cut, in bytes.
pub(super) const MAX_NAME_LEN: usize = 63;

/// A table's name, with its schema where one was given.
pub(super) struct Name(TableName);

impl Name {
    pub(super) fn parse(options: &Options) -> Result<Self, SinkError> {
        let refuse = |problem: String| Err(misfit(options.place(), &[problem]));
        let name = match TableName::parse(&options.table) {
            Ok(name) => name,
            Err(problem) => return refuse(problem.into()),
        };
        if name.schema.as_deref() == Some(&options.journal) {
            let problem = "that schema holds the journal of runs; use a table in another schema";
            return refuse(problem.into());
        }
        let long = |part: &String| part.len() > MAX_NAME_LEN;
        if name.schema.iter().any(long) || long(&name.table) {
            return refuse(format!(
                "a name has at most {MAX_NAME_LEN} bytes in PostgreSQL"
            ));
        }
        Ok(Name(name))
    }

    pub(super) fn schema(&self) -> Option<&str> {
        self.0.schema.as_deref()
    }

    pub(super) fn table(&self) -> &str {
        &self.0.table
    }

    /// As it was written, as SQL has it.
    pub(super) fn quoted(&self) -> String {
        match self.schema() {
            Some(schema) => self.within(schema),
            None => quote(self.table()),
        }
    }

    /// Quoted, with the schema that it is in.
    pub(super) fn within(&self, schema: &str) -> String {
        format!("{}.{}", quote(schema), quote(self.table()))
    }
}
