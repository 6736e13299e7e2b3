//! Guests that look for a way out, files that are no plugins, and cells that want to travel.

use glovebox_core::FaultKind::{Breach, Trap};

use crate::attacks::Due::{Anything, Harmless, Refused, Stopped};
use crate::attacks::Phase::Apply;
use crate::attacks::{Attack, Source, attack};

pub(super) fn doors() -> Vec<Attack> {
    vec![
        attack("is_honest", "", Harmless),
        attack("echoes", "", Harmless),
        attack("looks_around", "", Harmless),
        attack("tries_rarer_doors", "", Harmless).batches(10),
        attack("imports_secrets", "", Refused),
        attack("imports_key_value", "", Refused),
        attack("imports_invented_wasi", "", Refused),
        attack("imports_newer_log", "", Refused),
        attack("speaks_another_version", "", Refused),
        attack("is_no_plugin", "", Refused),
        attack("is_half_a_world", "", Refused),
        attack("is_two_worlds", "", Refused),
    ]
}

/// The honest guest's file, spoiled.
pub(super) fn files() -> Vec<Attack> {
    let spoiled = |guest, act, due, spoil| Attack {
        source: Source::Spoiled(spoil),
        ..attack(guest, act, due)
    };
    let mut list = vec![
        spoiled("is_empty", "", Refused, |_, _| Vec::new()),
        spoiled("is_a_script", "", Refused, |_, _| {
            b"#!/bin/sh\nexit 0\n".to_vec()
        }),
        spoiled("is_a_core_module", "", Refused, |_, _| {
            b"\0asm\x01\0\0\0".to_vec()
        }),
        spoiled("is_100_mib", "zeroes", Refused, |mut bytes, _| {
            bytes.resize(100 << 20, 0);
            bytes
        }),
        spoiled(
            "is_as_large_as_may_be",
            "zeroes",
            Refused,
            |mut bytes, _| {
                bytes.resize(64 << 20, 0);
                bytes
            },
        ),
        spoiled(
            "is_as_large_as_may_be",
            "custom-section",
            Harmless,
            |bytes, _| padded(bytes, 60 << 20),
        ),
    ];
    for share in ["1/4", "1/2", "3/4", "all-but-a-byte"] {
        list.push(spoiled("is_cut_short", share, Refused, cut));
    }
    for seed in ["1", "2", "3", "4", "5", "6", "7", "8"] {
        list.push(spoiled("has_a_flipped_bit", seed, Anything, flipped).at_once());
    }
    list
}

/// With a custom section of so many bytes at the end, which any component may have.
fn padded(mut bytes: Vec<u8>, length: usize) -> Vec<u8> {
    // Five bytes of LEB128 hold any length.
    let mut rest = length + 2;
    bytes.push(0);
    for place in 0..5 {
        let more = if place < 4 { 0x80 } else { 0 };
        bytes.push((rest & 0x7f) as u8 | more);
        rest >>= 7;
    }
    bytes.extend_from_slice(b"\x01x");
    bytes.resize(bytes.len() + length, 0);
    bytes
}

fn cut(mut bytes: Vec<u8>, act: &str) -> Vec<u8> {
    let length = match act {
        "1/4" => bytes.len() / 4,
        "1/2" => bytes.len() / 2,
        "3/4" => bytes.len() / 4 * 3,
        _ => bytes.len() - 1,
    };
    bytes.truncate(length);
    bytes
}

/// A bit somewhere, by Knuth's MMIX generator: the same for a seed each time.
fn flipped(mut bytes: Vec<u8>, act: &str) -> Vec<u8> {
    let mut state: u64 = act.parse().unwrap_or(4711);
    for _ in 0..4 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
    }
    let place = (state >> 33) as usize % bytes.len().max(1);
    if let Some(byte) = bytes.get_mut(place) {
        *byte ^= 1 << ((state >> 20) & 7);
    }
    bytes
}

/// Cells that want to travel in what is said of a batch.
pub(super) fn stowaways() -> Vec<Attack> {
    let (breach, trap) = (Stopped(Breach, Apply), Stopped(Trap, Apply));
    vec![
        attack("shouts", "", Harmless),
        attack("carries_cells_in_findings", "rule", breach),
        attack("carries_cells_in_findings", "rows", breach),
        attack("carries_cells_in_findings", "pattern", Harmless),
        attack("carries_cells_in_findings", "often", Harmless),
        attack("carries_cells_in_faults", "panic", trap),
        attack("carries_cells_in_faults", "exit", trap),
        attack("carries_cells_in_faults", "address", trap),
        attack("carries_cells_in_faults", "depth", trap),
        attack("carries_cells_in_faults", "error-text", trap),
        attack("spells_cells_in_faults", "", trap).at_once(),
        attack("copies_another_column", "", Harmless),
    ]
}
