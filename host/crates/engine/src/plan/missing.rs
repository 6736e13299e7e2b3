//! The query that fills what is missing: of each row by itself, or of all rows, which keep their order.

use std::collections::BTreeSet;

use glovebox_core::{DataType, Field, Schema};
use glovebox_manifest::diagnostic::Diagnostic;
use glovebox_manifest::model::{Fill, How, Missing, Spanned};

use super::grants::no_column;

type Refused = Box<Diagnostic>;

/// The query over these columns.
pub(super) fn query(missing: &Missing, input: &Schema) -> Result<String, Refused> {
    let mut seen = BTreeSet::new();
    for (name, _) in &missing.columns {
        if !seen.insert(name.value.as_str()) {
            let problem = format!("`{}` is filled twice", name.value);
            return Err(Box::new(
                Diagnostic::error(name.span.clone(), problem).help("delete one"),
            ));
        }
    }
    match missing.needs_all_rows() {
        true => over_all(missing, input),
        false => alone(missing, input),
    }
}

fn alone(missing: &Missing, input: &Schema) -> Result<String, Refused> {
    let (mut filled, mut there) = (Vec::new(), Vec::new());
    for (name, fill) in &missing.columns {
        let field = found(name, input)?;
        let column = quoted(&field.name);
        match fill {
            Fill::Value(value) => {
                let value = literal(value, field)?;
                filled.push(format!("coalesce({column}, {value}) AS {column}"));
            }
            _ => there.push(format!("{column} IS NOT NULL")),
        }
    }
    let replaced = match filled.is_empty() {
        true => String::new(),
        false => format!(" REPLACE ({})", filled.join(", ")),
    };
    let kept = match there.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", there.join(" AND ")),
    };
    Ok(format!("SELECT *{replaced} FROM rows{kept}"))
}

fn over_all(missing: &Missing, input: &Schema) -> Result<String, Refused> {
    let mut names = Helpers::beside(input);
    let number = names.next();
    let mut helpers: Vec<String> = Vec::new();
    let mut deeper: Vec<String> = Vec::new();
    let mut output: Vec<String> = input.fields.iter().map(|f| quoted(&f.name)).collect();
    for (name, fill) in &missing.columns {
        let Fill::Computed { how, by, order } = fill else {
            continue;
        };
        let field = found(name, input)?;
        let column = quoted(&field.name);
        suits(*how, name, field)?;
        let by = by.iter().map(|by| Ok(quoted(&found(by, input)?.name)));
        let by: Vec<String> = by.collect::<Result<_, Refused>>()?;
        let order = match order {
            Some(order) => Some((order, found(order, input)?)),
            None => None,
        };
        let mut helper = |expr: String| {
            let name = names.next();
            helpers.push(format!("{expr} AS {name}"));
            name
        };
        let likely = match (how, order) {
            (How::Previous, Some((_, order))) => helper(format!(
                "last_value({column}) IGNORE NULLS OVER ({}ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)",
                window(&by, &format!("{}, {number}", quoted(&order.name)))
            )),
            (How::Linear, Some((written, order))) => {
                let place = place(written, order)?;
                let window = window(&by, &format!("{}, {number}", quoted(&order.name)));
                let before = format!("{window}ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW");
                let after = format!("{window}ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING");
                let there = format!("CASE WHEN {column} IS NOT NULL THEN {place} END");
                let y0 = helper(format!("last_value({column}) IGNORE NULLS OVER ({before})"));
                let x0 = helper(format!("last_value({there}) IGNORE NULLS OVER ({before})"));
                let y1 = helper(format!("first_value({column}) IGNORE NULLS OVER ({after})"));
                let x1 = helper(format!("first_value({there}) IGNORE NULLS OVER ({after})"));
                let (y0, y1) = (double(&y0), double(&y1));
                format!(
                    "CASE WHEN {x1} = {x0} THEN {y0} ELSE {y0} + ({y1} - {y0}) * ({place} - {x0}) / ({x1} - {x0}) END"
                )
            }
            (How::Mean, _) => of_group("avg", &double(&column), &by),
            (How::Median, _) => of_group("median", &double(&column), &by),
            // Of the values that are there the most frequent, of those the smallest.
            _ => {
                let often = names.next();
                let with = with(&by, &column);
                deeper.push(format!(
                    "count({column}) OVER (PARTITION BY {with}) AS {often}"
                ));
                let name = names.next();
                helpers.push(format!(
                    "first_value({column}) OVER ({}ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS {name}",
                    window(&by, &format!("{often} DESC, {column}"))
                ));
                name
            }
        };
        let likely = match how {
            How::Linear | How::Mean | How::Median => typed(&likely, field.data_type),
            How::Previous | How::Mode => likely,
        };
        let place = input.position(&field.name);
        if let Some(column_of) = place.and_then(|place| output.get_mut(place)) {
            *column_of = format!("coalesce({column}, {likely}) AS {column}");
        }
    }
    let deeper = deeper
        .iter()
        .map(|expr| format!(", {expr}"))
        .collect::<String>();
    let helpers = helpers
        .iter()
        .map(|expr| format!(", {expr}"))
        .collect::<String>();
    let output = output.join(", ");
    Ok(format!(
        "SELECT {output} FROM (SELECT *{helpers} FROM (SELECT *{deeper} FROM \
         (SELECT *, row_number() OVER () AS {number} FROM rows))) ORDER BY {number}"
    ))
}

/// An aggregate over the rows that are equal in these columns.
fn of_group(function: &str, of: &str, by: &[String]) -> String {
    match by {
        // One number for all rows needs none of them in memory.
        [] => format!("(SELECT {function}({of}) FROM rows)"),
        by => format!("{function}({of}) OVER (PARTITION BY {})", by.join(", ")),
    }
}

fn window(by: &[String], order: &str) -> String {
    match by {
        [] => format!("ORDER BY {order} "),
        by => format!("PARTITION BY {} ORDER BY {order} ", by.join(", ")),
    }
}

fn with(by: &[String], column: &str) -> String {
    let all: Vec<&str> = by.iter().map(String::as_str).chain([column]).collect();
    all.join(", ")
}

/// Names that no column bears.
struct Helpers<'s> {
    input: &'s Schema,
    given: usize,
}

impl<'s> Helpers<'s> {
    fn beside(input: &'s Schema) -> Self {
        Helpers { input, given: 0 }
    }

    fn next(&mut self) -> String {
        loop {
            self.given += 1;
            let name = format!("missing_{}", self.given);
            let mut fields = self.input.fields.iter();
            if !fields.any(|field| field.name.eq_ignore_ascii_case(&name)) {
                return quoted(&name);
            }
        }
    }
}

fn found<'s>(name: &Spanned<String>, input: &'s Schema) -> Result<&'s Field, Refused> {
    let names: Vec<&str> = input.fields.iter().map(|field| &*field.name).collect();
    match input.fields.iter().find(|field| *field.name == *name.value) {
        Some(field) if field.data_type == DataType::Opaque => Err(Box::new(
            Diagnostic::error(
                name.span.clone(),
                format!("`{}` is opaque: nothing reads it", name.value),
            )
            .help("declare it with the type that it has"),
        )),
        Some(field) => Ok(field),
        None => Err(Box::new(no_column(name, &names, "this step has no column"))),
    }
}

fn is_number(kind: DataType) -> bool {
    matches!(
        kind,
        DataType::Int64 | DataType::Float64 | DataType::Decimal { .. }
    )
}

fn suits(how: How, name: &Spanned<String>, field: &Field) -> Result<(), Refused> {
    let what = match how {
        How::Previous | How::Mode => return Ok(()),
        How::Linear => "a line is through numbers",
        How::Mean => "a mean is of numbers",
        How::Median => "a median is of numbers here",
    };
    match is_number(field.data_type) {
        true => Ok(()),
        false => Err(Box::new(
            Diagnostic::error(
                name.span.clone(),
                format!("`{}` is {}, and {what}", field.name, field.data_type),
            )
            .help("fill it by `previous`, `mode` or a value"),
        )),
    }
}

/// A row's place on the axis.
fn place(name: &Spanned<String>, field: &Field) -> Result<String, Refused> {
    let column = quoted(&field.name);
    Ok(match field.data_type {
        kind if is_number(kind) => double(&column),
        DataType::Timestamp => double(&format!("CAST({column} AS BIGINT)")),
        DataType::Date => double(&format!("CAST({column} AS INT)")),
        kind => {
            return Err(Box::new(
                Diagnostic::error(
                    name.span.clone(),
                    format!(
                        "`{}` is {kind}, and how far apart its values are is not known",
                        field.name
                    ),
                )
                .help("name a column of numbers, days or times"),
            ));
        }
    })
}

fn double(expr: &str) -> String {
    format!("CAST({expr} AS DOUBLE)")
}

/// A number as the column has it.
fn typed(expr: &str, kind: DataType) -> String {
    match kind {
        DataType::Int64 => format!("CAST(round({expr}) AS BIGINT)"),
        DataType::Decimal { precision, scale } => {
            format!("CAST({expr} AS DECIMAL({precision}, {scale}))")
        }
        _ => expr.to_owned(),
    }
}

/// A value of the manifest as the column has it.
fn literal(value: &Spanned<String>, field: &Field) -> Result<String, Refused> {
    let written = value.value.as_str();
    let quoted = format!("'{}'", written.replace('\'', "''"));
    let (fits, like) = match field.data_type {
        DataType::Text => (true, ""),
        DataType::Boolean => (matches!(written, "true" | "false"), "true"),
        DataType::Int64 => (written.parse::<i64>().is_ok(), "0"),
        DataType::Float64 => (written.parse::<f64>().is_ok_and(f64::is_finite), "0.5"),
        DataType::Decimal { precision, scale } => (is_decimal(written, precision, scale), "0.5"),
        DataType::Date => (
            chrono::NaiveDate::parse_from_str(written, "%Y-%m-%d").is_ok(),
            "2024-05-17",
        ),
        DataType::Timestamp => (
            chrono::DateTime::parse_from_rfc3339(written).is_ok(),
            "2024-05-17T08:00:00Z",
        ),
        DataType::Bytes | DataType::Opaque => (false, ""),
    };
    if !fits {
        let problem = format!("this value is no {}", field.data_type);
        let problem = Diagnostic::error(value.span.clone(), problem);
        return Err(Box::new(match like {
            "" => problem.help("only `reject` and `drop` are for columns of this type"),
            like => problem.help(format!("`{}` holds values like {like}", field.name)),
        }));
    }
    let sql = match field.data_type {
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Decimal { precision, scale } => format!("DECIMAL({precision}, {scale})"),
        DataType::Date => "DATE".to_owned(),
        DataType::Timestamp => "TIMESTAMP".to_owned(),
        _ => return Ok(quoted),
    };
    Ok(format!("CAST({quoted} AS {sql})"))
}

fn is_decimal(written: &str, precision: u8, scale: u8) -> bool {
    let digits = written.strip_prefix(['-', '+']).unwrap_or(written);
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, ""));
    let all = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    all(whole)
        && all(rest)
        && !digits.is_empty()
        && rest.len() <= usize::from(scale)
        && whole.trim_start_matches('0').len() <= usize::from(precision.saturating_sub(scale))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
