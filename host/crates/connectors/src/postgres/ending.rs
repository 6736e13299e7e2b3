//! What the end of a run has to know, wherever it leads.

use glovebox_core::{Revise, Schema};

use super::Options;
use super::runs::Lease;
use super::stage::Stage;
use crate::database::sift::Budget;

/// What is to be published, and as what.
pub(super) struct Ending<'a> {
    pub(super) options: &'a Options,
    pub(super) schema: &'a Schema,
    pub(super) lease: &'a Lease,
    /// The target's quoted name.
    pub(super) target: &'a str,
    /// What the journal calls it.
    pub(super) known_as: &'a str,
    pub(super) stage: Option<&'a Stage>,
    pub(super) revise: Revise,
    /// What the search for refused rows may still cost the run.
    pub(super) budget: &'a Budget,
    /// Whether the target was created by this run.
    pub(super) created: bool,
}
