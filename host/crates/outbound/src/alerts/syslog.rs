//! What an alert says to syslog.

use glovebox_monitor::{Alert, Severity as Level};

use super::{moment, summary};
use crate::syslog::{Facility, Message, Severity};

/// `<84>1 2026-11-23T10:00:00Z - glovebox 7 failed-logins [alert@32473 …] …`
pub(super) fn message(alert: &Alert) -> String {
    let rule = alert.rule;
    let subject = alert.subject.iter();
    let text = format!(
        "{} {} {} ({})",
        summary(alert),
        rule.why(),
        rule.next(),
        alert.runbook
    );
    let message = Message {
        facility: Facility::Security,
        severity: match rule.severity() {
            Level::Critical => Severity::Critical,
            Level::Warning => Severity::Warning,
            Level::Info => Severity::Info,
        },
        time: (moment(alert), chrono::SecondsFormat::Secs),
        id: rule.word(),
        data: Some((
            "alert",
            subject
                .map(|(label, value)| (*label, value.as_str()))
                .collect(),
        )),
        text: &text,
    };
    message.to_string()
}
