//! Chunks of rows, right and wrong, and any bytes at all.

use arrow_array::cast::AsArray;
use proptest::prelude::{any, prop, prop_assert_eq, proptest};

use super::super::super::Login;
use super::super::Rows;
use super::super::types::Incoming;
use super::*;
use glovebox_core::Secret;

const FORMS: [(DataType, Form); 12] = [
    (DataType::Boolean, Form::Boolean),
    (DataType::Int64, Form::Int2),
    (DataType::Int64, Form::Int4),
    (DataType::Int64, Form::Int8),
    (DataType::Float64, Form::Float4),
    (DataType::Float64, Form::Float8),
    (
        DataType::Decimal {
            precision: 10,
            scale: 2,
        },
        Form::Numeric {
            precision: 10,
            scale: 2,
        },
    ),
    (DataType::Date, Form::Date),
    (DataType::Timestamp, Form::Timestamp),
    (DataType::Text, Form::Text),
    (DataType::Bytes, Form::Bytes),
    (DataType::Opaque, Form::Bytes),
];

fn decoder(columns: &[(DataType, Form)], batch_rows: usize) -> CopyDecoder {
    let fields = columns.iter().zip('a'..);
    let schema = Schema::new(
        fields
            .map(|((data_type, _), name)| Field::new(name.to_string(), *data_type))
            .collect(),
    );
    let layout = Layout {
        columns: columns
            .iter()
            .map(|(_, form)| Incoming {
                form: *form,
                written: false,
                native: None,
            })
            .collect(),
    };
    let login = Login {
        host: "h".into(),
        port: 1,
        database: "d".into(),
        user: "u".into(),
        password: Secret::new(Vec::new()),
        ca: None,
        connect_timeout: std::time::Duration::from_secs(1),
    };
    let mut options = Options::new(login, Rows::Table("t".into()));
    options.batch_rows = batch_rows;
    CopyDecoder::new(&options, &schema, Arc::new(OnceLock::from(layout)))
}

fn chunk(rows: &[Vec<Option<Vec<u8>>>]) -> Chunk {
    let mut bytes = Vec::new();
    for row in rows {
        bytes.extend(i16::try_from(row.len()).unwrap().to_be_bytes());
        for cell in row {
            let length = cell
                .as_ref()
                .map_or(-1, |c| i32::try_from(c.len()).unwrap());
            bytes.extend(length.to_be_bytes());
            bytes.extend(cell.iter().flatten());
        }
    }
    Chunk {
        first_row: 100,
        rows: rows.len() as u64,
        bytes,
        ..Chunk::default()
    }
}

#[test]
fn rows_that_do_not_fit_are_rejected_by_number_and_never_by_value() {
    let columns = [FORMS[3], FORMS[6], FORMS[8], FORMS[9]];
    let row = |n: i64, numeric: [u16; 4], at: i64, text: &[u8]| {
        let numeric: Vec<u8> = numeric.iter().flat_map(|w| w.to_be_bytes()).collect();
        vec![
            Some(n.to_be_bytes().to_vec()),
            Some(numeric),
            Some(at.to_be_bytes().to_vec()),
            Some(text.to_vec()),
        ]
    };
    let rows = [
        row(1, [0, 0, 0, 0], 0, b"ann"),
        row(2, [0, 0, 0xc000, 0], 0, b"canary"),
        row(3, [0, 0, 0, 0], i64::MAX, b"\xff\xfecanary"),
        vec![None, None, None, None],
    ];
    for batch_rows in [1, 3, 100] {
        let decoded = decoder(&columns, batch_rows).decode(chunk(&rows)).unwrap();
        let rejects: Vec<(u64, Vec<(&str, &str)>)> = decoded
            .rejects
            .iter()
            .map(|r| {
                let violations = r.violations.iter();
                (r.row, violations.map(|v| (&*v.rule, &*v.message)).collect())
            })
            .collect();
        assert_eq!(
            rejects,
            [
                (101, vec![("type", "`b` does not fit decimal(10,2)")]),
                (
                    102,
                    vec![
                        ("type", "`c` does not fit timestamp"),
                        ("utf-8", "`d` is not UTF-8")
                    ]
                ),
            ]
        );
        let rows: Vec<u64> = decoded
            .batches
            .iter()
            .flat_map(|b| (0..b.rows()).map(|i| b.origin.row(i)))
            .collect();
        assert_eq!(rows, [100, 103]);
        let last = decoded.batches.last().unwrap();
        assert!(
            last.columns
                .columns()
                .iter()
                .all(|c| c.is_null(last.rows() - 1))
        );
        let first = &decoded.batches[0].columns;
        assert_eq!(first.column(3).as_string::<i32>().value(0), "ann");
    }
}

#[test]
fn another_count_of_columns_is_not_read() {
    let rows = [vec![Some(vec![1]), Some(vec![1])]];
    let error = decoder(&FORMS[..1], 10).decode(chunk(&rows)).unwrap_err();
    assert!(error.to_string().contains("a valid binary COPY"), "{error}");
}

proptest! {
    #[test]
    fn any_bytes_are_rows_or_an_error(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        first in 0usize..12,
        second in 0usize..12,
    ) {
        let chunk = Chunk { bytes, rows: 3, ..Chunk::default() };
        let columns = [FORMS[first], FORMS[second]];
        let _ = decoder(&columns, 2).decode(chunk);
    }

    #[test]
    fn any_cells_in_rows_have_one_fate_each(
        cells in prop::collection::vec(
            prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..12)), 12),
            0..20,
        ),
        batch_rows in 1usize..8,
    ) {
        let chunk = chunk(&cells);
        if let Ok(decoded) = decoder(&FORMS, batch_rows).decode(chunk) {
            let rows: usize = decoded.batches.iter().map(Batch::rows).sum();
            prop_assert_eq!(rows + decoded.rejects.len(), cells.len());
        }
    }

    /// Cells of the right size, so that most rows get through.
    #[test]
    fn cells_of_the_right_size_are_read(
        numbers in prop::collection::vec((any::<i64>(), any::<i32>(), prop::collection::vec(any::<u8>(), 0..9)), 1..30),
        batch_rows in 1usize..8,
    ) {
        let columns = [FORMS[3], FORMS[2], FORMS[8], FORMS[7], FORMS[9], FORMS[11]];
        let rows: Vec<_> = numbers
            .iter()
            .map(|(long, int, text)| {
                let (long, int) = (long.to_be_bytes().to_vec(), int.to_be_bytes().to_vec());
                vec![
                    Some(long.clone()), Some(int.clone()), Some(long), Some(int),
                    Some(text.clone()), Some(text.clone()),
                ]
            })
            .collect();
        let decoded = decoder(&columns, batch_rows).decode(chunk(&rows)).unwrap();
        let kept: usize = decoded.batches.iter().map(Batch::rows).sum();
        prop_assert_eq!(kept + decoded.rejects.len(), rows.len());
        for batch in &decoded.batches {
            for row in 0..batch.rows() {
                let (long, int, text) = &numbers[usize::try_from(batch.origin.row(row) - 100).unwrap()];
                let column = |i: usize| batch.columns.column(i);
                prop_assert_eq!(column(0).as_primitive::<Int64Type>().value(row), *long);
                prop_assert_eq!(column(1).as_primitive::<Int64Type>().value(row), i64::from(*int));
                prop_assert_eq!(column(4).as_string::<i32>().value(row).as_bytes(), &text[..]);
                prop_assert_eq!(column(5).as_binary::<i32>().value(row), &text[..]);
            }
        }
    }
}
