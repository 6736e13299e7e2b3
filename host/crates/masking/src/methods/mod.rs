//! Methods that can be undone, that keep a value's form, or that choose: pure computation with a
//! key.

mod aes_siv;
mod choice;
mod fernet;
mod ff1;
mod form;
mod integer;
mod keys;
mod random;
mod refusal;
mod rsa_oaep;
mod seal;
mod shift;
mod token;
#[cfg(test)]
mod vectors;

pub use aes_siv::{AesSiv, SIV_OVERHEAD};
pub use choice::{Choice, Draws};
pub use fernet::{Fernet, FernetBuffer, MaxAge};
pub use ff1::{Ff1, MIN_DOMAIN};
pub use form::{Alphabet, Form, FormBuffer, FormCipher};
pub use glovebox_core::Refusal;
pub use integer::IntegerCipher;
pub use random::Random;
pub use refusal::ParameterError;
pub use rsa_oaep::RsaSealer;
pub use seal::{Opener, SEAL_EXPORT, SEAL_INFO, SEAL_OVERHEAD, SealContext, Sealer};
pub use shift::{MAX_SHIFT_DAYS, Offset, Shift};
pub use token::{Half, Officer, Tokenizer, Tokenizing, open};

/// Whether a method is done or undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Encrypt,
    Decrypt,
}
