//! Columns whose masks may be the same for different cells, which a unique index would not take and an
//! upsert would take for one row.

use glovebox_core::{Kept, Method, Schema, World};

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
                field.collides = collides(step, column);
            } else if grants.adds.iter().any(|added| added.name == field.name) {
                field.collides = false;
            }
        }
    }
    schema
}

/// Whether a step may give different cells of a column the same mask. Of a plugin that is not ours
/// nothing is known, and so nothing said.
fn collides(step: &ArmedStep<'_>, column: usize) -> bool {
    let planned = step.planned;
    if planned.plugin.world() != World::Masker {
        return false;
    }
    let order = step.keyed.iter().find(|order| order.column == column);
    let guarded = planned.guarded.iter().find(|g| g.column == column);
    match (order.map(|order| &order.method), guarded) {
        (Some(Method::Pick(_) | Method::Shift { .. }), _) => true,
        // 256 bits do not meet by chance.
        (
            Some(
                Method::HmacSha256
                | Method::Pbkdf2Sha256 { .. }
                | Method::AesSiv
                | Method::Ff1(_)
                | Method::Fernet
                | Method::Seal,
            ),
            _,
        ) => false,
        (None, Some(guarded)) if matches!(guarded.kept, Kept::Constant(_)) => true,
        (None, _) => planned.standard && planned.plugin.name() != "redact",
    }
}
