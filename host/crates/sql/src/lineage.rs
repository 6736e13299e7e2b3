//! Of which columns each column of a query over all rows is made. Where that cannot be told it is of all: what
//! is made of a personal column is personal.

use std::collections::BTreeSet;

use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction};
use datafusion::logical_expr::{Distinct, Expr, JoinType, LogicalPlan, Subquery};

use crate::table::Table;

/// A column of a table, both by their places.
pub(crate) type Place = (usize, usize);

/// What a column comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The column that it is, as it was.
    pub(crate) passed: Option<Place>,
    /// The columns that it is made of.
    pub(crate) of: BTreeSet<Place>,
}

impl Origin {
    fn made(of: BTreeSet<Place>) -> Self {
        Origin { passed: None, of }
    }
}

/// What each column of the plan comes from.
pub(crate) fn lineage(plan: &LogicalPlan, tables: &[Table<'_>]) -> Vec<Origin> {
    let origins = match plan {
        LogicalPlan::TableScan(scan) => {
            let name = scan.table_name.table();
            let table = tables.iter().position(|table| table.name == name);
            let columns = scan.projected_schema.iter().map(|(_, field)| {
                let place = table.and_then(|t| Some((t, tables.get(t)?)));
                let place =
                    place.and_then(|(t, table)| Some((t, table.columns.position(field.name())?)));
                Origin {
                    passed: place,
                    of: place.into_iter().collect(),
                }
            });
            columns.collect()
        }
        LogicalPlan::SubqueryAlias(alias) => lineage(&alias.input, tables),
        LogicalPlan::Filter(filter) => lineage(&filter.input, tables),
        LogicalPlan::Sort(sort) => lineage(&sort.input, tables),
        LogicalPlan::Limit(limit) => lineage(&limit.input, tables),
        LogicalPlan::Repartition(repartition) => lineage(&repartition.input, tables),
        LogicalPlan::Distinct(Distinct::All(input)) => lineage(input, tables),
        LogicalPlan::Distinct(Distinct::On(on)) => {
            Over::new(&on.input, tables).all(&on.select_expr)
        }
        LogicalPlan::Projection(projection) => {
            Over::new(&projection.input, tables).all(&projection.expr)
        }
        LogicalPlan::Aggregate(aggregate) => {
            let over = Over::new(&aggregate.input, tables);
            let mut origins = over.all(&aggregate.group_expr);
            origins.extend(over.all(&aggregate.aggr_expr));
            origins
        }
        LogicalPlan::Window(window) => {
            let over = Over::new(&window.input, tables);
            let mut origins = over.origins.clone();
            origins.extend(over.all(&window.window_expr));
            origins
        }
        LogicalPlan::Join(join) => {
            let mut left = lineage(&join.left, tables);
            let right = || lineage(&join.right, tables);
            match join.join_type {
                JoinType::LeftSemi | JoinType::LeftAnti => left,
                JoinType::RightSemi | JoinType::RightAnti => right(),
                JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
                    left.extend(right());
                    left
                }
                // Made by the optimizer only, which has not seen the plan.
                JoinType::LeftMark | JoinType::RightMark => Vec::new(),
            }
        }
        LogicalPlan::Union(union) => {
            let inputs = union.inputs.iter().map(|input| lineage(input, tables));
            inputs.reduce(both).unwrap_or_default()
        }
        _ => Vec::new(),
    };
    // A node that is not understood, or makes columns of its own beside these.
    match origins.len() == plan.schema().fields().len() {
        true => origins,
        false => {
            let all: BTreeSet<Place> = plan
                .inputs()
                .iter()
                .flat_map(|input| lineage(input, tables))
                .flat_map(|origin| origin.of)
                .collect();
            let fields = plan.schema().fields().iter();
            fields.map(|_| Origin::made(all.clone())).collect()
        }
    }
}

/// Of rows that come from either.
fn both(first: Vec<Origin>, second: Vec<Origin>) -> Vec<Origin> {
    let pairs = first.into_iter().zip(second);
    let pairs = pairs.map(|(first, second)| Origin {
        passed: first.passed.filter(|_| first.passed == second.passed),
        of: first.of.union(&second.of).copied().collect(),
    });
    pairs.collect()
}

/// Expressions over the columns of a plan.
struct Over<'p> {
    schema: &'p DFSchema,
    origins: Vec<Origin>,
    tables: &'p [Table<'p>],
}

impl<'p> Over<'p> {
    fn new(input: &'p LogicalPlan, tables: &'p [Table<'p>]) -> Self {
        Over {
            schema: input.schema(),
            origins: lineage(input, tables),
            tables,
        }
    }

    fn all(&self, exprs: &[Expr]) -> Vec<Origin> {
        exprs.iter().map(|expr| self.of(expr)).collect()
    }

    fn of(&self, expr: &Expr) -> Origin {
        match expr {
            Expr::Alias(alias) => self.of(&alias.expr),
            Expr::Column(column) => self.column(column),
            made => {
                let mut of = BTreeSet::new();
                self.parts(made, &mut of);
                Origin::made(of)
            }
        }
    }

    fn column(&self, column: &Column) -> Origin {
        let place = self.schema.maybe_index_of_column(column);
        match place.and_then(|place| self.origins.get(place)) {
            Some(origin) => origin.clone(),
            None => Origin::made(self.everything()),
        }
    }

    fn everything(&self) -> BTreeSet<Place> {
        let all = self.origins.iter().flat_map(|origin| &origin.of);
        all.copied().collect()
    }

    /// Adds what the expression is made of. A count says how many there are, and nothing of what they are.
    fn parts(&self, expr: &Expr, of: &mut BTreeSet<Place>) {
        let _ = expr.apply(|expr| {
            match expr {
                Expr::AggregateFunction(AggregateFunction { func, .. })
                    if func.name() == "count" =>
                {
                    return Ok(TreeNodeRecursion::Jump);
                }
                Expr::WindowFunction(window) => {
                    self.window(window, of);
                    return Ok(TreeNodeRecursion::Jump);
                }
                Expr::Column(column) => of.extend(self.column(column).of),
                Expr::OuterReferenceColumn(..) => of.extend(self.everything()),
                Expr::ScalarSubquery(subquery) => self.subquery(subquery, of),
                Expr::InSubquery(within) => self.subquery(&within.subquery, of),
                Expr::Exists(exists) => self.subquery(&exists.subquery, of),
                Expr::SetComparison(set) => self.subquery(&set.subquery, of),
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        });
    }

    /// The place of a row in an order is made of what it is ordered by.
    fn window(&self, window: &WindowFunction, of: &mut BTreeSet<Place>) {
        if window.fun.name() == "count" {
            return;
        }
        for argument in &window.params.args {
            self.parts(argument, of);
        }
        if window.params.args.is_empty() {
            for by in &window.params.order_by {
                self.parts(&by.expr, of);
            }
        }
    }

    fn subquery(&self, subquery: &Subquery, of: &mut BTreeSet<Place>) {
        let inner = lineage(&subquery.subquery, self.tables);
        of.extend(inner.into_iter().flat_map(|origin| origin.of));
        for outer in &subquery.outer_ref_columns {
            if let Expr::OuterReferenceColumn(_, column) = outer {
                of.extend(self.column(column).of);
            }
        }
    }
}
