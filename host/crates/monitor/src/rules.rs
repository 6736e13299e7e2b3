//! The rules: each looks at the records of a kind and says when one is an alert.

use cronexpr::{Crontab, MakeTimestamp};

use crate::alert::{Alert, Rule};
use crate::burst::Bursts;
use crate::desk::{Desk, Silence};
use crate::past::{self, Networks, Pipelines, Rows};
use crate::record::Record;

/// Of strangers from one network so many times as many: it may be that of many people, and what it is
/// refused is mostly a browser's question for an icon.
const STRANGERS: u32 = 5;

/// So many within so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    /// How many.
    pub at: u32,
    /// Within so many seconds.
    pub within: i64,
}

/// When a role reads far more than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volume {
    /// In an hour, so many times the rows of the greatest hour of the last 30 days.
    pub factor: u32,
    /// And at least so many rows.
    pub rows: u64,
    /// Only once the role has been known for so many seconds.
    pub after: i64,
}

/// When a pipeline rejects far more than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RejectRate {
    /// So many times the mean share of the last 20 runs.
    pub factor: u32,
    /// And at least so many rows.
    pub rows: u64,
}

/// What raises alerts.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Failed logins from one network.
    pub failed_logins: Burst,
    /// Refused calls of one user; of strangers from one network, five times as many.
    pub denied_calls: Burst,
    /// Rows that a role reads.
    pub many_rows: Volume,
    /// When people work; reads at other times are odd. Without it none are.
    pub working_hours: Option<Crontab>,
    /// Rejected rows.
    pub reject_rate: RejectRate,
    /// The roles of those who manage users.
    pub administrators: Vec<String>,
    /// Rules that raise nothing.
    pub off: Vec<Rule>,
    /// Alerts that are not told.
    pub silences: Vec<Silence>,
    /// Seconds until the same alert is told again.
    pub repeat_after: i64,
    /// The folder or address of the runbooks.
    pub runbooks: String,
}

/// Looks at records, and raises alerts.
#[derive(Debug)]
pub struct Monitor {
    rules: Rules,
    desk: Desk,
    logins: Bursts,
    denied: Bursts,
    read: Rows,
    networks: Networks,
    pipelines: Pipelines,
}

impl Monitor {
    /// One that knows nothing of the past.
    pub fn new(rules: Rules) -> Self {
        Monitor {
            desk: Desk::new(rules.silences.clone(), rules.repeat_after),
            rules,
            logins: Bursts::default(),
            denied: Bursts::default(),
            read: Rows::default(),
            networks: Networks::default(),
            pipelines: Pipelines::default(),
        }
    }

    /// How far back the past goes that is learned from, in seconds.
    pub const MEMORY: i64 = past::MEMORY;

    /// Learns from a record of the past.
    pub fn learn(&mut self, record: &Record) {
        if let Some(at) = record.time() {
            let _ = self.alerts(record, at);
        }
    }

    /// Looks at a record that has just been written, at this time in seconds since 1970; the alerts
    /// that are to be told.
    pub fn observe(&mut self, record: &Record, at: i64) -> Vec<Alert> {
        let raised = self.alerts(record, at).into_iter();
        let told = raised.filter_map(|alert| self.desk.pass(alert));
        told.map(|alert| alert.linked(&self.rules.runbooks))
            .collect()
    }

    /// An alert that no record raises, if it is to be told.
    pub fn raise(&mut self, alert: Alert) -> Option<Alert> {
        let on = !self.rules.off.contains(&alert.rule);
        let told = on.then(|| self.desk.pass(alert)).flatten();
        told.map(|alert| alert.linked(&self.rules.runbooks))
    }

    fn alerts(&mut self, record: &Record, at: i64) -> Vec<Alert> {
        let mut alerts = match record.action.as_str() {
            "login" if record.failed() => self.failed_login(record, at).into_iter().collect(),
            // It happens to everybody.
            "denied" if record.reason.as_deref() == Some("expired") => Vec::new(),
            "denied" => self.denied(record, at).into_iter().collect(),
            "data-read" if !record.failed() => self.rows(record, at),
            "revealed" | "rejects-opened" | "tokens-shared" | "tokens-forgotten" => {
                vec![reveal(record, at)]
            }
            "run-finished" => self.run(record, at),
            // Data comes and goes.
            "file-created" | "file-changed" | "file-deleted"
                if record.role.as_deref() != Some("data") =>
            {
                vec![file(record, at)]
            }
            _ => Vec::new(),
        };
        if !record.failed() {
            alerts.extend(self.administrator(record, at));
        }
        alerts.retain(|alert| !self.rules.off.contains(&alert.rule));
        alerts
    }

    fn failed_login(&mut self, record: &Record, at: i64) -> Option<Alert> {
        let network = record.network()?;
        let burst = self.rules.failed_logins;
        let full = (burst.at as usize, burst.within);
        if !self.logins.add(&network, record.times(), at, full) {
            return None;
        }
        let summary = format!(
            "{} logins from {network} failed within {}.",
            burst.at,
            duration(burst.within)
        );
        Some(Alert::new(Rule::FailedLogins, at, summary).about("network", Some(&network)))
    }

    fn denied(&mut self, record: &Record, at: i64) -> Option<Alert> {
        let Burst { at: most, within } = self.rules.denied_calls;
        let (label, who, most) = match &record.user {
            Some(user) => ("user", user.clone(), most),
            None => ("network", record.network()?, most * STRANGERS),
        };
        let subject = format!("{label} {who}");
        if !self
            .denied
            .add(&subject, record.times(), at, (most as usize, within))
        {
            return None;
        }
        let summary = format!(
            "{most} calls of {who} were refused within {}, the last as `{}`.",
            duration(within),
            record.reason.as_deref().unwrap_or("denied")
        );
        Some(Alert::new(Rule::DeniedCalls, at, summary).about(label, Some(&who)))
    }

    fn rows(&mut self, record: &Record, at: i64) -> Vec<Alert> {
        let mut alerts = Vec::new();
        let volume = self.rules.many_rows;
        let rows = record.rows.unwrap_or(0);
        for role in &record.roles {
            let Some(read) = self.read.add(role, rows, at) else {
                continue;
            };
            let usual = read.most.saturating_mul(u64::from(volume.factor));
            if read.known < volume.after || read.now < volume.rows.max(usual) {
                continue;
            }
            let summary = format!(
                "The role {role} has read {} rows within an hour; never before more than {}. The last ones \
                 of `{}`, by {}.",
                read.now,
                read.most,
                record.dataset.as_deref().unwrap_or("?"),
                record.user.as_deref().unwrap_or("somebody"),
            );
            let alert = Alert::new(Rule::ManyRows, at, summary);
            alerts.push(alert.about("role", Some(role)));
        }
        if self.is_odd(at) {
            let user = record.user.as_deref();
            let summary = format!(
                "{} has read `{}` outside working hours.",
                user.unwrap_or("Somebody"),
                record.dataset.as_deref().unwrap_or("?"),
            );
            alerts.push(Alert::new(Rule::OddHours, at, summary).about("user", user));
        }
        alerts
    }

    fn is_odd(&self, at: i64) -> bool {
        let Some(hours) = &self.rules.working_hours else {
            return false;
        };
        let minute = at.div_euclid(60) * 60;
        let time = MakeTimestamp::from_second(minute);
        // A time that cannot be judged is not odd.
        time.is_ok_and(|time| hours.matches(time).is_ok_and(|matches| !matches))
    }

    fn administrator(&mut self, record: &Record, at: i64) -> Option<Alert> {
        let administrators = &self.rules.administrators;
        if !record
            .roles
            .iter()
            .any(|role| administrators.contains(role))
        {
            return None;
        }
        let user = record.user.as_deref()?;
        let network = record.network()?;
        if !self.networks.is_new(user, network.clone()) {
            return None;
        }
        let summary = format!("The administrator {user} comes from {network}, for the first time.");
        let alert = Alert::new(Rule::AdministratorElsewhere, at, summary);
        let alert = alert.about("user", Some(user));
        Some(alert.about("network", Some(&network)))
    }

    fn run(&mut self, record: &Record, at: i64) -> Vec<Alert> {
        let Some(pipeline) = record.pipeline.as_deref() else {
            return Vec::new();
        };
        let mut alerts = Vec::new();
        if let (Some(stored), Some(rejected)) = (record.rows, record.rejected) {
            alerts.extend(self.rejects(pipeline, stored, rejected, at));
        }
        for plugin in self.pipelines.changed(pipeline, &record.plugins) {
            let (step, digest) = plugin.split_once(' ').unwrap_or((&plugin, "?"));
            let summary = format!(
                "The step `{step}` of {pipeline} has another plugin than in the run before, of SHA-256 {digest}."
            );
            let alert = Alert::new(Rule::PluginChanged, at, summary);
            let alert = alert.about("pipeline", Some(pipeline));
            alerts.push(alert.about("plugin", Some(&plugin)));
        }
        alerts
    }

    fn rejects(&mut self, pipeline: &str, stored: u64, rejected: u64, at: i64) -> Option<Alert> {
        let all = stored.saturating_add(rejected);
        if all == 0 {
            return None;
        }
        let rate = rejected as f64 / all as f64;
        let usual = self.pipelines.usual_rate(pipeline, rate)?;
        let RejectRate { factor, rows } = self.rules.reject_rate;
        if rejected < rows || rate <= usual * f64::from(factor) {
            return None;
        }
        let summary = format!(
            "{pipeline} has rejected {rejected} of {all} rows ({:.1} %); its runs before {:.1} %.",
            rate * 100.0,
            usual * 100.0
        );
        Some(Alert::new(Rule::RejectRate, at, summary).about("pipeline", Some(pipeline)))
    }
}

fn reveal(record: &Record, at: i64) -> Alert {
    let user = record.user.as_deref();
    let what = match record.action.as_str() {
        "rejects-opened" => "opened rejected rows",
        "tokens-shared" => "made a share of tokens",
        "tokens-forgotten" => "erased tokens",
        _ => "revealed values",
    };
    let outcome = if record.failed() { ", in vain" } else { "" };
    let place = record.pipeline.as_deref().or(record.dataset.as_deref());
    let place = place.map(|p| format!(" of {p}")).unwrap_or_default();
    let summary = format!("{} has {what}{place}{outcome}.", user.unwrap_or("Somebody"));
    let alert = Alert::new(Rule::Reveal, at, summary).about("user", user);
    alert.about("pipeline", record.pipeline.as_deref())
}

fn file(record: &Record, at: i64) -> Alert {
    let name = record.file.as_deref().unwrap_or("?");
    let place = record.directory.as_deref();
    let place = place.map_or(name.to_owned(), |folder| format!("{folder}/{name}"));
    let summary = format!(
        "The {} {place} was {}.",
        record.role.as_deref().unwrap_or("watched file"),
        record.action.trim_start_matches("file-")
    );
    Alert::new(Rule::FileChanged, at, summary).about("file", Some(&place))
}

fn duration(seconds: i64) -> String {
    match seconds {
        s if s % 3600 == 0 => format!("{} h", s / 3600),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
