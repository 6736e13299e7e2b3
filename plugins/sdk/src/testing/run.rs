//! Runs a plugin on a table: opens it, applies it, and executes its answer as the host would. Keyed
//! methods are not computed, which only the host can do: compare the action instead.

use super::{Table, checks};
use crate::{
    Action, ConfigError, Field, Kept, Masker, OpenMasker, OpenTransformer, OpenValidator, RowMask,
    Rule, Target, Transformer, Validator,
};

/// Opens a validator with a `with:` block as JSON, and applies it to a table whose columns are all
/// granted.
///
/// # Errors
/// The plugin's own, for a `with:` block that it does not take.
#[track_caller]
pub fn validate<V: Validator>(config: &str, table: &Table) -> Result<Validated, ConfigError> {
    let open = OpenValidator::<V>::open(config, table.fields.clone())?;
    let (rules, findings) = (open.rules(), open.apply(&table.batch));
    for rule in &rules {
        let known = rule.column.is_none_or(|column| column < table.fields.len());
        assert!(
            known,
            "rule `{}` is about a column that was not granted",
            rule.id
        );
    }
    for (rule, rows) in &findings {
        assert!(
            (*rule as usize) < rules.len(),
            "a finding breaks rule {rule}, which is not announced"
        );
        let within = rows.last().is_none_or(|row| (*row as usize) < table.rows());
        assert!(within, "a finding is in a row that the batch does not have");
    }
    Ok(Validated { rules, findings })
}

/// What a validator said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validated {
    /// The rules that it announced.
    pub rules: Vec<Rule>,
    /// For each broken rule, by its place in `rules`, the rows that break it.
    pub findings: Vec<(u32, Vec<u32>)>,
}

impl Validated {
    /// Each row that breaks a rule with the rule's message, in the order of rows, then of rules.
    #[must_use]
    pub fn violations(&self) -> Vec<(u32, &str)> {
        let mut violations: Vec<(u32, u32, &str)> = Vec::new();
        for (rule, rows) in &self.findings {
            let message = self
                .rules
                .get(*rule as usize)
                .map_or("", |rule| rule.message.as_str());
            violations.extend(rows.iter().map(|row| (*row, *rule, message)));
        }
        violations.sort_unstable();
        violations
            .into_iter()
            .map(|(row, _, message)| (row, message))
            .collect()
    }
}

/// Opens a masker with a `with:` block as JSON, and applies it to the named columns of a table
/// whose columns are all granted.
///
/// # Errors
/// The plugin's own, for a `with:` block that it does not take.
#[track_caller]
pub fn mask<M: Masker>(config: &str, masks: &[&str], table: &Table) -> Result<Masked, ConfigError> {
    let place = |name: &&str| match table.fields.iter().position(|field| field.name == **name) {
        Some(place) => place as u32,
        None => panic!("there is no column `{name}` to mask"),
    };
    let mut places: Vec<u32> = masks.iter().map(place).collect();
    places.sort_unstable();
    let open = OpenMasker::<M>::open(config, table.fields.clone(), places)?;

    let (fields, rows) = (open.fields(), table.rows());
    let mut masked = Masked {
        table: table.clone(),
        actions: Vec::new(),
        keeps: open.keeps(),
    };
    for (before, after) in table.fields.iter().zip(&fields) {
        assert_eq!(before.name, after.name, "a masker may not rename a column");
    }
    for (place, action) in open.apply(&table.batch) {
        let Some(field) = fields.get(place as usize) else {
            continue;
        };
        masked.apply(field, &action, rows);
        masked.actions.push((field.name.clone(), action));
    }
    Ok(masked)
}

/// What a masker did.
#[derive(Clone, Debug, PartialEq)]
pub struct Masked {
    /// The table after it, but without the columns whose cells only the host can compute.
    pub table: Table,
    /// For each masked column its name and what the masker asked for.
    pub actions: Vec<(String, Action)>,
    /// For each masked column, in the table's order, which cells may be found whole in their masks.
    pub keeps: Vec<Kept>,
}

impl Masked {
    #[track_caller]
    fn apply(&mut self, field: &Field, action: &Action, rows: usize) {
        match action {
            Action::Replace(column) => {
                checks::column(column, field, rows);
                self.table.put(field.clone(), column.clone());
            }
            Action::Keyed(keyed) => {
                checks::target(&keyed.target, rows);
                self.table.remove(&field.name);
            }
            Action::Nullify(target) => {
                checks::target(target, rows);
                let name = &field.name;
                assert!(
                    field.nullable,
                    "cells of `{name}` become null, and it is not nullable"
                );
                match target {
                    Target::Cells => self.table.nullify(name, &RowMask::all(rows, true)),
                    Target::Rows(meant) => self.table.nullify(name, meant),
                    Target::Spans(_) => self.table.remove(name),
                }
            }
        }
    }
}

/// Opens a transformer with a `with:` block as JSON, applies it to a table whose columns are all
/// granted, and splices what it answers.
///
/// # Errors
/// The plugin's own, for a `with:` block that it does not take.
#[track_caller]
pub fn transform<T: Transformer>(
    config: &str,
    adds: &[Field],
    table: &Table,
) -> Result<Table, ConfigError> {
    let open = OpenTransformer::<T>::open(config, table.fields.clone(), adds.to_vec())?;
    let (fields, transformed) = (open.fields(), open.apply(&table.batch));
    for field in &fields {
        let granted = adds.iter().find(|granted| granted.name == field.name);
        let suits = granted.is_some_and(|granted| {
            granted.data_type == field.data_type && (granted.nullable || !field.nullable)
        });
        assert!(
            suits,
            "column `{}` is not added as the step's `adds:` has it",
            field.name
        );
    }
    assert_eq!(
        fields.len(),
        adds.len(),
        "the columns of `adds:` that are announced"
    );
    assert_eq!(
        fields.len(),
        transformed.columns.len(),
        "the columns that are answered with"
    );

    let mut table = table.clone();
    let rows = table.rows();
    for (field, column) in fields.into_iter().zip(transformed.columns) {
        checks::column(&column, &field, rows);
        table.put(field, column);
    }
    if let Some(keep) = &transformed.keep {
        checks::mask(keep, rows);
        table.keep(keep);
    }
    Ok(table)
}
