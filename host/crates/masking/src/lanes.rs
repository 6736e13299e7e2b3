//! PBKDF2-HMAC-SHA-256 of several values at once, by what the processor has. Every path gives the
//! same bits as the `pbkdf2` crate, which is the fallback. No branch and no address depends on a
//! value or a key, only on lengths and counts.

#[cfg(target_arch = "x86_64")]
mod x86;

use std::fmt;
use std::sync::OnceLock;

use sha2::Sha256;

use crate::Mask;

type Derive = fn(&[&[u8]], &[u8], u32) -> Vec<Mask>;

/// A way to compute PBKDF2-HMAC-SHA-256 that this machine has.
///
/// [`Path::all`] is the only place to get one, so whoever holds one may use it.
///
/// ```
/// use glovebox_masking::Path;
///
/// let values: [&[u8]; 3] = [b"cust0", b"cust1", b"cust2"];
/// let all = Path::all();
/// for path in all {
///     assert_eq!(path.derive(&values, b"salt", 10), all[0].derive(&values, b"salt", 10));
/// }
/// ```
#[derive(Clone, Copy)]
pub struct Path {
    name: &'static str,
    width: usize,
    /// The fewest values at once for which it is chosen, if it ever is.
    pays_from: Option<usize>,
    derive: Derive,
}

impl Path {
    /// All paths of this machine, the `pbkdf2` crate's first.
    pub fn all() -> &'static [Path] {
        static ALL: OnceLock<Vec<Path>> = OnceLock::new();
        ALL.get_or_init(|| {
            #[allow(unused_mut)]
            let mut all = vec![PORTABLE];
            #[cfg(target_arch = "x86_64")]
            all.extend(x86::paths());
            all
        })
    }

    /// Values that it computes at once.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The 32 bytes derived from each value, in their order.
    pub fn derive(&self, values: &[&[u8]], salt: &[u8], iterations: u32) -> Vec<[u8; 32]> {
        (self.derive)(values, salt, iterations)
    }

    /// The one for so many values.
    fn best(values: usize) -> &'static Path {
        Path::all()
            .iter()
            .filter(|path| path.pays_from.is_some_and(|least| least <= values))
            // Of equals the last, which is not the portable one.
            .max_by_key(|path| path.pays_from)
            .unwrap_or(&PORTABLE)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({self})")
    }
}

static PORTABLE: Path = Path {
    name: "`pbkdf2` crate",
    width: 1,
    pays_from: Some(0),
    derive: portable,
};

fn portable(values: &[&[u8]], salt: &[u8], iterations: u32) -> Vec<Mask> {
    values
        .iter()
        .map(|value| pbkdf2::pbkdf2_hmac_array::<Sha256, 32>(value, salt, iterations))
        .collect()
}

/// The most values that it pays to derive together.
pub(crate) fn widest() -> usize {
    Path::best(usize::MAX).width
}

/// The 32 bytes derived from each value, in their order, on this thread.
pub(crate) fn derive(values: &[&[u8]], salt: &[u8], iterations: u32) -> Vec<Mask> {
    let mut masks = Vec::with_capacity(values.len());
    let mut rest = values;
    while !rest.is_empty() {
        let path = Path::best(rest.len());
        let (group, after) = rest.split_at(path.width.min(rest.len()));
        masks.extend(path.derive(group, salt, iterations));
        rest = after;
    }
    masks
}

/// The 32 bytes derived from a value alone.
pub(crate) fn derive_one(value: &[u8], salt: &[u8], iterations: u32) -> Mask {
    // One value has one result.
    derive(&[value], salt, iterations).pop().unwrap_or_default()
}

#[cfg(test)]
#[path = "lanes_tests.rs"]
mod tests;
