//! Arithmetic that does not fit its type is an error instead of another number, which is the engine's
//! default.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::BinaryExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};

/// The expression with every sum, difference and product checked.
pub(crate) fn checked(expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
    let check = |expr: Arc<dyn PhysicalExpr>| {
        Ok(match expr.downcast_ref::<BinaryExpr>() {
            Some(binary) => {
                Transformed::yes(Arc::new(binary.clone().with_fail_on_overflow(true)) as _)
            }
            None => Transformed::no(expr),
        })
    };
    expr.transform_up(check).data()
}

/// The same for the plan of a query over all rows.
#[derive(Debug)]
pub(crate) struct Checked;

impl PhysicalOptimizerRule for Checked {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(node).data()
    }

    fn name(&self) -> &'static str {
        "checked"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn node(plan: Arc<dyn ExecutionPlan>) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let exprs = projection.expr().iter();
        let exprs = exprs.map(|column| {
            Ok(ProjectionExpr {
                expr: checked(Arc::clone(&column.expr))?,
                alias: column.alias.clone(),
            })
        });
        let exprs: Vec<_> = exprs.collect::<Result<_>>()?;
        let input = Arc::clone(projection.input());
        return Ok(Transformed::yes(Arc::new(ProjectionExec::try_new(
            exprs, input,
        )?)));
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        let predicate = checked(Arc::clone(filter.predicate()))?;
        let filter = FilterExecBuilder::from(filter).with_predicate(predicate);
        return Ok(Transformed::yes(Arc::new(filter.build()?)));
    }
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        let exprs = aggregate.aggr_expr().iter();
        let exprs = exprs.map(|function| {
            let arguments = function.expressions().into_iter().map(checked);
            let arguments: Vec<_> = arguments.collect::<Result<_>>()?;
            let order = function.order_bys().iter().map(|by| Arc::clone(&by.expr));
            let replaced = function.with_new_expressions(arguments, order.collect());
            Ok(replaced.map_or_else(|| Arc::clone(function), Arc::new))
        });
        let exprs: Vec<_> = exprs.collect::<Result<_>>()?;
        return Ok(Transformed::yes(Arc::new(
            aggregate.with_new_aggr_exprs(exprs),
        )));
    }
    Ok(Transformed::no(plan))
}
