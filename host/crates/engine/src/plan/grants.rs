//! What a step is granted: columns, places inside of them, and what may stay whole of a mask.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use glovebox_core::{Announced, DataType, Field, Grants, Kept, Schema};
use glovebox_manifest::diagnostic::Diagnostic;
use glovebox_manifest::model::{self, LeakGuard};
use glovebox_manifest::{Manifest, closest};

use super::{InsideColumn, plugin_name};
use crate::guard::Guarded;
use crate::guard::text::SHORTEST;

/// The step's columns as fields, and where they stand in its input.
pub(super) fn grants(
    step: &model::Step,
    input: &Schema,
) -> Result<(Grants, Vec<usize>), Box<Diagnostic>> {
    let mut fields = Vec::new();
    let mut inputs = Vec::new();
    let places: HashMap<&str, (usize, &Field)> = input
        .fields
        .iter()
        .enumerate()
        .map(|(place, field)| (&*field.name, (place, field)))
        .collect();
    for name in step.granted() {
        let Some(&(position, field)) = places.get(name.as_str()) else {
            let names: Vec<&str> = input.fields.iter().map(|f| &*f.name).collect();
            let problem = no_column(name, &names, "what reaches this step has no column");
            return Err(Box::new(problem));
        };
        inputs.push(position);
        fields.push(field.clone());
    }
    let masks = (0..fields.len())
        .filter(|&i| {
            fields
                .get(i)
                .is_some_and(|f| step.masks.iter().any(|m| m.as_str() == &*f.name))
        })
        .collect();
    let adds = step.adds.iter().map(model::Column::to_field).collect();
    let grants = Grants {
        fields,
        masks,
        adds,
    };
    Ok((grants, inputs))
}

/// A name that no step before has left, with what was probably meant.
pub(super) fn no_column(
    name: &model::Spanned<String>,
    names: &[&str],
    problem: &str,
) -> Diagnostic {
    let problem = Diagnostic::error(name.span.clone(), format!("{problem} `{}`", name.value))
        .label("not a column here");
    match closest(&name.value, names.iter().copied()) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("the columns here are: {}", names.join(", "))),
    }
}

/// Columns that the leak guard looks at, and those that it was told not to look at.
type Guards = (Vec<Guarded>, Vec<Arc<str>>);

/// The paths of a step into its column, whose masks have to be text to stand in a document.
pub(super) fn inside(
    step: &model::Step,
    grants: &Grants,
    inputs: &[usize],
    announced: &Announced,
) -> Result<Vec<InsideColumn>, String> {
    let masks = grants.masks.first();
    let (Some(&column), false) = (masks, step.inside.is_empty()) else {
        return Ok(Vec::new());
    };
    let Some(&place) = inputs.get(column) else {
        return Err("the column of `inside:` does not reach this step".into());
    };
    // As it comes: an earlier step may have changed its type.
    let comes = grants.fields.get(column).map(|field| field.data_type);
    if comes != Some(DataType::Text) {
        return Err("the column of `inside:` does not reach this step as text".into());
    }
    if let Announced::Masked { fields, .. } = announced
        && let Some(field) = fields.get(column)
        && field.data_type != DataType::Text
    {
        return Err(format!(
            "the masks of `{}` are {}, and inside of JSON text they have to be text",
            field.name, field.data_type
        ));
    }
    let of = |path: &model::Spanned<model::JsonPath>| InsideColumn {
        place,
        path: path.value.clone(),
    };
    Ok(step.inside.iter().map(of).collect())
}

/// The columns that the leak guard looks at, with what may be kept of each, and the personal ones
/// that it was told not to look at.
pub(super) fn guards(
    step: &model::Step,
    grants: &Grants,
    announced: &Announced,
    released: &BTreeSet<&str>,
) -> Result<Guards, Box<Diagnostic>> {
    let (mut guarded, mut unguarded) = (Vec::new(), Vec::new());
    let Announced::Masked { keeps, .. } = announced else {
        return Ok((guarded, unguarded));
    };
    for (&column, declared) in grants.masks.iter().zip(keeps) {
        let Some(field) = grants.fields.get(column) else {
            continue;
        };
        let looks = match step.leak_guard {
            LeakGuard::All => true,
            LeakGuard::Personal => field.personal,
            LeakGuard::Off => false,
        };
        if !looks {
            if field.personal {
                unguarded.push(Arc::clone(&field.name));
            }
            continue;
        }
        let granted = step
            .keeps
            .iter()
            .find(|k| k.column.as_str() == &*field.name);
        let kept = match granted {
            Some(granted) => declared.clone().within(&granted.kept),
            None if !declared.lets_cells_through() => declared.clone(),
            None if step.plugin.is_standard()
                && (!field.personal
                    || released.contains(&*field.name)
                    || !needs_a_word(declared)) =>
            {
                declared.clone()
            }
            None => return Err(Box::new(not_granted(step, &field.name, declared))),
        };
        guarded.push(Guarded { column, kept });
    }
    Ok((guarded, unguarded))
}

/// The columns that may leave unmasked.
pub(super) fn released(manifest: &Manifest) -> BTreeSet<&str> {
    let added = manifest.steps.iter().flat_map(|s| &s.adds);
    let columns = manifest.columns.iter().chain(added);
    columns
        .filter(|c| c.release.is_some())
        .map(|c| c.name.as_str())
        .collect()
}

/// Whether even of a plugin that is built in the operator has to say that it may keep this of a
/// personal column: cells as short as the leak guard makes little of need no word.
fn needs_a_word(declared: &Kept) -> bool {
    match declared {
        Kept::Cells => true,
        Kept::Characters(most) => *most as usize >= SHORTEST,
        Kept::Nothing | Kept::Constant(_) => false,
    }
}

/// A plugin says of itself that cells may come back whole. That is for the operator to say.
fn not_granted(step: &model::Step, column: &str, declared: &Kept) -> Diagnostic {
    let amount = match declared {
        Kept::Characters(most) => most.to_string(),
        _ => "cells".to_owned(),
    };
    Diagnostic::error(
        step.plugin.span.clone(),
        format!(
            "{} declares for `{column}` that {declared} in their masks, which the step does not \
            grant",
            plugin_name(&step.plugin)
        ),
    )
    .label("not granted")
    .help(format!(
        "to allow that, add to the step: keeps: {{ {column}: {amount} }}"
    ))
    .note(format!(
        "with `keeps: {{ {column}: nothing }}` it also runs, but the leak guard rejects the rows \
        in which a cell stays whole"
    ))
}
