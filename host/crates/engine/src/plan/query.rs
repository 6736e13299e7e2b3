//! A query as a step: fitted to the columns that reach it, with where each column after it comes from.

use std::sync::Arc;

use glovebox_core::{Announced, Field, Grants, QueryProblem, Schema, Selected};
use glovebox_manifest::diagnostic::Diagnostic;
use glovebox_manifest::model::{self, PluginRef};

use super::{PlannedStep, missing};
use crate::toolbox::Toolbox;

/// What a query leaves, over the columns before it and behind them those that it makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Takes {
    /// The columns after it, in order.
    pub columns: Vec<usize>,
    /// For each column that it makes, those before it of which it is made.
    pub made_of: Vec<Vec<usize>>,
}

/// Fits the query to the columns that reach the step.
pub(super) fn plan_query(
    step: &model::Step,
    input: &Schema,
    toolbox: &dyn Toolbox,
) -> Result<PlannedStep, Box<Diagnostic>> {
    let made;
    let mut tables = Vec::new();
    let (text, written, room) = match &step.plugin.value {
        PluginRef::Sql(query) => (query.text.as_str(), Some(query), None),
        PluginRef::Gather(gather) => {
            let query = &gather.query;
            let named = gather.tables.iter();
            tables.extend(named.map(|(name, table)| {
                let fields = table.columns.iter().map(model::Column::to_field);
                (name.value.as_str(), Schema::new(fields.collect()))
            }));
            (query.text.as_str(), Some(query), Some(gather.room))
        }
        PluginRef::Missing(missing) => {
            made = missing::query(missing, input)?;
            let room = missing.needs_all_rows().then_some(missing.room);
            (made.as_str(), None, room)
        }
        PluginRef::Standard(_) | PluginRef::File { .. } => {
            let problem = Diagnostic::error(step.span.clone(), "this step is no query");
            return Err(Box::new(problem));
        }
    };
    let selection = match room {
        None => toolbox.select(text, input, &step.limits),
        Some(room) => toolbox.gather(text, room, input, &tables),
    };
    let selection = selection.map_err(|problem| Box::new(of_query(step, written, problem)))?;
    let gathers = selection.all.is_some();
    let width = input.fields.len();
    let mut output = Vec::with_capacity(selection.output.len());
    let mut columns = Vec::with_capacity(selection.output.len());
    let mut made_of = vec![Vec::new(); selection.makes.len()];
    for selected in selection.output {
        match selected {
            Selected::Passed { place, name } => {
                let Some(field) = input.fields.get(place) else {
                    continue;
                };
                output.push(Field {
                    name,
                    // A row that a join finds none for has nothing there.
                    nullable: field.nullable || gathers,
                    ..field.clone()
                });
                columns.push(place);
            }
            Selected::Made { place, of } => {
                let Some(field) = selection.makes.get(place) else {
                    continue;
                };
                if let Some(made_of) = made_of.get_mut(place) {
                    *made_of = of;
                }
                output.push(field.clone());
                columns.push(width + place);
            }
        }
    }
    let read = selection.reads.iter();
    let grants = Grants {
        fields: read.filter_map(|&i| input.fields.get(i).cloned()).collect(),
        masks: Vec::new(),
        adds: selection.makes.clone(),
    };
    let output = Schema::new(output);
    Ok(PlannedStep {
        name: step.name.as_str().into(),
        plugin: selection.plugin,
        signed_by: None,
        config: text.to_owned(),
        grants,
        inputs: selection.reads,
        inside: Vec::new(),
        places: (width..width + selection.makes.len()).collect(),
        announced: Announced::Added(selection.makes),
        guarded: Vec::new(),
        unguarded: Vec::new(),
        standard: true,
        width,
        takes: Some(Takes { columns, made_of }),
        gather: selection.all,
        output_arrow: output.to_arrow(),
        output,
        lost_time: step.limits.lost_time,
    })
}

/// At its place in the manifest, where that is known.
fn of_query(
    step: &model::Step,
    written: Option<&model::Query>,
    problem: QueryProblem,
) -> Diagnostic {
    let at = problem.at.as_ref();
    let place = written.zip(at).and_then(|(query, at)| query.span(at));
    let place = place.unwrap_or_else(|| step.plugin.span.clone());
    let said = Diagnostic::error(place, problem.message);
    match problem.help {
        Some(help) => said.help(help),
        None => said,
    }
}

/// How a column came to hold what it holds: from its name back to the first that was not made by a
/// query, `total ← price`.
pub(super) fn path(steps: &[PlannedStep], place: usize, source: &Schema) -> Vec<Arc<str>> {
    let mut path: Vec<Arc<str>> = Vec::new();
    let mut place = place;
    for (i, step) in steps.iter().enumerate().rev() {
        let Some(field) = step.output.fields.get(place) else {
            return path;
        };
        if path.last() != Some(&field.name) {
            path.push(Arc::clone(&field.name));
        }
        match step.before(place) {
            Some(before) => place = before,
            None => {
                // Of several, the first that is personal says enough.
                let before = i.checked_sub(1).and_then(|i| steps.get(i));
                let before = before.map_or(source, |step| &step.output);
                let is_personal = |i: &&usize| before.fields.get(**i).is_some_and(|f| f.personal);
                match step.made_of(place).iter().find(is_personal) {
                    Some(of) => place = *of,
                    None => return path,
                }
            }
        }
    }
    if let Some(field) = source.fields.get(place)
        && path.last() != Some(&field.name)
    {
        path.push(Arc::clone(&field.name));
    }
    path
}
