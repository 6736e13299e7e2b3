//! Exports an interface of the right name and version, with other functions in it. The host must
//! refuse it when it loads it.
#![allow(unsafe_code)]

mod bindings {
    #![allow(missing_docs)]
    wit_bindgen::generate!({
        inline: "
            package acme:tool;
            world tool {
                export glovebox:plugin/validator@0.1.0;
            }
            package glovebox:plugin@0.1.0 {
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
