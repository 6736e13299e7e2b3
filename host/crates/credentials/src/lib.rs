//! Where secrets are looked up: the OS keyring, the environment, secret files, other servers, and the
//! chain of them in the manifest's order.

pub mod chain;
pub mod env;
pub mod files;
pub mod generate;
#[cfg(feature = "keyring")]
pub mod keyring;
#[cfg(not(feature = "keyring"))]
mod no_keyring;
#[cfg(feature = "remote")]
pub mod remote;

pub use chain::Chain;
pub use env::Environment;
pub use files::Files;
pub use generate::{RandomnessError, generate};
#[cfg(feature = "keyring")]
pub use keyring::{Keyring, KeyringError, Timeouts};
#[cfg(not(feature = "keyring"))]
pub use no_keyring::Keyring;
