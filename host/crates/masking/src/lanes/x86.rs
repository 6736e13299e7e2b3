//! The SHA-256 features of x86-64 processors, detected at run time.

#[macro_use]
mod wide;
mod avx2;
mod avx512;
mod chain;
mod sha_ni;

use super::Path;
use crate::Mask;
use chain::Chain;

/// Stack that is wiped after a group; its frames take about 9 KiB.
const FRAMES: usize = 16 * 1024;

/// The paths of this processor. Where each begins to pay was measured, docs/performance.md.
pub(super) fn paths() -> Vec<Path> {
    let mut paths = Vec::new();
    let sha = is_x86_feature_detected!("sha")
        && is_x86_feature_detected!("sse4.1")
        && is_x86_feature_detected!("ssse3");
    let avx512 = is_x86_feature_detected!("avx512f");
    if sha {
        paths.extend([
            path("SHA-NI, 1 lane", 1, Some(1), sha_ni_1),
            path("SHA-NI, 2 lanes", 2, Some(2), sha_ni_2),
            path("SHA-NI, 4 lanes", 4, Some(3), sha_ni_4),
        ]);
    }
    if is_x86_feature_detected!("avx2") {
        let pays_from = if sha || avx512 { None } else { Some(2) };
        paths.push(path("AVX2, 8 lanes", 8, pays_from, avx2));
    }
    if avx512 {
        // Two groups of four by SHA-NI are done a little before one of sixteen is.
        let pays_from = if sha { 9 } else { 2 };
        paths.push(path("AVX-512, 16 lanes", 16, Some(pays_from), avx512_16));
    }
    paths
}

fn path(name: &'static str, width: usize, pays_from: Option<usize>, derive: super::Derive) -> Path {
    Path {
        name,
        width,
        pays_from,
        derive,
    }
}

fn sha_ni_1(values: &[&[u8]], salt: &[u8], iterations: u32) -> Vec<Mask> {
    sha_ni::<1>(values, salt, iterations)
}

fn sha_ni_2(values: &[&[u8]], salt: &[u8], iterations: u32) -> Vec<Mask> {
    sha_ni::<2>(values, salt, iterations)
}

fn sha_ni_4(values: &[&[u8]], salt: &[u8], iterations: u32) -> Vec<Mask> {
    sha_ni::<4>(values, salt, iterations)
}

fn sha_ni<const N: usize>(values: &[&[u8]], salt: &[u8], iterations: u32) -> Vec<Mask> {
    in_lanes::<N>(values, salt, iterations, |chains, more| {
        // SAFETY: only paths lead here, and `paths` makes this one where `sha`, `sse4.1` and
        // `ssse3` were found.
        #[allow(unsafe_code)]
        unsafe {
            sha_ni::run(chains, more);
        }
    })
}

fn avx2(values: &[&[u8]], salt: &[u8], iterations: u32) -> Vec<Mask> {
    in_lanes::<8>(values, salt, iterations, |chains, more| {
        // SAFETY: only a path leads here, and `paths` makes it where `avx2` was found.
        #[allow(unsafe_code)]
        unsafe {
            avx2::run(chains, more);
        }
    })
}

fn avx512_16(values: &[&[u8]], salt: &[u8], iterations: u32) -> Vec<Mask> {
    in_lanes::<16>(values, salt, iterations, |chains, more| {
        // SAFETY: only a path leads here, and `paths` makes it where `avx512f` was found.
        #[allow(unsafe_code)]
        unsafe {
            avx512::run(chains, more);
        }
    })
}

/// Any number of values, a full group at a time; the last group's free lanes run empty.
fn in_lanes<const N: usize>(
    values: &[&[u8]],
    salt: &[u8],
    iterations: u32,
    run: impl Fn(&mut [Chain; N], u32),
) -> Vec<Mask> {
    let mut masks = Vec::with_capacity(values.len());
    for group in values.chunks(N) {
        one_group(group, salt, iterations, &run, &mut masks);
        // The chains wipe themselves; this is for what the compiler put beside them.
        zeroize::zeroize_stack::<FRAMES>();
    }
    masks
}

// A frame of its own, so that it can be wiped from outside.
#[inline(never)]
fn one_group<const N: usize>(
    group: &[&[u8]],
    salt: &[u8],
    iterations: u32,
    run: impl Fn(&mut [Chain; N], u32),
    masks: &mut Vec<Mask>,
) {
    let mut chains: [Chain; N] = std::array::from_fn(|lane| {
        group
            .get(lane)
            .map_or_else(Chain::default, |value| Chain::begin(value, salt))
    });
    run(&mut chains, iterations.saturating_sub(1));
    masks.extend(chains.iter().take(group.len()).map(Chain::end));
}
