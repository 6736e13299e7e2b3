//! Masks undone: which step of a plan has made a column's values, and the cells they were made from.
//!
//! Refuses a column that no step, or more than one, encrypts: values then have no one origin.

use glovebox_core::{DataType, KeyError, Method, Refusal, Revealing, Secret, Token};

use crate::armed::{ArmedStep, Order, name_of};

/// A step that encrypts a column.
#[derive(Clone, Copy)]
pub struct Revealer<'a> {
    step: &'a ArmedStep<'a>,
    order: &'a Order,
    cells: DataType,
}

/// Why a column's values cannot be given back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevealError {
    /// No step masks it with a key.
    #[error("no step masks a column `{0}` with a key, so there is nothing to undo")]
    NotMasked(String),
    /// A step masks it for good.
    #[error("step `{step}` masks `{column}` by {method}, which nothing undoes")]
    OneWay {
        /// The step.
        step: String,
        /// The column.
        column: String,
        /// The method.
        method: &'static str,
    },
    /// More than one step encrypts it.
    #[error("several steps encrypt `{column}`: {steps}; name one with --step")]
    Several {
        /// The column.
        column: String,
        /// The steps.
        steps: String,
    },
}

impl<'a> Revealer<'a> {
    /// The step, or the one of this name, that encrypts the column.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn find(
        steps: &'a [ArmedStep<'a>],
        column: &str,
        step: Option<&str>,
    ) -> Result<Self, RevealError> {
        let named = |s: &&ArmedStep<'_>| step.is_none_or(|name| *s.planned.name == *name);
        let masking: Vec<Revealer<'a>> = steps
            .iter()
            .filter(named)
            .flat_map(|step| step.keyed.iter().map(move |order| (step, order)))
            .filter(|(step, order)| name_of(step.planned, order.column) == column)
            .filter_map(|(step, order)| {
                let cells = step.planned.grants.fields.get(order.column)?.data_type;
                Some(Revealer { step, order, cells })
            })
            .collect();
        let undone: Vec<_> = masking
            .iter()
            .filter(|r| r.order.method.is_undone())
            .collect();
        match (undone.as_slice(), masking.first()) {
            ([one], _) => Ok(**one),
            ([], None) => Err(RevealError::NotMasked(column.to_owned())),
            ([], Some(one)) => Err(RevealError::OneWay {
                step: one.step.planned.name.to_string(),
                column: column.to_owned(),
                method: one.order.method.name(),
            }),
            (several, _) => {
                let names = several.iter().map(|r| format!("`{}`", r.step.planned.name));
                Err(RevealError::Several {
                    column: column.to_owned(),
                    steps: names.collect::<Vec<_>>().join(", "),
                })
            }
        }
    }

    /// The step's name.
    pub fn step(&self) -> &'a str {
        &self.step.planned.name
    }

    /// The plugin's name for the key.
    pub fn key(&self) -> &'a str {
        &self.order.key
    }

    /// Whether another key opens the values than the one that has made them.
    pub fn is_sealed(&self) -> bool {
        self.order.method == Method::Seal
    }

    /// Whether they are tokens, which two officers open together.
    pub fn is_token(&self) -> bool {
        self.order.method == Method::Token
    }

    /// The tokens of these cells.
    ///
    /// # Errors
    /// When the key does not fit the method.
    pub fn tokens(&self, cells: &[&str]) -> Result<Vec<Token>, KeyError> {
        let column = name_of(self.step.planned, self.order.column);
        self.step.keys.tokens(&self.order.key, column, cells)
    }

    /// The cells from which these values were made, as text; by this version of the key alone, if it is named,
    /// and by the recipient's key, if they were sealed.
    ///
    /// # Errors
    /// When the key does not fit the method.
    pub fn reveal(
        &self,
        values: &[&str],
        version: Option<u32>,
        private: Option<&Secret>,
    ) -> Result<Vec<Result<Secret, Refusal>>, KeyError> {
        let revealing = Revealing {
            key: &self.order.key,
            method: &self.order.method,
            name: name_of(self.step.planned, self.order.column),
            cells: self.cells,
            version,
            private,
        };
        self.step.keys.reveal(&revealing, values)
    }
}
