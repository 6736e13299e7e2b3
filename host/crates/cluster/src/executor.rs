//! An executor: asks the scheduler for ranges, has them worked on, and says how far it is.
//!
//! Its polls are its heartbeat. What it says of a range is a count or a sentence of ours. A range that the scheduler
//! has cancelled is dropped; a scheduler that does not answer is asked again, and ranges that are being worked on go on meanwhile.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ballista_core::BALLISTA_PROTOCOL_VERSION;
use ballista_core::serde::protobuf::executor_resource::Resource;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::protobuf::task_status::Status as TaskState;
use ballista_core::serde::protobuf::{
    ExecutorOperatingSystemSpecification, ExecutorRegistration, ExecutorResource,
    ExecutorSpecification, ExecutorStoppedParams, PollWorkParams, PollWorkResult, RunningTask,
    ShuffleWritePartition, SuccessfulTask, TaskDefinition, TaskStatus,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::error::ClusterError;
use crate::outcome::{died, failed};
use crate::plan::{FOREIGN, task_of};
use crate::said::Said;
use crate::task::{MOST, Task};
use crate::tls::{Certificates, Url};

/// How often the scheduler is asked: with a slot that is free, and without.
const IDLE: Duration = Duration::from_millis(50);
const BUSY: Duration = Duration::from_millis(500);
/// How long an answer may take, and how long it is waited before it is asked again.
const ANSWER: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_secs(1);

/// What has come of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Rows of it.
    pub rows: u64,
    /// Declared columns that no record had.
    pub absent: Vec<String>,
}

/// Why a range was not worked on to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// A sentence, without any cell: nobody else would come to its end.
    Failed(String),
    /// How whoever worked on it ended: another one may do better.
    Died(String),
    /// It was asked to.
    Halted,
}

/// Whoever works on ranges, called by one thread for each slot.
pub trait Work: Send + Sync + 'static {
    /// Works on a range until all of it is stored. It ends early once `is_over`; `show` is told rows and bytes so far.
    ///
    /// # Errors
    /// As [`Ended`] has it. Some of its chunks may be stored then.
    fn work(
        &self,
        slot: usize,
        task: &Task,
        is_over: &dyn Fn() -> bool,
        show: &mut dyn FnMut(u64, u64),
    ) -> Result<Done, Ended>;
}

/// An executor to be.
pub struct Executor {
    /// Its scheduler.
    pub scheduler: Url,
    /// The executor's certificate.
    pub certificates: Certificates,
    /// Ranges that are worked on at a time.
    pub slots: usize,
    /// Who works on them.
    pub work: Arc<dyn Work>,
}

/// A range that is being worked on.
struct Running {
    status: TaskStatus,
    progress: Arc<Progress>,
}

#[derive(Default)]
struct Progress {
    is_over: AtomicBool,
    rows: AtomicU64,
    bytes: AtomicU64,
}

/// What one did in its slot.
struct Ending {
    slot: usize,
    done: Result<Done, Ended>,
}

impl Executor {
    /// Works until `stop` comes to an end; ranges that are being worked on are left to others then. `tell` hears when the
    /// scheduler cannot be reached, and when it can again.
    ///
    /// # Errors
    /// When the scheduler refuses this executor.
    pub async fn run(
        self,
        tell: impl Fn(&str),
        stop: impl Future<Output = ()>,
    ) -> Result<(), ClusterError> {
        let connection = self.certificates.connection(&self.scheduler)?;
        let (ended, endings) = unbounded_channel();
        let mut polling = Polling {
            // A task for each slot.
            scheduler: SchedulerGrpcClient::new(connection)
                .max_decoding_message_size((self.slots + 1) * 2 * MOST),
            registration: registration(self.slots),
            work: self.work,
            free: (0..self.slots).rev().collect(),
            running: HashMap::new(),
            ended,
            unsaid: Vec::new(),
            is_lost: false,
        };
        tokio::select! {
            refused = polling.run(endings, &tell) => return refused,
            () = stop => {}
        }
        polling.stop().await;
        Ok(())
    }
}

struct Polling {
    scheduler: SchedulerGrpcClient<Channel>,
    registration: ExecutorRegistration,
    work: Arc<dyn Work>,
    /// Slots in which nothing is done.
    free: Vec<usize>,
    /// By their slots.
    running: HashMap<usize, Running>,
    ended: UnboundedSender<Ending>,
    /// What has come to an end and was not said yet.
    unsaid: Vec<TaskStatus>,
    is_lost: bool,
}

impl Polling {
    /// Ends only if the scheduler refuses this executor.
    async fn run(
        &mut self,
        mut endings: UnboundedReceiver<Ending>,
        tell: &impl Fn(&str),
    ) -> Result<(), ClusterError> {
        loop {
            let polled = tokio::time::timeout(ANSWER, self.poll()).await;
            let polled = polled.unwrap_or_else(|_| Err(Status::deadline_exceeded("")));
            let pause = match polled {
                Ok(answer) => {
                    if std::mem::take(&mut self.is_lost) {
                        tell("the scheduler answers again");
                    }
                    let is_more = !answer.tasks.is_empty() && !self.free.is_empty();
                    self.begin(answer);
                    match () {
                        () if is_more => Duration::ZERO,
                        () if self.free.is_empty() => BUSY,
                        () => IDLE,
                    }
                }
                Err(status) => self.refused(&status, tell)?,
            };
            tokio::select! {
                Some(ending) = endings.recv() => {
                    self.end(ending);
                    while let Ok(ending) = endings.try_recv() {
                        self.end(ending);
                    }
                }
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn poll(&mut self) -> Result<PollWorkResult, Status> {
        let running = self.running.values().map(|running| TaskStatus {
            metrics: running.progress.said().to_set(),
            ..running.status.clone()
        });
        let polled = PollWorkParams {
            metadata: Some(self.registration.clone()),
            num_free_vcores: self.free.len() as u32,
            task_status: running.chain(self.unsaid.iter().cloned()).collect(),
        };
        let answer = self.scheduler.poll_work(polled).await?;
        self.unsaid.clear();
        Ok(answer.into_inner())
    }

    /// How long to wait before the scheduler is asked again, if it makes sense to.
    fn refused(&mut self, status: &Status, tell: &impl Fn(&str)) -> Result<Duration, ClusterError> {
        match status.code() {
            Code::PermissionDenied | Code::Unauthenticated | Code::FailedPrecondition => {
                return Err(ClusterError::Refused);
            }
            _ => {}
        }
        if !std::mem::replace(&mut self.is_lost, true) {
            tell(
                "the scheduler cannot be reached, or the certificates do not let this executor in; it is asked \
                 again every second",
            );
        }
        tracing::debug!(code = ?status.code(), "the scheduler was asked in vain");
        Ok(AGAIN)
    }

    /// Begins what the scheduler hands out, and drops what it has cancelled.
    fn begin(&mut self, answer: PollWorkResult) {
        for cancelled in answer.jobs_to_clean {
            let of_it = (self.running.values()).filter(|r| r.status.job_id == cancelled.job_id);
            for running in of_it {
                running.progress.is_over.store(true, Ordering::Relaxed);
            }
        }
        for task in answer.tasks {
            let status = status_of(&task, &self.registration.id);
            let Some(range) = task_of(&task.plan) else {
                self.unsaid.push(ended(
                    status,
                    Err(Ended::Failed(FOREIGN.into())),
                    &self.registration.id,
                ));
                continue;
            };
            // No more are handed out than there are free slots.
            let Some(slot) = self.free.pop() else {
                let none = Ended::Died("had no room for it".into());
                self.unsaid
                    .push(ended(status, Err(none), &self.registration.id));
                continue;
            };
            let progress = Arc::new(Progress::default());
            self.running.insert(
                slot,
                Running {
                    status,
                    progress: Arc::clone(&progress),
                },
            );
            let (work, ended) = (Arc::clone(&self.work), self.ended.clone());
            let working = tokio::task::spawn_blocking(move || {
                let is_over = || progress.is_over.load(Ordering::Relaxed);
                work.work(slot, &range, &is_over, &mut |rows, bytes| {
                    progress.rows.store(rows, Ordering::Relaxed);
                    progress.bytes.store(bytes, Ordering::Relaxed);
                })
            });
            tokio::spawn(async move {
                let done = working.await;
                let done = done.unwrap_or_else(|_| Err(Ended::Died("panicked".into())));
                // Nobody listens once the executor stops.
                let _ = ended.send(Ending { slot, done });
            });
        }
    }

    fn end(&mut self, ending: Ending) {
        let Some(running) = self.running.remove(&ending.slot) else {
            return;
        };
        self.free.push(ending.slot);
        // Of what was cancelled nobody wants to hear.
        if ending.done != Err(Ended::Halted) {
            self.unsaid
                .push(ended(running.status, ending.done, &self.registration.id));
        }
    }

    /// Has others work on what this one began.
    async fn stop(mut self) {
        for running in self.running.values() {
            running.progress.is_over.store(true, Ordering::Relaxed);
        }
        let stopped = ExecutorStoppedParams {
            executor_id: self.registration.id,
            reason: "asked to".into(),
        };
        let said = tokio::time::timeout(AGAIN, self.scheduler.executor_stopped(stopped)).await;
        if !matches!(said, Ok(Ok(_))) {
            tracing::debug!("the scheduler was not told; it finds out by itself");
        }
    }
}

impl Progress {
    fn said(&self) -> Said {
        Said {
            rows: self.rows.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            absent: Vec::new(),
        }
    }
}

fn status_of(task: &TaskDefinition, executor: &str) -> TaskStatus {
    TaskStatus {
        task_id: task.task_id,
        job_id: task.job_id.clone(),
        stage_id: task.stage_id,
        stage_attempt_num: task.stage_attempt_num,
        launch_time: task.launch_time,
        start_exec_time: now(),
        end_exec_time: 0,
        metrics: Vec::new(),
        status: Some(TaskState::Running(RunningTask {
            executor_id: executor.to_owned(),
        })),
    }
}

fn ended(status: TaskStatus, done: Result<Done, Ended>, executor: &str) -> TaskStatus {
    let mut metrics = Vec::new();
    let state = match done {
        Ok(done) => {
            // Ballista wants to know where a task's output is; here it is in the sink.
            let partition = ShuffleWritePartition {
                num_rows: done.rows,
                ..ShuffleWritePartition::default()
            };
            let said = Said {
                rows: done.rows,
                bytes: 0,
                absent: done.absent,
            };
            metrics = said.to_set();
            TaskState::Successful(SuccessfulTask {
                executor_id: executor.to_owned(),
                partitions: vec![partition],
                ..SuccessfulTask::default()
            })
        }
        Err(Ended::Failed(problem)) => TaskState::Failed(failed(&problem)),
        Err(Ended::Died(how)) => TaskState::Failed(died(&how)),
        Err(Ended::Halted) => TaskState::Failed(died("was stopped")),
    };
    TaskStatus {
        end_exec_time: now(),
        metrics,
        status: Some(state),
        ..status
    }
}

fn registration(slots: usize) -> ExecutorRegistration {
    ExecutorRegistration {
        id: ballista_core::ids::new_instance_id(),
        // Nobody connects to an executor.
        host: Some("executor".into()),
        port: 0,
        grpc_port: 0,
        specification: Some(ExecutorSpecification {
            resources: vec![ExecutorResource {
                resource: Some(Resource::Vcores(slots as u32)),
            }],
        }),
        os_info: Some(ExecutorOperatingSystemSpecification::default()),
        ballista_protocol_version: BALLISTA_PROTOCOL_VERSION,
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}
