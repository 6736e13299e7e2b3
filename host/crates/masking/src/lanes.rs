//! PBKDF2-HMAC-SHA-256 of several values at once, by what the processor has.
//!
//! Owns the paths, their detection and the choice among them; every path gives the bits of the
//! `pbkdf2` crate, which is itself the path of processors that have nothing else. Refuses
//! branches and addresses that depend on a value or a key: only lengths and counts steer.

#[cfg(target_arch = "x86_64")]
#[macro_use]
mod wide;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod chain;
#[cfg(target_arch = "x86_64")]
mod sha_ni;

use std::fmt;

use sha2::Sha256;

use crate::Mask;
use chain::Chain;

/// A way to compute PBKDF2 that this machine has.
///
/// There is no other way to get one than from the machine, so whoever holds one may use it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Path(Kind);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    ShaNi1,
    #[cfg(target_arch = "x86_64")]
    ShaNi2,
    #[cfg(target_arch = "x86_64")]
    ShaNi3,
    #[cfg(target_arch = "x86_64")]
    ShaNi4,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Path {
    /// All paths of this machine.
    pub fn all() -> Vec<Path> {
        let mut all = vec![Kind::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("sha")
                && is_x86_feature_detected!("sse4.1")
                && is_x86_feature_detected!("ssse3")
            {
                all.extend([Kind::ShaNi1, Kind::ShaNi2, Kind::ShaNi3, Kind::ShaNi4]);
            }
            if is_x86_feature_detected!("avx2") {
                all.push(Kind::Avx2);
            }
            if is_x86_feature_detected!("avx512f") {
                all.push(Kind::Avx512);
            }
        }
        all.into_iter().map(Path).collect()
    }

    /// Values that it computes at once.
    pub fn width(self) -> usize {
        match self.0 {
            Kind::Portable => 1,
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi1 => 1,
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi2 => 2,
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi3 => 3,
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi4 => 4,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => 8,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => 16,
        }
    }

    /// The 32 bytes derived from each value, in their order.
    // The one place where code for a processor's features is called.
    #[cfg_attr(target_arch = "x86_64", allow(unsafe_code))]
    pub fn derive(self, values: &[&[u8]], salt: &[u8], iterations: u32) -> Vec<[u8; 32]> {
        let derived = match self.0 {
            Kind::Portable => values
                .iter()
                .map(|value| pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(value, salt, iterations))
                .collect(),
            // SAFETY, of all below: the kind was made because the processor has the features.
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi1 => in_lanes::<1>(values, salt, iterations, |chains, more| unsafe {
                sha_ni::run(chains, more);
            }),
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi2 => in_lanes::<2>(values, salt, iterations, |chains, more| unsafe {
                sha_ni::run(chains, more);
            }),
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi3 => in_lanes::<3>(values, salt, iterations, |chains, more| unsafe {
                sha_ni::run(chains, more);
            }),
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi4 => in_lanes::<4>(values, salt, iterations, |chains, more| unsafe {
                sha_ni::run(chains, more);
            }),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => in_lanes::<8>(values, salt, iterations, |chains, more| unsafe {
                avx2::run(chains, more);
            }),
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => in_lanes::<16>(values, salt, iterations, |chains, more| unsafe {
                avx512::run(chains, more);
            }),
        };
        derived
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Portable => "the `pbkdf2` crate",
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi1 => "SHA-NI, 1 lane",
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi2 => "SHA-NI, 2 lanes",
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi3 => "SHA-NI, 3 lanes",
            #[cfg(target_arch = "x86_64")]
            Kind::ShaNi4 => "SHA-NI, 4 lanes",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "AVX2, 8 lanes",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "AVX-512, 16 lanes",
        })
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(never)]
fn in_lanes<const N: usize>(
    values: &[&[u8]],
    salt: &[u8],
    iterations: u32,
    run: impl Fn(&mut [Chain; N], u32),
) -> Vec<Mask> {
    let mut derived = Vec::with_capacity(values.len());
    for group in values.chunks(N) {
        let mut chains: [Chain; N] = std::array::from_fn(|l| {
            group
                .get(l)
                .map_or_else(Chain::default, |value| Chain::begin(value, salt))
        });
        run(&mut chains, iterations.saturating_sub(1));
        derived.extend(chains.iter().take(group.len()).map(Chain::end));
    }
    derived
}
