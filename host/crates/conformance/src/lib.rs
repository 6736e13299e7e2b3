//! Plugins examined for their authors: cases, batches of every kind, faults with their place.
//!
//! Owns what `glovebox plugin test`, `check` and `bench` do; refuses to be part of a run: what it
//! shows may hold cells, so they should be invented ones.

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
