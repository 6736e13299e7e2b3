//! Native tests for plugins: a table of literals, a plugin that runs on it, and plain values to
//! compare, in a few lines of a unit test. What the host would refuse is a panic that says which
//! rule of the contract was broken.
//!
//! ```
//! # use glovebox_sdk::prelude::*;
//! # #[derive(Deserialize, JsonSchema)]
//! # struct Upper {}
//! # impl Masker for Upper {
//! #     type Config = Self;
//! #     const ABOUT: About = About::new("upper", "1.0.0", "");
//! #     fn open(config: Self, _: &[Field], _: &[Field]) -> Result<Self, ConfigError> { Ok(config) }
//! #     fn mask(&self, column: &Column<'_>) -> Action {
//! #         let Some(text) = column.text() else { return Action::Nullify(Target::Cells) };
//! #         Action::Replace(NewColumn::text(text.iter().map(|cell| Some(cell?.to_uppercase()))))
//! #     }
//! # }
//! use glovebox_sdk::testing::{Table, mask};
//!
//! let table = Table::new().text("name", [Some("Ann"), None, Some("Zoë")]);
//! let masked = mask::<Upper>("{}", &["name"], &table).unwrap();
//! assert_eq!(masked.table.get_text("name"), [Some("ANN"), None, Some("ZOË")]);
//! ```

mod checks;
mod run;
mod schema;
mod table;

use crate::{DataType, Field};

pub use run::{Masked, Validated, mask, transform, validate};
pub use schema::check_schema;
pub use table::Table;

/// A field that may hold nulls, for the `adds` of a transformer under test.
#[must_use]
pub fn field(name: &str, data_type: DataType) -> Field {
    Field {
        name: name.to_owned(),
        data_type,
        nullable: true,
    }
}
