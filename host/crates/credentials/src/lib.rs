//! Where secrets are looked up: the OS keyring, the environment, secret files, and the chain
//! of them in the manifest's order.
//!
//! Owns every way a secret enters the process. Refuses to print one, to keep a copy that is
//! not wiped, and to fall back to a later store when an earlier one has failed rather than
//! not had it.

pub mod chain;
pub mod env;
pub mod files;
pub mod generate;
#[cfg(feature = "keyring")]
pub mod keyring;
#[cfg(not(feature = "keyring"))]
mod no_keyring;

pub use chain::Chain;
pub use env::Environment;
pub use files::Files;
pub use generate::{RandomnessError, generate};
#[cfg(feature = "keyring")]
pub use keyring::{Keyring, KeyringError, Timeouts};
#[cfg(not(feature = "keyring"))]
pub use no_keyring::Keyring;
