//! End-to-end tests of Glovebox.

pub mod attacks;
pub mod pipeline;
pub mod postgres;
pub mod sqlite;
pub mod torture;
