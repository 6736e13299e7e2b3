//! What plugin authors depend on: three traits, one for each kind of plugin, typed views of a
//! batch's columns, builders for new ones, `export!`, and a native test bench. It refuses what the
//! host keeps for itself: there are no keys, files, sockets or clocks here, because a plugin
//! points at cells and the host masks them.
//!
//! A plugin is a configuration type, a type that implements [`Validator`], [`Masker`] or
//! [`Transformer`], and one call of [`export!`]. This is a whole masker:
//!
#![doc = concat!("```\n", include_str!("../examples/email_domain.rs"), "```")]
//!
//! Compiled with `cargo build --release --target wasm32-wasip2` as a `cdylib`, it is a component
//! that a manifest names in a step:
//!
//! ```yaml
//! - name: domains only
//!   mask: ./email_domain.wasm
//!   masks: [email]
//! ```
//!
//! The same type is tested natively, without a host and without WebAssembly; see [`testing`].
//!
//! # What the traits promise each other
//!
//! - The host gives `open` the step's `with:` block and the granted fields, once. An
//!   [`ConfigError`] names the place in the block; anything else about a batch that does not fit
//!   must be decided here, because `apply` has no way to fail.
//! - Text is checked to be UTF-8 and offsets are checked to fit when a view is made, so a view
//!   that exists can be read without another check. A column that fails these checks has no view;
//!   a plugin then takes the side of caution (a masker nullifies, a validator finds every row).
//! - Plugins must not panic: a trap costs the host the instance and the batch is tried again in
//!   halves until the row that caused it is alone.

mod about;
mod batch;
#[doc(hidden)]
#[rustfmt::skip] // as it is generated
pub mod bindings;
mod bits;
pub mod calendar;
mod cells;
mod columns;
mod config;
mod export;
mod literal;
pub mod log;
mod masker;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod transformer;
mod validator;
mod views;

pub use about::About;
pub use batch::{Batch, Column};
pub use bindings::glovebox::plugin::columns::{DataType, DecimalType, Field};
pub use bits::RowMask;
pub use cells::{Cell, Cells, Value};
pub use columns::{NewColumn, TextBuilder};
pub use config::{ConfigError, expect_types};
pub use literal::Literal;
pub use masker::{Action, Form, Kept, Keyed, Masker, Method, Piece, Spans, Target};
pub use transformer::{Transformed, Transformer};
pub use validator::{Findings, Rule, Validator};
pub use views::{Booleans, Bytes, Decimals, Numbers, Text};

#[doc(hidden)]
pub use masker::OpenMasker;
#[doc(hidden)]
pub use transformer::OpenTransformer;
#[doc(hidden)]
pub use validator::OpenValidator;

/// What most plugins import, with the derives that a configuration type needs.
pub mod prelude {
    pub use crate::{
        About, Action, Batch, Column, ConfigError, DataType, DecimalType, Field, Findings, Form,
        Kept, Keyed, Literal, Masker, Method, NewColumn, Piece, RowMask, Rule, Spans, Target,
        TextBuilder, Transformed, Transformer, Validator, expect_types, export,
    };
    pub use schemars::JsonSchema;
    pub use serde::Deserialize;
}
