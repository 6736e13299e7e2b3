//! Plans pipelines and runs them.
//!
//! Knows plugins, sources, sinks and keys by the traits of `glovebox-core` only; refuses to name
//! wasmtime, sqlx or any store of secrets.

pub mod arm;
mod armed;
pub mod attack;
mod error;
mod evidence;
mod feed;
mod gate;
mod gated;
pub mod guard;
mod identity;
mod inside;
mod measure;
mod options;
mod parts;
mod peeked;
pub mod plan;
mod preview;
mod recognise;
mod rejects;
mod report;
mod rerun;
mod resolve;
mod reveal;
pub mod run;
mod sealed;
mod selection;
mod stage;
mod start;
mod summary;
mod tokens;
mod toolbox;
mod trace;
mod transfer;
mod unique;
mod weak;
mod worker;

pub use arm::{Continuing, arm, arm_as_begun};
pub use armed::ArmedStep;
pub use error::{Known, RerunError, RunError};
pub use evidence::{Evidence, StoredChunk};
pub use feed::{Fed, feed};
pub use gate::Gate;
pub use gated::PlannedGate;
pub use glovebox_release::{Risk, Told};
pub use identity::{MAX_REQUEST_LEN, serves};
pub use measure::Measure;
pub use parts::plan_digest;
pub use plan::{Plan, PlannedStep, plan};
pub use preview::{Preview, preview};
pub use rejects::probe as probe_rejects;
pub use report::Progress;
pub use rerun::can_rerun;
pub use reveal::{RevealError, Revealer};
pub use run::{Completed, Proving, Run, SealTo};
pub use sealed::{SealedError, SealedFile, SealedTotals};
pub use selection::Selection;
pub use start::Start;
pub use toolbox::{PublicKey, SignedBy, Toolbox};
pub use trace::{RowFate, Traced, trace};
pub use unique::sink_schema;
pub use weak::{MIN_KEY_LEN, Weakness};
