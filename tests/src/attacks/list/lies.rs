//! Guests whose answers cannot be: every field of every record, wrong in every way that it can be.

use glovebox_core::DataType;
use glovebox_core::FaultKind::Breach;

use crate::attacks::Due::{Declined, Harmless, Stopped};
use crate::attacks::Phase::{Apply, Load, Open};
use crate::attacks::{Attack, Due, attack, raw};

/// The same guest in several acts.
fn acts(guest: &'static str, due: Due, acts: &[&'static str]) -> Vec<Attack> {
    acts.iter().map(|act| attack(guest, act, due)).collect()
}

fn raw_acts(guest: &'static str, due: Due, acts: &[&'static str]) -> Vec<Attack> {
    acts.iter().map(|act| raw(guest, act, due)).collect()
}

/// What it says before the first row.
pub(super) fn announced() -> Vec<Attack> {
    let (load, open) = (Stopped(Breach, Load), Stopped(Breach, Open));
    let adds = |mut a: Attack| {
        a.adds = Some(DataType::Int64);
        a
    };
    [
        vec![
            attack("talks_too_much", "", load),
            attack("writes_on_the_terminal", "", Harmless),
            attack("writes_on_the_terminal", "refuse", Declined),
        ],
        raw_acts(
            "describes_what_is_no_text",
            load,
            &[
                "name-not-utf8",
                "name-outside",
                "name-too-long",
                "version-not-utf8",
                "version-outside",
                "version-too-long",
                "summary-not-utf8",
                "summary-outside",
                "summary-too-long",
                "documentation-not-utf8",
                "documentation-outside",
                "documentation-too-long",
                "schema-not-utf8",
                "schema-outside",
                "schema-too-long",
            ],
        ),
        raw_acts(
            "opens_as_nothing",
            open,
            &[
                "result",
                "outside",
                "crooked",
                "no-handle",
                "unknown-handle",
                "last-handle",
                "path-not-utf8",
                "path-outside",
                "message-not-utf8",
                "message-longest",
            ],
        ),
        raw_acts("opens_as_nothing", Declined, &["empty-refusal"]),
        acts(
            "announces_bad_rules",
            open,
            &["column", "many", "long-id", "long-message", "bad-utf8"],
        ),
        vec![attack("announces_bad_rules", "huge", open).memory(256)],
        acts("announces_bad_keeps", open, &["few", "many", "long"]),
        raw_acts(
            "announces_no_known_rule",
            open,
            &[
                "id-not-utf8",
                "id-outside",
                "id-longest",
                "column",
                "column-last",
                "message-not-utf8",
                "message-outside",
                "list-crooked",
                "list-longest",
            ],
        ),
        acts(
            "announces_other_fields",
            open,
            &["renamed", "reordered", "more", "fewer", "type", "nulls"],
        ),
        raw_acts(
            "announces_no_known_type",
            open,
            &[
                "type",
                "type-255",
                "decimal",
                "nothing-of-a-decimal",
                "name-not-utf8",
                "name-outside",
                "name-longest",
                "name-empty",
                "list-outside",
                "list-longest",
            ],
        ),
        acts(
            "announces_ungranted",
            open,
            &["more", "less", "twice", "type", "wide", "deep"],
        )
        .into_iter()
        .map(adds)
        .collect(),
        vec![
            attack("changes_its_rules", "", Harmless),
            attack("changes_its_fields", "", Harmless),
            attack("answers_otherwise_each_time", "", Harmless).batches(100),
        ],
    ]
    .concat()
}

/// What a validator returns.
pub(super) fn found() -> Vec<Attack> {
    let breach = Stopped(Breach, Apply);
    [
        acts(
            "finds_out_of_range",
            breach,
            &["rule", "row", "last-row", "falling", "twice"],
        ),
        raw_acts(
            "answers_from_elsewhere",
            breach,
            &[
                "return-outside",
                "return-crooked",
                "return-at-the-end",
                "list-outside",
                "list-crooked",
                "list-past-the-end",
                "list-wraps",
                "list-longest",
                "rows-outside",
                "rows-crooked",
                "rows-wrap",
                "rows-longest",
                "rule-absent",
                "rule-last",
            ],
        ),
    ]
    .concat()
}

/// What a masker returns.
pub(super) fn masked() -> Vec<Attack> {
    let breach = Stopped(Breach, Apply);
    let both = |a: Attack| a.masks(&[0, 1]);
    [
        acts("masks_ungranted", breach, &["read-only", "absent", "more"]),
        vec![both(attack("masks_ungranted", "twice", breach))],
        acts(
            "points_at_bad_spans",
            breach,
            &[
                "past",
                "far",
                "empty",
                "reversed",
                "overlapping",
                "falling",
                "falling-rows",
                "no-such-row",
                "unequal",
            ],
        ),
        acts("points_at_bad_rows", breach, &["short", "long"]),
        acts("nullifies_the_not_null", breach, &["cells", "spans"]),
        acts("leaves_cells_as_they_are", breach, &["type", "nulls"]),
        // Whether a mask still holds its cell is for the engine to see, and is tested there.
        acts("hands_cells_back", Harmless, &["", "upper", "within"]),
        acts("names_another_key", breach, &["long"]),
        // Which keys are granted is for the engine to say, and is tested there.
        acts("names_another_key", Harmless, &["another", "cell"]),
        acts("orders_endless_work", breach, &["long"]),
        acts(
            "makes_values_up",
            breach,
            &["list", "text", "pieces", "digits", "entity"],
        ),
        // Which lists it may order is for the engine to say, and is tested there.
        acts("makes_values_up", Harmless, &["other-list", "token"]),
        acts(
            "orders_endless_work",
            Harmless,
            &["hours", "nothing", "alphabet"],
        ),
        acts(
            "returns_bad_offsets",
            breach,
            &[
                "not-from-0",
                "negative",
                "falling",
                "past-the-data",
                "short-of-the-data",
                "none",
                "one-more",
            ],
        ),
        acts("returns_bad_utf8", breach, &["whole", "cut"]),
        raw_acts(
            "masks_by_no_known_case",
            breach,
            &[
                "action",
                "action-255",
                "values",
                "validity",
                "method",
                "target",
                "nullified",
                "key-not-utf8",
                "key-outside",
                "key-longest",
                "alphabet-not-utf8",
                "alphabet-outside",
                "spans-outside",
                "values-of-another-type",
                "offsets-outside",
                "nothing-at-all",
                "column-last",
            ],
        ),
    ]
    .concat()
}

/// What a transformer returns.
pub(super) fn transformed() -> Vec<Attack> {
    let breach = Stopped(Breach, Apply);
    let types = [
        DataType::Boolean,
        DataType::Int64,
        DataType::Float64,
        DataType::Decimal {
            precision: 10,
            scale: 2,
        },
        DataType::Text,
        DataType::Bytes,
        DataType::Date,
        DataType::Timestamp,
    ];
    let mut list = Vec::new();
    for data_type in types {
        for act in ["few", "many"] {
            list.push(attack("returns_wrong_count", act, breach).adds(data_type));
        }
        list.push(attack("returns_another_type", "", breach).adds(data_type));
        list.push(attack("returns_extremes", "", Harmless).adds(data_type));
    }
    for act in [
        "short\",\"bitmap\":\"validity",
        "long\",\"bitmap\":\"validity",
    ] {
        list.push(attack("returns_bad_bitmap", act, breach).adds(DataType::Int64));
    }
    for act in ["short\",\"bitmap\":\"cells", "long\",\"bitmap\":\"cells"] {
        list.push(attack("returns_bad_bitmap", act, breach).adds(DataType::Boolean));
    }
    for act in ["short\",\"bitmap\":\"keep", "long\",\"bitmap\":\"keep"] {
        list.push(attack("returns_bad_bitmap", act, breach).adds(DataType::Int64));
    }
    for act in ["half", "digits"] {
        list.push(attack("returns_bad_decimals", act, breach).adds_decimal());
    }
    for act in ["few", "many"] {
        list.push(attack("returns_other_columns", act, breach).adds(DataType::Int64));
    }
    list.push(attack("returns_unannounced_nulls", "", breach).adds(DataType::Int64));
    list.extend(raw_acts(
        "keeps_by_no_known_case",
        breach,
        &[
            "option",
            "outside",
            "longest",
            "empty",
            "columns-outside",
            "columns-longest",
        ],
    ));
    list
}
