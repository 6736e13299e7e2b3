//! Keyed masking in the host: a key ring and the methods plugins may point at.
//!
//! A method is a file: `hmac`, `pbkdf2` with its `lanes`, and in `methods` those that can be
//! undone, that keep a value's form, or that choose. `envelope` encrypts rows as a whole.

mod cipher;
mod column;
mod envelope;
mod estimate;
mod hmac;
mod lanes;
mod luhn;
mod made;
mod memo;
pub mod methods;
mod pbkdf2;
mod remote;
mod ring;
mod share;
mod text;

pub use envelope::{Recipient, Recipients};
pub use estimate::{estimate, spell};
pub use lanes::Path;
pub use memo::MEMO_ENTRIES;
pub use pbkdf2::ITERATIONS;
pub use ring::Ring;

/// What a keyed method makes of a value, before it is written as text.
type Mask = [u8; 32];
