//! Changes to bytes that know nothing, or little, of what the bytes mean.

use rand::RngExt;
use rand::rngs::StdRng;

use crate::sections::{Binary, CODE, CORE_MODULE, CUSTOM, DATA};

/// Bytes that parsers and bounds checks have stumbled over.
const NASTY: [&[u8]; 8] = [
    &[0x00],
    &[0x7f],
    &[0x80],
    &[0xff],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0x80, 0x80, 0x80, 0x80, 0x08],
    &[0xff, 0xff, 0xff, 0xff, 0x07],
    &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
];

/// Anywhere: flips, cuts, insertions, a stretch of another component.
pub(crate) fn scramble(bytes: &mut Vec<u8>, other: &[u8], rng: &mut StdRng) {
    match rng.random_range(0..5) {
        0 => {
            for _ in 0..rng.random_range(1..=8) {
                flip(bytes, rng);
            }
        }
        1 => bytes.truncate(place(bytes, rng)),
        2 => insert(bytes, rng),
        3 => {
            let stretch = stretch(other, rng);
            let at = place(bytes, rng);
            let end = (at + stretch.len()).min(bytes.len());
            bytes.splice(at..end, stretch.iter().copied());
        }
        _ => {
            let at = place(bytes, rng);
            let end = (at + rng.random_range(1..64_usize)).min(bytes.len());
            bytes.drain(at..end);
        }
    }
}

/// Sections taken out, doubled, swapped, or taken from another component.
pub(crate) fn shuffle(bytes: &mut Vec<u8>, other: &[u8], rng: &mut StdRng) -> Option<()> {
    let mut binary = Binary::split(bytes)?;
    let sections = &mut binary.sections;
    let at = rng.random_range(0..sections.len().max(1));
    let to = rng.random_range(0..sections.len().max(1));
    match rng.random_range(0..4) {
        0 => drop((at < sections.len()).then(|| sections.remove(at))),
        1 => {
            let copy = sections.get(at)?.clone();
            sections.insert(to, copy);
        }
        2 => sections.swap(at.min(to), at.max(to)),
        _ => {
            let others = Binary::split(other)?.sections;
            let theirs = others.get(rng.random_range(0..others.len().max(1)))?;
            *sections.get_mut(at)? = theirs.clone();
        }
    }
    *bytes = binary.join();
    Some(())
}

/// Inside the sections that say how the component is put together: types, aliases, instances,
/// canonical functions, imports and exports. Their framing stays whole, so that what is wrong is
/// met late.
pub(crate) fn rewire(bytes: &mut Vec<u8>, rng: &mut StdRng) -> Option<()> {
    let mut binary = Binary::split(bytes)?;
    let mut wiring: Vec<_> = (binary.sections.iter_mut())
        .filter(|s| !matches!(s.id, CUSTOM | CORE_MODULE) && !s.payload.is_empty())
        .collect();
    let at = rng.random_range(0..wiring.len().max(1));
    let payload = &mut wiring.get_mut(at)?.payload;
    match rng.random_range(0..4) {
        0 => flip(payload, rng),
        1 => insert(payload, rng),
        // Indices are small numbers; the next one is often of the right kind.
        _ => {
            let at = place(payload, rng);
            let byte = payload.get_mut(at)?;
            *byte = match rng.random_range(0..3) {
                0 => byte.wrapping_add(1),
                1 => byte.wrapping_sub(1),
                _ => rng.random_range(0..0x80),
            };
        }
    }
    *bytes = binary.join();
    Some(())
}

/// Inside the code or the data of the plugin's own module: other constants, other operators, other
/// texts. Much of it is still valid and answers with lies.
pub(crate) fn retell(bytes: &mut Vec<u8>, rng: &mut StdRng) -> Option<()> {
    let mut component = Binary::split(bytes)?;
    let main = component.main_module()?;
    let section = component.sections.get_mut(main)?;
    let mut module = Binary::split(&section.payload)?;
    let wanted = if rng.random_ratio(2, 3) { CODE } else { DATA };
    let inner = module.sections.iter_mut().find(|s| s.id == wanted)?;
    for _ in 0..rng.random_range(1..=2) {
        flip(&mut inner.payload, rng);
    }
    section.payload = module.join();
    *bytes = component.join();
    Some(())
}

fn flip(bytes: &mut [u8], rng: &mut StdRng) {
    let at = place(bytes, rng);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << rng.random_range(0..8);
    }
}

fn insert(bytes: &mut Vec<u8>, rng: &mut StdRng) {
    let at = place(bytes, rng);
    let nasty = NASTY.get(rng.random_range(0..NASTY.len()));
    // Half of them stand in for bytes, half push bytes away.
    let instead = if rng.random() {
        nasty.map_or(0, |n| n.len())
    } else {
        0
    };
    let end = (at + instead).min(bytes.len());
    bytes.splice(at..end, nasty.copied().unwrap_or_default().iter().copied());
}

/// A place in the bytes; 0 where there are none.
fn place(bytes: &[u8], rng: &mut StdRng) -> usize {
    rng.random_range(0..bytes.len().max(1))
}

fn stretch<'a>(bytes: &'a [u8], rng: &mut StdRng) -> &'a [u8] {
    let from = place(bytes, rng);
    let end = (from + rng.random_range(1..512_usize)).min(bytes.len());
    bytes.get(from..end).unwrap_or_default()
}
