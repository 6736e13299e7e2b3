//! Owns what wit-bindgen generates from the contract in `wit/`. Refuses hand-written code, but for
//! the encoded type of each world: a plugin embeds the one that it exports and no other.
//!
//! One crate cannot generate three worlds whose exports are public: each of them exports the
//! interface `plugin`, and the macros for it would clash. So one world is generated that is all
//! three (which also gives them the same types), and `export!` picks from its macros.
#![allow(unsafe_code, missing_docs, unreachable_pub, clippy::all)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

wit_bindgen::generate!({
    inline: "
        package glovebox:sdk;
        world every-plugin {
            import glovebox:plugin/log@0.1.0;
            export glovebox:plugin/plugin@0.1.0;
            export glovebox:plugin/validator@0.1.0;
            export glovebox:plugin/masker@0.1.0;
            export glovebox:plugin/transformer@0.1.0;
        }
    ",
    path: "../../wit",
    world: "glovebox:sdk/every-plugin",
    pub_export_macro: true,
    export_macro_name: "export_every_world",
    additional_derives: [PartialEq],
    generate_all,
});

macro_rules! world_type {
    ($name:ident, $file:literal) => {
        #[cfg(target_arch = "wasm32")]
        pub const $name: [u8; include_bytes!(concat!(env!("OUT_DIR"), "/", $file)).len()] =
            *include_bytes!(concat!(env!("OUT_DIR"), "/", $file));
    };
}
world_type!(VALIDATOR, "validator.type");
world_type!(MASKER, "masker.type");
world_type!(TRANSFORMER, "transformer.type");
