//! Alertmanager's API, version 2: <https://prometheus.io/docs/alerting/latest/alerts_api/>.

use std::fmt;

use glovebox_monitor::Alert;
use serde_json::json;

use super::{NotTaken, post, summary, time};
use crate::https::{Address, Client, HeaderMap, HeaderValue, header};

/// Where it takes alerts, below its address.
const ALERTS: &str = "api/v2/alerts";
/// An alert is over so many seconds after it was raised, unless it is raised again.
const LIFETIME: i64 = 60 * 60;

/// An Alertmanager.
pub struct Alertmanager {
    address: Address,
    client: Client,
    authorization: Option<HeaderValue>,
}

impl fmt::Debug for Alertmanager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Alertmanager(…)")
    }
}

impl Alertmanager {
    /// One at that address; `authorization` is the header's value.
    pub fn new(address: &Address, client: Client, authorization: Option<HeaderValue>) -> Self {
        Alertmanager {
            address: address.below(ALERTS),
            client,
            authorization,
        }
    }

    pub(super) async fn send(&self, alert: &Alert) -> Result<(), NotTaken> {
        let mut labels = serde_json::Map::new();
        labels.insert("alertname".into(), name(alert.rule.word()).into());
        labels.insert("severity".into(), alert.rule.severity().word().into());
        for (label, value) in &alert.subject {
            labels.insert((*label).to_owned(), value.as_str().into());
        }
        let ends = Alert {
            at: alert.at + LIFETIME,
            ..alert.clone()
        };
        let body = json!([{
            "labels": labels,
            "annotations": {
                "summary": summary(alert),
                "description": alert.rule.why(),
                "runbook": alert.rule.next(),
                "runbook_url": alert.runbook,
            },
            "startsAt": time(alert),
            "endsAt": time(&ends),
        }]);
        let mut headers = HeaderMap::new();
        if let Some(authorization) = &self.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        post(&self.client, &self.address, headers, body.to_string()).await
    }
}

/// `failed-logins` as `GloveboxFailedLogins`, like the alerts over metrics.
pub(super) fn name(rule: &str) -> String {
    let words = rule.split('-').flat_map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        [first.to_ascii_uppercase(), rest.to_owned()]
    });
    std::iter::once("Glovebox".to_owned())
        .chain(words)
        .collect()
}
