//! Typed bindings of contract 0.1, generated from `wit/plugin.wit`.
//!
//! The generated code is the only one exempt from the workspace's lints.
#![allow(unsafe_code, missing_docs, clippy::all, unreachable_pub, unused)]

wasmtime::component::bindgen!({
    path: "../../../wit",
    inline: "
        package glovebox:host;

        /// What any plugin may export: the host looks up one of the three.
        world every-plugin {
            import glovebox:plugin/log@0.1.0;
            export glovebox:plugin/plugin@0.1.0;
            export glovebox:plugin/validator@0.1.0;
            export glovebox:plugin/masker@0.1.0;
            export glovebox:plugin/transformer@0.1.0;
        }
    ",
    world: "glovebox:host/every-plugin",
    ownership: Borrowing { duplicate_if_necessary: true },
    exports: { default: async },
});
