//! Validators: the trait, its rules and findings, and the glue to the contract. A finding is a
//! rule's number and row numbers, and rules are fixed before the first row, so no data can be
//! returned.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::bindings::exports::glovebox::plugin::{plugin, validator};
use crate::bindings::glovebox::plugin::columns;
use crate::{About, Batch, ConfigError, Field, config};

/// Says which rows break which rules.
pub trait Validator: Sized + 'static {
    /// The step's `with:` block. Derive `Deserialize` and `JsonSchema`, with
    /// `#[serde(deny_unknown_fields, rename_all = "kebab-case")]`.
    type Config: DeserializeOwned + JsonSchema;

    /// The plugin's name, version and manual.
    const ABOUT: About;

    /// Makes a validator of a step, before it has seen a row. `fields` are the granted fields, in
    /// manifest order.
    ///
    /// # Errors
    /// When options contradict each other or do not suit the types of the fields.
    fn open(config: Self::Config, fields: &[Field]) -> Result<Self, ConfigError>;

    /// The rules, which findings refer to by their place here. Asked for once.
    fn rules(&self) -> Vec<Rule>;

    /// Adds what is wrong with a batch to `findings`.
    fn apply(&self, batch: &Batch<'_>, findings: &mut Findings);
}

/// Something that rows have to fulfil.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What rejects and reports call it, such as `required`.
    pub id: String,
    /// The column that it is about, as an index into the fields given to `open`; `None` for a rule
    /// about whole rows.
    pub column: Option<usize>,
    /// What a row that breaks it is told; names the column, and nothing that only rows know.
    pub message: String,
}

impl Rule {
    /// A rule about one column, given as an index into the fields given to `open`.
    pub fn of_column(id: impl Into<String>, column: usize, message: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            column: Some(column),
            message: message.into(),
        }
    }

    /// A rule about whole rows.
    pub fn of_rows(id: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            column: None,
            message: message.into(),
        }
    }
}

/// Collects which rows of a batch break which rules.
#[derive(Clone, Debug, Default)]
pub struct Findings(Vec<Vec<u32>>);

impl Findings {
    /// Says that a row of the batch, counted from 0, breaks a rule, given by its place in
    /// [`Validator::rules`]. A row said twice counts once.
    #[inline]
    pub fn add(&mut self, rule: usize, row: usize) {
        let Ok(row) = u32::try_from(row) else { return };
        if self.0.len() <= rule {
            self.0.resize_with(rule.saturating_add(1), Vec::new);
        }
        if let Some(rows) = self.0.get_mut(rule) {
            rows.push(row);
        }
    }

    /// Says that all of a batch's rows break a rule.
    pub fn add_all(&mut self, rule: usize, batch: &Batch<'_>) {
        (0..batch.rows()).for_each(|row| self.add(rule, row));
    }

    /// Rules that were broken, each with its rows in ascending order.
    fn finish(self) -> Vec<(u32, Vec<u32>)> {
        let rules = (0_u32..).zip(self.0);
        let broken = rules.filter(|(_, rows)| !rows.is_empty());
        broken
            .map(|(rule, mut rows)| {
                if !rows.is_sorted_by(|before, after| before < after) {
                    rows.sort_unstable();
                    rows.dedup();
                }
                (rule, rows)
            })
            .collect()
    }
}

/// A validator that was opened, with the fields of its step.
#[doc(hidden)]
pub struct OpenValidator<T> {
    plugin: T,
    fields: Vec<Field>,
}

impl<T: Validator> OpenValidator<T> {
    /// As the contract's `open`.
    pub fn open(config: &str, fields: Vec<Field>) -> Result<Self, ConfigError> {
        let plugin = T::open(config::parse(config)?, &fields)?;
        Ok(Self { plugin, fields })
    }

    /// As the contract's `rules`.
    pub fn rules(&self) -> Vec<Rule> {
        self.plugin.rules()
    }

    /// As the contract's `apply`.
    pub fn apply(&self, batch: &columns::Batch) -> Vec<(u32, Vec<u32>)> {
        let mut findings = Findings::default();
        self.plugin
            .apply(&Batch::new(&self.fields, batch), &mut findings);
        findings.finish()
    }
}

impl<T: Validator> plugin::Guest for OpenValidator<T> {
    fn describe() -> plugin::About {
        T::ABOUT.describe::<T::Config>()
    }
}

impl<T: Validator> validator::Guest for OpenValidator<T> {
    type Check = Self;
}

impl<T: Validator> validator::GuestCheck for OpenValidator<T> {
    fn open(config: String, fields: Vec<Field>) -> Result<validator::Check, plugin::ConfigError> {
        Ok(validator::Check::new(Self::open(&config, fields)?))
    }

    fn rules(&self) -> Vec<validator::Rule> {
        let rules = Self::rules(self).into_iter();
        rules
            .map(
                |Rule {
                     id,
                     column,
                     message,
                 }| {
                    // No column has an index past u32; the host refuses this one by its grant.
                    let column = column.map(|index| u32::try_from(index).unwrap_or(u32::MAX));
                    validator::Rule {
                        id,
                        column,
                        message,
                    }
                },
            )
            .collect()
    }

    fn apply(&self, batch: columns::Batch) -> Vec<validator::Finding> {
        let findings = Self::apply(self, &batch).into_iter();
        findings
            .map(|(rule, rows)| validator::Finding { rule, rows })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_ascend_whatever_the_order_of_adding() {
        let mut findings = Findings::default();
        for (rule, row) in [(2, 5), (2, 1), (0, 3), (2, 5)] {
            findings.add(rule, row);
        }
        assert_eq!(findings.finish(), [(0, vec![3]), (2, vec![1, 5])]);
    }
}
