//! Keyed masking in the host: a key ring and the methods plugins may point at.
//!
//! Owns the keys of a step while it runs and every computation with them. Refuses to hand a
//! key out, to mask with an empty one, and to quote a cell in an error.
//!
//! A method is a file: `hmac`, `pbkdf2` with its `lanes`, and in `methods` those that can be undone,
//! that keep a value's form, or that choose.

mod cipher;
mod column;
mod estimate;
mod hmac;
mod lanes;
mod made;
mod memo;
pub mod methods;
mod pbkdf2;
mod ring;
mod share;
mod text;

pub use estimate::{estimate, spell};
pub use lanes::Path;
pub use memo::MEMO_ENTRIES;
pub use pbkdf2::ITERATIONS;
pub use ring::Ring;

/// What a keyed method makes of a value, before it is written as text.
type Mask = [u8; 32];
