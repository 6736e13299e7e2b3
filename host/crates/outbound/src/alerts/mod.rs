//! Alerts to where people see them: signed webhooks, Alertmanager, mail, syslog.
//!
//! Each target has a queue and a task of its own, which tries again with growing pauses, so that one that
//! is away holds up neither the others nor the work. What it answers is repeated nowhere.

mod alertmanager;
mod mail;
mod syslog;
mod webhook;

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use glovebox_monitor::Alert;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::https::{Address, Client, Failure, HeaderMap, HeaderValue, Limits, Method, header};
pub use crate::syslog::{Syslog, SyslogError};
pub use alertmanager::Alertmanager;
pub use mail::{Begin, Mail, MailError};
pub use webhook::{KeyError, Webhook};

/// Alerts that wait for a target.
const MAX_WAITING: usize = 1_000;
/// The first and the longest pause before another attempt.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// For so long it is tried.
const PATIENCE: Duration = Duration::from_secs(60 * 60);
/// How long a server may take, and how much it may say.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(10),
    size: 64 << 10,
};

/// Where alerts go.
#[derive(Debug)]
pub enum Target {
    /// A request, signed as Standard Webhooks has it.
    Webhook(Webhook),
    /// Alertmanager's API, version 2.
    Alertmanager(Alertmanager),
    /// People.
    Mail(Mail),
    /// A syslog server, by RFC 5424.
    Syslog(Syslog),
}

/// Why an alert was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotTaken {
    /// There was no answer.
    #[error(transparent)]
    NoAnswer(#[from] Failure),
    /// The answer was no.
    #[error("it answered {0}")]
    Refused(u16),
    /// The mail server did not take it.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// The syslog server did not take it.
    #[error(transparent)]
    Syslog(#[from] SyslogError),
}

impl Target {
    /// What it is, in a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Target::Webhook(_) => "webhook",
            Target::Alertmanager(_) => "alertmanager",
            Target::Mail(_) => "mail",
            Target::Syslog(_) => "syslog",
        }
    }

    /// Sends an alert once.
    ///
    /// # Errors
    /// When it is not taken.
    pub async fn send(&self, alert: &Alert) -> Result<(), NotTaken> {
        match self {
            Target::Webhook(webhook) => webhook.send(alert).await,
            Target::Alertmanager(alertmanager) => alertmanager.send(alert).await,
            Target::Mail(mail) => Ok(mail.send(alert).await?),
            Target::Syslog(to) => Ok(to.send(&syslog::message(alert), LIMITS.time).await?),
        }
    }
}

#[derive(Debug)]
struct Counts {
    kind: &'static str,
    sent: AtomicU64,
    lost: AtomicU64,
}

struct Courier {
    counts: Arc<Counts>,
    queue: mpsc::Sender<Arc<Alert>>,
    task: JoinHandle<()>,
}

/// All targets.
#[derive(Default)]
pub struct Couriers(Mutex<Vec<Courier>>);

impl Couriers {
    /// Begins to deliver to these.
    pub fn start(targets: Vec<Target>) -> Self {
        let couriers = targets.into_iter().map(|target| {
            let (queue, alerts) = mpsc::channel(MAX_WAITING);
            let counts = Arc::new(Counts {
                kind: target.kind(),
                sent: AtomicU64::new(0),
                lost: AtomicU64::new(0),
            });
            let task = tokio::spawn(deliver(target, alerts, Arc::clone(&counts)));
            Courier {
                counts,
                queue,
                task,
            }
        });
        Couriers(Mutex::new(couriers.collect()))
    }

    /// Hands an alert to each.
    pub fn send(&self, alert: Alert) {
        let alert = Arc::new(alert);
        let couriers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for courier in couriers.iter() {
            if courier.queue.try_send(Arc::clone(&alert)).is_err() {
                courier.counts.lost.fetch_add(1, Ordering::Relaxed);
                let to = courier.counts.kind;
                tracing::error!(to, "an alert is lost: too many wait");
            }
        }
    }

    /// What was delivered and lost, for Prometheus.
    pub fn metrics(&self) -> String {
        let couriers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        let mut counter = |name: &str, help: &str, count: fn(&Counts) -> &AtomicU64| {
            let mut sums = std::collections::BTreeMap::<_, u64>::new();
            for courier in couriers.iter() {
                let counts = &courier.counts;
                *sums.entry(counts.kind).or_default() += count(counts).load(Ordering::Relaxed);
            }
            let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter");
            for (kind, sum) in sums {
                let _ = writeln!(out, "{name}{{to=\"{kind}\"}} {sum}");
            }
        };
        counter(
            "glovebox_alerts_delivered_total",
            "Alerts delivered, by kind of target.",
            |counts| &counts.sent,
        );
        counter(
            "glovebox_alerts_lost_total",
            "Alerts that a target did not take within an hour.",
            |counts| &counts.lost,
        );
        out
    }

    /// Ends, after so long at most, with what is under way.
    pub async fn close(&self, within: Duration) {
        let couriers = self.0.lock().map(|mut all| std::mem::take(&mut *all));
        let ended = async {
            for courier in couriers.unwrap_or_default() {
                drop(courier.queue);
                // A task that panicked has said so.
                let _ = courier.task.await;
            }
        };
        if tokio::time::timeout(within, ended).await.is_err() {
            tracing::warn!("the server ends before every alert was taken");
        }
    }
}

async fn deliver(target: Target, mut alerts: mpsc::Receiver<Arc<Alert>>, counts: Arc<Counts>) {
    let to = target.kind();
    while let Some(alert) = alerts.recv().await {
        let begun = Instant::now();
        let mut pause = PAUSES.0;
        loop {
            let error = match target.send(&alert).await {
                Ok(()) => {
                    counts.sent.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                Err(error) => error,
            };
            if begun.elapsed() >= PATIENCE {
                counts.lost.fetch_add(1, Ordering::Relaxed);
                tracing::error!(to, rule = alert.rule.word(), %error, "an alert is lost");
                break;
            }
            tracing::warn!(to, rule = alert.rule.word(), %error, "an alert was not taken; it is sent again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }
}

/// Sends JSON, which the other side has to take.
async fn post(
    client: &Client,
    address: &Address,
    mut headers: HeaderMap,
    body: String,
) -> Result<(), NotTaken> {
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    let reply = client
        .send(Method::POST, address, headers, body.into(), LIMITS)
        .await?;
    match reply.status.is_success() {
        true => Ok(()),
        false => Err(NotTaken::Refused(reply.status.as_u16())),
    }
}

/// When an alert was raised, as RFC 3339 has it.
fn time(alert: &Alert) -> String {
    moment(alert).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn moment(alert: &Alert) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp(alert.at, 0).unwrap_or_default()
}

/// What happened, and how often since it was told last.
fn summary(alert: &Alert) -> String {
    match alert.repeated {
        0 => alert.summary.clone(),
        times => format!("{} ({times} more since this was told last)", alert.summary),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
