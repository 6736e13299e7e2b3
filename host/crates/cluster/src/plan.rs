//! A task as a plan of Ballista's. It is the only plan that is read or written here: whatever else arrives as a
//! plan, from whomever, is refused before any of it is looked at.

use std::fmt;
use std::sync::Arc;

use arrow_schema::Schema;
use ballista_core::execution_plans::ShuffleWriterExec;
use bytes::BufMut;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result, not_impl_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
};
use datafusion_proto::logical_plan::{AsLogicalPlan, LogicalExtensionCodec};
use datafusion_proto::physical_plan::{
    AsExecutionPlan, PhysicalExtensionCodec, PhysicalProtoConverterExtension,
};
use datafusion_proto::protobuf::PhysicalPlanNode;
use datafusion_proto::protobuf::physical_plan_node::PhysicalPlanType;

use crate::task::Task;

/// What is answered to whoever sends something else.
pub(crate) const FOREIGN: &str =
    "this cluster works on ranges of Glovebox's runs, and on no other plan";

fn foreign<T>() -> Result<T> {
    Err(DataFusionError::Plan(FOREIGN.into()))
}

/// A task as it is submitted.
#[derive(Debug, Clone)]
pub(crate) struct Submitted(pub(crate) Task);

impl AsExecutionPlan for Submitted {
    fn try_decode(bytes: &[u8]) -> Result<Self> {
        Task::from_bytes(bytes).map_or_else(foreign, |task| Ok(Submitted(task)))
    }

    fn try_encode<B: BufMut>(&self, bytes: &mut B) -> Result<()> {
        bytes.put_slice(&self.0.to_bytes());
        Ok(())
    }

    fn try_into_physical_plan(
        &self,
        _: &TaskContext,
        _: &dyn PhysicalExtensionCodec,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(RangeExec::new(self.0.clone())))
    }

    fn try_from_physical_plan(
        plan: Arc<dyn ExecutionPlan>,
        _: &dyn PhysicalExtensionCodec,
    ) -> Result<Self> {
        let range = plan.downcast_ref::<RangeExec>();
        range.map_or_else(foreign, |range| Ok(Submitted(range.task.clone())))
    }
}

/// The task in a plan as the scheduler hands it out: below the writer of a stage. None if it is another plan.
pub(crate) fn task_of(plan: &[u8]) -> Option<Task> {
    // Twice as much as a task may have leaves room for what is around it.
    if plan.len() > 2 * crate::task::MOST {
        return None;
    }
    let extension = |node: PhysicalPlanNode| match node.physical_plan_type {
        Some(PhysicalPlanType::Extension(extension)) => Some(extension),
        _ => None,
    };
    let writer = extension(PhysicalPlanNode::try_decode(plan).ok()?)?;
    let [range]: [PhysicalPlanNode; 1] = writer.inputs.try_into().ok()?;
    let range = extension(range)?;
    match writer.node.is_empty() && range.inputs.is_empty() {
        true => Task::from_bytes(&range.node),
        false => None,
    }
}

/// Writes what [`task_of`] reads, and reads nothing.
#[derive(Debug)]
pub(crate) struct Codec;

impl PhysicalExtensionCodec for Codec {
    fn try_decode(
        &self,
        _: &[u8],
        _: &[Arc<dyn ExecutionPlan>],
        _: &TaskContext,
        _: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        foreign()
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        bytes: &mut Vec<u8>,
        _: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        if let Some(range) = node.downcast_ref::<RangeExec>() {
            bytes.extend(range.task.to_bytes());
            return Ok(());
        }
        match node.downcast_ref::<ShuffleWriterExec>() {
            Some(_) => Ok(()),
            None => foreign(),
        }
    }
}

/// Stands where Ballista would have a logical plan; there is none.
#[derive(Debug, Clone)]
pub(crate) struct NoLogicalPlan;

impl AsLogicalPlan for NoLogicalPlan {
    fn try_decode(_: &[u8]) -> Result<Self> {
        foreign()
    }

    fn try_encode<B: BufMut>(&self, _: &mut B) -> Result<()> {
        foreign()
    }

    fn try_into_logical_plan(
        &self,
        _: &TaskContext,
        _: &dyn LogicalExtensionCodec,
    ) -> Result<LogicalPlan> {
        foreign()
    }

    fn try_from_logical_plan(_: &LogicalPlan, _: &dyn LogicalExtensionCodec) -> Result<Self> {
        foreign()
    }
}

/// A range as a leaf of a plan, with one partition and no column: what it makes goes to the sink.
#[derive(Debug)]
struct RangeExec {
    task: Task,
    properties: Arc<PlanProperties>,
}

impl RangeExec {
    fn new(task: Task) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::new(Schema::empty())),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        RangeExec {
            task,
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for RangeExec {
    fn fmt_as(&self, _: DisplayFormatType, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "RangeExec: {}", self.task.range.number)
    }
}

impl ExecutionPlan for RangeExec {
    fn name(&self) -> &'static str {
        "RangeExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        not_impl_err!("a range is worked on by an executor of Glovebox's")
    }
}
