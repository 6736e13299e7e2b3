//! Reads `limits:`, the manifest's as a default and each step's on top of it.
//!
//! Refuses values that would stop every plugin, or none.

use std::time::Duration;

use glovebox_core::Limits;

use crate::block::{Reader, Shape};
use crate::model::Span;
use crate::yaml::Node;

pub(crate) const LIMITS: Shape = Shape {
    what: "the limits",
    keys: &[
        "memory",
        "time",
        "returned",
        "findings",
        "table-elements",
        "instances",
        "lost-time",
    ],
    hints: &[
        ("timeout", "write `time:`"),
        ("cpu", "write `time:`, the wall time of one call"),
        ("fuel", "this version bounds calls by `time:`"),
        ("stack", "delete it: the stack is the same for all plugins"),
    ],
    example: "limits: { memory: 64MiB, time: 1s }",
};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// A `limits:` block over what holds without it.
pub(super) fn limits(reader: &mut Reader<'_>, node: &Node, head: Span, base: Limits) -> Limits {
    let Some(block) = reader.block(node, head, &LIMITS) else {
        return base;
    };
    let mut limits = base;
    let size = |reader: &mut Reader<'_>, key, bounds, to: &mut usize| {
        if let Some((node, _)) = block.get(key) {
            *to = reader.size(node, key, bounds).unwrap_or(*to);
        }
    };
    // 4 GiB is all that a 32-bit memory can address.
    size(reader, "memory", MIB..=4 * GIB, &mut limits.memory);
    size(reader, "returned", KIB..=4 * GIB, &mut limits.returned);

    let count = |reader: &mut Reader<'_>, key, bounds, to: &mut usize| {
        if let Some((node, _)) = block.get(key) {
            let value = reader.whole(node, key, bounds);
            *to = value.and_then(|v| usize::try_from(v).ok()).unwrap_or(*to);
        }
    };
    count(reader, "findings", 1..=1 << 26, &mut limits.findings);
    count(
        reader,
        "table-elements",
        1..=10_000_000,
        &mut limits.table_elements,
    );
    count(reader, "instances", 1..=10_000, &mut limits.instances);

    let time = |reader: &mut Reader<'_>, key, most, to: &mut Duration| {
        if let Some((node, _)) = block.get(key) {
            let bounds = Duration::from_millis(1)..=Duration::from_secs(most);
            *to = reader.duration(node, key, bounds).unwrap_or(*to);
        }
    };
    time(reader, "time", 3_600, &mut limits.time);
    time(reader, "lost-time", 86_400, &mut limits.lost_time);
    limits
}
