//! Where the engine's meaning of a query would surprise people, it gets PostgreSQL's, before types are settled.

use std::sync::Arc;

use arrow_schema::DataType as ArrowType;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::{AggregateFunction, Between, InList};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable as _, LogicalPlan, cast, lit};

/// The plan with these meanings.
pub(crate) fn meant(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|plan| {
        let schema = match plan.inputs().as_slice() {
            [one] => Arc::clone(one.schema()),
            _ => Arc::clone(plan.schema()),
        };
        let names = NamePreserver::new(&plan);
        let rewritten = plan.map_expressions(|expr| {
            let name = names.save(&expr);
            let meant = expr.transform_up(|expr| Ok(Transformed::yes(one(expr, &schema))))?;
            Ok(meant.update_data(|expr| name.restore(expr)))
        })?;
        // Also above what has changed: it may have another type then.
        Ok(Transformed::yes(rewritten.data.recompute_schema()?))
    })
    .data()
}

fn one(expr: Expr, schema: &DFSchema) -> Expr {
    match expr {
        Expr::AggregateFunction(sum) if sum.func.name() == "sum" => {
            Expr::AggregateFunction(wide(sum, schema))
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let both = floats([*left, *right], schema);
            let [left, right] = both.map(Box::new);
            Expr::BinaryExpr(BinaryExpr { left, op, right })
        }
        // The smallest number has no counterpart; a difference that does not fit is an error.
        Expr::Negative(of) if is(&of, schema, |found| *found == ArrowType::Int64) => {
            lit(0_i64) - *of
        }
        Expr::Between(between) => {
            let all = floats([*between.expr, *between.low, *between.high], schema);
            let [expr, low, high] = all.map(Box::new);
            Expr::Between(Between {
                expr,
                negated: between.negated,
                low,
                high,
            })
        }
        Expr::InList(InList {
            expr,
            list,
            negated,
        }) => {
            let is_float = is(&expr, schema, is_float);
            let list = list.into_iter();
            let list = list.map(|item| match is_float {
                true => float(item, schema),
                false => item,
            });
            let list = list.collect();
            Expr::InList(InList {
                expr,
                list,
                negated,
            })
        }
        other => other,
    }
}

/// Sums of whole numbers have room for every digit; the engine's would wrap around.
fn wide(mut sum: AggregateFunction, schema: &DFSchema) -> AggregateFunction {
    for argument in &mut sum.params.args {
        if is(argument, schema, |found| *found == ArrowType::Int64) {
            *argument = cast(argument.clone(), ArrowType::Decimal128(38, 0));
        }
    }
    sum
}

/// A decimal beside a `float64` becomes one. The engine would make a decimal of both, for which most of the floats are
/// too large or too small; `weight > 1.5` would fail on them.
fn floats<const N: usize>(exprs: [Expr; N], schema: &DFSchema) -> [Expr; N] {
    match exprs.iter().any(|expr| is(expr, schema, is_float)) {
        true => exprs.map(|expr| float(expr, schema)),
        false => exprs,
    }
}

fn float(expr: Expr, schema: &DFSchema) -> Expr {
    let decimal =
        |found: &ArrowType| matches!(found, ArrowType::Decimal128(..) | ArrowType::Decimal256(..));
    match is(&expr, schema, decimal) {
        true => cast(expr, ArrowType::Float64),
        false => expr,
    }
}

fn is_float(found: &ArrowType) -> bool {
    matches!(found, ArrowType::Float64)
}

fn is(expr: &Expr, schema: &DFSchema, what: impl Fn(&ArrowType) -> bool) -> bool {
    expr.get_type(schema).is_ok_and(|found| what(&found))
}
