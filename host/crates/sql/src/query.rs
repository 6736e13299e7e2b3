//! A query over all rows: sorted, grouped, joined with themselves, in memory that is bounded. What does not fit
//! waits in encrypted files without a name (`spill.rs`).

use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, SchemaRef};
use crossbeam_channel::{Receiver, Sender, unbounded};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::DataFusionError;
use datafusion::datasource::provider_as_source;
use datafusion::execution::context::SessionState;
use datafusion::execution::disk_manager::DiskManagerBuilder;
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionConfig;
use futures_util::StreamExt as _;
use glovebox_core::{Field, QueryFault, QueryProblem, RowFeed, Schema, Unfinished};
use tokio::runtime::Runtime;

use crate::admit::{Over, admit};
use crate::checked::Checked;
use crate::context::Context;
use crate::problem::{helped, no_column, of_planner, twice};
use crate::rowwise::of_engine;
use crate::spill::Spill;
use crate::table::{Hidden, Table};
use crate::{ROWS, parse, types};

/// Batches that wait between the source and the query.
const WAITING: usize = 4;
/// The largest consumers of memory are known by name, for nobody but a debugger.
const TOP: NonZeroUsize = NonZeroUsize::MIN;

/// What a query may take.
#[derive(Debug, Clone)]
pub struct Room {
    /// Bytes of memory.
    pub memory: usize,
    /// Bytes on the disk beyond that.
    pub disk: u64,
    /// Where.
    pub folder: PathBuf,
}

/// A query that was planned.
pub struct Query {
    output: Schema,
    plan: Arc<dyn ExecutionPlan>,
    state: SessionState,
    asked: Receiver<Wanted>,
    runtime: Runtime,
}

/// Somebody wants the rows of a table, by its place, from the first.
type Wanted = (usize, Batches);
type Batches = tokio::sync::mpsc::Sender<Result<RecordBatch, DataFusionError>>;

impl Query {
    /// Plans a query over the table `rows` with these columns. `hidden` are those that it does not get, for what is said
    /// of them.
    ///
    /// # Errors
    /// What is wrong with it, in bytes of `text`.
    pub fn new(
        text: &str,
        columns: &Schema,
        hidden: &[Hidden],
        room: &Room,
    ) -> Result<Self, QueryProblem> {
        let rows = Table {
            name: ROWS,
            columns,
            hidden,
        };
        Query::over(text, &[rows], room)
    }

    /// Plans a query over these tables.
    ///
    /// # Errors
    /// What is wrong with it, in bytes of `text`.
    pub fn over(text: &str, tables: &[Table<'_>], room: &Room) -> Result<Self, QueryProblem> {
        let (ask, asked) = unbounded();
        let Planned { plan, output } = Planned::new(text, tables, &ask)?;
        let said = |error: DataFusionError| of_planner(text, &error);
        let state = state(room).map_err(said)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .map_err(|error| said(DataFusionError::IoError(error)))?;
        let plan = runtime
            .block_on(state.create_physical_plan(&plan))
            .map_err(said)?;
        no_cross_join(&plan)?;
        Ok(Query {
            output,
            plan,
            state,
            asked,
            runtime,
        })
    }

    /// The columns of its result.
    #[must_use]
    pub fn output(&self) -> &Schema {
        &self.output
    }

    /// Runs it: `each` gets its result, batch for batch. There is a feed for each table, in their order.
    ///
    /// # Errors
    /// When it cannot come to its end.
    pub fn run<E: Send>(
        self,
        feeds: &[&RowFeed<'_, E>],
        stop: &AtomicBool,
        each: &mut dyn FnMut(&RecordBatch) -> Result<(), E>,
    ) -> Result<(), Unfinished<E>> {
        let broken: Mutex<Option<E>> = Mutex::new(None);
        let Query {
            output,
            plan,
            state,
            asked,
            runtime,
        } = self;
        let done = std::thread::scope(|scope| {
            let (broken, asked) = (&broken, &asked);
            scope.spawn(move || {
                for (table, wanted) in asked {
                    if let Some(feed) = feeds.get(table) {
                        scope.spawn(move || serve(feed, stop, &wanted, broken));
                    }
                }
            });
            let context = state.task_ctx();
            // Whoever could ask for the rows is gone with them: the threads end.
            let all = || runtime.block_on(take(plan, context, &output, stop, each));
            let result = catch_unwind(AssertUnwindSafe(all));
            drop(state);
            drop(runtime);
            result.unwrap_or(Err(Unfinished::Failed(QueryFault::Other)))
        });
        match broken.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(Unfinished::Other(error)),
            None => done,
        }
    }
}

/// Passes the rows on to one who wants them.
fn serve<E>(feed: &RowFeed<'_, E>, stop: &AtomicBool, wanted: &Batches, broken: &Mutex<Option<E>>) {
    let mut pass = |batch| !stop.load(Ordering::Relaxed) && wanted.blocking_send(Ok(batch)).is_ok();
    let fed = feed(&mut pass);
    if let Err(error) = fed {
        broken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(error);
    } else if !stop.load(Ordering::Relaxed) {
        return;
    }
    // Without this the query would take the rows so far for all.
    let _ = wanted.blocking_send(Err(DataFusionError::Execution(String::new())));
}

async fn take<E>(
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    output: &Schema,
    stop: &AtomicBool,
    each: &mut dyn FnMut(&RecordBatch) -> Result<(), E>,
) -> Result<(), Unfinished<E>> {
    let of = |error: DataFusionError| match stop.load(Ordering::Relaxed) {
        true => Unfinished::Stopped,
        false => ended(&error),
    };
    let mut stream = execute_stream(plan, context).map_err(of)?;
    while let Some(batch) = stream.next().await {
        if stop.load(Ordering::Relaxed) {
            return Err(Unfinished::Stopped);
        }
        let batch = as_columns(&batch.map_err(of)?, output);
        let batch = batch.map_err(|error| of(error.into()))?;
        each(&batch).map_err(Unfinished::Other)?;
    }
    match stop.load(Ordering::Relaxed) {
        true => Err(Unfinished::Stopped),
        false => Ok(()),
    }
}

/// The result in the types of the contract.
fn as_columns(batch: &RecordBatch, output: &Schema) -> Result<RecordBatch, ArrowError> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let columns = batch.columns().iter().zip(&output.fields);
    let columns = columns
        .map(|(column, field)| cast_with_options(column, &field.data_type.to_arrow(), &options));
    RecordBatch::try_new(output.to_arrow(), columns.collect::<Result<_, _>>()?)
}

fn ended<E>(error: &DataFusionError) -> Unfinished<E> {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => Unfinished::Memory,
        DataFusionError::IoError(_) => Unfinished::Disk,
        DataFusionError::ArrowError(error, _) if matches!(**error, ArrowError::IoError(..)) => {
            Unfinished::Disk
        }
        root => Unfinished::Failed(of_engine(root)),
    }
}

/// One partition, so that the same rows make the same result to the last byte.
pub(crate) fn state(room: &Room) -> Result<SessionState, DataFusionError> {
    let mut config = SessionConfig::new().with_target_partitions(1);
    let options = config.options_mut();
    // Hash joins hold one side in memory, whatever its size.
    options.optimizer.prefer_hash_join = false;
    // Set aside for each merge of what lies on the disk; its default is all of a small room.
    options.execution.sort_spill_reservation_bytes = (room.memory / 16).min(10 << 20);
    let spill = Spill::new(room.folder.clone(), room.disk);
    let disk = DiskManagerBuilder::default().with_temp_file_factory(Arc::new(spill));
    let pool = TrackConsumersPool::new(FairSpillPool::new(room.memory), TOP);
    let runtime = RuntimeEnvBuilder::new()
        .with_disk_manager_builder(disk)
        .with_memory_pool(Arc::new(pool))
        .build_arc()?;
    Ok(SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_physical_optimizer_rule(Arc::new(Checked))
        .build())
}

/// A query as it was meant, before the engine makes a better one of it.
pub(crate) struct Planned {
    pub(crate) plan: LogicalPlan,
    pub(crate) output: Schema,
}

impl Planned {
    pub(crate) fn new(
        text: &str,
        tables: &[Table<'_>],
        ask: &Sender<Wanted>,
    ) -> Result<Self, QueryProblem> {
        let mut query = parse::query(text)?;
        admit(text, &mut query, tables, Over::AllRows)?;
        let said = |error: DataFusionError| {
            let problem = of_planner(text, &error);
            let mut hidden = tables.iter().flat_map(|table| table.hidden);
            match hidden.find(|hidden| problem.message == no_column(&hidden.name)) {
                Some(hidden) => hidden.problem(problem.at),
                None => problem,
            }
        };
        let provided = tables.iter().enumerate().map(|(place, table)| {
            let schema = table.columns.to_arrow();
            let rows = Rows {
                place,
                schema: Arc::clone(&schema),
                ask: ask.clone(),
            };
            let provided = StreamingTable::try_new(schema, vec![Arc::new(rows)])?;
            Ok((
                table.name.to_owned(),
                provider_as_source(Arc::new(provided)),
            ))
        });
        let provided: Vec<_> = provided.collect::<Result<_, _>>().map_err(said)?;
        let plan = Context::new(provided).plan(query).map_err(said)?;
        let output = output(&plan)?;
        Ok(Planned { plan, output })
    }
}

fn output(plan: &LogicalPlan) -> Result<Schema, QueryProblem> {
    let fields = plan.schema().fields().iter().map(|field| {
        // A column without a name is called by what it is.
        let name = field.name().replace("rows.", "");
        let Some(data_type) = types::of_arrow(field.data_type()) else {
            return Err(helped(
                format!(
                    "`{name}` would have the type {}, which no column has",
                    field.data_type()
                ),
                None,
                "convert it, like CAST(… AS TEXT)",
            ));
        };
        Ok(Field::new(name, data_type))
    });
    let fields: Vec<Field> = fields.collect::<Result<_, _>>()?;
    let mut names = BTreeSet::new();
    match fields.iter().find(|field| !names.insert(&*field.name)) {
        Some(second) => Err(twice(&second.name)),
        None => Ok(Schema::new(fields)),
    }
}

/// Each row with each other one: of a million rows a million million.
pub(crate) fn no_cross_join(plan: &Arc<dyn ExecutionPlan>) -> Result<(), QueryProblem> {
    if matches!(plan.name(), "CrossJoinExec" | "NestedLoopJoinExec") {
        return Err(helped(
            "this join would pair each row with each other one",
            None,
            "join on columns that are equal: … JOIN rows b ON a.id = b.id",
        ));
    }
    plan.children().into_iter().try_for_each(no_cross_join)
}

/// A table: whoever reads it asks for its rows from the first.
struct Rows {
    place: usize,
    schema: SchemaRef,
    ask: Sender<Wanted>,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ROWS)
    }
}

impl PartitionStream for Rows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let stream = RecordBatchReceiverStream::builder(Arc::clone(&self.schema), WAITING);
        // Nobody listens only once the query has ended.
        let _ = self.ask.send((self.place, stream.tx()));
        stream.build()
    }
}
