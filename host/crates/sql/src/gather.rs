//! A query over all rows as a step: fitted to the columns that reach it, and run once all rows are there.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow_array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::SchemaRef;
use crossbeam_channel::unbounded;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use glovebox_core::{
    About, AllRows, DataType, Field, Grants, Instance, Plugin, PluginError, QueryProblem, RowFeed,
    Schema, Selected, Selection, Unfinished, World,
};

use crate::ROWS;
use crate::identity::Identity;
use crate::lineage::{Place, lineage};
use crate::problem::{of_planner, twice};
use crate::query::{Planned, Query, Room, no_cross_join, state};
use crate::table::{Because, Hidden, Table};

/// What reports call it.
const NAME: &str = "gather";

/// A query over all rows, fitted to these columns.
///
/// # Errors
/// The first thing that is wrong with it, in bytes of `text`.
pub fn gather(
    text: &str,
    input: &Schema,
    others: &[(&str, Schema)],
    room: Room,
) -> Result<Selection, QueryProblem> {
    let seen = Seen::of(input);
    let others: Vec<Other> = others.iter().map(Other::of).collect();
    let tables = tables(&seen.columns, &seen.hidden, &others);
    // Nobody listens: nothing is run yet.
    let (ask, _) = unbounded();
    let Planned { plan, output } = Planned::new(text, &tables, &ask)?;
    let said = |error| of_planner(text, &error);
    let state = state(&room).map_err(said)?;
    let optimized = state.optimize(&plan).map_err(said)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|error| said(error.into()))?;
    let physical = runtime.block_on(
        state
            .query_planner()
            .create_physical_plan(&optimized, &state),
    );
    no_cross_join(&physical.map_err(said)?)?;

    let mut makes: Vec<Field> = Vec::new();
    let mut columns = Vec::with_capacity(output.fields.len());
    let mut names = BTreeSet::new();
    for (field, origin) in output.fields.iter().zip(lineage(&plan, &tables)) {
        if !names.insert(Arc::clone(&field.name)) {
            return Err(twice(&field.name));
        }
        let passed = origin.passed.and_then(|at| seen.field(at));
        if let Some((place, _)) = passed.filter(|(_, of)| of.data_type == field.data_type) {
            columns.push(Selected::Passed {
                place,
                name: Arc::clone(&field.name),
            });
            continue;
        }
        let of = origin.of.iter().filter_map(|at| seen.field(*at));
        let mut elsewhere = origin.of.iter().filter_map(|(table, column)| {
            let other = others.get(table.checked_sub(1)?)?;
            other.columns.fields.get(*column)
        });
        let personal =
            of.clone().any(|(_, field)| field.personal) || elsewhere.any(|field| field.personal);
        columns.push(Selected::Made {
            place: makes.len(),
            of: of.map(|(place, _)| place).collect(),
        });
        makes.push(Field {
            personal,
            ..field.clone()
        });
    }
    let read = read(&optimized, &seen);
    let query = Gathered {
        identity: identity(text, &others),
        text: text.to_owned(),
        places: read.keys().copied().collect(),
        columns: seen.columns.clone(),
        arrow: seen.columns.to_arrow(),
        others,
        room,
    };
    let query = Arc::new(query);
    Ok(Selection {
        plugin: Arc::clone(&query) as Arc<dyn Plugin>,
        all: Some(query),
        reads: read.into_values().collect(),
        makes,
        output: columns,
    })
}

/// The columns that the query gets, with where they stand before the step.
struct Seen {
    columns: Schema,
    places: Vec<usize>,
    hidden: Vec<Hidden>,
}

impl Seen {
    fn of(input: &Schema) -> Self {
        let mut seen = Seen {
            columns: Schema::default(),
            places: Vec::new(),
            hidden: Vec::new(),
        };
        for (place, field) in input.fields.iter().enumerate() {
            if field.data_type == DataType::Opaque {
                seen.hidden.push(Hidden {
                    name: field.name.to_string(),
                    because: Because::Opaque,
                });
            } else {
                seen.places.push(place);
                seen.columns.fields.push(Field {
                    // What is not read is not there, and stands as nulls in its place.
                    nullable: true,
                    ..field.clone()
                });
            }
        }
        seen
    }

    /// A column with its place before the step.
    fn field(&self, (table, column): Place) -> Option<(usize, &Field)> {
        let place = self.places.get(column).filter(|_| table == 0)?;
        Some((*place, self.columns.fields.get(column)?))
    }
}

/// Another table than the rows.
struct Other {
    name: String,
    columns: Schema,
}

impl Other {
    fn of((name, columns): &(&str, Schema)) -> Self {
        let mut columns = columns.clone();
        columns
            .fields
            .retain(|field| field.data_type != DataType::Opaque);
        Other {
            name: (*name).to_owned(),
            columns,
        }
    }
}

/// The rows, and then the other tables.
fn tables<'t>(rows: &'t Schema, hidden: &'t [Hidden], others: &'t [Other]) -> Vec<Table<'t>> {
    let rows = Table {
        name: ROWS,
        columns: rows,
        hidden,
    };
    let others = others.iter().map(|other| Table {
        name: &other.name,
        columns: &other.columns,
        hidden: &[],
    });
    std::iter::once(rows).chain(others).collect()
}

/// The columns that are read, by their places among those that the query gets, with their places before the step.
fn read(optimized: &LogicalPlan, seen: &Seen) -> BTreeMap<usize, usize> {
    let mut read = BTreeMap::new();
    let _ = optimized.apply_with_subqueries(|plan| {
        if let LogicalPlan::TableScan(scan) = plan
            && scan.table_name.table() == ROWS
        {
            for (_, field) in scan.projected_schema.iter() {
                let place = seen.columns.position(field.name());
                read.extend(place.and_then(|at| Some((at, *seen.places.get(at)?))));
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    read
}

/// The tables are a part of what it is.
fn identity(text: &str, others: &[Other]) -> Identity {
    let tables = others
        .iter()
        .map(|other| format!("{} {:?}", other.name, other.columns));
    let tables: String = tables.collect();
    Identity::new(NAME, "A query over all rows", &[NAME, text, &tables])
}

struct Gathered {
    identity: Identity,
    text: String,
    columns: Schema,
    arrow: SchemaRef,
    /// Those of the columns that are read.
    places: Vec<usize>,
    others: Vec<Other>,
    room: Room,
}

impl Plugin for Gathered {
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
        Err(PluginError::Refused {
            plugin: NAME.into(),
            problem: "is over all rows, and not over batches of them".into(),
        })
    }
}

impl AllRows for Gathered {
    fn run(
        &self,
        rows: &RowFeed<'_, io::Error>,
        tables: &[&RowFeed<'_, io::Error>],
        stop: &AtomicBool,
        each: &mut dyn FnMut(RecordBatch) -> bool,
    ) -> Result<(), Unfinished<io::Error>> {
        let all = self::tables(&self.columns, &[], &self.others);
        let broken = |_| Unfinished::Other(io::Error::other("the query cannot be planned again"));
        let query = Query::over(&self.text, &all, &self.room).map_err(broken)?;
        let wide = |pass: &mut dyn FnMut(RecordBatch) -> bool| {
            let mut broken = None;
            rows(&mut |batch| match self.widened(&batch) {
                Some(batch) => pass(batch),
                None => {
                    broken = Some(io::Error::other("rows that waited are of other columns"));
                    false
                }
            })?;
            broken.map_or(Ok(()), Err)
        };
        let mut left = false;
        let mut feeds: Vec<&RowFeed<'_, io::Error>> = vec![&wide];
        feeds.extend(tables);
        let done = query.run(&feeds, stop, &mut |batch| {
            left = !each(batch.clone());
            match left {
                true => Err(io::Error::other("nobody takes the rows any more")),
                false => Ok(()),
            }
        });
        match done {
            Err(Unfinished::Other(_)) if left => Err(Unfinished::Stopped),
            done => done,
        }
    }
}

impl Gathered {
    /// With nulls in the place of columns that the query does not read.
    fn widened(&self, batch: &RecordBatch) -> Option<RecordBatch> {
        let mut read = self.places.iter().zip(batch.columns()).peekable();
        let columns = self.arrow.fields().iter().enumerate().map(|(at, field)| {
            match read.next_if(|(place, _)| **place == at) {
                Some((_, column)) => Arc::clone(column),
                None => new_null_array(field.data_type(), batch.num_rows()),
            }
        });
        let columns = columns.collect();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.arrow), columns, &options).ok()
    }
}
