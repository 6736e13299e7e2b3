//! Which bytes are masked and what stands around them, with a mask that shows what it was given.

use arrow_array::{BooleanArray, Int64Array, LargeStringArray};

use super::*;

/// A mask that begins with the value's length and first byte.
fn seen(value: &[u8]) -> Mask {
    let mut mask = [0; 32];
    mask[0] = u8::try_from(value.len()).unwrap();
    mask[1] = value[0];
    mask
}

fn written(value: &str) -> String {
    URL_SAFE.encode(seen(value.as_bytes()))
}

fn text(cells: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(cells.to_vec()))
}

fn masked(column: &ArrayRef, target: &Target) -> Result<Vec<Option<String>>, KeyError> {
    let cells = Cells::read(column)?;
    cells.check(target)?;
    let mut given = Vec::new();
    let out = cells.masked(target, MASK_WIDTH, |value, out| {
        given.push(value.to_vec());
        write_mask(&seen(value), out);
        Ok(())
    })?;
    assert_eq!(out.refused, []);
    let listed: Vec<_> = cells.values(target).map(<[u8]>::to_vec).collect();
    assert_eq!(listed, given, "what is listed is what is masked");
    Ok(out
        .column
        .as_string::<i32>()
        .iter()
        .map(|cell| cell.map(Into::into))
        .collect())
}

fn spans(triples: &[(u32, u32, u32)]) -> Target {
    Target::Spans(Spans {
        rows: triples.iter().map(|t| t.0).collect(),
        starts: triples.iter().map(|t| t.1).collect(),
        ends: triples.iter().map(|t| t.2).collect(),
    })
}

#[test]
fn null_and_empty_cells_become_null() {
    let column = text(&[Some("a"), None, Some(""), Some("ünï")]);
    assert_eq!(
        masked(&column, &Target::Cells).unwrap(),
        [Some(written("a")), None, None, Some(written("ünï"))]
    );
}

#[test]
fn an_empty_column_and_a_slice_of_one_are_masked_too() {
    let column = text(&[]);
    assert_eq!(masked(&column, &Target::Cells).unwrap(), []);
    let column = text(&[Some("a"), None, Some("bc"), Some("d")]).slice(1, 2);
    assert_eq!(
        masked(&column, &Target::Cells).unwrap(),
        [None, Some(written("bc"))]
    );
    assert_eq!(
        masked(&column, &spans(&[(1, 0, 1)])).unwrap(),
        [None, Some(written("b") + "c")]
    );
}

#[test]
fn numbers_are_masked_in_decimal() {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![
        Some(0),
        None,
        Some(i64::MIN),
        Some(7),
    ]));
    assert_eq!(
        masked(&column, &Target::Cells).unwrap(),
        [
            Some(written("0")),
            None,
            Some(written("-9223372036854775808")),
            Some(written("7"))
        ]
    );
}

#[test]
fn bytes_are_masked_as_they_are() {
    let column: ArrayRef = Arc::new(BinaryArray::from_opt_vec(vec![
        Some(&[0xff, 0xfe][..]),
        None,
        Some(b""),
    ]));
    let mask = URL_SAFE.encode(seen(&[0xff, 0xfe]));
    assert_eq!(
        masked(&column, &Target::Cells).unwrap(),
        [Some(mask), None, None]
    );
}

#[test]
fn only_marked_rows_change() {
    let column = text(&[Some("a"), Some("b"), None, Some(""), Some(""), Some("é")]);
    let marks = BooleanArray::from(vec![
        Some(true),
        None,
        Some(true),
        Some(true),
        Some(false),
        Some(true),
    ]);
    assert_eq!(
        masked(&column, &Target::Rows(marks)).unwrap(),
        [
            Some(written("a")),
            Some("b".into()),
            None,
            None,
            Some(String::new()),
            Some(written("é"))
        ]
    );
}

#[test]
fn unmarked_bytes_must_be_text_to_stand_in_a_text_column() {
    let column: ArrayRef = Arc::new(BinaryArray::from_vec(vec![b"plain", &[0xff]]));
    let rows = |marks: Vec<bool>| Target::Rows(BooleanArray::from(marks));
    assert_eq!(
        masked(&column, &rows(vec![false, true])).unwrap()[0],
        Some("plain".into())
    );
    assert_eq!(
        masked(&column, &rows(vec![true, false])),
        Err(KeyError::Parameters(
            "cells that are not masked are bytes that are not text; target all cells of the \
             column"
                .into()
        ))
    );
}

#[test]
fn spans_are_replaced_in_place() {
    let column = text(&[
        Some("call +49 171 now"),
        None,
        Some("äbc ß def"),
        Some(""),
        Some("untouched"),
        Some("xyz"),
    ]);
    let target = spans(&[(0, 5, 12), (2, 0, 2), (2, 5, 7), (2, 8, 11), (5, 0, 3)]);
    assert_eq!(
        masked(&column, &target).unwrap(),
        [
            Some(format!("call {} now", written("+49 171"))),
            None,
            Some(format!(
                "{}bc {} {}",
                written("ä"),
                written("ß"),
                written("def")
            )),
            Some(String::new()),
            Some("untouched".into()),
            Some(written("xyz"))
        ]
    );
}

#[test]
fn touching_spans_are_two_and_an_empty_span_masks_nothing() {
    let column = text(&[Some("abcd")]);
    assert_eq!(
        masked(&column, &spans(&[(0, 0, 2), (0, 2, 2), (0, 2, 4)])).unwrap(),
        [Some(written("ab") + &written("cd"))]
    );
    assert_eq!(
        masked(&column, &spans(&[(0, 4, 4)])).unwrap(),
        [Some("abcd".into())]
    );
}

#[test]
fn spans_that_do_not_fit_are_refused_without_the_cell() {
    let column = text(&[Some("canary-é"), None, Some("b")]);
    let past = u32::MAX;
    for wrong in [
        &[(0, 3, 2)][..],
        &[(0, 0, 10)],
        &[(0, 0, past)],
        &[(0, 8, 9)],
        &[(0, 0, 8)],
        &[(1, 0, 0)],
        &[(3, 0, 0)],
        &[(past, 0, 0)],
        &[(2, 0, 1), (0, 0, 1)],
        &[(0, 2, 4), (0, 0, 1)],
        &[(0, 0, 3), (0, 2, 4)],
    ] {
        let told = masked(&column, &spans(wrong)).unwrap_err().to_string();
        assert!(told.contains("span"), "{wrong:?}: {told}");
        assert!(!told.contains("canary"), "{told}");
    }
    let ragged = Target::Spans(Spans {
        rows: vec![0],
        starts: vec![],
        ends: vec![1],
    });
    assert!(masked(&column, &ragged).is_err());
}

#[test]
fn a_target_must_fit_the_columns_type_and_length() {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let bytes: ArrayRef = Arc::new(BinaryArray::from_vec(vec![b"a"]));
    let one = Target::Rows(BooleanArray::from(vec![true]));
    let two = Target::Rows(BooleanArray::from(vec![true, true]));
    for (column, target, told) in [
        (&numbers, &one, "would mix numbers with text"),
        (&numbers, &spans(&[]), "the column is int64"),
        (&bytes, &spans(&[]), "the column is bytes"),
        (&bytes, &two, "marks 2 rows of a column that has 1"),
    ] {
        let error = masked(column, target).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn columns_of_other_types_are_refused_by_name() {
    let large: ArrayRef = Arc::new(LargeStringArray::from(vec!["a"]));
    assert_eq!(
        Cells::read(&large).unwrap_err(),
        KeyError::Arrow("LargeUtf8".into())
    );
    assert_eq!(
        type_of(&large).unwrap_err(),
        KeyError::Arrow("LargeUtf8".into())
    );
    for data_type in [
        DataType::Boolean,
        DataType::Float64,
        DataType::Date,
        DataType::Timestamp,
        DataType::Decimal {
            precision: 10,
            scale: 2,
        },
    ] {
        let column = arrow_array::new_empty_array(&data_type.to_arrow());
        assert_eq!(type_of(&column), Ok(data_type));
        assert!(Cells::read(&column).is_err());
    }
}
