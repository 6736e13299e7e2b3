//! End-to-end tests of Glovebox.

pub mod postgres;
