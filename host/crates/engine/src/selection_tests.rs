//! Which lists are taken, and which rows they mean.

use arrow_array::RecordBatchOptions;
use glovebox_core::{Batch, Origin, Reject, Schema};

use super::*;

fn read(list: &str) -> Result<Selection, RerunError> {
    Selection::of(list.as_bytes(), "list".into(), false, MAX_ROWS)
}

fn line(row: u64, file: Option<&str>) -> String {
    let file = file
        .map(|f| format!("\"file\":\"{f}\","))
        .unwrap_or_default();
    format!(r#"{{"row":{row},{file}"line":3,"violations":[{{"rule":"required"}}]}}"#)
}

fn lines(rows: &[(u64, Option<&str>)]) -> String {
    let all = rows.iter().map(|(row, file)| line(*row, *file) + "\n");
    all.collect()
}

#[test]
fn rows_are_sorted_and_named_once() {
    let list = lines(&[(7, None), (2, None), (7, None)]) + "\n";
    let only = read(&list).unwrap();
    assert_eq!(only.rows(), [2, 7]);
    assert_eq!(only.within(0, 2), [0_u64; 0]);
    assert_eq!(only.within(2, 5), [2]);
    assert_eq!(only.within(2, 6), [2, 7]);
    assert_eq!(only.within(8, u64::MAX - 8), [0_u64; 0]);
}

fn whole() -> PlanIdentity {
    "plan".into()
}

#[test]
fn a_run_over_other_rows_is_another_run() {
    let plan = |rows: &[(u64, Option<&str>)]| read(&lines(rows)).unwrap().plan(&whole(), None);
    let (a, b) = (plan(&[(1, None), (2, None)]), plan(&[(2, None), (1, None)]));
    assert_eq!(a, b);
    assert_ne!(a, plan(&[(1, None)]));
    assert!(a.to_string().starts_with("plan+"));
    assert!(a.rejects().is_some_and(|rows| rows.len() == 2 * KEPT) && a.rejects_of().is_none());
    let of = read(&lines(&[(1, None), (2, None)])).unwrap();
    let of = of.plan(&whole(), Some("20261122T073921-6d0ec3a5b1f2".into()));
    assert_eq!(of.rejects(), a.rejects());
    assert_eq!(of.rejects_of(), Some("20261122T073921-6d0ec3a5b1f2"));
}

#[test]
fn what_no_run_has_written_is_refused_with_its_line_and_never_quoted() {
    for list in [
        "canary".to_owned(),
        r#"{"row":"canary"}"#.to_owned(),
        r#"{"row":1}"#.to_owned(),
        r#"{"row":1,"violations":[]}"#.to_owned(),
        r#"{"row":-1,"violations":[{}]}"#.to_owned(),
        r#"{"row":1.5,"violations":[{}]}"#.to_owned(),
        format!("{{\"row\":1,\"x\":\"{}\"}}", "x".repeat(2 << 20)),
    ] {
        let list = line(0, None) + "\n" + &list;
        let problem = read(&list).unwrap_err();
        assert!(matches!(problem, RerunError::Foreign { number: 2, .. }));
        assert!(!problem.to_string().contains("canary"), "{problem}");
    }
    for empty in ["", "\n\n"] {
        assert!(matches!(read(empty), Err(RerunError::Empty { .. })));
    }
    let binary = Selection::of(&[0xff, 0xfe, b'\n'][..], "list".into(), false, MAX_ROWS);
    assert!(matches!(binary, Err(RerunError::Foreign { number: 1, .. })));
}

#[test]
fn rows_in_files_are_those_of_one_run() {
    let good = lines(&[(0, Some("a")), (9, Some("a")), (10, Some("b"))]);
    assert_eq!(read(&good).unwrap().rows(), [0, 9, 10]);
    for mixed in [
        lines(&[(0, Some("a")), (9, None)]),
        lines(&[
            (0, Some("a")),
            (9, Some("b")),
            (5, Some("b")),
            (7, Some("a")),
        ]),
        lines(&[(3, Some("a")), (3, Some("b"))]),
    ] {
        assert!(
            matches!(read(&mixed), Err(RerunError::Mixed { .. })),
            "{mixed}"
        );
    }
}

#[test]
fn more_rows_than_are_kept_are_refused() {
    let list = lines(&[(1, None), (2, None), (3, None)]);
    let of = |most| Selection::of(list.as_bytes(), "list".into(), false, most);
    assert_eq!(of(3).unwrap().rows().len(), 3);
    assert!(matches!(of(2), Err(RerunError::TooMany { most: 2, .. })));
}

#[test]
fn wanted_rows_keep_their_numbers_and_lines() {
    let rows = |count: usize| {
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let schema = Schema::default().to_arrow();
        arrow_array::RecordBatch::try_new_with_options(schema, Vec::new(), &options).unwrap()
    };
    let reject = |row| Reject {
        row,
        file: None,
        line: None,
        violations: Vec::new(),
    };
    let mut decoded = Decoded {
        batches: vec![
            Batch::new(rows(3), Origin::contiguous(10).with_lines(12, None)),
            Batch::new(rows(2), Origin::scattered(13, Some(vec![1, 3]))),
        ],
        rejects: vec![reject(13), reject(15)],
    };
    let wanted = read(&lines(&[(11, None), (13, None), (20, None)])).unwrap();
    pick(&mut decoded, &RowSelection::Rejects(&wanted)).unwrap();
    assert_eq!(decoded.rejects, [reject(13)]);
    let [batch] = decoded.batches.as_slice() else {
        panic!("{:?}", decoded.batches);
    };
    assert_eq!(batch.rows(), 1);
    assert_eq!((batch.origin.row(0), batch.origin.line(0)), (11, Some(13)));
}

#[test]
fn rows_from_one_on_are_counted_in_each_chunk() {
    let from = RowSelection::From(15);
    let counts: Vec<u64> = [(0, 10), (10, 10), (20, 10)]
        .map(|(first, count)| from.of(first, count))
        .into();
    assert_eq!(counts, [0, 5, 10]);
    assert_eq!(RowSelection::From(0).of(7, 3), 3);
    assert_eq!(RowSelection::From(u64::MAX).of(7, 3), 0);
}

#[test]
fn a_file_is_the_same_from_another_folder_and_not_by_a_part_of_its_name() {
    for (a, b, same) in [
        ("in/a.csv", "in/a.csv", true),
        ("./in/a.csv", "in/a.csv", true),
        ("/data/in/a.csv", "../in/a.csv", true),
        ("in/a.csv", "in/b.csv", false),
        ("in/a.csv", "in/aa.csv", false),
        ("x/a.csv", "y/a.csv", false),
    ] {
        assert_eq!(same_path(a, b), same, "{a} {b}");
        assert_eq!(same_path(b, a), same, "{b} {a}");
    }
}
