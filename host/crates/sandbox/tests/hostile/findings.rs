//! Validators whose findings cannot be.

use crate::room::Room;

#[test]
fn findings_of_what_is_not_there_are_refused() {
    for (act, what) in [
        (
            "rule",
            "a finding for a rule beyond the 1 that it announced",
        ),
        ("row", "the rows of a finding exceed the batch's 20"),
        ("last-row", "the rows of a finding exceed the batch's 20"),
        (
            "falling",
            "the rows of a finding are not in ascending order",
        ),
        ("twice", "the rows of a finding are not in ascending order"),
    ] {
        Room::of("finds_out_of_range").act(act).breaks(what);
    }
}

#[test]
fn a_flood_of_findings_is_refused() {
    let mut room = Room::of("floods_findings");
    room.limits.memory = 256 << 20;
    room.limits.returned = 256 << 20;
    let many =
        "it returned more findings, or rows in them, than the step's `limits: { findings: 1000 }`";
    room.breaks(many);
    room.act("empty").breaks(many);
}
