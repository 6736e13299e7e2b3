//! What leaves for other servers: requests over verified TLS, traces by OpenTelemetry, logs by syslog, and alerts.
//!
//! None follows a redirect, repeats what the other side said, or holds up the work that it is for.

#[cfg(feature = "alerts")]
pub mod alerts;
pub mod https;
pub mod syslog;
pub mod telemetry;
