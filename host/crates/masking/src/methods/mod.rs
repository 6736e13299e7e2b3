//! Methods that can be undone, that keep a value's form, or that choose: pure computation with a
//! key.

mod ff1;
mod form;
mod integer;
mod refusal;

pub use ff1::{Ff1, MIN_DOMAIN, tweak};
pub use form::{Alphabet, Form, FormBuffer, FormCipher};
pub use integer::IntegerCipher;
pub use refusal::{ParameterError, Refusal};

/// Whether a method is done or undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Encrypt,
    Decrypt,
}
