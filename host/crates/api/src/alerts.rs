//! Watches the audit log: each record is looked at by the rules of `glovebox-monitor`, and what they
//! raise is recorded, logged, counted and delivered. Nobody who asks for something waits for it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use glovebox_audit::{Action, Event, Outcome, Tail, Trust, Verification, Wanted};
use glovebox_monitor::{Alert, Monitor, Record, Rule};
use glovebox_outbound::alerts::{Alertmanager, Couriers, Mail, Syslog, Target, Webhook};
use glovebox_outbound::https::HeaderValue;
use tokio::sync::mpsc;

use super::audit::Audit;
use super::config;
use super::issuers::{client, read};
use super::places::Secrets;
use super::tap::Tap;

/// How often other logs are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How long alerts may take to be delivered when the server is told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Alerts by rule, for Prometheus.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    raised: Mutex<BTreeMap<Rule, u64>>,
    missed: Arc<AtomicU64>,
}

impl Counts {
    fn add(&self, rule: Rule) {
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        *raised.entry(rule).or_default() += 1;
    }

    fn text(&self) -> String {
        let raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        let name = "glovebox_alerts_total";
        let _ = writeln!(
            out,
            "# HELP {name} Alerts raised, by rule.\n# TYPE {name} counter"
        );
        for rule in Rule::ALL {
            let count = raised.get(rule).copied().unwrap_or(0);
            let _ = writeln!(out, "{name}{{rule=\"{}\"}} {count}", rule.word());
        }
        let name = "glovebox_alerts_missed_total";
        let help = "Events that no rule has looked at, since too many came at once.";
        let missed = self.missed.load(Ordering::Relaxed);
        let _ = writeln!(
            out,
            "# HELP {name} {help}\n# TYPE {name} counter\n{name} {missed}"
        );
        out
    }
}

/// What watches, and where it tells.
pub(crate) struct Alerts {
    counts: Arc<Counts>,
    couriers: Arc<Couriers>,
    /// Ends the watching when it is dropped.
    _task: AbortOnDrop,
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Alerts {
    /// Makes what is configured, and begins to watch. The server's own log is in `folder`.
    ///
    /// # Errors
    /// When a secret or a file of the configuration cannot be had or used. A target that is away is none.
    pub(crate) async fn start(
        config: &config::Alerts,
        folder: &Path,
        checkpoints: Option<PathBuf>,
        secrets: Secrets<'_>,
        audit: &Audit,
    ) -> anyhow::Result<Self> {
        let mut targets = Vec::new();
        for target in &config.targets {
            targets.push(open(target, secrets).context("`alerts`")?);
            if let Some(secret) = target.secret() {
                let event = Event::new(Action::SecretUsed, Outcome::Success);
                audit.record(event.key(secret.as_str())).await?;
            }
        }
        let counts = Arc::new(Counts::default());
        let couriers = Arc::new(Couriers::start(targets));
        let (tap, waiting) = Tap::new(Arc::clone(&counts.missed));
        let mut tails = Vec::new();
        for folder in &config.logs {
            tails.push(Tail::at_end(folder).with_context(|| folder.display().to_string())?);
        }
        let watch = Watch {
            monitor: Monitor::new(config.rules.clone()),
            audit: audit.clone(),
            counts: Arc::clone(&counts),
            couriers: Arc::clone(&couriers),
            log: folder.to_owned(),
            checkpoints,
            others: config.logs.clone(),
            verify_every: config.verify_every,
        };
        let began = super::now();
        audit.tap(tap);
        let task = AbortOnDrop(tokio::spawn(watch.run(waiting, tails, began)));
        Ok(Alerts {
            counts,
            couriers,
            _task: task,
        })
    }

    /// What was raised and delivered, for Prometheus.
    pub(crate) fn metrics(&self) -> String {
        self.counts.text() + &self.couriers.metrics()
    }

    /// Ends with what is on its way.
    pub(crate) async fn close(&self) {
        self.couriers.close(GRACE).await;
    }
}

struct Watch {
    monitor: Monitor,
    audit: Audit,
    counts: Arc<Counts>,
    couriers: Arc<Couriers>,
    log: PathBuf,
    checkpoints: Option<PathBuf>,
    others: Vec<PathBuf>,
    verify_every: Duration,
}

impl Watch {
    async fn run(mut self, mut events: mpsc::Receiver<Event>, mut tails: Vec<Tail>, began: i64) {
        self = self.learn(began).await;
        let mut look = tokio::time::interval(LOOK);
        let mut verified = Instant::now();
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => {
                        let line = serde_json::to_vec(&event).unwrap_or_default();
                        self.observe(Record::read(&line)).await;
                    }
                    None => return,
                },
                _ = look.tick() => {
                    for record in added(&mut tails) {
                        self.observe(Some(record)).await;
                    }
                    if verified.elapsed() >= self.verify_every {
                        verified = Instant::now();
                        self.verify().await;
                    }
                }
            }
        }
    }

    /// Learns from what was recorded before.
    async fn learn(mut self, began: i64) -> Self {
        let since = began - Monitor::MEMORY;
        let learned = tokio::task::spawn_blocking(move || {
            let folders = std::iter::once(&self.log).chain(&self.others);
            for folder in folders.filter(|folder| folder.is_dir()) {
                let monitor = &mut self.monitor;
                let mut each = |_: &_, line: &[u8]| {
                    let record = Record::read(line);
                    let past =
                        record.filter(|r| r.time().is_some_and(|t| (since..began).contains(&t)));
                    if let Some(record) = past {
                        monitor.learn(&record);
                    }
                    Ok(())
                };
                if let Err(error) = glovebox_audit::show(folder, &Wanted::default(), &mut each) {
                    tracing::warn!(%error, "alerts know nothing of what was recorded before");
                }
            }
            self
        });
        match learned.await {
            Ok(watch) => watch,
            // A panic in the only task that has it; there is nothing to go on with.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    async fn observe(&mut self, record: Option<Record>) {
        let Some(record) = record else { return };
        for alert in self.monitor.observe(&record, super::now()) {
            self.tell(alert).await;
        }
    }

    /// Reads the whole log, as `glovebox audit verify` does.
    async fn verify(&mut self) {
        let (log, checkpoints) = (self.log.clone(), self.checkpoints.clone());
        let verified = tokio::task::spawn_blocking(move || {
            let trust = Trust {
                checkpoints: checkpoints.as_deref(),
                ..Trust::default()
            };
            glovebox_audit::verify(&log, &trust)
        });
        let wrong = match verified.await {
            Ok(Ok(Verification { intact: true, .. })) => return,
            Ok(Ok(Verification { wrong, .. })) => wrong,
            Ok(Err(error)) => {
                tracing::error!(%error, "the audit log cannot be read");
                1
            }
            Err(_) => 1,
        };
        if let Some(alert) = self
            .monitor
            .raise(Alert::of_the_audit_log(wrong, super::now()))
        {
            self.tell(alert).await;
        }
    }

    async fn tell(&self, alert: Alert) {
        let rule = alert.rule;
        self.counts.add(rule);
        tracing::warn!(
            rule = rule.word(),
            severity = rule.severity().word(),
            summary = alert.summary,
            "alert"
        );
        let mut event = Event::new(Action::Alerted, Outcome::Unknown).reason(rule.word());
        for (label, value) in &alert.subject {
            event = match *label {
                "user" => event.target(value),
                "pipeline" => event.pipeline(value),
                _ => event,
            };
        }
        // That it cannot be recorded has been logged, and is no reason to tell nobody.
        let _ = self.audit.record(event).await;
        self.couriers.send(alert);
    }
}

fn added(tails: &mut [Tail]) -> Vec<Record> {
    let mut records = Vec::new();
    for tail in tails {
        let mut each = |line: &[u8]| records.extend(Record::read(line));
        if let Err(error) = tail.read(&mut each) {
            tracing::warn!(%error, "another audit log cannot be read");
        }
    }
    records
}

/// Sends a test to each target that is configured; which took it, and why the others did not.
///
/// # Errors
/// When a secret or a file of the configuration cannot be had or used.
pub async fn test_alerts(
    config: &config::Config,
    secrets: Secrets<'_>,
) -> anyhow::Result<Vec<(String, Result<(), String>)>> {
    let mut told = Vec::new();
    let Some(alerts) = &config.alerts else {
        return Ok(told);
    };
    for target in &alerts.targets {
        let opened = open(target, secrets).context("`alerts`")?;
        let test = Alert::test(super::now()).linked(&alerts.rules.runbooks);
        let sent = opened.send(&test).await;
        told.push((opened.kind().to_owned(), sent.map_err(|e| e.to_string())));
    }
    Ok(told)
}

/// A target as it is configured.
///
/// # Errors
/// When a secret or a file cannot be had or used.
pub(crate) fn open(target: &config::Target, secrets: Secrets<'_>) -> anyhow::Result<Target> {
    Ok(match target {
        config::Target::Webhook { address, key, ca } => {
            let secret = secrets(key)?;
            let webhook = Webhook::new(address.clone(), client(ca.as_deref())?, secret.expose());
            Target::Webhook(webhook.with_context(|| format!("the secret `{key}`"))?)
        }
        config::Target::Alertmanager {
            address,
            authorization,
            ca,
        } => {
            let value = authorization.as_ref().map(|name| -> anyhow::Result<_> {
                let secret = secrets(name)?;
                let value = HeaderValue::from_bytes(secret.expose().trim_ascii());
                let mut value =
                    value.map_err(|_| anyhow!("the secret `{name}` cannot be a header's value"))?;
                value.set_sensitive(true);
                Ok(value)
            });
            let client = client(ca.as_deref())?;
            Target::Alertmanager(Alertmanager::new(address, client, value.transpose()?))
        }
        config::Target::Mail(mail) => {
            let login = mail
                .login
                .as_ref()
                .map(|(user, name)| -> anyhow::Result<_> {
                    let secret = secrets(name)?;
                    let password = std::str::from_utf8(secret.expose());
                    let password =
                        password.map_err(|_| anyhow!("the secret `{name}` is not text"))?;
                    Ok((user.clone(), password.trim_end().to_owned()))
                });
            let ca = mail.ca.as_deref().map(read).transpose()?;
            let server = (mail.host.as_str(), mail.port, mail.begin);
            let login = login.transpose()?;
            Target::Mail(Mail::new(
                server,
                ca.as_deref(),
                login,
                &mail.from,
                &mail.to,
            )?)
        }
        config::Target::Socket(path) => Target::Syslog(Syslog::Socket(path.clone())),
        config::Target::Syslog { address, ca } => {
            let server = (address.clone(), client(ca.as_deref())?);
            Target::Syslog(Syslog::Server(Box::new(server)))
        }
    })
}
