//! Columns whose masks may be the same for different cells, which a unique index would not take and an
//! upsert would take for one row.

use glovebox_core::{Announced, Equality, Kept, Method, Schema};

use crate::armed::ArmedStep;
use crate::plan::Plan;

/// The sink's columns, with what is known of their masks.
pub fn sink_schema(plan: &Plan, steps: &[ArmedStep<'_>]) -> Schema {
    let mut schema = plan.sink.clone();
    for (field, &place) in schema.fields.iter_mut().zip(&plan.sink_columns) {
        let trail = plan.trail(place);
        for (step, place) in steps.iter().zip(trail) {
            let Some(place) = place else {
                continue;
            };
            let planned = step.planned;
            let masked = planned.grants.masks.iter();
            let mut masked =
                masked.filter(|&&i| planned.inputs.get(i) == planned.before(place).as_ref());
            if let Some(&column) = masked.next() {
                field.equality = both(field.equality, equality(step, column));
            } else if planned.made(place) {
                field.equality = Equality::Kept;
            }
        }
    }
    schema
}

/// What two masks, one after the other, have done: cells that have become the same stay so.
fn both(first: Equality, then: Equality) -> Equality {
    match (first, then) {
        (Equality::Merges, _) | (_, Equality::Merges) => Equality::Merges,
        (Equality::Splits, _) | (_, Equality::Splits) => Equality::Splits,
        (Equality::Kept, Equality::Kept) => Equality::Kept,
    }
}

/// What a step does to the equality of a column's cells. Of a plugin that is not ours nothing is known, and
/// so nothing said.
fn equality(step: &ArmedStep<'_>, column: usize) -> Equality {
    let planned = step.planned;
    let Announced::Masked { keeps, .. } = &planned.announced else {
        return Equality::Kept;
    };
    let order = step.keyed.iter().find(|order| order.column == column);
    let masks = planned.grants.masks.iter().zip(keeps);
    let kept = masks
        .filter(|(at, _)| **at == column)
        .map(|(_, kept)| kept)
        .next();
    match (order.map(|order| &order.method), kept) {
        (Some(Method::Pick(_) | Method::Shift { .. }), _) => Equality::Merges,
        (Some(Method::Fernet | Method::Seal), _) => Equality::Splits,
        // 128 bits do not meet by chance.
        (
            Some(
                Method::HmacSha256
                | Method::Pbkdf2Sha256 { .. }
                | Method::AesSiv
                | Method::Ff1(_)
                | Method::Token,
            ),
            _,
        ) => Equality::Kept,
        (None, Some(Kept::Constant(_))) => Equality::Merges,
        (None, _) if planned.standard && planned.plugin.name() != "redact" => Equality::Merges,
        (None, _) => Equality::Kept,
    }
}
