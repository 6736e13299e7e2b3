//! The legs of a run: from the source, or from what a `gather:` step made, to the next such step or the sink.

use crate::armed::ArmedStep;
use crate::plan::Plan;

/// Steps that take each row by itself.
pub(crate) struct Leg<'r> {
    /// The place of the first.
    pub(crate) from: usize,
    pub(crate) steps: &'r [ArmedStep<'r>],
    /// The columns that are wanted of what the last one leaves.
    pub(crate) columns: &'r [usize],
    /// The `gather:` step that takes its rows; none if the sink does.
    pub(crate) gather: Option<&'r ArmedStep<'r>>,
}

impl Leg<'_> {
    /// Whether its rows were made by a `gather:` step, and are not the source's.
    pub(crate) fn is_made(&self) -> bool {
        self.from > 0
    }
}

/// The legs of a plan, at least one.
pub(crate) fn legs<'r>(plan: &'r Plan, steps: &'r [ArmedStep<'r>]) -> Vec<Leg<'r>> {
    let mut legs = Vec::new();
    let mut from = 0;
    for (at, step) in steps.iter().enumerate() {
        if step.planned.gather.is_some() {
            legs.push(Leg {
                from,
                steps: steps.get(from..at).unwrap_or_default(),
                columns: &step.planned.inputs,
                gather: Some(step),
            });
            from = at + 1;
        }
    }
    legs.push(Leg {
        from,
        steps: steps.get(from..).unwrap_or_default(),
        columns: &plan.sink_columns,
        gather: None,
    });
    legs
}
