//! `glovebox risk`: how likely somebody is found in a file or table, measured and not changed.

use std::path::Path;

use anyhow::Context;
use glovebox_connectors::discover::{Found, discover};
use glovebox_core::Field;
use glovebox_engine::{Measure, Risk, arm};
use glovebox_manifest::Manifest;
use glovebox_manifest::model::SinkTarget;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::bars::bar;
use super::draft::{self, Database, Given, NO_TABLE, refuse};
use super::manifest::{Text, is_manifest};
use super::table::Table;
use super::{Exit, say};
use crate::compose::{Composed, combinations};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    given: Given,
    /// The columns by which somebody could be recognised; of a manifest, by default those of its `release`.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    quasi: Vec<String>,
    /// The columns whose values must not be known of anybody.
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    sensitive: Vec<String>,
    /// The column that says whom a row is about, where several can be about one.
    #[arg(long, value_name = "COLUMN")]
    entity: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The columns that are looked at.
struct Columns {
    quasi: Vec<String>,
    sensitive: Vec<String>,
    entity: Option<String>,
}

pub(super) fn risk(args: &Args) -> anyhow::Result<Exit> {
    let mut columns = Columns {
        quasi: args.quasi.clone(),
        sensitive: args.sensitive.clone(),
        entity: args.entity.clone(),
    };
    let of = &args.given.input;
    let measured = match Database::asked_for(&args.given) {
        Err(problem) => return refuse(&problem),
        Ok(Some((_, None))) => return refuse(NO_TABLE),
        Ok(Some(_)) if columns.is_empty() => return Ok(Exit::Usage),
        Ok(Some((database, Some(table)))) => {
            let found = draft::discover(database.login(&Composed::new()?)?, &table)?;
            of_found(&found, &table.to_string(), &columns)?
        }
        Ok(None) if is_manifest(of) => {
            let composed = Composed::new()?;
            let Some(text) = Text::read(of) else {
                return Ok(Exit::Usage);
            };
            let Some(manifest) = text.manifest(&composed) else {
                return Ok(Exit::Usage);
            };
            columns.by(&manifest);
            if columns.is_empty() {
                return Ok(Exit::Usage);
            }
            match of_sink(&manifest, &columns, &composed) {
                Ok(measured) => measured?,
                Err(problems) => {
                    text.show(&problems);
                    return Ok(Exit::Usage);
                }
            }
        }
        Ok(None) if columns.is_empty() => return Ok(Exit::Usage),
        Ok(None) => of_file(of, args.given.says_header(), &columns)?,
    };
    let Some((measure, unread)) = measured else {
        return Ok(Exit::Usage);
    };
    let told = Told::of(&measure.risk(), &columns, unread);
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&told).context("JSON")?),
        false => print!("{}", told.text()),
    }
    Ok(Exit::Done)
}

impl Columns {
    /// Takes what the call does not say from the manifest's release.
    fn by(&mut self, manifest: &Manifest) {
        let Some(gate) = &manifest.gate else {
            return;
        };
        if self.quasi.is_empty() {
            self.quasi = gate
                .quasi
                .iter()
                .map(|(name, _)| name.value.clone())
                .collect();
        }
        if self.sensitive.is_empty() {
            self.sensitive = gate
                .sensitive
                .iter()
                .map(|(name, _)| name.value.clone())
                .collect();
        }
        // It need not be stored.
        let stored = |name: &str| {
            let columns = manifest.sink.columns.as_ref();
            columns.is_none_or(|stored| stored.iter().any(|column| column.value == name))
        };
        if self.entity.is_none() {
            let entity = gate.entity.as_ref().map(|name| name.value.clone());
            self.entity = entity.filter(|name| stored(name));
        }
    }

    fn is_empty(&self) -> bool {
        if self.quasi.is_empty() {
            say::error(
                "name the columns by which somebody could be recognised, like `--quasi age,postcode,sex`",
            );
        }
        self.quasi.is_empty()
    }

    fn all(&self) -> Vec<&str> {
        let all = self.quasi.iter().chain(&self.sensitive).chain(&self.entity);
        all.map(String::as_str).collect()
    }

    fn measure(&self) -> Measure {
        Measure::new(
            self.quasi.len(),
            self.sensitive.len(),
            self.entity.is_some(),
        )
    }
}

/// Rows that were counted, and how many could not be read; none if a column is not there.
type Measured = Option<(Measure, u64)>;

fn of_file(path: &Path, header: Option<bool>, columns: &Columns) -> anyhow::Result<Measured> {
    of_found(
        &discover(path, header)?,
        &path.display().to_string(),
        columns,
    )
}

fn of_found(found: &Found, name: &str, columns: &Columns) -> anyhow::Result<Measured> {
    let places = |fields: &[Field]| -> Option<Vec<usize>> {
        let place = |column: &&str| {
            let place = fields.iter().position(|field| *field.name == **column);
            if place.is_none() {
                let names: Vec<&str> = fields.iter().map(|field| &*field.name).collect();
                say::error(&format!(
                    "{name} has no column `{column}`; it has: {}",
                    names.join(", ")
                ));
            }
            place
        };
        columns.all().iter().map(place).collect()
    };
    let Some(places) = places(&found.fields) else {
        return Ok(None);
    };
    let source = found.format.source(found.fields.clone());
    let bar = match source.size_bytes().filter(|_| say::is_terminal()) {
        Some(size) => ProgressBar::new(size).with_style(ProgressStyle::default_bar()),
        None => ProgressBar::hidden(),
    };
    let mut measure = columns.measure();
    let unread = measure.add_source(source.as_ref(), &places, &mut |position| {
        bar.set_position(position)
    })?;
    bar.finish_and_clear();
    Ok(Some((measure, unread)))
}

/// What a pipeline has stored.
fn of_sink(
    manifest: &Manifest,
    columns: &Columns,
    composed: &Composed,
) -> Result<anyhow::Result<Measured>, Vec<glovebox_manifest::Diagnostic>> {
    let target = &manifest.sink.target;
    if matches!(target, SinkTarget::Delta(_)) {
        return Ok(Err(anyhow::anyhow!(
            "the rows of a Delta table are not read here; export them to a Parquet file and measure that"
        )));
    }
    if let Some(path) = target.path().filter(|_| !target.keeps_journal()) {
        if !target.encrypt_to().is_empty() || target.encrypt_with().is_some() {
            return Ok(Err(anyhow::anyhow!(
                "{} is encrypted; measure the decrypted file",
                path.display()
            )));
        }
        return Ok(of_file(path, None, columns));
    }
    let password = arm::sink_password(manifest, composed)?;
    let counted = combinations(target, password, &columns.all());
    Ok(counted.map(|counted| {
        let mut measure = columns.measure();
        for (cells, count) in &counted {
            measure.add(cells.iter().map(Option::as_deref), *count);
        }
        Some((measure, 0))
    }))
}

/// What is told of the rows.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Told {
    rows: u64,
    #[serde(skip_serializing_if = "is_zero")]
    unread_rows: u64,
    classes: u64,
    smallest_class: u64,
    largest_class: u64,
    unique: u64,
    /// Of somebody who is known to be among the rows; of whoever is most at risk.
    prosecutor_risk: f64,
    /// Of somebody in the population that the rows are a sample of; without it, the same.
    journalist_risk: f64,
    /// The share of all members that is found if everybody is looked for.
    marketer_risk: f64,
    class_sizes: Vec<Size>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sensitive: Vec<Sensitive>,
}

#[derive(Serialize)]
struct Size {
    from: u64,
    to: u64,
    classes: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Sensitive {
    column: String,
    distinct_l: u64,
    entropy_l: f64,
    equal_t: f64,
    ordered_t: f64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(rows: &u64) -> bool {
    *rows == 0
}

impl Told {
    fn of(risk: &Risk, columns: &Columns, unread: u64) -> Self {
        let sizes = risk.sizes.iter().zip(0..).map(|(classes, power)| Size {
            from: 1 << power,
            to: (2 << power) - 1,
            classes: *classes,
        });
        let sensitive = columns
            .sensitive
            .iter()
            .zip(&risk.sensitive)
            .map(|(column, told)| Sensitive {
                column: column.clone(),
                distinct_l: told.distinct,
                entropy_l: told.entropy,
                equal_t: told.equal,
                ordered_t: told.ordered,
            });
        Told {
            rows: risk.rows,
            unread_rows: unread,
            classes: risk.classes,
            smallest_class: risk.smallest,
            largest_class: risk.largest,
            unique: risk.unique,
            prosecutor_risk: risk.highest,
            journalist_risk: risk.highest,
            marketer_risk: risk.average,
            class_sizes: sizes.collect(),
            sensitive: sensitive.collect(),
        }
    }

    fn text(&self) -> String {
        let mut out = format!("{} rows in {} classes", self.rows, self.classes);
        if self.unread_rows > 0 {
            out += &format!(", and {} that cannot be read", self.unread_rows);
        }
        out += &format!(
            "\n\n  k (smallest class)    {}\n  unique                {}\n  prosecutor risk       {}\n  journalist risk       {} (without a larger population)\n  marketer risk         {}\n",
            self.smallest_class,
            self.unique,
            percent(self.prosecutor_risk),
            percent(self.journalist_risk),
            percent(self.marketer_risk)
        );
        for told in &self.sensitive {
            out += &format!(
                "  {}: l {} ({:.2} by entropy), t {:.4} ({:.4} in order)\n",
                told.column, told.distinct_l, told.entropy_l, told.equal_t, told.ordered_t
            );
        }
        let most = self
            .class_sizes
            .iter()
            .map(|size| size.classes)
            .max()
            .unwrap_or_default();
        let mut table = Table::new(["members", "classes", ""].map(str::to_owned));
        for size in &self.class_sizes {
            let range = match size.from == size.to {
                true => size.from.to_string(),
                false => format!("{}–{}", size.from, size.to),
            };
            table.words([
                range,
                size.classes.to_string(),
                bar(size.classes as f64, most as f64),
            ]);
        }
        out + "\n" + &table.to_string()
    }
}

fn percent(risk: f64) -> String {
    format!("{:.2} %", risk * 100.0)
}
