//! `src/bindings.rs` is what wit-bindgen makes of the contract. It is committed, so that nobody who
//! builds a plugin compiles the generator, which is more crates than the SDK and its own needs.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::path::Path;

use wit_bindgen_core::WorldGenerator as _;
use wit_parser::Resolve;

const HEAD: &str = "\
//! What wit-bindgen makes of the contract in `wit/`, and the encoded type of each world, of which a
//! plugin embeds the one that it exports. Written by `GLOVEBOX_BLESS=1 cargo test -p glovebox-sdk
//! --test bindings`; do not edit.
//!
//! One crate cannot generate three worlds whose exports are public: each of them exports the
//! interface `plugin`, and the macros for it would clash. So one world is generated that is all
//! three (which also gives them the same types), and `export!` picks from its macros.
#![allow(unsafe_code, missing_docs, unreachable_pub, clippy::all)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

";

const EVERY_WORLD: &str = "
    package glovebox:sdk;
    world every-plugin {
        import glovebox:plugin/log@0.1.0;
        export glovebox:plugin/plugin@0.1.0;
        export glovebox:plugin/validator@0.1.0;
        export glovebox:plugin/masker@0.1.0;
        export glovebox:plugin/transformer@0.1.0;
    }
";

fn generated() -> String {
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let (contract, _) = resolve.push_path(wit).unwrap();
    let mut worlds = String::new();
    for world in ["validator", "masker", "transformer"] {
        let id = resolve.select_world(&[contract], Some(&format!("{world}-plugin")));
        let utf8 = wit_component::StringEncoding::UTF8;
        let encoded = wit_component::metadata::encode(&resolve, id.unwrap(), utf8, None).unwrap();
        writeln!(
            worlds,
            "#[cfg(target_arch = \"wasm32\")]\npub const {}: [u8; {}] = *b\"{}\";",
            world.to_uppercase(),
            encoded.len(),
            encoded.escape_ascii(),
        )
        .unwrap();
    }

    let every = resolve.push_str("every.wit", EVERY_WORLD).unwrap();
    let world = resolve.select_world(&[every], None).unwrap();
    let options = wit_bindgen_rust::Opts {
        additional_derive_attributes: vec!["PartialEq".to_owned()],
        export_macro_name: Some("export_every_world".to_owned()),
        format: true,
        generate_all: true,
        pub_export_macro: true,
        ..Default::default()
    };
    let mut files = Default::default();
    options
        .build()
        .generate(&mut resolve, world, &mut files)
        .unwrap();
    let (_, bindings) = files.iter().next().unwrap();
    format!("{HEAD}{}\n{worlds}", str::from_utf8(bindings).unwrap())
}

#[test]
fn the_bindings_are_those_of_the_contract() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bindings.rs");
    let generated = generated();
    if std::env::var_os("GLOVEBOX_BLESS").is_some() {
        std::fs::write(path, generated).unwrap();
        return;
    }
    assert!(
        std::fs::read_to_string(path).unwrap() == generated,
        "src/bindings.rs is behind wit/; rewrite it with GLOVEBOX_BLESS=1"
    );
}
