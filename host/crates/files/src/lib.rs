//! How a file is replaced: locked by one run at a time, written to a temporary file, and renamed
//! when it is complete and the target has not changed; and how one is read up to a limit.

pub mod bounded;
mod claim;
mod staged;

pub use claim::{Claim, Holder, folder, resolve};
pub use staged::{Base, Staged, StagedWriter, Stamp};
