//! A component of no world of ours. The host must say what it looked for.
#![allow(unsafe_code)]

mod bindings {
    #![allow(missing_docs)]
    wit_bindgen::generate!({
        inline: "
            package acme:tools;
            world tool {
                export run: func();
            }
        ",
    });
}

struct Act;

impl bindings::Guest for Act {
    fn run() {}
}

#[cfg(target_arch = "wasm32")]
bindings::export!(Act with_types_in bindings);
#[cfg(not(target_arch = "wasm32"))]
const _: fn() = <Act as bindings::Guest>::run;
