//! Which field of a record is which declared column, found once from the header.
//!
//! Owns the errors about a file that lacks what the manifest declares; refuses to show a first
//! line that may be data.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use glovebox_core::{Schema, SourceError};

use super::records::{Dialect, Records};

/// The layout of a file's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// Fields that every record has to have.
    pub(super) fields: usize,
    /// For each field of a record, whether it is declared.
    pub(super) declared: Vec<bool>,
    /// For each declared column, its place among the declared fields of a record.
    pub(super) places: Vec<usize>,
}

impl Layout {
    /// By the names of the first record.
    ///
    /// `first` is that record, or empty when the file is.
    pub(super) fn by_header(
        first: &[u8],
        dialect: Dialect,
        schema: &Schema,
        place: &str,
    ) -> Result<Layout, SourceError> {
        let names = fields_of(first, dialect);
        if names.is_empty() {
            return Err(shape(
                place,
                "is empty, not even a header line; check the path, or declare `header: false` \
                 if a file without rows is right"
                    .into(),
            ));
        }
        let mut missing = Vec::new();
        let mut at = Vec::new();
        for field in &schema.fields {
            let mut found = names
                .iter()
                .enumerate()
                .filter(|(_, name)| name.as_slice() == field.name.as_bytes())
                .map(|(i, _)| i);
            match (found.next(), found.next()) {
                (Some(_), Some(_)) => {
                    return Err(shape(
                        place,
                        format!(
                            "the header has two columns named `{}`, and it cannot be told which \
                             is meant; rename one in the file",
                            field.name
                        ),
                    ));
                }
                (Some(i), None) => at.push(i),
                (None, _) => missing.push(&*field.name),
            }
        }
        if !missing.is_empty() {
            return Err(shape(place, lacking(&missing, &names, !at.is_empty())));
        }
        Ok(Layout::of(names.len(), &at))
    }

    /// By position; `first` is the first record, whose number of fields all others must have.
    pub(super) fn by_position(
        first: &[u8],
        dialect: Dialect,
        schema: &Schema,
        place: &str,
    ) -> Result<Layout, SourceError> {
        let declared = schema.fields.len();
        let fields = match fields_of(first, dialect).len() {
            0 => declared,
            fields => fields,
        };
        if fields < declared {
            return Err(shape(
                place,
                format!(
                    "its records have {fields} fields and {declared} columns are declared; \
                     without a header the declared columns are the first fields, so remove some \
                     from `columns`, or check `delimiter`"
                ),
            ));
        }
        Ok(Layout::of(fields, &(0..declared).collect::<Vec<_>>()))
    }

    /// Declared columns stand at these fields.
    fn of(fields: usize, at: &[usize]) -> Layout {
        let places = at
            .iter()
            .map(|i| at.iter().filter(|j| *j < i).count())
            .collect();
        Layout {
            fields,
            declared: (0..fields).map(|i| at.contains(&i)).collect(),
            places,
        }
    }
}

/// The layouts of a source's files, each known from when its file is first opened.
#[derive(Debug, Default)]
pub(super) struct Layouts(Mutex<BTreeMap<usize, Arc<Layout>>>);

impl Layouts {
    pub(super) fn get(&self, part: usize) -> Option<Arc<Layout>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&part).cloned()
    }

    /// Remembers a file's layout, or says that it has had another one.
    pub(super) fn put(&self, part: usize, layout: Layout, place: &str) -> Result<(), SourceError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(&part) {
            Some(before) if **before != layout => Err(shape(
                place,
                "its columns changed since it was opened; run again".into(),
            )),
            Some(_) => Ok(()),
            None => {
                known.insert(part, Arc::new(layout));
                Ok(())
            }
        }
    }
}

fn fields_of(record: &[u8], dialect: Dialect) -> Vec<Vec<u8>> {
    let mut bytes = record.to_vec();
    let mut spans = Vec::new();
    let mut records = Records::new(&mut bytes, dialect);
    records.next(|_, span| spans.push(span));
    let bytes = records.bytes();
    spans.into_iter().map(|s| s.of(bytes).to_vec()).collect()
}

/// The file's names are shown only if one of them is a declared column, or nearly: a file without
/// a header, read as if it had one, would otherwise print its first row.
fn lacking(missing: &[&str], names: &[Vec<u8>], some_found: bool) -> String {
    let has: Vec<_> = names.iter().map(|n| String::from_utf8_lossy(n)).collect();
    let mut guesses = Vec::new();
    let list: Vec<_> = missing
        .iter()
        .map(|name| match nearest(name, &has) {
            Some(near) => {
                guesses.push(near);
                format!("`{name}` (did you mean `{near}`?)")
            }
            None => format!("`{name}`"),
        })
        .collect();
    let list = list.join(", ");
    if !some_found && guesses.is_empty() {
        return format!(
            "the first line has {} fields and none is named {list}; if the file has no header \
             line declare `header: false`, else check `delimiter` and the names in `columns`",
            has.len()
        );
    }
    let mut shown: Vec<_> = has.iter().take(50).map(|n| format!("`{n}`")).collect();
    if has.len() > shown.len() {
        shown.push(format!("and {} more", has.len() - shown.len()));
    }
    format!(
        "the header has no column {list}; it has {}; correct the name in `columns`, or remove it",
        shown.join(", ")
    )
}

fn nearest<'n>(name: &str, names: &'n [std::borrow::Cow<'_, str>]) -> Option<&'n str> {
    let lower = name.to_lowercase();
    names
        .iter()
        .map(|n| {
            (
                strsim::damerau_levenshtein(&lower, &n.trim().to_lowercase()),
                n,
            )
        })
        .filter(|(distance, _)| *distance <= name.chars().count() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, n)| n.as_ref())
}

pub(super) fn shape(place: &str, problem: String) -> SourceError {
    SourceError::Shape {
        place: place.into(),
        problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use glovebox_core::{DataType, Field};

    const COMMA: Dialect = Dialect {
        delimiter: b',',
        quote: b'"',
    };

    fn schema(names: &[&str]) -> Schema {
        Schema::new(
            names
                .iter()
                .map(|n| Field::new(*n, DataType::Text))
                .collect(),
        )
    }

    fn message(header: &str, declared: &[&str]) -> String {
        Layout::by_header(header.as_bytes(), COMMA, &schema(declared), "in.csv")
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn columns_are_found_by_exact_name_in_any_order() {
        let layout = Layout::by_header(
            b"a,\"b,\"\"x\",c,d\r\n",
            COMMA,
            &schema(&["d", "b,\"x"]),
            "",
        )
        .unwrap();
        assert_eq!(layout.fields, 4);
        assert_eq!(layout.declared, [false, true, false, true]);
        assert_eq!(layout.places, [1, 0]);
    }

    #[test]
    fn a_missing_column_is_named_with_what_the_file_has() {
        assert_eq!(
            message("product,Price,quantity\n", &["product", "price"]),
            "in.csv: the header has no column `price` (did you mean `Price`?); it has `product`, \
             `Price`, `quantity`; correct the name in `columns`, or remove it"
        );
    }

    #[test]
    fn a_first_line_that_may_be_data_is_not_shown() {
        let error = message("123-45-6789,Jane Doe\n", &["ssn", "name"]);
        assert!(
            !error.contains("6789") && !error.contains("Jane"),
            "{error}"
        );
        assert!(error.contains("header: false"), "{error}");
    }

    #[test]
    fn a_declared_name_may_stand_there_once() {
        assert!(message("a,b,a\n", &["a"]).contains("two columns named `a`"));
        assert!(Layout::by_header(b"a,b,a\n", COMMA, &schema(&["b"]), "").is_ok());
    }

    #[test]
    fn an_empty_file_says_so() {
        assert!(message("", &["a"]).contains("is empty"));
        assert!(Layout::by_position(b"", COMMA, &schema(&["a"]), "").is_ok());
    }

    #[test]
    fn without_a_header_the_first_record_must_have_the_declared_fields() {
        let layout = Layout::by_position(b"1,2,3\n", COMMA, &schema(&["a", "b"]), "").unwrap();
        assert_eq!((layout.fields, layout.places), (3, vec![0, 1]));
        let error = Layout::by_position(b"1\n", COMMA, &schema(&["a", "b"]), "in.csv").unwrap_err();
        assert!(
            error.to_string().contains("1 fields and 2 columns"),
            "{error}"
        );
    }
}
