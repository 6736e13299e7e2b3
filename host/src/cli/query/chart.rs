//! A query's result as a chart in the terminal.

use std::fmt;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Float64Type;
use arrow_array::{Array as _, RecordBatch};
use arrow_cast::cast;
use arrow_schema::DataType as ArrowType;
use glovebox_core::{DataType, Field, Schema};

use super::Drawing;
use crate::cli::bars::bar;
use crate::cli::cell::cell;
use crate::cli::table::Table;

/// More bars than these are no picture.
const MOST_BARS: usize = 200;
/// More points than these are not drawn.
const MOST_POINTS: usize = 1_000_000;
/// Ranges of a histogram.
const RANGES: usize = 20;
/// A line's picture, in places.
const WIDE: usize = 72;
const HIGH: usize = 12;

/// A chart in the making.
pub(super) struct Chart {
    drawing: Drawing,
    label: Option<Field>,
    value: Field,
    labels: Vec<String>,
    values: Vec<f64>,
    /// Rows without a value, and those beyond what can be drawn.
    left_out: usize,
}

impl Chart {
    /// Of the last column, by the first if there are two.
    pub(super) fn new(drawing: Drawing, output: &Schema) -> Result<Self, String> {
        let Some((value, before)) = output.fields.split_last() else {
            return Err("there is nothing to draw".to_owned());
        };
        let numeric = matches!(
            value.data_type,
            DataType::Int64 | DataType::Float64 | DataType::Decimal { .. }
        );
        if !numeric {
            return Err(format!(
                "a chart draws numbers, and the last column, `{}`, is {}; select a number last",
                value.name, value.data_type
            ));
        }
        Ok(Chart {
            drawing,
            label: before.first().cloned(),
            value: value.clone(),
            labels: Vec::new(),
            values: Vec::new(),
            left_out: 0,
        })
    }

    pub(super) fn add(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        let Some((value, before)) = batch.columns().split_last() else {
            return Ok(());
        };
        let numbers = cast(value, &ArrowType::Float64)
            .map_err(|_| anyhow::anyhow!("internal error: cannot draw `{}`", self.value.name))?;
        let numbers = numbers.as_primitive::<Float64Type>();
        let most = match self.drawing {
            Drawing::Bar => MOST_BARS,
            Drawing::Line | Drawing::Histogram => MOST_POINTS,
        };
        for row in 0..batch.num_rows() {
            let number =
                Some(numbers.value(row)).filter(|n| numbers.is_valid(row) && n.is_finite());
            let Some(number) = number.filter(|_| self.values.len() < most) else {
                self.left_out += 1;
                continue;
            };
            self.values.push(number);
            if let (Drawing::Bar, Some(field), Some(column)) =
                (self.drawing, &self.label, before.first())
            {
                let label = cell(column, field, row)?;
                self.labels.push(label.unwrap_or_else(|| "null".to_owned()));
            }
        }
        Ok(())
    }

    fn bars(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self
            .values
            .iter()
            .fold(0.0_f64, |most, value| most.max(value.abs()));
        let name = self.label.as_ref().map_or("", |field| &*field.name);
        let heads = [name, &*self.value.name, ""];
        let mut table = Table::new(heads.map(str::to_owned));
        for (i, value) in self.values.iter().enumerate() {
            let label = self.labels.get(i).cloned().unwrap_or_default();
            let drawn = match *value < 0.0 {
                true => bar(-value, most).replace('█', "░"),
                false => bar(*value, most),
            };
            table.row(vec![Some(label), Some(value.to_string()), Some(drawn)]);
        }
        write!(f, "{table}")
    }

    fn histogram(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let low = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = self
            .values
            .iter()
            .copied()
            .fold(f64::NEG_INFINITY, f64::max);
        let width = ((high - low) / RANGES as f64).max(f64::MIN_POSITIVE);
        let mut counts = [0_u64; RANGES];
        for value in &self.values {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a range's number, the last one at most"
            )]
            let range = (((value - low) / width) as usize).min(RANGES - 1);
            if let Some(count) = counts.get_mut(range) {
                *count += 1;
            }
        }
        let most = counts.iter().copied().max().unwrap_or_default();
        let mut table = Table::new([&*self.value.name, "rows", ""].map(str::to_owned));
        for (i, count) in counts.iter().enumerate() {
            let from = low + width * i as f64;
            table.row(vec![
                Some(format!("{from:.4} –")),
                Some(count.to_string()),
                Some(bar(*count as f64, most as f64)),
            ]);
        }
        write!(f, "{table}")
    }

    /// The mean of the rows of each place, as high as its share of the whole range.
    fn line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let places = self.values.len().min(WIDE);
        let means: Vec<f64> = (0..places)
            .map(|place| {
                let bound = |place: usize| place * self.values.len() / places;
                let rows = self.values.get(bound(place)..bound(place + 1));
                let rows = rows.unwrap_or_default();
                rows.iter().sum::<f64>() / rows.len().max(1) as f64
            })
            .collect();
        let low = means.iter().copied().fold(f64::INFINITY, f64::min);
        let high = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        writeln!(f, "{}", self.value.name)?;
        for row in (0..HIGH).rev() {
            let scale = match row {
                0 => format!("{low:.4}"),
                _ if row + 1 == HIGH => format!("{high:.4}"),
                _ => String::new(),
            };
            let drawn = means.iter().map(|mean| {
                let share = (mean - low) / (high - low).max(f64::MIN_POSITIVE);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a share of the picture's height"
                )]
                let eighths = (share * (HIGH * 8 - 1) as f64) as usize + 1;
                let within = eighths.saturating_sub(row * 8).min(8);
                EIGHTHS.get(within).copied().unwrap_or(' ')
            });
            let drawn: String = drawn.collect();
            writeln!(f, "{scale:>16} │{}", drawn.trim_end())?;
        }
        writeln!(f, "{:>16} └{}", "", "─".repeat(places))
    }
}

impl fmt::Display for Chart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.values.is_empty() {
            return writeln!(f, "there is nothing to draw");
        }
        match self.drawing {
            Drawing::Bar => self.bars(f)?,
            Drawing::Histogram => self.histogram(f)?,
            Drawing::Line => self.line(f)?,
        }
        if self.left_out > 0 {
            writeln!(
                f,
                "{} rows are not drawn: null, infinite, or too many",
                self.left_out
            )?;
        }
        Ok(())
    }
}
