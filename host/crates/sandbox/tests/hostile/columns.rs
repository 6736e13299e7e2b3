//! Columns that are wrong in one thing each.

use glovebox_core::{DataType, FaultKind};

use crate::room::Room;

const DECIMAL: DataType = DataType::Decimal {
    precision: 10,
    scale: 2,
};

#[test]
fn a_wrong_number_of_cells_is_refused() {
    for (act, found) in [("few", "too few"), ("many", "too many")] {
        for data_type in [
            DataType::Int64,
            DataType::Float64,
            DECIMAL,
            DataType::Date,
            DataType::Timestamp,
        ] {
            Room::of("returns_wrong_count")
                .act(act)
                .adds("new", data_type)
                .breaks(&format!("column `new` has {found} values for 20 rows"));
        }
        for data_type in [DataType::Text, DataType::Bytes] {
            Room::of("returns_wrong_count")
                .act(act)
                .adds("new", data_type)
                .breaks(&format!(
                    "column `new` has {found} offsets for 20 rows; expected 21"
                ));
        }
    }
}

#[test]
fn a_bitmap_of_a_wrong_length_is_refused() {
    let types = [DataType::Boolean, DataType::Int64, DataType::Text];
    for (length, bytes) in [("short", "too few"), ("long", "too many")] {
        for (act, bitmap, data_type) in [
            ("keep", "keep", types[1]),
            ("cells", "new", types[0]),
            ("validity", "validity", types[0]),
            ("validity", "validity", types[1]),
            ("validity", "validity", types[2]),
        ] {
            Room::of("returns_bad_bitmap")
                .act(&format!("{length}\",\"bitmap\":\"{act}"))
                .adds("new", data_type)
                .breaks(&format!(
                    "the bitmap of `{bitmap}` has {bytes} bytes for 20 rows"
                ));
        }
    }
}

#[test]
fn bad_offsets_are_refused() {
    for act in [
        "not-from-0",
        "negative",
        "falling",
        "past-the-data",
        "short-of-the-data",
    ] {
        Room::of("returns_bad_offsets").act(act).breaks(
            "the offsets of column `city` do not start at 0, rise, and end at its data's length",
        );
    }
    for (act, found) in [("none", "too few"), ("one-more", "too many")] {
        Room::of("returns_bad_offsets").act(act).breaks(&format!(
            "column `city` has {found} offsets for 20 rows; expected 21"
        ));
    }
}

#[test]
fn text_that_is_not_utf8_is_refused() {
    for act in ["whole", "cut"] {
        Room::of("returns_bad_utf8")
            .act(act)
            .breaks("column `city` has text that is not UTF-8");
    }
}

#[test]
fn another_type_than_announced_is_refused() {
    for (announced, name, found) in [
        (DataType::Text, "text", "bytes"),
        (DataType::Bytes, "bytes", "text"),
        (DataType::Boolean, "boolean", "text"),
        (DataType::Int64, "int64", "text"),
        (DataType::Float64, "float64", "text"),
        (DECIMAL, "decimal(10,2)", "text"),
        (DataType::Date, "date", "text"),
        (DataType::Timestamp, "timestamp", "text"),
    ] {
        Room::of("returns_another_type")
            .adds("new", announced)
            .breaks(&format!(
                "column `new` came back as {found}, but it had announced {name}"
            ));
    }
}

#[test]
fn nulls_that_were_not_announced_are_refused() {
    Room::of("returns_unannounced_nulls")
        .adds("new", DataType::Int64)
        .breaks("column `new` has nulls, but it had announced none");
}

#[test]
fn decimals_that_do_not_fit_are_refused() {
    let room = |act| {
        Room::of("returns_bad_decimals")
            .act(act)
            .adds("new", DECIMAL)
    };
    room("half").breaks("column `new` has half a decimal");
    room("digits").breaks("column `new` has a decimal of more than 10 digits");
}

#[test]
fn a_column_too_few_or_too_many_is_refused() {
    for act in ["few", "many"] {
        Room::of("returns_other_columns")
            .act(act)
            .adds("new", DataType::Int64)
            .breaks("it did not return the 1 columns that it had announced");
    }
}

#[test]
fn a_column_over_the_limit_is_refused_by_its_remedy() {
    let mut room = Room::of("returns_too_much");
    room.limits.memory = 256 << 20;
    let fault = room.fault();
    assert_eq!(fault.kind, FaultKind::Breach);
    assert!(fault.remedy.contains("`limits: { returned: … }`"));
}
