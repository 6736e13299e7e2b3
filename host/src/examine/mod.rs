//! Plugins examined for their authors: cases, batches of every kind, faults with their place.
//!
//! Owns what `glovebox plugin test`, `check` and `bench` do; refuses to be part of a run: what it
//! shows may hold cells, so they should be invented ones.

pub(crate) mod batches;
pub(crate) mod case;
pub(crate) mod case_file;
pub(crate) mod cells;
pub(crate) mod effect;
pub(crate) mod exam;
pub(crate) mod fault;
mod orders;
pub(crate) mod pace;
pub(crate) mod specimen;
