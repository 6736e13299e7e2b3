//! What is no plugin, refused before any of it has run, by a sentence that says what to do.

use glovebox_core::{Limits, PluginError};

use crate::room::{Room, guest, sandbox};

const REBUILD: &str = "rebuild it with glovebox-sdk 0.1, or from the WIT package glovebox:plugin@0.1.0 (the folder wit/ of this version)";

#[track_caller]
fn refusal(bytes: &[u8]) -> String {
    match sandbox().load("it", bytes, &Limits::default()) {
        Err(PluginError::Refused { plugin, problem }) => {
            assert_eq!(plugin, "it");
            problem
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was loaded"),
    }
}

#[test]
fn what_is_no_component_is_refused() {
    for bytes in [&b""[..], b"\0asm", b"#!/bin/sh", &[0xff; 100]] {
        let due = match bytes {
            b"\0asm" => {
                "is a core WebAssembly module, not a component; build it with `cargo build --target wasm32-wasip2`"
            }
            _ => "is not a WebAssembly component",
        };
        assert_eq!(refusal(bytes), due);
    }
    assert_eq!(
        refusal(b"\0asm\x01\0\0\0"),
        "is a core WebAssembly module, not a component; build it with `cargo build --target wasm32-wasip2`"
    );
}

#[test]
fn a_component_of_100_mib_is_refused() {
    let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
    bytes.resize(100 << 20, 0);
    assert_eq!(
        refusal(&bytes),
        "is larger than 64 MiB, the limit for a plugin"
    );
}

#[test]
fn an_import_that_is_not_given_is_refused_by_name() {
    for (name, import) in [
        ("imports_secrets", "acme:vault/secrets"),
        ("imports_key_value", "wasi:keyvalue/store@0.2.0"),
    ] {
        assert_eq!(
            refusal(&guest(name)),
            format!(
                "imports `{import}`, which plugins do not get; a plugin may only import glovebox:plugin/log and an empty WASI 0.2"
            )
        );
    }
    // Of an interface that is given, what is asked for is the component's own word.
    assert_eq!(
        refusal(&guest("imports_invented_wasi")),
        format!(
            "does not match contract 0.1.0, whose version it names (`glovebox plugin check` says where); {REBUILD}"
        )
    );
}

#[test]
fn another_version_of_the_contract_is_told_what_to_rebuild_with() {
    for name in ["speaks_another_version", "imports_newer_log"] {
        assert_eq!(
            refusal(&guest(name)),
            format!("was built for contract 0.9.0; this host supports 0.1.0; {REBUILD}")
        );
    }
}

#[test]
fn no_world_two_worlds_and_half_a_world_are_refused() {
    assert_eq!(
        refusal(&guest("is_no_plugin")),
        format!(
            "exports none of the worlds of contract 0.1.0: validator, masker, transformer; {REBUILD}"
        )
    );
    assert_eq!(
        refusal(&guest("is_two_worlds")),
        "exports more than one world; a plugin is a validator, a masker or a transformer"
    );
    assert_eq!(
        refusal(&guest("is_half_a_world")),
        format!(
            "does not match contract 0.1.0, whose version it names (`glovebox plugin check` says where); {REBUILD}"
        )
    );
}

#[test]
fn a_component_cut_short_is_refused() {
    let whole = guest("is_honest");
    for part in 1..16 {
        let cut = &whole[..whole.len() * part / 16];
        let problem = refusal(cut);
        assert!(
            problem == "is not a valid component (`glovebox plugin check` says where)",
            "{problem}"
        );
    }
}

#[test]
fn names_in_a_component_cannot_write_on_a_terminal() {
    let mut bytes = guest("shouts");
    let name = b"glovebox:plugin/log@0.1.0";
    let places: Vec<_> = bytes
        .windows(name.len())
        .enumerate()
        .filter_map(|(i, w)| (w == name).then_some(i))
        .collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place..place + 4].copy_from_slice(b"\x1b[2J");
    }
    let problem = refusal(&bytes);
    assert!(!problem.contains(char::is_control), "{problem:?}");
}

#[test]
fn a_component_with_flipped_bits_is_refused_or_contained() {
    let whole = guest("is_honest");
    let mut room = Room::of("is_honest");
    room.limits = Limits {
        time: std::time::Duration::from_millis(300),
        ..room.limits
    };
    // A linear congruential generator (Knuth's MMIX constants): the same flips each time.
    let mut state: u64 = 4711;
    let (mut refused, mut loaded) = (0, 0);
    for _ in 0..40 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let mut flipped = whole.clone();
        let place = (state >> 33) as usize % flipped.len();
        flipped[place] ^= 1 << ((state >> 20) & 7);
        match sandbox().load("flipped", &flipped, &room.limits) {
            Ok(plugin) => {
                loaded += 1;
                // Whatever it does now, the host outlives it.
                if let Ok(mut instance) = plugin.open("{}", &room.grants) {
                    let _ = instance.apply(&crate::room::clean());
                }
            }
            Err(_) => refused += 1,
        }
    }
    assert_eq!(refused + loaded, 40);
    assert!(refused > 0);
}
