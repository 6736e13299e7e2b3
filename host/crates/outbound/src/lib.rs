//! What leaves for other servers: requests over verified TLS, and traces by OpenTelemetry.
//!
//! Neither follows a redirect, repeats what the other side said, or holds up the work that it is for.

pub mod https;
pub mod telemetry;
