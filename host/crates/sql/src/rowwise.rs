//! A query over single rows at work: a transformer that is computed here instead of in the sandbox,
//! since its text is the operator's own.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::ArrowError;
use arrow_select::filter::{filter_record_batch, prep_null_mask_filter};
use datafusion::common::{DFSchema, DataFusionError};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, cast};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use glovebox_core::{
    About, Announced, Answer, Batch, DataType, Fault, FaultKind, Field, Grants, Instance, Limits,
    Plugin, PluginError, QueryFault, QueryProblem, Schema, Selected, Selection, World,
};

use crate::ROWS;
use crate::checked::checked;
use crate::context::OPTIONS;
use crate::identity::Identity;
use crate::plan::Planned;
use crate::problem::{helped, of_planner};
use crate::types;

/// What reports call it.
const NAME: &str = "sql";

/// Fits a planned query to the columns that it reads.
pub(crate) fn selection(
    text: &str,
    planned: Planned,
    input: &Schema,
    limits: &Limits,
) -> Result<Selection, QueryProblem> {
    let mut makes = Vec::new();
    let mut exprs = Vec::new();
    let mut output = Vec::with_capacity(planned.output.len());
    let mut read: BTreeMap<usize, Field> = BTreeMap::new();
    let mut read_by = |expr: &Expr| {
        let mut of = BTreeSet::new();
        for column in expr.column_refs() {
            let place = input.position(&column.name);
            let Some((place, field)) = place.and_then(|i| Some((i, input.fields.get(i)?))) else {
                continue;
            };
            of.insert(place);
            read.insert(place, field.clone());
        }
        of
    };
    for filter in &planned.filters {
        read_by(filter);
    }
    for column in planned.output {
        let name: Arc<str> = column.name.as_str().into();
        if let Expr::Column(passed) = &column.expr
            && let Some(place) = input.position(&passed.name)
        {
            output.push(Selected::Passed { place, name });
            continue;
        }
        let Some(data_type) = types::of_arrow(&column.made) else {
            return Err(helped(
                format!(
                    "`{}` would have the type {}, which no column has",
                    column.name, column.made
                ),
                None,
                "convert it, like CAST(… AS TEXT) or CAST(NULL AS BIGINT)",
            ));
        };
        let of = read_by(&column.expr);
        // What is made of something personal is personal, whatever was done to it.
        let personal = of
            .iter()
            .any(|i| input.fields.get(*i).is_some_and(|f| f.personal));
        output.push(Selected::Made {
            place: makes.len(),
            of: of.into_iter().collect(),
        });
        exprs.push(match data_type.to_arrow() {
            same if same == column.made => column.expr,
            other => cast(column.expr, other),
        });
        makes.push(Field {
            personal,
            ..Field::new(name, data_type)
        });
    }
    if let Some(opaque) = read
        .values()
        .find(|field| field.data_type == DataType::Opaque)
    {
        return Err(helped(
            format!(
                "`{}` is opaque: it can be passed on, and nothing reads it",
                opaque.name
            ),
            None,
            "declare it with the type that it has",
        ));
    }
    let reads: Vec<usize> = read.keys().copied().collect();
    let schema = Schema::new(read.into_values().collect());
    let compiled = Compiled::new(&planned.filters, &exprs, &schema)
        .map_err(|error| of_planner(text, &error))?;
    let plugin = Query {
        identity: Identity::new(NAME, "A query over single rows", &[text]),
        makes: makes.clone().into(),
        compiled: Arc::new(compiled),
        returned: limits.returned,
    };
    Ok(Selection {
        plugin: Arc::new(plugin),
        all: None,
        reads,
        makes,
        output,
    })
}

/// Conditions and columns as expressions over the columns that are read.
struct Compiled {
    filters: Vec<Arc<dyn PhysicalExpr>>,
    exprs: Vec<Arc<dyn PhysicalExpr>>,
}

impl Compiled {
    fn new(filters: &[Expr], exprs: &[Expr], read: &Schema) -> Result<Self, DataFusionError> {
        let schema = DFSchema::try_from_qualified_schema(ROWS, &read.to_arrow())?;
        let props = ExecutionProps {
            config_options: Some(Arc::clone(&OPTIONS)),
            ..ExecutionProps::new()
        };
        let context = PhysicalPlanningContext::default();
        let known = SimplifyContext::builder()
            .with_schema(Arc::new(schema.clone()))
            .with_config_options(Arc::clone(&OPTIONS))
            .build();
        // Not only for speed: some functions exist in their simple form only.
        let simplifier = ExprSimplifier::new(known);
        let compile = |expr: &Expr| {
            let expr = simplifier.simplify(expr.clone())?;
            checked(create_physical_expr(&expr, &schema, &props, &context)?)
        };
        Ok(Compiled {
            filters: filters.iter().map(compile).collect::<Result<_, _>>()?,
            exprs: exprs.iter().map(compile).collect::<Result<_, _>>()?,
        })
    }

    /// The rows that stay, none if all do, and the columns of those.
    fn apply(
        &self,
        batch: &RecordBatch,
    ) -> Result<(Vec<ArrayRef>, Option<BooleanArray>), DataFusionError> {
        let mut left = batch.clone();
        let mut keep: Option<BooleanArray> = None;
        for filter in &self.filters {
            let stays = filter.evaluate(&left)?.into_array(left.num_rows())?;
            let stays = match stays.as_boolean_opt() {
                // A condition that is not known is not fulfilled.
                Some(stays) if stays.null_count() > 0 => prep_null_mask_filter(stays),
                Some(stays) => stays.clone(),
                None => BooleanArray::new_null(left.num_rows()),
            };
            if stays.true_count() == left.num_rows() {
                continue;
            }
            left = filter_record_batch(&left, &stays)?;
            keep = Some(match keep {
                None => stays,
                Some(before) => within(&before, &stays),
            });
        }
        let rows = left.num_rows();
        let columns = self.exprs.iter();
        let columns = columns.map(|expr| expr.evaluate(&left)?.into_array(rows));
        Ok((columns.collect::<Result<_, _>>()?, keep))
    }
}

/// Of the rows that stayed before, those that still do.
fn within(before: &BooleanArray, stays: &BooleanArray) -> BooleanArray {
    let mut after = vec![false; before.len()];
    for (place, stays) in before.values().set_indices().zip(stays.values()) {
        if let Some(after) = after.get_mut(place) {
            *after = stays;
        }
    }
    after.into()
}

struct Query {
    identity: Identity,
    makes: Arc<[Field]>,
    compiled: Arc<Compiled>,
    /// The most bytes that the columns of a batch may take.
    returned: usize,
}

impl Plugin for Query {
    fn name(&self) -> &str {
        NAME
    }

    fn world(&self) -> World {
        World::Transformer
    }

    fn about(&self) -> &About {
        &self.identity.about
    }

    fn sha256(&self) -> &str {
        &self.identity.sha256
    }

    fn open(&self, _: &str, _: &Grants) -> Result<Box<dyn Instance>, PluginError> {
        Ok(Box::new(Opened {
            announced: Announced::Added(self.makes.to_vec()),
            compiled: Arc::clone(&self.compiled),
            returned: self.returned,
        }))
    }
}

struct Opened {
    announced: Announced,
    compiled: Arc<Compiled>,
    returned: usize,
}

impl Instance for Opened {
    fn announced(&self) -> &Announced {
        &self.announced
    }

    fn apply(&mut self, batch: &Batch) -> Result<Answer, Fault> {
        let computed = catch_unwind(AssertUnwindSafe(|| self.compiled.apply(&batch.columns)));
        let (columns, keep) = match computed {
            Ok(Ok(computed)) => computed,
            Ok(Err(error)) => return Err(fault(of_engine(&error))),
            Err(_) => return Err(fault(QueryFault::Other)),
        };
        let fits = columns.iter().all(fits);
        let size = |column: &ArrayRef| column.to_data().get_slice_memory_size();
        let bytes: usize = columns.iter().map(|c| size(c).unwrap_or(usize::MAX)).sum();
        match (fits, bytes > self.returned) {
            (false, _) => Err(fault(QueryFault::TooLarge)),
            (_, true) => Err(fault(QueryFault::TooMuch)),
            _ => Ok(Answer::Selected { columns, keep }),
        }
    }
}

/// Whether each decimal has the digits that its type allows, which arithmetic does not ask.
fn fits(column: &ArrayRef) -> bool {
    match column
        .as_any()
        .downcast_ref::<arrow_array::Decimal128Array>()
    {
        Some(decimals) => decimals
            .validate_decimal_precision(decimals.precision())
            .is_ok(),
        None => true,
    }
}

fn fault(kind: QueryFault) -> Fault {
    Fault {
        plugin: NAME.into(),
        kind: FaultKind::Query(kind),
        what: kind.sentence().into(),
        remedy: "docs/sql.md says when".into(),
    }
}

/// The class of what went wrong. The engine's text may quote a cell, so no word of it is passed on.
pub(crate) fn of_engine(error: &DataFusionError) -> QueryFault {
    match error {
        DataFusionError::ArrowError(error, _) => match **error {
            ArrowError::DivideByZero => QueryFault::DivideByZero,
            ArrowError::CastError(_) | ArrowError::ParseError(_) => QueryFault::Convert,
            ArrowError::ArithmeticOverflow(_) | ArrowError::InvalidArgumentError(_) => {
                QueryFault::TooLarge
            }
            _ => QueryFault::Other,
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
            of_engine(inner)
        }
        DataFusionError::Shared(inner) => of_engine(inner),
        _ => QueryFault::Other,
    }
}
