//! The process that began a run, as a client of a cluster: submits ranges as they are cut, and asks how far they are.
//!
//! Each range is a job of its own: it is begun as soon as it is cut, and one that is done is never done again. A
//! scheduler that was lost is waited for; it has forgotten what it was told then, and is told again. That a chunk may be
//! worked on twice is no concern here: the journal decides.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ballista_core::serde::protobuf::execute_query_params::Query;
use ballista_core::serde::protobuf::execute_query_result::Result as Submission;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::protobuf::{
    CancelJobParams, CleanJobDataParams, ExecuteQueryParams, GetJobMetricsParams,
    RemoveSessionParams,
};
use ballista_core::version::insert_version_header;
use glovebox_engine::{Joining, Range, Ranges, Shards, Taken, Worked};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::error::ClusterError;
use crate::outcome::{DEATHS, Outcome};
use crate::said::{Overview, Said};
use crate::task::Task;
use crate::tls::{Certificates, Url};

/// How long it is waited, at least and at most, between two questions how far ranges are: some times as long as the last
/// answer took, so that these are a small share of what the scheduler does.
const TICK: Duration = Duration::from_millis(20);
const SLOW: Duration = Duration::from_secs(1);
const SHARE: u32 = 4;
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a scheduler that was lost is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a scheduler may not know of a range yet that it was told.
const HEARD: Duration = Duration::from_secs(2);
/// After how long it is said that there is no executor.
const LONELY: Duration = Duration::from_secs(3);
/// Ranges that are submitted and not done, at least and at most. There are twice as many as slots, so that none is free; and
/// so many that whoever scales executors by them sees that there is work for more.
const LEAST: usize = 32;
const MOST: usize = 4096;
/// For how many processes ranges are cut where there is no executor yet.
const PROCESSES: usize = 32;

/// The pipeline that a run is of, by which executors find theirs.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// Its name.
    pub name: String,
    /// SHA-256 of its manifest's text, in hexadecimal.
    pub manifest: String,
}

/// A cluster that works on the ranges of a run.
pub struct Cluster {
    scheduler: Url,
    certificates: Certificates,
    pipeline: Pipeline,
    tell: fn(&str),
    /// Ranges that its executors could work on at a time when it was asked.
    slots: usize,
}

impl Cluster {
    /// The cluster of a scheduler. `tell` hears what is waited for.
    pub fn new(
        scheduler: Url,
        certificates: Certificates,
        pipeline: Pipeline,
        tell: fn(&str),
    ) -> Self {
        Cluster {
            scheduler,
            certificates,
            pipeline,
            tell,
            slots: 0,
        }
    }

    /// Asks the scheduler whether it is there and lets this client in, and how many executors it has.
    ///
    /// # Errors
    /// A sentence: why it does not.
    pub fn ask(&mut self) -> Result<(), String> {
        let runtime = runtime().map_err(|e| e.to_string())?;
        let asked = runtime.block_on(async {
            let connection = self.certificates.connection(&self.scheduler);
            let connection = connection.map_err(|e| e.to_string())?;
            let mut scheduler = SchedulerGrpcClient::new(connection);
            let asked = overview(&mut scheduler, String::new()).await;
            asked.map_err(|status| refusal(&self.scheduler, &status))
        })?;
        self.slots = asked.slots as usize;
        Ok(())
    }
}

impl Shards for Cluster {
    fn count(&self) -> usize {
        match self.slots {
            0 => PROCESSES,
            slots => slots,
        }
    }

    fn work(
        &mut self,
        joining: &Joining,
        ranges: &Ranges,
        stop: &AtomicBool,
        show: &mut dyn FnMut(Worked),
    ) -> Result<Vec<Arc<str>>, String> {
        let runtime = runtime().map_err(|e| e.to_string())?;
        runtime.block_on(async {
            let connection = self.certificates.connection(&self.scheduler);
            let mut run = Submitting {
                scheduler: SchedulerGrpcClient::new(connection.map_err(|e| e.to_string())?),
                url: &self.scheduler,
                pipeline: &self.pipeline,
                joining,
                tell: self.tell,
                waiting: Vec::new(),
                jobs: HashMap::new(),
                done: Worked::default(),
                absent: None,
                lost: None,
                lonely: Some(Instant::now()),
                window: LEAST,
            };
            let worked = run.work(ranges, stop, show).await;
            run.leave().await;
            worked.map(|()| {
                run.absent
                    .iter()
                    .flatten()
                    .map(|c| Arc::from(c.as_str()))
                    .collect()
            })
        })
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, ClusterError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.map_err(ClusterError::Threads)
}

/// Why a scheduler does not take what it is told.
fn refusal(url: &Url, status: &Status) -> String {
    match status.code() {
        Code::PermissionDenied | Code::Unauthenticated => format!(
            "the scheduler at {url} refuses this certificate: use that of a client, from `glovebox cluster certificates`"
        ),
        Code::FailedPrecondition | Code::Unimplemented | Code::InvalidArgument => {
            format!(
                "the scheduler at {url} does not take this run: use the same version of Glovebox"
            )
        }
        _ => format!(
            "the scheduler at {url} cannot be reached, or its certificate and yours are not of one authority"
        ),
    }
}

async fn overview(
    scheduler: &mut SchedulerGrpcClient<Channel>,
    job_id: String,
) -> Result<Overview, Status> {
    let asked = scheduler.get_job_metrics(GetJobMetricsParams { job_id });
    let answer = tokio::time::timeout(ANSWER, asked).await;
    let answer = answer.unwrap_or_else(|_| Err(Status::deadline_exceeded("")))?;
    Ok(Overview::from_stages(answer.into_inner().stages))
}

/// A range that was submitted.
struct Submitted {
    range: Range,
    at: Instant,
    /// What was said of it last.
    said: Said,
}

/// A run whose ranges are submitted.
struct Submitting<'s> {
    scheduler: SchedulerGrpcClient<Channel>,
    url: &'s Url,
    pipeline: &'s Pipeline,
    joining: &'s Joining,
    tell: fn(&str),
    /// Ranges that were taken and have to be submitted, again or for the first time.
    waiting: Vec<Range>,
    /// Those that were submitted, by their names at the scheduler.
    jobs: HashMap<String, Submitted>,
    /// What is behind all that is done.
    done: Worked,
    /// Declared columns that no record of any range had; none before the first is done.
    absent: Option<BTreeSet<String>>,
    /// Since when the scheduler does not answer.
    lost: Option<Instant>,
    /// Since when there is no executor, until it was said.
    lonely: Option<Instant>,
    window: usize,
}

impl Submitting<'_> {
    async fn work(
        &mut self,
        ranges: &Ranges,
        stop: &AtomicBool,
        show: &mut dyn FnMut(Worked),
    ) -> Result<(), String> {
        let mut is_cut = false;
        loop {
            if stop.load(Ordering::Relaxed) {
                return Err("it was asked to end".into());
            }
            while !is_cut && self.waiting.len() + self.jobs.len() < self.window {
                match ranges.take() {
                    Taken::Range(range) => self.waiting.push(*range),
                    Taken::NotYet => break,
                    Taken::End => is_cut = true,
                }
            }
            let asked = Instant::now();
            let heard = self.exchange().await;
            let pause = (SHARE * asked.elapsed()).clamp(TICK, SLOW);
            match heard {
                Ok(overview) => {
                    if self.lost.take().is_some() {
                        (self.tell)("the scheduler answers again");
                    }
                    self.hear(overview).await?;
                }
                Err(status) => self.wait_for_scheduler(&status)?,
            }
            show(self.worked());
            if is_cut && self.waiting.is_empty() && self.jobs.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Submits what waits, and asks for all that was submitted.
    async fn exchange(&mut self) -> Result<Overview, Status> {
        while let Some(range) = self.waiting.last() {
            let job = self.submit(range.clone()).await?;
            if let Some(range) = self.waiting.pop() {
                let submitted = Submitted {
                    range,
                    at: Instant::now(),
                    said: Said::default(),
                };
                self.jobs.insert(job, submitted);
            }
        }
        let names: Vec<&str> = self.jobs.keys().map(String::as_str).collect();
        let names = names.join(",");
        overview(&mut self.scheduler, names).await
    }

    async fn submit(&mut self, range: Range) -> Result<String, Status> {
        let task = Task {
            version: Task::VERSION.into(),
            pipeline: self.pipeline.name.clone(),
            manifest: self.pipeline.manifest.clone(),
            joining: self.joining.clone(),
            range,
        };
        let mut request = Request::new(ExecuteQueryParams {
            session_id: self.joining.run.clone(),
            settings: Vec::new(),
            operation_id: String::new(),
            query: Some(Query::PhysicalPlan(task.to_bytes())),
        });
        insert_version_header(request.metadata_mut());
        let submitted = tokio::time::timeout(ANSWER, self.scheduler.execute_query(request)).await;
        let submitted = submitted.unwrap_or_else(|_| Err(Status::deadline_exceeded("")))?;
        match submitted.into_inner().result {
            Some(Submission::Success(success)) => Ok(success.job_id),
            _ => Err(Status::invalid_argument(
                "the scheduler does not read this task",
            )),
        }
    }

    async fn hear(&mut self, overview: Overview) -> Result<(), String> {
        self.window = (2 * overview.slots as usize).clamp(LEAST, MOST);
        self.note_executors(overview.executors);
        for (job, outcome, said) in overview.jobs {
            let Some(submitted) = self.jobs.get_mut(&job) else {
                continue;
            };
            let row = submitted.range.begins.row;
            match outcome {
                Outcome::Waiting => submitted.said = said,
                Outcome::Done => self.finish(&job, said).await,
                // It answers before it has written down what it was told.
                Outcome::Unknown if submitted.at.elapsed() < HEARD => {}
                Outcome::Unknown => {
                    let forgotten = self.jobs.remove(&job).map(|submitted| submitted.range);
                    self.waiting.extend(forgotten);
                }
                Outcome::Failed(problem) => return Err(problem),
                Outcome::Died(how) => {
                    return Err(format!(
                        "{DEATHS} processes of executors did not get through the rows from {row} on; the last one {how}; \
                         run without `--cluster` to see whether these rows do it"
                    ));
                }
            }
        }
        Ok(())
    }

    async fn finish(&mut self, job: &str, said: Said) {
        let Some(Submitted { range, .. }) = self.jobs.remove(job) else {
            return;
        };
        self.done.rows += said.rows;
        self.done.bytes += range.bytes;
        let columns: BTreeSet<String> = said.absent.into_iter().collect();
        self.absent = Some(match self.absent.take() {
            Some(before) => before.intersection(&columns).cloned().collect(),
            None => columns,
        });
        let clean = CleanJobDataParams {
            job_id: job.to_owned(),
            remove_stage_ids: Vec::new(),
        };
        // The scheduler forgets it after a while by itself.
        let _ = tokio::time::timeout(ANSWER, self.scheduler.clean_job_data(clean)).await;
    }

    fn note_executors(&mut self, executors: u32) {
        if executors > 0 {
            self.lonely = Some(Instant::now());
        } else if self.lonely.is_some_and(|since| since.elapsed() > LONELY) {
            self.lonely = None;
            (self.tell)(
                "the cluster has no executor; the run waits for one: glovebox cluster executor",
            );
        }
    }

    fn wait_for_scheduler(&mut self, status: &Status) -> Result<(), String> {
        let passes = matches!(
            status.code(),
            Code::Unavailable
                | Code::DeadlineExceeded
                | Code::Unknown
                | Code::Internal
                | Code::Cancelled
        );
        let since = *self.lost.get_or_insert_with(|| {
            if passes {
                (self.tell)("the scheduler does not answer; the run waits for it");
            }
            Instant::now()
        });
        match passes && since.elapsed() < PATIENCE {
            true => Ok(()),
            false => Err(format!(
                "{}\nwhat is stored stays: continue with `--resume`",
                refusal(self.url, status)
            )),
        }
    }

    fn worked(&self) -> Worked {
        let now = self.jobs.values().map(|submitted| &submitted.said);
        now.fold(self.done, |worked, said| Worked {
            rows: worked.rows + said.rows,
            bytes: worked.bytes + said.bytes,
        })
    }

    /// Has nobody work for this run any more.
    async fn leave(&mut self) {
        let leaving = async {
            for job_id in self.jobs.drain().map(|(job, _)| job) {
                self.scheduler
                    .cancel_job(CancelJobParams { job_id })
                    .await?;
            }
            let session_id = self.joining.run.clone();
            self.scheduler
                .remove_session(RemoveSessionParams { session_id })
                .await
        };
        let left = tokio::time::timeout(ANSWER, leaving).await;
        if !matches!(left, Ok(Ok(_))) {
            tracing::debug!("the scheduler was not told that the run is over");
        }
    }
}
