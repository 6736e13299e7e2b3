//! The scheduler's door: who may ask it for what, and what executors say of ranges that they work on.
//!
//! Ballista lets whoever connects submit any plan. Here a certificate's role decides, all that a run does not need
//! is closed, and a plan that is not a task cannot be decoded. What executors say of their progress is kept here, as Ballista
//! has no place for it; it is forgotten once the one that asked has it all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ballista_core::serde::protobuf::execute_query_params::Query;
use ballista_core::serde::protobuf::executor_resource::Resource;
use ballista_core::serde::protobuf::scheduler_grpc_server::SchedulerGrpc;
use ballista_core::serde::protobuf::task_status::Status as TaskState;
use ballista_core::serde::protobuf::{
    CancelJobParams, CancelJobResult, CleanJobDataParams, CleanJobDataResult,
    CreateUpdateSessionParams, CreateUpdateSessionResult, ExecuteQueryParams, ExecuteQueryResult,
    ExecutorRegistration, ExecutorStoppedParams, ExecutorStoppedResult, GetJobMetricsParams,
    GetJobMetricsResult, GetJobStatusParams, GetJobStatusResult, HeartBeatParams, HeartBeatResult,
    PollWorkParams, PollWorkResult, RegisterExecutorParams, RegisterExecutorResult,
    RemoveSessionParams, RemoveSessionResult, TaskStatus, UpdateTaskStatusParams,
    UpdateTaskStatusResult,
};
use ballista_scheduler::scheduler_server::SchedulerServer;
use tonic::{Request, Response, Status};

use crate::outcome::Outcome;
use crate::plan::{FOREIGN, NoLogicalPlan, Submitted};
use crate::said::{Overview, Said};
use crate::task::MOST;
use crate::tls::Role;

/// Ballista's scheduler, which reads no other plan than a task.
pub(crate) type Scheduling = SchedulerServer<NoLogicalPlan, Submitted>;
/// What is answered.
type Answer<T> = Result<Response<T>, Status>;

/// Ranges of which something is kept; more are only there if whoever began them does not ask.
const MOST_KEPT: usize = 1 << 16;
/// How long it is kept.
const KEPT: Duration = Duration::from_secs(60 * 60);
/// Ranges that one can ask about at a time.
const MOST_ASKED: usize = 1 << 14;

/// What is known of executors and of their ranges.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// By name: when they asked last, ranges that they can work on at a time, and how many of those they could take.
    executors: HashMap<String, (Instant, u32, u32)>,
    said: HashMap<String, (Instant, Said)>,
}

/// How busy a cluster is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) executors: u32,
    pub(crate) slots: u32,
    /// Slots in which a range is worked on.
    pub(crate) busy: u32,
}

impl Known {
    fn executor(&mut self, of: &ExecutorRegistration, free: u32) {
        let resources = of.specification.iter().flat_map(|s| &s.resources);
        let slots = resources.filter_map(|r| r.resource.map(|Resource::Vcores(slots)| slots));
        let slots = slots.sum();
        let now = Instant::now();
        self.executors.insert(of.id.clone(), (now, slots, free));
    }

    /// Of those that have asked within that time.
    fn load(&mut self, within: Duration) -> Load {
        self.executors
            .retain(|_, (asked, ..)| asked.elapsed() <= within);
        let mut load = Load::default();
        for (_, slots, free) in self.executors.values() {
            load.executors += 1;
            load.slots += slots;
            load.busy += slots.saturating_sub(*free);
        }
        load
    }

    fn say(&mut self, job: String, said: Said) {
        if self.said.len() >= MOST_KEPT {
            self.said.retain(|_, (since, _)| since.elapsed() < KEPT);
        }
        if self.said.len() < MOST_KEPT {
            self.said.insert(job, (Instant::now(), said));
        }
    }
}

/// Ballista's scheduler behind the rules of this cluster.
#[derive(Clone)]
pub(crate) struct Gate {
    inner: Scheduling,
    known: Arc<Mutex<Known>>,
    /// An executor that did not ask for so long is dead.
    dead_after: Duration,
}

fn locked(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gate {
    pub(crate) fn new(inner: Scheduling, dead_after: Duration) -> Self {
        Gate {
            inner,
            known: Arc::default(),
            dead_after,
        }
    }

    /// How busy the cluster is.
    pub(crate) fn load(&self) -> Load {
        locked(&self.known).load(self.dead_after)
    }

    /// Ranges that were submitted and have not come to an end.
    pub(crate) fn unfinished(&self) -> usize {
        self.inner.pending_job_number() + self.inner.running_job_number()
    }

    /// Keeps what is said of ranges, and returns what Ballista is to know: what has come to an end.
    fn hear(&self, said: Vec<TaskStatus>) -> Vec<TaskStatus> {
        let mut known = locked(&self.known);
        let mut ended = Vec::new();
        for mut status in said {
            let metrics = std::mem::take(&mut status.metrics);
            known.say(status.job_id.clone(), Said::from_set(metrics));
            if !matches!(status.status, Some(TaskState::Running(_)) | None) {
                ended.push(status);
            }
        }
        ended
    }
}

/// Refuses whoever does not have the role by its certificate.
fn only<T>(role: Role, request: &Request<T>) -> Result<(), Status> {
    let certificates = request.peer_certs();
    let certificate = certificates.as_ref().and_then(|chain| chain.first());
    let has = certificate.and_then(|der| Role::of(der));
    match has {
        Some(has) if has == role => Ok(()),
        Some(has) => Err(Status::permission_denied(format!(
            "this is for a certificate of the role `{}`, and yours is for `{}`",
            role.name(),
            has.name()
        ))),
        None => Err(Status::unauthenticated(
            "your certificate has no role in a cluster; `glovebox cluster certificates` makes some that have",
        )),
    }
}

fn closed<T>() -> Answer<T> {
    Err(Status::unimplemented(FOREIGN))
}

#[tonic::async_trait]
impl SchedulerGrpc for Gate {
    type ExecuteQueryPushStream = <Scheduling as SchedulerGrpc>::ExecuteQueryPushStream;

    async fn poll_work(&self, request: Request<PollWorkParams>) -> Answer<PollWorkResult> {
        only(Role::Executor, &request)?;
        let mut polled = request.into_inner();
        match &polled.metadata {
            // Ballista takes for granted that these are there.
            Some(of) if of.specification.is_some() && of.os_info.is_some() && of.host.is_some() => {
                locked(&self.known).executor(of, polled.num_free_vcores);
            }
            _ => return Err(Status::invalid_argument("an executor says who it is")),
        }
        polled.task_status = self.hear(polled.task_status);
        self.inner.poll_work(Request::new(polled)).await
    }

    async fn executor_stopped(
        &self,
        request: Request<ExecutorStoppedParams>,
    ) -> Answer<ExecutorStoppedResult> {
        only(Role::Executor, &request)?;
        let stopped = request.into_inner();
        locked(&self.known).executors.remove(&stopped.executor_id);
        self.inner.executor_stopped(Request::new(stopped)).await
    }

    async fn execute_query(
        &self,
        request: Request<ExecuteQueryParams>,
    ) -> Answer<ExecuteQueryResult> {
        only(Role::Client, &request)?;
        match &request.get_ref().query {
            Some(Query::PhysicalPlan(plan)) if plan.len() <= MOST => {}
            _ => return Err(Status::invalid_argument(FOREIGN)),
        }
        self.inner.execute_query(request).await
    }

    /// Not Ballista's metrics, but what became of ranges, whose names come divided by commas, and what executors say of
    /// them: all that is asked about a run, in one answer.
    async fn get_job_metrics(
        &self,
        request: Request<GetJobMetricsParams>,
    ) -> Answer<GetJobMetricsResult> {
        only(Role::Client, &request)?;
        let asked = request.into_inner().job_id;
        let named = asked.split(',').filter(|job| !job.is_empty());
        let mut jobs = Vec::new();
        for job in named.take(MOST_ASKED) {
            // The outcome first: what is said then is the last that there is to say.
            let status = (self.inner.state.task_manager)
                .get_job_status(&job.to_owned().into())
                .await;
            let status = status.map_err(|_| Status::internal("a range's state cannot be read"))?;
            let outcome = Outcome::of(status.and_then(|status| status.status));
            let said = locked(&self.known)
                .said
                .get(job)
                .map(|(_, said)| said.clone());
            jobs.push((job.to_owned(), outcome, said.unwrap_or_default()));
        }
        let load = self.load();
        let overview = Overview {
            executors: load.executors,
            slots: load.slots,
            jobs,
        };
        Ok(Response::new(GetJobMetricsResult {
            stages: overview.to_stages(),
        }))
    }

    async fn cancel_job(&self, request: Request<CancelJobParams>) -> Answer<CancelJobResult> {
        only(Role::Client, &request)?;
        locked(&self.known).said.remove(&request.get_ref().job_id);
        SchedulerGrpc::cancel_job(&self.inner, request).await
    }

    /// The one that began a range has heard what became of it.
    async fn clean_job_data(
        &self,
        request: Request<CleanJobDataParams>,
    ) -> Answer<CleanJobDataResult> {
        only(Role::Client, &request)?;
        locked(&self.known).said.remove(&request.get_ref().job_id);
        self.inner.clean_job_data(request).await
    }

    async fn remove_session(
        &self,
        request: Request<RemoveSessionParams>,
    ) -> Answer<RemoveSessionResult> {
        only(Role::Client, &request)?;
        self.inner.remove_session(request).await
    }

    async fn get_job_status(&self, _: Request<GetJobStatusParams>) -> Answer<GetJobStatusResult> {
        closed()
    }

    async fn register_executor(
        &self,
        _: Request<RegisterExecutorParams>,
    ) -> Answer<RegisterExecutorResult> {
        closed()
    }

    async fn heart_beat_from_executor(
        &self,
        _: Request<HeartBeatParams>,
    ) -> Answer<HeartBeatResult> {
        closed()
    }

    async fn update_task_status(
        &self,
        _: Request<UpdateTaskStatusParams>,
    ) -> Answer<UpdateTaskStatusResult> {
        closed()
    }

    async fn create_update_session(
        &self,
        _: Request<CreateUpdateSessionParams>,
    ) -> Answer<CreateUpdateSessionResult> {
        closed()
    }

    async fn execute_query_push(
        &self,
        _: Request<ExecuteQueryParams>,
    ) -> Answer<Self::ExecuteQueryPushStream> {
        closed()
    }
}
