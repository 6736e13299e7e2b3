//! Runs plugins: WebAssembly components in wasmtime, with limits, and checks on what they return.
//! It has no access to secrets, keys, user files or databases: it depends on no crate that does.

mod abi;
mod cache;
mod clock;
mod compiled;
mod component;
mod fault;
mod guest;
mod instance;
mod sandbox;
mod shared;
mod state;
mod trace;
mod watch;
mod words;

pub use cache::CacheError;
pub use component::{CONTRACT, is_component};
pub use sandbox::Sandbox;
pub use shared::{SandboxError, config};
pub use trace::Frame;
pub use watch::{Import, Parts, Watched, WatchedInstance, Workbench};
pub use words::{Channel, GuestOutput, Line};
