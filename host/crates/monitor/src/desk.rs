//! Which alerts are told: each once in a while, of a rule so many in a while, and none that somebody has
//! silenced.

use std::collections::HashMap;

use crate::alert::{Alert, Rule};

/// Alerts that are told apart; beyond, all are told.
const MAX_ALERTS: usize = 10_000;

/// Alerts of a rule that are told until the same one would be told again: whoever attacks from a thousand
/// networks does not fill a mailbox.
const MAX_OF_A_RULE: u32 = 20;

/// Alerts that are not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    /// Of this rule.
    pub rule: Rule,
    /// Only with these labels.
    pub labels: Vec<(String, String)>,
    /// Until then, in seconds since 1970.
    pub until: i64,
}

impl Silence {
    fn covers(&self, alert: &Alert) -> bool {
        self.rule == alert.rule
            && alert.at < self.until
            && self
                .labels
                .iter()
                .all(|(name, value)| alert.label(name) == Some(value))
    }
}

type Subject = Vec<(&'static str, String)>;

/// When an alert was told last, and how often it would have been since.
#[derive(Debug)]
struct Told {
    at: i64,
    repeated: u64,
}

#[derive(Debug)]
pub(crate) struct Desk {
    silences: Vec<Silence>,
    /// Seconds until the same alert is told again.
    repeat_after: i64,
    told: HashMap<(Rule, Subject), Told>,
    /// Since when a rule's alerts are counted, and how many were told.
    of_rules: HashMap<Rule, (i64, u32)>,
}

impl Desk {
    pub(crate) fn new(silences: Vec<Silence>, repeat_after: i64) -> Self {
        Desk {
            silences,
            repeat_after,
            told: HashMap::new(),
            of_rules: HashMap::new(),
        }
    }

    /// The alert, if it is to be told.
    pub(crate) fn pass(&mut self, mut alert: Alert) -> Option<Alert> {
        if self.silences.iter().any(|silence| silence.covers(&alert)) {
            return None;
        }
        if self.told.len() >= MAX_ALERTS {
            let before = alert.at - self.repeat_after;
            self.told.retain(|_, told| told.at > before);
            if self.told.len() >= MAX_ALERTS {
                return self.within_measure(alert);
            }
        }
        let key = (alert.rule, alert.subject.clone());
        let told = self.told.entry(key).or_insert(Told {
            at: i64::MIN,
            repeated: 0,
        });
        if alert.at.saturating_sub(told.at) < self.repeat_after {
            told.repeated += 1;
            return None;
        }
        alert.repeated = std::mem::take(&mut told.repeated);
        told.at = alert.at;
        self.within_measure(alert)
    }

    fn within_measure(&mut self, mut alert: Alert) -> Option<Alert> {
        let (since, told) = self.of_rules.entry(alert.rule).or_insert((alert.at, 0));
        if alert.at - *since >= self.repeat_after {
            (*since, *told) = (alert.at, 0);
        }
        *told += 1;
        if *told == MAX_OF_A_RULE {
            alert.summary.push_str(
                " So many alerts of this rule were raised that further ones are not told for a while; the \
                 audit log has what raised them.",
            );
        }
        (*told <= MAX_OF_A_RULE).then_some(alert)
    }
}
