//! Plugins examined for their authors: cases, batches of every kind, faults with their place.
//! Not for runs: its output may contain cells, so rows should be invented.

mod batches;
pub mod case;
pub mod case_file;
mod cells;
mod effect;
pub mod exam;
pub mod fault;
mod orders;
pub mod pace;
pub mod specimen;
