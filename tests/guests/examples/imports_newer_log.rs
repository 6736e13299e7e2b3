//! Imports `log` as another version of the contract has it. The host must say what to rebuild it
//! with.
#![allow(unsafe_code)]

use glovebox_guests::{Batch, Finding, Grant, Validator};

mod bindings {
    #![allow(missing_docs)]
    wit_bindgen::generate!({
        inline: "
            package acme:tool;
            world tool {
                import glovebox:plugin/log@0.9.0;
            }
            package glovebox:plugin@0.9.0 {
                interface log {
                    shout: func(message: string);
                }
            }
        ",
        generate_all,
    });
}

struct Act;

impl Validator for Act {
    fn apply(_: &Grant, _: Batch) -> Vec<Finding> {
        bindings::glovebox::plugin::log::shout("x");
        Vec::new()
    }
}

glovebox_guests::validator!(Act);
