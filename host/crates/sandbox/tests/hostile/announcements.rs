//! Guests that announce what they may not, or something else each time. All of this is before the
//! first row.

use glovebox_core::{Announced, DataType, FaultKind, PluginError, Rule};

use crate::room::{Room, USED_NOTHING};

#[track_caller]
fn is_refused(room: &Room, call: &str, what: &str) {
    let PluginError::Fault(fault) = room.refused() else {
        panic!("not a fault");
    };
    assert_eq!(fault.kind, FaultKind::Breach);
    assert_eq!(
        fault.what,
        format!("broke the contract in `{call}`: {what}")
    );
    assert_eq!(fault.remedy, USED_NOTHING);
}

#[test]
fn a_transformer_adds_what_it_was_granted() {
    for (act, what) in [
        (
            "more",
            "it announced a column that is not in the step's `adds:`; grant it there if you want \
            that",
        ),
        ("less", "it does not add column `new` of the step's `adds:`"),
        ("twice", "it announced a column twice"),
        (
            "type",
            "it announced column `new` as bytes, but the step's `adds:` says int64",
        ),
        (
            "nulls",
            "it announced that column `new` may be null, but the step's `adds:` says that it may \
            not",
        ),
        (
            "wide",
            "it announced a decimal whose precision is not 1 to 38 or whose scale is larger",
        ),
        (
            "deep",
            "it announced a decimal whose precision is not 1 to 38 or whose scale is larger",
        ),
    ] {
        let mut room = Room::of("announces_ungranted")
            .act(act)
            .adds("new", DataType::Int64);
        room.grants.adds[0].nullable = false;
        is_refused(&room, "fields", what);
    }
}

#[test]
fn a_masker_changes_what_it_was_granted() {
    let others = "its fields are not the granted ones in their order";
    let outside = "it announced a change to column `number`, which is not in the step's `masks:`";
    for (act, what) in [
        ("renamed", others),
        ("more", others),
        ("fewer", others),
        ("reordered", others),
        ("type", outside),
        ("nulls", outside),
    ] {
        is_refused(&Room::of("announces_other_fields").act(act), "fields", what);
    }
}

#[test]
fn a_masker_says_once_what_it_keeps_of_each_column() {
    let count = "it did not declare exactly once what it keeps of each of the 1 columns in the step's `masks:`";
    for (act, what) in [
        ("few", count),
        ("many", count),
        ("long", "a text of more than 1024 bytes"),
    ] {
        is_refused(&Room::of("announces_bad_keeps").act(act), "keeps", what);
    }
}

#[test]
fn rules_that_cannot_be_are_refused() {
    for (act, what) in [
        ("column", "a rule is about a column that was not granted"),
        ("many", "it announced 20000 rules; the limit is 10000"),
        ("long-id", "a text of more than 1024 bytes"),
        ("long-message", "a text of more than 1024 bytes"),
    ] {
        is_refused(&Room::of("announces_bad_rules").act(act), "rules", what);
    }
    for act in ["huge", "bad-utf8"] {
        let mut room = Room::of("announces_bad_rules").act(act);
        room.limits.memory = 256 << 20;
        let text = room.refused().in_full();
        assert!(
            text.starts_with(
                "plugin announces_bad_rules did something in `rules` that the host does not allow"
            ),
            "{text}"
        );
    }
}

#[test]
fn what_it_says_of_itself_has_bounds() {
    let refused = Room::of("talks_too_much").load().err().unwrap();
    assert_eq!(
        refused.in_full(),
        format!(
            "plugin talks_too_much broke the contract in `describe`: a text of more than 262144 bytes; {USED_NOTHING}"
        )
    );
}

#[test]
fn nothing_that_it_says_can_write_on_a_terminal() {
    let room = Room::of("writes_on_the_terminal");
    let plugin = room.load().unwrap();
    let about = plugin.about();
    let instance = room.open().unwrap();
    let Announced::Rules(rules) = instance.announced() else {
        panic!("no rules");
    };
    let [Rule { id, message, .. }] = rules.as_slice() else {
        panic!("one rule");
    };
    let Err(PluginError::Config {
        path,
        message: refusal,
        ..
    }) = Room::of("writes_on_the_terminal").act("refuse").open()
    else {
        panic!("not refused");
    };
    let shown = Room::of("writes_on_the_terminal").act("refuse").refused();
    assert!(!shown.in_full().contains("evil"), "{shown}");
    for text in [&about.name, &about.version, &about.summary, &path, &refusal] {
        assert!(text.contains("evil"));
        assert!(!text.contains(char::is_control), "{text:?}");
    }
    assert!(refusal.len() < 4_096);
    assert!(![id, message].iter().any(|t| t.contains(char::is_control)));
    assert!(id.chars().count() <= 64, "{id}");
    assert!(
        !about
            .documentation
            .replace('\n', "")
            .contains(char::is_control)
    );
}

#[test]
fn nothing_tells_two_openings_apart() {
    let room = Room::of("changes_its_rules");
    let (one, two) = (room.open().unwrap(), room.open().unwrap());
    assert_eq!(one.announced(), two.announced());
}
