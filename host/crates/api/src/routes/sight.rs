//! What a caller may see of runs and counts, in addition to their permissions. Columns, datasets
//! and pipelines that none of the caller's roles shows are hidden; callers with `run` see all
//! columns, since they correct pipelines.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::caller::Principal;
use crate::rules::Permission;
use crate::runs::Page;
use crate::state::Api;

/// What one's roles show.
pub(super) struct Sight<'a> {
    api: &'a Api,
    principal: &'a Principal,
    /// Names of columns; none if all are shown.
    columns: Option<BTreeSet<&'a str>>,
}

impl<'a> Sight<'a> {
    pub(super) fn of(api: &'a Api, principal: &'a Principal) -> Self {
        let columns = (!principal.may.contains(&Permission::Run)).then(|| {
            let seen = api.datasets.iter().filter(|_| reads(principal));
            seen.flat_map(|dataset| {
                let view = dataset.view(&principal.user.roles);
                let places = view.map(|v| v.columns).unwrap_or_default();
                let all = &dataset.config.table.columns;
                places.into_iter().filter_map(|c| all.get(c))
            })
            .map(|column| column.name.as_str())
            .collect()
        });
        Sight {
            api,
            principal,
            columns,
        }
    }

    /// Whether a dataset is shown.
    pub(super) fn dataset(&self, name: &str) -> bool {
        let mut datasets = self.api.datasets.iter().filter(|_| reads(self.principal));
        datasets.any(|d| d.config.name == name && d.view(&self.principal.user.roles).is_some())
    }

    /// Whether a pipeline is shown.
    pub(super) fn pipeline(&self, name: &str) -> bool {
        let mut pipelines = self.api.config.pipelines.iter();
        pipelines.any(|p| p.name == name && self.principal.may_see(p))
    }

    fn column(&self, name: &str) -> bool {
        self.columns.as_ref().is_none_or(|seen| seen.contains(name))
    }

    /// Counts by rule, without the names of columns that are not shown.
    pub(super) fn report(&self, mut report: Value) -> Value {
        // It has a route of its own, and names every column.
        report.as_object_mut().map(|report| report.remove("proof"));
        let rejects = report.get_mut("rejects").and_then(Value::as_array_mut);
        for count in rejects.into_iter().flatten() {
            let hidden = |c: &Value| c.as_str().is_some_and(|c| !self.column(c));
            if let Some(count) = count.as_object_mut()
                && count.get("column").is_some_and(hidden)
            {
                count.remove("column");
            }
        }
        report
    }

    /// The same of single rows.
    pub(super) fn rejects(&self, mut page: Page) -> Page {
        let violations = page.rejects.iter_mut().flat_map(|r| &mut r.violations);
        for violation in violations {
            if violation.column.as_ref().is_some_and(|c| !self.column(c)) {
                violation.column = None;
                // The rule's own words name it, too.
                violation.message = "in a column that your roles do not show".into();
            }
        }
        page
    }
}

fn reads(principal: &Principal) -> bool {
    principal.may.contains(&Permission::Data)
}
