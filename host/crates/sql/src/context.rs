//! All that a query can name: its tables, and the functions that are allowed.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow_schema::DataType as ArrowType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, TableReference, plan_err};
use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner};
use datafusion::logical_expr::{
    AggregateUDF, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF,
};
use datafusion::sql::planner::{ParserOptions, SqlToRel};
use datafusion::sql::sqlparser::ast::{Query, Statement};

use crate::functions::{self, Called};
use crate::meaning::meant;

/// What holds for every query: nothing of this machine or of the time.
pub(crate) static OPTIONS: LazyLock<Arc<ConfigOptions>> =
    LazyLock::new(|| Arc::new(ConfigOptions::new()));

/// Tables by name; a query over single rows gets no function over several.
pub(crate) struct Context {
    tables: BTreeMap<String, Arc<dyn TableSource>>,
    planners: Vec<Arc<dyn ExprPlanner>>,
}

impl Context {
    pub(crate) fn new(tables: impl IntoIterator<Item = (String, Arc<dyn TableSource>)>) -> Self {
        Context {
            tables: tables.into_iter().collect(),
            planners: SessionStateDefaults::default_expr_planners(),
        }
    }

    /// The query as a plan, not yet analysed.
    pub(crate) fn plan(&self, query: Box<Query>) -> Result<LogicalPlan> {
        let options = ParserOptions {
            // Names are as the manifest has them; see `admit.rs`.
            enable_ident_normalization: false,
            collect_spans: true,
            map_string_types_to_utf8view: false,
            // As in PostgreSQL: money times 1.19 is exact.
            parse_float_as_decimal: true,
            ..ParserOptions::new()
        };
        let planner = SqlToRel::new_with_options(self, options);
        meant(planner.sql_statement_to_plan(Statement::Query(query))?)
    }
}

impl ContextProvider for Context {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        match self.tables.get(name.table()) {
            Some(table) => Ok(Arc::clone(table)),
            None => plan_err!("there is no table `{}` here", name.table()),
        }
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        match functions::called(name) {
            Called::Allowed(function) => Some(function),
            _ => None,
        }
    }

    fn get_higher_order_meta(&self, _: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    // `admit.rs` has refused these where they have no place.
    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        functions::aggregate(name)
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        functions::window(name)
    }

    fn get_variable_type(&self, _: &[String]) -> Option<ArrowType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &OPTIONS
    }

    fn udf_names(&self) -> Vec<String> {
        functions::names().map(str::to_owned).collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        functions::names_over_rows().map(str::to_owned).collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}
