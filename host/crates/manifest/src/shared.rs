//! Keys of a manifest that the configuration of `serve` has too.

pub use super::load::columns::TYPE;
pub use super::load::postgres::{HOST, NAME, PASSWORD, Tls};
pub use super::load::stores::STORES;
