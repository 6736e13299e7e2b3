//! Maskers that point where they may not.

use glovebox_core::{Action, Answer};

use crate::room::{CANARIES, Room, clean, poisonous};

#[test]
fn a_column_outside_of_the_grant_is_not_masked() {
    let outside =
        "it masked a column that is not in the step's `masks:`; grant it there if it is wanted";
    Room::of("masks_ungranted").act("read-only").breaks(outside);
    Room::of("masks_ungranted").act("absent").breaks(outside);
    Room::of("masks_ungranted")
        .act("more")
        .breaks("it masked more columns than the 1 of the step's `masks:`");
    let mut room = Room::of("masks_ungranted").act("twice");
    room.grants.masks = vec![0, 1];
    room.breaks("it masked column `city` twice");
}

#[test]
fn spans_that_cannot_be_are_refused() {
    let bad = "a span that is empty, past its cell, or inside a character";
    let order = "its spans overlap or are not in order";
    for (act, what) in [
        ("past", bad),
        ("far", bad),
        ("empty", bad),
        ("reversed", bad),
        ("overlapping", order),
        ("falling", order),
        ("falling-rows", order),
        (
            "no-such-row",
            "a span in a row that is not there, or is null",
        ),
        (
            "unequal",
            "its spans have unequal numbers of rows, starts and ends",
        ),
    ] {
        Room::of("points_at_bad_spans").act(act).breaks(what);
    }
}

#[test]
fn a_span_inside_a_character_is_refused() {
    let room = Room::of("points_at_bad_spans").act("inside-a-character");
    // Its row 1 is poison, its row 0 begins with a character of two bytes.
    let batch = poisonous();
    let columns = batch.columns.slice(0, 3);
    let turned = arrow_array::RecordBatch::try_new(
        columns.schema(),
        vec![
            std::sync::Arc::new(arrow_array::StringArray::from(vec![
                "\u{e9}tampes",
                "poison",
                "Lyon",
            ])),
            std::sync::Arc::clone(columns.column(1)),
        ],
    )
    .unwrap();
    let batch = glovebox_core::Batch::new(turned, batch.origin);
    let fault = room.open().unwrap().apply(&batch).unwrap_err();
    assert_eq!(
        fault.what,
        "broke the contract in `apply`: a span that is empty, past its cell, or inside a character"
    );
}

#[test]
fn spans_of_a_column_that_is_not_text_are_refused() {
    let mut room = Room::of("points_at_bad_spans").act("past");
    room.grants.masks = vec![1];
    let mut instance = room.open().unwrap();
    let fault = instance.apply(&clean()).unwrap_err();
    assert_eq!(
        fault.what,
        "broke the contract in `apply`: hmac-sha256 gives text cells that may be null, and it had announced otherwise for column `number`"
    );
}

#[test]
fn rows_by_a_bitmap_of_a_wrong_length_are_refused() {
    for (act, bytes) in [("short", "too few"), ("long", "too many")] {
        Room::of("points_at_bad_rows").act(act).breaks(&format!(
            "the bitmap of `city` has {bytes} bytes for 20 rows"
        ));
    }
}

#[test]
fn what_may_not_be_null_is_not_nullified() {
    Room::of("nullifies_the_not_null")
        .act("cells")
        .breaks("it nullified cells of column `city`, and it had announced no nulls");
    Room::of("nullifies_the_not_null")
        .act("spans")
        .breaks("it nullified spans; only cells and rows can be null");
}

#[test]
fn what_was_announced_as_masked_is_not_left() {
    for act in ["type", "nulls"] {
        Room::of("leaves_cells_as_they_are").act(act).breaks(
            "it announced another type for column `city`, or no nulls in it, and then did not mask it",
        );
    }
}

#[test]
fn a_long_name_of_a_key_or_alphabet_is_refused() {
    let long = "a text of more than 1024 bytes";
    Room::of("names_another_key").act("long").breaks(long);
    Room::of("orders_endless_work").act("long").breaks(long);
}

#[test]
fn values_made_up_of_too_much_are_refused() {
    for (act, told) in [
        ("list", "a text of more than 1048576 bytes"),
        ("text", "a text of more than 1024 bytes"),
        ("pieces", "a value of more than 64 pieces"),
        ("digits", "a piece of more than 64 digits"),
        ("entity", "it named an entity that is not among its columns"),
    ] {
        Room::of("makes_values_up").act(act).breaks(told);
    }
}

#[test]
fn a_key_is_named_as_the_plugin_named_it() {
    // Whether a key is granted is for the ring to say: this is what must not be printed before.
    let mut instance = Room::of("names_another_key").act("cell").open().unwrap();
    let Answer::Masked(masked) = instance.apply(&poisonous()).unwrap() else {
        panic!("no masks");
    };
    let Some(Action::Keyed { key, .. }) = masked.first().map(|m| &m.action) else {
        panic!("no keyed action");
    };
    assert!(key.contains(CANARIES[0]));
}
