//! Columns whose masks may be the same for different cells, which a unique index would not take and an
//! upsert would take for one row.

use glovebox_core::{Equality, Kept, Method, Schema, World};

use crate::arm::{ArmedStep, name_of};
use crate::plan::Plan;

/// The sink's columns, with what is known of their masks.
pub fn sink_schema(plan: &Plan, steps: &[ArmedStep<'_>]) -> Schema {
    let mut schema = plan.sink.clone();
    for field in &mut schema.fields {
        for step in steps {
            let grants = &step.planned.grants;
            let masked = grants.masks.iter();
            let mut masked = masked.filter(|&&i| name_of(step.planned, i) == &*field.name);
            if let Some(&column) = masked.next() {
                field.equality = equality(step, column);
            } else if grants.adds.iter().any(|added| added.name == field.name) {
                field.equality = Equality::Kept;
            }
        }
    }
    schema
}

/// What a step does to the equality of a column's cells. Of a plugin that is not ours nothing is known, and
/// so nothing said.
fn equality(step: &ArmedStep<'_>, column: usize) -> Equality {
    let planned = step.planned;
    // Of a document only parts are masked.
    if planned.plugin.world() != World::Masker || !planned.inside.is_empty() {
        return Equality::Kept;
    }
    let order = step.keyed.iter().find(|order| order.column == column);
    let guarded = planned.guarded.iter().find(|g| g.column == column);
    match (order.map(|order| &order.method), guarded) {
        (Some(Method::Pick(_) | Method::Shift { .. }), _) => Equality::Merges,
        (Some(Method::Fernet | Method::Seal), _) => Equality::Splits,
        // 256 bits do not meet by chance.
        (
            Some(
                Method::HmacSha256 | Method::Pbkdf2Sha256 { .. } | Method::AesSiv | Method::Ff1(_),
            ),
            _,
        ) => Equality::Kept,
        (None, Some(guarded)) if matches!(guarded.kept, Kept::Constant(_)) => Equality::Merges,
        (None, _) if planned.standard && planned.plugin.name() != "redact" => Equality::Merges,
        (None, _) => Equality::Kept,
    }
}
