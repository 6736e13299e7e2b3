//! What in the audit log somebody should look at.
//!
//! A [`Monitor`] is given the records of the audit log one after the other, each as a [`Record`]. Those
//! of the past it learns from: how many rows a role reads in an hour, from where administrators come,
//! how many rows of a pipeline are rejected, which plugins it has. For those that come after it raises
//! [`Alert`]s by its [`Rules`]. The same alert is raised again only after a while, and none that is
//! silenced. Where alerts go is not decided here, nor is anything read or sent: a log that was recorded
//! can be replayed.

mod alert;
mod burst;
mod desk;
mod past;
mod record;
mod rules;

pub use alert::{Alert, RUNBOOKS, Rule, Severity};
pub use desk::Silence;
pub use record::Record;
pub use rules::{Burst, Monitor, RejectRate, Rules, Volume};
