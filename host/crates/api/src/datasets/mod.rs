//! Datasets: stored tables, each role seeing its part. A column that none of the caller's roles
//! shows is treated as missing, also for sorting and filtering.

pub(super) mod accept;
pub(super) mod etag;
pub(super) mod query;

use glovebox_catalog::Roles;
use glovebox_datasets::Reader;

use super::config::{self, View};

/// A dataset and how it is read.
pub(crate) struct Dataset {
    pub(crate) config: config::Dataset,
    pub(crate) reader: Reader,
    /// `/NAME`.
    pub(crate) path: String,
}

impl Dataset {
    pub(crate) fn new(config: config::Dataset, reader: Reader) -> Self {
        Dataset {
            path: format!("/{}", config.name),
            config,
            reader,
        }
    }

    /// What these roles see together; none if nothing.
    pub(crate) fn view(&self, roles: &Roles) -> Option<View> {
        let mut views = roles.iter().filter_map(|r| self.config.roles.get(r));
        let mut seen = views.next()?.clone();
        for view in views {
            seen.columns.extend(&view.columns);
            seen.rows_at_most = seen.rows_at_most.max(view.rows_at_most);
        }
        // In the order of the declaration, whoever asks.
        seen.columns.sort_unstable();
        seen.columns.dedup();
        Some(seen)
    }
}
