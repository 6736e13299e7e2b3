//! A run over many machines: ranges of its input, handed out to executors by Apache DataFusion Ballista.
//!
//! A scheduler keeps the queue of ranges and knows which executors live; an executor asks it for a range, and has it
//! worked on; the process that began the run submits ranges, and asks how far they are. Each connection
//! is mutual TLS to the scheduler, who may do what stands in the certificate, and nobody connects to an executor. Ballista's
//! messages carry places, counts and digests. Plans of DataFusion are not read: a plan that is not a [`Task`] cannot
//! be decoded.

mod certificates;
mod client;
mod error;
mod executor;
mod gate;
mod metrics;
mod outcome;
mod plan;
mod said;
mod scheduler;
mod task;
mod tls;

pub use certificates::make;
pub use client::{Cluster, Pipeline};
pub use error::ClusterError;
pub use executor::{Done, Ended, Executor, Work};
pub use scheduler::Scheduler;
pub use task::Task;
pub use tls::{Certificates, Url};
