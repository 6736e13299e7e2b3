//! What a query is called in reports, and by what it is told from others.

use glovebox_core::{About, hex};
use sha2::{Digest as _, Sha256};

/// A query as reports and a run's plan know it.
pub(crate) struct Identity {
    pub(crate) about: About,
    pub(crate) sha256: String,
}

impl Identity {
    /// Of a query of that kind, by its parts. Another engine may round otherwise, so it makes another query.
    pub(crate) fn new(kind: &str, summary: &str, parts: &[&str]) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"datafusion ");
        digest.update(datafusion::DATAFUSION_VERSION);
        for part in parts {
            digest.update([0]);
            digest.update(part);
        }
        Identity {
            about: About {
                name: kind.into(),
                version: datafusion::DATAFUSION_VERSION.into(),
                summary: summary.into(),
                documentation: String::new(),
                config_schema: "{}".into(),
            },
            sha256: hex(digest.finalize()),
        }
    }
}
