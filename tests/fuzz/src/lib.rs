//! Mutated components against the sandbox: whatever the bytes, the host lives, comes back, and
//! tells no cell.

mod bytes;
mod campaign;
#[cfg(feature = "tools")]
mod invented;
mod mutant;
mod oracle;
mod sections;
mod seeds;
mod tally;
mod trial;

pub use campaign::{Campaign, Ended, Stuck};
pub use mutant::{Breeder, Mutant, Recipe};
pub use seeds::{SeedError, Seeds};
pub use tally::Tally;
pub use trial::{Bench, Outcome};
