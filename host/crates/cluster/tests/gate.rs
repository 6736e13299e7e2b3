//! A scheduler as others find it who speak Ballista's protocol: what it does not do for them.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use ballista_core::serde::protobuf::execute_query_params::Query;
use ballista_core::serde::protobuf::execute_query_result::Result as Submission;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::protobuf::{
    CreateUpdateSessionParams, ExecuteQueryParams, GetJobMetricsParams, GetJobStatusParams,
    HeartBeatParams, PollWorkParams, RegisterExecutorParams, UpdateTaskStatusParams,
};
use ballista_core::version::insert_version_header;
use datafusion_proto::physical_plan::AsExecutionPlan;
use datafusion_proto::protobuf::physical_plan_node::PhysicalPlanType;
use datafusion_proto::protobuf::{EmptyExecNode, PhysicalPlanNode};
use glovebox_cluster::{Certificates, Scheduler, make};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request};

/// A scheduler, and where certificates for it are.
async fn scheduler() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let _ = make(folder.path(), &["127.0.0.1".to_owned()]).unwrap();
    let scheduler = Scheduler {
        listen: "127.0.0.1:0".parse().unwrap(),
        metrics: None,
        certificates: Certificates::read(&folder.path().join("scheduler")).unwrap(),
        dead_after: Duration::from_secs(3),
    };
    let (tell, told) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let ready = |address, _| tell.send(address).unwrap();
        scheduler.serve(ready, std::future::pending()).await
    });
    let url = format!("https://{}", told.await.unwrap());
    (folder, url)
}

fn read(path: PathBuf) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

fn connection(folder: &Path, role: Option<&str>, url: &str) -> SchedulerGrpcClient<Channel> {
    let authority = Certificate::from_pem(read(folder.join("scheduler/ca.crt")));
    let mut tls = ClientTlsConfig::new().ca_certificate(authority);
    if let Some(role) = role {
        let folder = folder.join(role);
        tls = tls.identity(Identity::from_pem(
            read(folder.join("tls.crt")),
            read(folder.join("tls.key")),
        ));
    }
    let endpoint = Endpoint::from_shared(url.to_owned()).unwrap();
    SchedulerGrpcClient::new(endpoint.tls_config(tls).unwrap().connect_lazy())
}

fn query(query: Query) -> Request<ExecuteQueryParams> {
    let mut request = Request::new(ExecuteQueryParams {
        session_id: "a".into(),
        settings: Vec::new(),
        operation_id: String::new(),
        query: Some(query),
    });
    insert_version_header(request.metadata_mut());
    request
}

#[tokio::test]
async fn a_plan_that_is_no_task_is_refused() {
    let (folder, url) = scheduler().await;
    let mut client = connection(folder.path(), Some("client"), &url);
    // A plan of DataFusion's that is as good as any.
    let empty = PhysicalPlanNode {
        physical_plan_type: Some(PhysicalPlanType::Empty(EmptyExecNode {
            schema: Some(datafusion_proto::protobuf::Schema::default()),
            ..EmptyExecNode::default()
        })),
    };
    let mut plan = Vec::new();
    empty.try_encode(&mut plan).unwrap();
    let sql = b"SELECT * FROM '/etc/passwd'".to_vec();
    for foreign in [
        Query::PhysicalPlan(plan),
        Query::PhysicalPlan(b"{\"version\":\"0\"}".to_vec()),
        Query::PhysicalPlan(vec![b' '; 2 << 20]),
        Query::LogicalPlan(sql.clone()),
        Query::SubstraitPlan(sql),
    ] {
        let sentence = match client.execute_query(query(foreign)).await {
            Err(status) => status.message().to_owned(),
            Ok(answer) => match answer.into_inner().result {
                Some(Submission::Failure(failure)) => format!("{failure:?}"),
                other => panic!("{other:?}"),
            },
        };
        assert!(
            sentence.contains("works on ranges of Glovebox's runs"),
            "{sentence}"
        );
    }
}

#[tokio::test]
async fn only_what_a_role_needs_is_open_to_it() {
    let (folder, url) = scheduler().await;
    let metrics = || GetJobMetricsParams {
        job_id: String::new(),
    };
    let mut client = connection(folder.path(), Some("client"), &url);
    let mut executor = connection(folder.path(), Some("executor"), &url);
    client.get_job_metrics(metrics()).await.unwrap();
    let code = |answered: Result<(), tonic::Status>| answered.unwrap_err().code();

    let denied = executor.get_job_metrics(metrics()).await.map(drop);
    assert_eq!(code(denied), Code::PermissionDenied);
    let task = Query::PhysicalPlan(Vec::new());
    let denied = executor.execute_query(query(task)).await.map(drop);
    assert_eq!(code(denied), Code::PermissionDenied);
    let denied = client.poll_work(PollWorkParams::default()).await.map(drop);
    assert_eq!(code(denied), Code::PermissionDenied);
    let denied = executor
        .poll_work(PollWorkParams::default())
        .await
        .map(drop);
    assert_eq!(code(denied), Code::InvalidArgument);

    for mut anyone in [client, executor] {
        let closed = [
            anyone
                .register_executor(RegisterExecutorParams::default())
                .await
                .map(drop),
            anyone
                .heart_beat_from_executor(HeartBeatParams::default())
                .await
                .map(drop),
            anyone
                .update_task_status(UpdateTaskStatusParams::default())
                .await
                .map(drop),
            anyone
                .create_update_session(CreateUpdateSessionParams::default())
                .await
                .map(drop),
            anyone
                .get_job_status(GetJobStatusParams::default())
                .await
                .map(drop),
            anyone
                .execute_query_push(query(Query::LogicalPlan(Vec::new())))
                .await
                .map(drop),
        ];
        for answered in closed {
            assert_eq!(code(answered), Code::Unimplemented);
        }
    }
}

#[tokio::test]
async fn without_a_certificate_of_the_cluster_nothing_is_answered() {
    let (folder, url) = scheduler().await;
    let (other, _) = scheduler().await;
    let metrics = || GetJobMetricsParams {
        job_id: String::new(),
    };
    let mut nobody = connection(folder.path(), None, &url);
    assert!(nobody.get_job_metrics(metrics()).await.is_err());
    // The scheduler is known to it, and it is not known to the scheduler.
    std::fs::copy(
        folder.path().join("scheduler/ca.crt"),
        other.path().join("scheduler/ca.crt"),
    )
    .unwrap();
    let mut stranger = connection(other.path(), Some("client"), &url);
    assert!(stranger.get_job_metrics(metrics()).await.is_err());
}
