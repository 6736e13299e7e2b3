//! What wit-bindgen generates from the contract: all three worlds as one, so that they share
//! their types. Refuses hand-written code, but for the encoded type of each world.
#![allow(unsafe_code, missing_docs, unreachable_pub, clippy::all)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

wit_bindgen::generate!({
    inline: "
        package glovebox:guests;
        world every-plugin {
            import glovebox:plugin/log@0.1.0;
            export glovebox:plugin/plugin@0.1.0;
            export glovebox:plugin/validator@0.1.0;
            export glovebox:plugin/masker@0.1.0;
            export glovebox:plugin/transformer@0.1.0;
        }
    ",
    path: "../../wit",
    world: "glovebox:guests/every-plugin",
    pub_export_macro: true,
    export_macro_name: "export_every_world",
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
