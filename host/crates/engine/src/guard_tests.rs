//! Pairs of raw cells and masks, type by type: which are leaks, and what a step may keep.

use std::sync::Arc;

use arrow_array::{
    BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};

use super::*;

fn text(cells: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(cells.to_vec()))
}

#[track_caller]
fn found(kept: &Kept, raw: &ArrayRef, mask: &ArrayRef) -> Vec<u32> {
    leaks(kept, raw, Mask::Values(mask)).unwrap()
}

#[track_caller]
fn is_leak(raw: &str, mask: &str) -> bool {
    !found(&Kept::Nothing, &text(&[raw]), &text(&[mask])).is_empty()
}

#[test]
fn a_cell_is_found_whole_in_any_case_and_with_any_separators() {
    for (raw, mask) in [
        ("Ann", "Ann"),
        ("Ann", "ANN"),
        ("Ann", "[ann]"),
        ("M", "M"),
        ("M", "m"),
        ("7", "7"),
        ("123-45-6789", "123-45-6789"),
        ("123-45-6789", "123456789"),
        ("123456789", "123 45 6789"),
        ("123-45-6789", "ssn:123456789;"),
        ("Zoë Müller", "ZOË-MÜLLER"),
        ("Straße 12", "STRASSE 12"),
        ("STRASSE 12", "straße 12"),
        ("Οδυσσεύς", "ΟΔΥΣΣΕΎΣ"),
        ("Иван Петров", "иван_петров"),
        ("\u{212a}elvin", "kelvin"),
        ("kelvin", "\u{212a}elvin"),
        ("日本語版", "x日本語版x"),
        ("12345----", "12345XXXX"),
        ("a@b.example", "A at... a@B.EXAMPLE"),
        ("--", "--"),
        ("\u{1f600}", "\u{1f600}"),
        ("-1", "1"),
    ] {
        assert!(is_leak(raw, mask), "{raw:?} in {mask:?}");
    }
}

#[test]
fn less_than_a_whole_cell_is_no_leak() {
    for (raw, mask) in [
        ("", ""),
        ("", "anything"),
        ("Ann", ""),
        ("Ann", "Hannah"),
        ("act", "[redacted]"),
        ("M", "masked"),
        ("123-45-6789", "123-45-XXXX"),
        ("123-45-6789", "XXXXX6789"),
        ("123-45-6789", "987-65-4321"),
        ("Zoë Müller", "Zo"),
        ("cust17", "6ZuHRg0dKwM="),
        ("Иван Петров", "Иван"),
        ("1234", "124"),
        ("--", "-"),
        ("--", "---"),
        ("\u{1f600}", "x"),
        ("日本語版", "日本"),
    ] {
        assert!(!is_leak(raw, mask), "{raw:?} in {mask:?}");
    }
}

#[test]
fn nulls_are_no_leak() {
    let raw: ArrayRef = Arc::new(StringArray::from(vec![Some("Anna"), None, None]));
    let mask: ArrayRef = Arc::new(StringArray::from(vec![None, Some("Anna"), None]));
    assert!(found(&Kept::Nothing, &raw, &mask).is_empty());
}

#[test]
fn the_rows_are_named_in_order_also_of_cuts() {
    let raw = text(&["Anna", "Otto", "Eva", "Hans", "Ida"]);
    let mask = text(&["Anna", "x", "Eva", "x", "Ida"]);
    assert_eq!(found(&Kept::Nothing, &raw, &mask), [0, 2, 4]);
    let cut = |column: &ArrayRef| column.slice(1, 3);
    assert_eq!(found(&Kept::Nothing, &cut(&raw), &cut(&mask)), [1]);
}

#[test]
fn what_may_be_kept_is_not_found() {
    let raw = text(&["10115", "80", "8-0", "", "--", "8000"]);
    let up_to = |n| found(&Kept::Characters(n), &raw, &raw);
    assert_eq!(found(&Kept::Nothing, &raw, &raw), [0, 1, 2, 4, 5]);
    assert_eq!(up_to(0), [0, 1, 2, 5]);
    assert_eq!(up_to(2), [0, 5]);
    assert_eq!(up_to(4), [0]);
    assert!(up_to(5).is_empty());
    assert!(found(&Kept::Cells, &raw, &raw).is_empty());
}

#[test]
fn a_text_that_was_chosen_before_tells_of_no_cell() {
    let redacted = Kept::Constant("[redacted]".into());
    let raw = text(&["Reda", "[redacted]", "Anna", "Otto"]);
    let mask = text(&["[redacted]", "[redacted]", "Anna", "redacted"]);
    assert_eq!(found(&redacted, &raw, &mask), [2]);
    assert_eq!(found(&Kept::Nothing, &raw, &mask), [0, 1, 2]);
}

#[test]
fn values_that_are_not_text_are_found_when_they_are_equal() {
    let decimal = |values: Vec<i128>, scale| -> ArrayRef {
        let values = Decimal128Array::from(values);
        Arc::new(values.with_precision_and_scale(20, scale).unwrap())
    };
    let at = |values: Vec<i64>| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
    };
    let (one, other): (Vec<ArrayRef>, Vec<ArrayRef>) = (
        vec![
            Arc::new(Int64Array::from(vec![37, 4])),
            Arc::new(Float64Array::from(vec![f64::NAN, 1.5])),
            Arc::new(BooleanArray::from(vec![true, true])),
            Arc::new(Date32Array::from(vec![100, 200])),
            decimal(vec![100, 200], 2),
            at(vec![1, 2]),
            Arc::new(BinaryArray::from(vec![&b"\xff\x00"[..], b"\xff\x01"])),
        ],
        vec![
            Arc::new(Int64Array::from(vec![37, 5])),
            Arc::new(Float64Array::from(vec![f64::NAN, 1.0])),
            Arc::new(BooleanArray::from(vec![true, false])),
            Arc::new(Date32Array::from(vec![100, 201])),
            decimal(vec![100, 201], 2),
            at(vec![1, 3]),
            Arc::new(BinaryArray::from(vec![&b"\xff\x00"[..], b"\xff\x01\x02"])),
        ],
    );
    for (raw, mask) in one.iter().zip(&other) {
        let name = raw.data_type();
        assert_eq!(found(&Kept::Nothing, raw, mask), [0], "{name}");
        assert!(found(&Kept::Cells, raw, mask).is_empty(), "{name}");
    }
    let [number, ..] = one.as_slice() else {
        panic!("no columns");
    };
    assert!(found(&Kept::Characters(2), number, number).is_empty());
    assert_eq!(found(&Kept::Characters(1), number, number), [0]);
}

#[test]
fn bytes_are_found_within_others_and_as_text() {
    let bytes = |b: &[u8]| -> ArrayRef { Arc::new(BinaryArray::from(vec![b])) };
    let is_leak = |raw, mask| !found(&Kept::Nothing, &raw, &mask).is_empty();
    assert!(is_leak(
        bytes(b"\x00\xff\xfe\x01"),
        bytes(b"..\x00\xff\xfe\x01..")
    ));
    assert!(!is_leak(bytes(b"\x00\xff\xfe"), bytes(b"..\x00\xff\xfe..")));
    assert!(is_leak(bytes(b"Anna Meier"), bytes(b"\xffANNA-MEIER")));
    assert!(is_leak(bytes(b"Anna Meier"), text(&["anna meier"])));
    assert!(is_leak(text(&["Anna Meier"]), bytes(b"anna meier")));
    assert!(is_leak(bytes(b"\xde\xad\xbe\xef"), text(&["0xDEADBEEF"])));
    assert!(!is_leak(bytes(b"Anna Meier"), text(&["Anna"])));
}

#[test]
fn a_value_is_found_as_one_of_another_type() {
    let is_leak = |raw: ArrayRef, mask: ArrayRef| !found(&Kept::Nothing, &raw, &mask).is_empty();
    let number = |n: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![n])) };
    let float = |x: f64| -> ArrayRef { Arc::new(Float64Array::from(vec![x])) };
    let date = |days: i32| -> ArrayRef { Arc::new(Date32Array::from(vec![days])) };
    let at = |micros: i64| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(vec![micros]).with_timezone("UTC"))
    };
    let decimal = |n: i128, scale| -> ArrayRef {
        let values = Decimal128Array::from(vec![n]);
        Arc::new(values.with_precision_and_scale(20, scale).unwrap())
    };
    const DAY: i64 = 86_400_000_000;
    for (raw, mask) in [
        (number(4711), text(&["no. 4,711"])),
        (number(37), text(&["37"])),
        (text(&["0049 30 1234"]), number(49_301_234)),
        (number(4711), float(4711.0)),
        (number(4711), decimal(471_100, 2)),
        (decimal(471_150, 2), float(4711.5)),
        (decimal(471_150, 2), text(&["4711.50"])),
        (float(71.5), text(&["71.5"])),
        (date(20_000), text(&["2024-10-04"])),
        (date(20_000), text(&["20241004"])),
        (date(20_000), at(20_000 * DAY + 1)),
        (
            at(20_000 * DAY + 1_000_000),
            text(&["2024-10-04T00:00:01Z"]),
        ),
        (at(20_000 * DAY + 1_000_000), text(&["2024-10-04 00:00:01"])),
        (text(&["2024-10-04"]), date(20_000)),
    ] {
        // A leading zero is more than the number says.
        let padded = raw.data_type() == &ArrowType::Utf8 && mask.data_type() == &ArrowType::Int64;
        assert_eq!(
            is_leak(Arc::clone(&raw), Arc::clone(&mask)),
            !padded,
            "{raw:?} as {mask:?}"
        );
    }
    for (raw, mask) in [
        (number(37), text(&["30-39"])),
        (number(37), float(30.0)),
        (date(20_000), text(&["2024"])),
        (date(20_000), at(20_001 * DAY)),
        (float(71.5), decimal(70, 0)),
    ] {
        assert!(
            !is_leak(Arc::clone(&raw), Arc::clone(&mask)),
            "{raw:?} as {mask:?}"
        );
    }
}

#[test]
fn rows_that_nothing_was_done_to_are_leaks() {
    let raw: ArrayRef = Arc::new(StringArray::from(vec![
        Some("Anna"),
        Some("Otto"),
        None,
        Some(""),
    ]));
    let none = |kept| leaks(&kept, &raw, Mask::None).unwrap();
    assert_eq!(none(Kept::Nothing), [0, 1]);
    assert!(none(Kept::Characters(4)).is_empty());
    let first = Target::Rows(BooleanArray::from(vec![true, false, false, false]));
    let pointed = |target: &Target| leaks(&Kept::Nothing, &raw, Mask::Pointed(target)).unwrap();
    assert_eq!(pointed(&first), [1]);
    assert!(pointed(&Target::Cells).is_empty());

    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    assert_eq!(leaks(&Kept::Nothing, &numbers, Mask::None).unwrap(), [0]);
}

#[test]
fn spans_have_to_take_something_of_a_cell() {
    let raw = text(&["call 555-1234", "call 555-1234", "--", "call me"]);
    let spans = |of: &[(u32, u32, u32)]| {
        Target::Spans(Spans {
            rows: of.iter().map(|s| s.0).collect(),
            starts: of.iter().map(|s| s.1).collect(),
            ends: of.iter().map(|s| s.2).collect(),
        })
    };
    let found =
        |kept: Kept, of: &[(u32, u32, u32)]| leaks(&kept, &raw, Mask::Pointed(&spans(of))).unwrap();
    // Row 1 loses its hyphen only, row 3 nothing.
    let of = [(0, 5, 13), (1, 4, 5), (1, 8, 9), (2, 0, 1)];
    assert_eq!(found(Kept::Nothing, &of), [1, 3]);
    assert!(found(Kept::Cells, &of).is_empty());
    assert_eq!(found(Kept::Nothing, &[(1, 4, 5), (1, 5, 8)]), [0, 2, 3]);
    // What a hostile plugin could say, the sandbox has refused; it does no harm here.
    assert_eq!(
        found(Kept::Nothing, &[(9, 0, 1), (0, 90, 99)]),
        [0, 1, 2, 3]
    );
}

#[test]
fn the_stricter_of_declaration_and_grant_holds() {
    use Kept::{Cells, Characters, Constant, Nothing};
    for (declared, granted, effective) in [
        (Nothing, Cells, Nothing),
        (Constant("x".into()), Nothing, Constant("x".into())),
        (Characters(4), Cells, Characters(4)),
        (Characters(4), Characters(2), Characters(2)),
        (Characters(2), Characters(4), Characters(2)),
        (Characters(2), Nothing, Nothing),
        (Cells, Cells, Cells),
        (Cells, Characters(2), Characters(2)),
        (Cells, Nothing, Nothing),
    ] {
        assert_eq!(declared.within(&granted), effective, "within {granted}");
    }
}
