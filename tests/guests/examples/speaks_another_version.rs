//! Exports a world of another version of the contract. The host must say what to rebuild it with.
#![allow(unsafe_code)]

mod bindings {
    #![allow(missing_docs)]
    wit_bindgen::generate!({
        inline: "
            package acme:tool;
            world tool {
                export glovebox:plugin/validator@0.9.0;
            }
            package glovebox:plugin@0.9.0 {
                interface validator {
                    apply: func();
                }
            }
        ",
        generate_all,
    });
}

use bindings::exports::glovebox::plugin::validator::Guest;

struct Act;

impl Guest for Act {
    fn apply() {}
}

#[cfg(target_arch = "wasm32")]
bindings::export!(Act with_types_in bindings);
#[cfg(not(target_arch = "wasm32"))]
const _: fn() = <Act as Guest>::apply;
