//! A query that was admitted, planned against the columns that are there, as expressions over them:
//! queries within FROM are folded into the one around them.

use std::sync::Arc;

use arrow_schema::DataType as ArrowType;
use datafusion::common::tree_node::{
    Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion,
};
use datafusion::common::{Column, DataFusionError, plan_err};
use datafusion::logical_expr::logical_plan::builder::LogicalTableSource;
use datafusion::logical_expr::{Expr, LogicalPlan, TableSource};
use datafusion::optimizer::Analyzer;
use datafusion::sql::sqlparser::ast::Query;
use glovebox_core::{QueryProblem, Schema};

use crate::ROWS;
use crate::context::{Context, OPTIONS};
use crate::problem::{helped, of_planner, problem, twice};

/// The most parts of all expressions together: a query in FROM that is used twice in each of several
/// levels doubles with each.
const MAX_PARTS: usize = 20_000;

/// A query over single rows.
pub(crate) struct Planned {
    /// Which rows stay, asked one after the other.
    pub(crate) filters: Vec<Expr>,
    /// The columns after it, over those before it.
    pub(crate) output: Vec<Output>,
}

pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) expr: Expr,
    pub(crate) made: ArrowType,
}

/// Plans a query over single rows.
pub(crate) fn rowwise(
    text: &str,
    query: Box<Query>,
    input: &Schema,
) -> Result<Planned, QueryProblem> {
    let rows = Arc::new(LogicalTableSource::new(input.to_arrow()));
    let context = Context::new([(ROWS.to_owned(), rows as Arc<dyn TableSource>)]);
    let of_planner = |error: DataFusionError| of_planner(text, &error);
    let plan = context.plan(query).map_err(of_planner)?;
    let plan = Analyzer::new()
        .execute_and_check(plan, &OPTIONS, |_, _| {})
        .map_err(of_planner)?;
    let mut filters = Vec::new();
    let exprs = fold(&plan, &mut filters, &mut 0)?;
    let output: Vec<Output> = plan
        .schema()
        .iter()
        .zip(exprs)
        .map(|((_, field), expr)| Output {
            name: field.name().clone(),
            expr,
            made: field.data_type().clone(),
        })
        .collect();
    for (i, column) in output.iter().enumerate() {
        if output.iter().take(i).any(|other| other.name == column.name) {
            return Err(twice(&column.name));
        }
    }
    if output.is_empty() {
        return Err(helped(
            "this query leaves no column",
            None,
            "name at least one after SELECT",
        ));
    }
    Ok(Planned { filters, output })
}

/// The plan's columns as expressions over the rows; its conditions go to `filters`.
fn fold(
    plan: &LogicalPlan,
    filters: &mut Vec<Expr>,
    parts: &mut usize,
) -> Result<Vec<Expr>, QueryProblem> {
    match plan {
        LogicalPlan::TableScan(scan) if scan.filters.is_empty() && scan.fetch.is_none() => {
            let columns = scan.projected_schema.iter();
            Ok(columns
                .map(|(table, field)| Expr::Column(Column::new(table.cloned(), field.name())))
                .collect())
        }
        LogicalPlan::SubqueryAlias(alias) => fold(&alias.input, filters, parts),
        LogicalPlan::Projection(projection) => {
            let inner = fold(&projection.input, filters, parts)?;
            let exprs = projection.expr.iter();
            exprs
                .map(|expr| over(expr, &projection.input, &inner, parts))
                .collect()
        }
        LogicalPlan::Filter(filter) => {
            let inner = fold(&filter.input, filters, parts)?;
            filters.push(over(&filter.predicate, &filter.input, &inner, parts)?);
            Ok(inner)
        }
        // Whatever has come through `admit.rs` and is none of these.
        _ => Err(helped(
            "this query needs more than one row",
            None,
            "`sql:` makes of each row one row or none, by itself",
        )),
    }
}

/// An expression over a plan's columns as one over the rows.
fn over(
    expr: &Expr,
    plan: &LogicalPlan,
    columns: &[Expr],
    parts: &mut usize,
) -> Result<Expr, QueryProblem> {
    let replace = |expr: Expr| match &expr {
        Expr::Column(column) => {
            let place = plan.schema().maybe_index_of_column(column);
            match place.and_then(|place| columns.get(place)) {
                Some(inner) => Ok(Transformed::yes(inner.clone())),
                None => plan_err!("a column that is not there"),
            }
        }
        Expr::Alias(alias) => Ok(Transformed::yes(*alias.expr.clone())),
        _ => Ok(Transformed::no(expr)),
    };
    let replaced = expr
        .clone()
        .transform_up(replace)
        .data()
        .map_err(|_| problem("this query cannot be planned", None))?;
    let count = |_: &Expr| {
        *parts += 1;
        Ok(TreeNodeRecursion::Continue)
    };
    let _ = replaced.apply(count);
    if *parts > MAX_PARTS {
        return Err(helped(
            "this query is too large",
            None,
            "make it several steps",
        ));
    }
    Ok(replaced)
}
