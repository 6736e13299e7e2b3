//! One module a version of the contract that this host speaks.

pub(crate) mod v0_1;
