//! Imports an interface that WASI does not have, under a name of WASI's. The host must refuse it by
//! the name of the import.
#![allow(unsafe_code)]

use glovebox_guests::{Batch, Finding, Grant, Validator};

mod bindings {
    #![allow(missing_docs)]
    wit_bindgen::generate!({
        inline: "
            package acme:tool;
            world tool {
                import wasi:random/seed-of-host@0.2.0;
            }
            package wasi:random@0.2.0 {
                interface seed-of-host {
                    get: func() -> u64;
                }
            }
        ",
        generate_all,
    });
}

struct Act;

impl Validator for Act {
    fn apply(_: &Grant, _: Batch) -> Vec<Finding> {
        std::hint::black_box(bindings::wasi::random::seed_of_host::get());
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
