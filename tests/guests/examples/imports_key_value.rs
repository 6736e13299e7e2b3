//! Imports a WASI interface that no plugin is given. The host must refuse it by the name of the
//! import.
#![allow(unsafe_code)]

use glovebox_guests::{Batch, Finding, Grant, Validator};

mod bindings {
    #![allow(missing_docs)]
    wit_bindgen::generate!({
        inline: "
            package acme:tool;
            world tool {
                import wasi:keyvalue/store@0.2.0;
            }
            package wasi:keyvalue@0.2.0 {
                interface store {
                    open: func(name: string) -> string;
                }
            }
        ",
        generate_all,
    });
}

struct Act;

impl Validator for Act {
    fn apply(_: &Grant, _: Batch) -> Vec<Finding> {
        std::hint::black_box(bindings::wasi::keyvalue::store::open("secrets"));
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
