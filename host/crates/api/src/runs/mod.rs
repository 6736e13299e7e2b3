//! Runs of configured pipelines: requested over the API, executed by child processes of this
//! program, one at a time per pipeline.

mod child;
mod counts;
pub(crate) mod files;
mod rejects;
mod room;
mod schedule;
pub(crate) mod sealing;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use glovebox_audit::{Action, Event, Outcome};
use glovebox_catalog::{ANY_MACHINE, Catalog, Claimed, Run, RunState};
use glovebox_outbound::telemetry;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use super::audit::Audit;
use super::config::{Pipeline, RunsConfig};
use child::Ended;
pub use child::{ChildRun, Launch};
pub(crate) use rejects::{Page, Violation, page as rejects_page};
pub(crate) use sealing::UploadKey;
pub use sealing::{SealUploads, SealedUpload, UploadSeals};

/// How often a server looks for runs that others have queued or left behind.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// A server that has not been heard for so long, in seconds, has left its runs behind. It is
/// heard every second.
const SILENT: i64 = 20;
/// A run that has been begun so often is what its servers die of.
const MAX_STARTS: i64 = 3;
/// Files that may be on their way at once.
const UPLOADS: usize = 4;
/// How often old runs are forgotten.
const FORGET: Duration = Duration::from_secs(3600);

/// What the runs of a server share.
pub(crate) struct Runs {
    catalog: Catalog,
    audit: Audit,
    config: RunsConfig,
    pipelines: Vec<Pipeline>,
    launch: Launch,
    upload_key: Option<UploadKey>,
    /// This process, among all that share the catalog.
    holder: String,
    /// Who has the files that were uploaded here: this machine, or all of them.
    machine: String,
    counts: counts::Counts,
    wake: Notify,
    uploads: Semaphore,
    active: AtomicUsize,
    stopping: AtomicBool,
}

impl Runs {
    /// Makes the folder of runs.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn new(
        catalog: Catalog,
        audit: Audit,
        config: RunsConfig,
        pipelines: Vec<Pipeline>,
        (launch, upload_key): (Launch, Option<UploadKey>),
        holder: String,
    ) -> std::io::Result<Arc<Self>> {
        if !pipelines.is_empty() {
            files::private_folder(&config.folder)?;
        }
        let machine = match config.shared {
            true => ANY_MACHINE.to_owned(),
            false => super::machine(),
        };
        Ok(Arc::new(Runs {
            catalog,
            audit,
            config,
            pipelines,
            launch,
            upload_key,
            holder,
            machine,
            counts: counts::Counts::default(),
            wake: Notify::new(),
            uploads: Semaphore::new(UPLOADS),
            active: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
        }))
    }

    pub(crate) fn machine(&self) -> &str {
        &self.machine
    }

    /// The right to send a file, if few others send one now.
    pub(crate) fn upload_slot(&self) -> Option<SemaphorePermit<'_>> {
        self.uploads.try_acquire().ok()
    }

    /// What encrypts uploads, if they are.
    pub(crate) fn upload_key(&self) -> Option<&UploadKey> {
        self.upload_key.as_ref()
    }

    pub(crate) fn folder(&self) -> files::Folder<'_> {
        files::Folder(&self.config.folder)
    }

    /// What they have done, for Prometheus, and how many wait.
    pub(crate) async fn metrics(&self, shown: impl Fn(&str) -> bool) -> String {
        let mut text = self.counts.text(self.active(), &shown);
        match self.catalog.waiting().await {
            Ok(waiting) => {
                let names = self.pipelines.iter().map(|p| p.name.as_str());
                text.push_str(&counts::queue(names, &waiting, super::now(), shown));
            }
            // A length that is not known is not zero.
            Err(error) => tracing::error!(%error, "the length of the queue is not known"),
        }
        text
    }

    /// How many work here now.
    pub(crate) fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    /// There is something to do.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Begins runs as they come, until the server is told to stop.
    pub(crate) async fn work(self: Arc<Self>) {
        if self.pipelines.is_empty() {
            return;
        }
        let mut forgotten: Option<Instant> = None;
        let mut looked = schedule::Looked::default();
        while !self.stopping() {
            self.ask_for_scheduled(&mut looked, super::now()).await;
            if let Err(error) = self.begin_what_waits().await {
                tracing::error!(%error, "runs cannot be started");
            }
            if forgotten.is_none_or(|at| at.elapsed() >= FORGET) {
                forgotten = Some(Instant::now());
                self.forget().await;
            }
            // Whether it was woken or time has passed, it looks.
            let _ = tokio::time::timeout(POLL_INTERVAL, self.wake.notified()).await;
        }
    }

    /// Lets what runs go on for a while, then has it stop where it can go on later.
    pub(crate) async fn stop(&self, grace: Duration) {
        let begun = Instant::now();
        self.stopping.store(true, Ordering::Relaxed);
        self.wake();
        while self.active() > 0 && begun.elapsed() < grace + child::STOP_TIMEOUT {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    async fn begin_what_waits(self: &Arc<Self>) -> Result<(), glovebox_catalog::Error> {
        while self.active() < self.config.at_once && !self.stopping() {
            let now = super::now();
            let run = self
                .catalog
                .claim_run(&self.holder, &self.machine, now, now - SILENT)
                .await?;
            let Some(claimed) = run else { return Ok(()) };
            self.begin(claimed).await;
        }
        Ok(())
    }

    async fn begin(self: &Arc<Self>, claimed: Claimed) {
        let run = &claimed.run;
        let problem = if run.cancelled {
            self.end(run, Ended::Cancelled).await;
            return;
        } else if run.starts > MAX_STARTS {
            Some("its server died each time it was started; see the server's log".to_owned())
        } else if run.upload && self.folder().uploaded(&run.id).is_none() {
            Some("its uploaded file is gone; upload it again".to_owned())
        } else {
            None
        };
        let pipeline = self.pipelines.iter().find(|p| p.name == run.pipeline);
        let (problem, pipeline) = match (problem, pipeline) {
            (None, Some(pipeline)) => (None, Some(pipeline.clone())),
            (None, None) => (Some("its pipeline is no longer configured".into()), None),
            (problem, _) => (problem, None),
        };
        let Some(pipeline) = pipeline else {
            let problem = problem.unwrap_or_default();
            self.end(run, Ended::Failed(problem)).await;
            return;
        };
        let name = format!("run {}", run.id);
        self.active.fetch_add(1, Ordering::Relaxed);
        let runs = Arc::clone(self);
        let runtime = tokio::runtime::Handle::current();
        // A thread, since what it waits for most is a process.
        let spawned = std::thread::Builder::new().name(name).spawn(move || {
            // Dropped at the end, however that comes.
            let _slot = Slot(&runs);
            let ended = child::follow(&runs, &claimed, &pipeline, &runtime);
            runtime.block_on(runs.end(&claimed.run, ended));
            runtime.block_on(runs.keep_size());
        });
        if spawned.is_err() {
            // What it would have dropped went with the closure, the slot did not begin.
            self.active.fetch_sub(1, Ordering::Relaxed);
            tracing::error!("the operating system provides no thread for a run");
        }
    }

    async fn end(&self, run: &Run, ended: Ended) {
        let (state, report, problem) = match ended {
            Ended::Done(report) => (RunState::Done, Some(report), None),
            Ended::Rejected(report) => (RunState::Rejected, Some(report), None),
            Ended::Cancelled => (RunState::Cancelled, None, None),
            Ended::Failed(problem) => (RunState::Failed, None, Some(problem)),
            Ended::Lost => {
                tracing::warn!(run = run.id, "another server has taken this run over");
                return;
            }
            Ended::Released => {
                if let Err(error) = self.catalog.release_run(&run.id, &self.holder).await {
                    tracing::error!(run = run.id, %error, "a run could not be released");
                }
                return;
            }
        };
        let stored = report.as_deref().and_then(|r| rows(r, "stored"));
        let finished = self
            .catalog
            .finish_run(
                &run.id,
                &self.holder,
                state,
                (report.as_deref(), problem.as_deref()),
                super::now(),
            )
            .await;
        match finished {
            Ok(true) => {}
            // It is somebody else's now, and they will end it.
            Ok(false) => return,
            Err(error) => {
                tracing::error!(run = run.id, %error, "the end of a run could not be stored");
                return;
            }
        }
        self.counts
            .ended(&run.pipeline, state.word(), report.as_deref());
        tell(run, state.word(), report.as_deref());
        if run.upload {
            self.folder().forget_input(&run.id);
        }
        tracing::info!(
            run = run.id,
            pipeline = run.pipeline,
            state = state.word(),
            "run over"
        );
        let outcome = match state {
            RunState::Done | RunState::Rejected => Outcome::Success,
            _ => Outcome::Failure,
        };
        let event = Event::new(Action::RunFinished, outcome)
            .pipeline(&run.pipeline)
            .run(&run.id)
            .reason(state.word())
            .rows(stored)
            .rejected(report.as_deref().and_then(|r| rows(r, "rejected")))
            .plugins(report.as_deref().map(plugins).unwrap_or_default());
        if let Err(error) = self.audit.record(by(run, event)).await {
            tracing::error!(run = run.id, %error, "the end of a run could not be recorded");
        }
        self.wake();
    }

    async fn forget(&self) {
        let keep = i64::try_from(self.config.keep_for.as_secs()).unwrap_or(i64::MAX);
        let before = super::now().saturating_sub(keep);
        match self.catalog.forget_runs(before).await {
            Ok(gone) => gone.iter().for_each(|run| self.folder().forget(run)),
            Err(error) => tracing::error!(%error, "old runs could not be deleted"),
        }
        self.keep_size().await;
    }
}

/// One of the runs that may work at once.
struct Slot<'r>(&'r Arc<Runs>);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::Relaxed);
        self.0.wake();
    }
}

/// Exports a run's spans, if somebody wants them.
fn tell(run: &Run, outcome: &'static str, report: Option<&str>) {
    if !telemetry::on() {
        return;
    }
    let began = run.started.and_then(|at| u64::try_from(at).ok());
    let ran = telemetry::Ran {
        pipeline: &run.pipeline,
        run: Some(&run.id),
        outcome,
        began: UNIX_EPOCH + Duration::from_secs(began.unwrap_or_default()),
        report: report.and_then(|r| serde_json::from_str(r).ok()),
    };
    ran.tell(telemetry::Incoming::default());
}

/// Done for whoever asked for the run.
fn by(run: &Run, event: Event) -> Event {
    event.user_id(&run.user_id).user(&run.user_name)
}

/// The plugins of a run's steps: name and SHA-256 of each.
fn plugins(report: &str) -> Vec<String> {
    let report: serde_json::Value = serde_json::from_str(report).unwrap_or_default();
    let steps = report.get("steps").and_then(serde_json::Value::as_array);
    let text = |step: &serde_json::Value, key| Some(step.get(key)?.as_str()?.to_owned());
    let named = |step| Some(format!("{} {}", text(step, "name")?, text(step, "sha256")?));
    steps.into_iter().flatten().filter_map(named).collect()
}

/// Rows of that fate, as the report says.
pub(crate) fn rows(report: &str, fate: &str) -> Option<u64> {
    let report: serde_json::Value = serde_json::from_str(report).ok()?;
    report.get("rows")?.get(fate)?.as_u64()
}
