//! Whether rows may be released, decided on counts: no row is here, only how often each combination
//! of values occurs.
//!
//! A [`Hierarchy`] says what a value becomes at each of its levels, a [`Column`] numbers the values
//! that occur, a [`Histogram`] counts their combinations, [`Criteria`] say what is asked of rows that
//! look the same (a class), and [`Search`] finds the levels that satisfy at the least loss.

mod base;
mod classes;
mod column;
mod criteria;
mod distance;
mod hierarchy;
mod histogram;
mod risk;
mod search;
mod threads;

pub use base::{Base, Block, Spill};
pub use classes::{Class, Classes, Shares};
pub use column::{Column, Rank};
pub use criteria::{Closeness, Criteria, Diversity, Ground, Sensitive, entropy};
pub use hierarchy::{DatePart, Hierarchy, HierarchyError, TOP};
pub use histogram::Histogram;
pub use risk::{Risk, Told};
pub use search::{Best, Node, Over, Refusal, Search, Verdict};
