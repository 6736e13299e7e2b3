use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use glovebox_core::{DataType, Field, ReadFrom, Source as _};

use super::*;

fn schema() -> Schema {
    let mut id = Field::new("id", DataType::Int64);
    id.from = Some(ReadFrom::Name("Number".into()));
    Schema::new(vec![id, Field::new("name", DataType::Text)])
}

fn line(row: u64, more: &str) -> String {
    format!("{{\"row\":{row},\"violations\":[{{}}]{more}}}\n")
}

fn problem(text: &str) -> String {
    KeptRows::read(text, "rows.jsonl", &schema())
        .unwrap_err()
        .to_string()
}

#[test]
fn rows_have_the_places_where_they_were_rejected_and_their_corrected_cells() {
    let text = [
        line(9, ",\"line\":20,\"cells\":{\"id\":\"9\",\"name\":\"i\"}"),
        line(2, ",\"line\":5,\"cells\":{\"name\":null,\"id\":2}"),
        line(5, ",\"line\":8,\"record\":\"x,y\""),
        line(7, ",\"line\":11,\"cells\":{\"id\":\"x\",\"name\":\"g\"}"),
        line(
            70,
            ",\"file\":\"b.csv\",\"line\":1,\"cells\":{\"id\":\"70\",\"name\":\"z\"}",
        ),
    ];
    let source = KeptRows::read(&text.concat(), "rows.jsonl", &schema()).unwrap();
    let mut chunks = source.chunks().unwrap();
    let mut decoder = source.decoder().unwrap();
    let first = chunks.next_chunk().unwrap().unwrap();
    assert_eq!((first.first_row, first.rows), (2, 4));
    let records = decoder.records(&first, &[5, 7]);
    let record = "{\"id\":\"x\",\"name\":\"g\"}".as_bytes();
    assert_eq!(
        records,
        BTreeMap::from([(5, b"x,y".to_vec()), (7, record.to_vec())])
    );
    let decoded = decoder.decode(first).unwrap();
    let batch = &decoded.batches[0];
    let ids = batch.columns.column(0).as_primitive::<Int64Type>();
    let places: Vec<_> = (0..batch.rows())
        .map(|i| (batch.origin.row(i), batch.origin.line(i), ids.value(i)))
        .collect();
    assert_eq!(places, [(2, Some(5), 2), (9, Some(20), 9)]);
    let rejects: Vec<_> = decoded
        .rejects
        .iter()
        .map(|r| (r.row, r.line, &*r.violations[0].rule))
        .collect();
    assert_eq!(rejects, [(5, Some(8), "json"), (7, Some(11), "type")]);
    let second = chunks.next_chunk().unwrap().unwrap();
    let decoded = decoder.decode(second).unwrap();
    let origin = &decoded.batches[0].origin;
    assert_eq!(
        (origin.row(0), origin.file().map(|f| &**f)),
        (70, Some("b.csv"))
    );
    assert!(chunks.next_chunk().unwrap().is_none());
}

#[test]
fn lines_that_are_no_rows_are_refused_without_a_word_of_them() {
    let cases = [
        ("canary\n".to_owned(), "not a rejected row"),
        (line(1, ",\"cells\":[\"canary\"]"), "not an object"),
        (
            line(1, ",\"cells\":{\"id\":\"canary\"}"),
            "lack the column `name`",
        ),
        (
            line(1, ",\"cells\":{\"id\":1,\"name\":\"x\",\"canary\":\"x\"}"),
            "not declared",
        ),
        (line(1, "").repeat(2), "row 1 twice"),
    ];
    for (text, says) in cases {
        let problem = problem(&text);
        assert!(
            problem.contains(says) && !problem.contains("canary"),
            "{problem}"
        );
    }
}

#[test]
fn chunks_end_where_they_are_large() {
    let cells = format!(
        ",\"cells\":{{\"id\":1,\"name\":\"{}\"}}",
        "x".repeat(600 << 10)
    );
    let text: String = (0..3).map(|row| line(row * (1 << 33), &cells)).collect();
    let source = KeptRows::read(&text, "rows.jsonl", &schema()).unwrap();
    let mut chunks = source.chunks().unwrap();
    let mut rows = Vec::new();
    while let Some(chunk) = chunks.next_chunk().unwrap() {
        rows.push((chunk.index, chunk.first_row, chunk.rows));
    }
    assert_eq!(rows, [(0, 0, 1), (1, 1 << 33, 1), (2, 1 << 34, 1)]);
}
