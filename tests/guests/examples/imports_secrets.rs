//! Imports an interface of nobody's, in the hope that the host fills it. The host must refuse it by
//! the name of the import.
#![allow(unsafe_code)]

use glovebox_guests::{Batch, Finding, Grant, Validator};

mod bindings {
    #![allow(missing_docs)]
    wit_bindgen::generate!({
        inline: "
            package acme:tool;
            world tool {
                import acme:vault/secrets;
            }
            package acme:vault {
                interface secrets {
                    get: func(name: string) -> string;
                }
            }
        ",
        generate_all,
    });
}

struct Act;

impl Validator for Act {
    fn apply(_: &Grant, _: Batch) -> Vec<Finding> {
        std::hint::black_box(bindings::acme::vault::secrets::get("password"));
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
