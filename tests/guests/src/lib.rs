//! What the hostile plugins of `examples/` share: an honest validator, masker and transformer,
//! of which each guest overrides the one function in which it acts.
//!
//! Refuses to check anything: a guest may return whatever its types can hold.

#[path = "../../../plugins/sdk/src/bindings.rs"]
#[rustfmt::skip] // as it is generated
pub mod bindings;
mod cells;
mod export;
mod honest;

pub use bindings::exports::glovebox::plugin::masker::{
    Action, Form, Kept, Keyed, Masked, Method, Piece, Shift, Spans, Target,
};
pub use bindings::exports::glovebox::plugin::plugin::{About, ConfigError};
pub use bindings::exports::glovebox::plugin::transformer::Transformed;
pub use bindings::exports::glovebox::plugin::validator::{Finding, Rule};
pub use bindings::glovebox::plugin::columns::{
    Batch, Column, DataType, DecimalType, Field, Values, VariableWidth,
};
pub use bindings::glovebox::plugin::log::{Level, log};
pub use cells::{has_poison, int64, poisoned, text, text_cells, variable};
pub use honest::{
    Grant, Masker, OpenMasker, OpenTransformer, OpenValidator, Transformer, Validator, column,
    replaced,
};
