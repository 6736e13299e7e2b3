//! The n-th mutant of a seed: always the same bytes from the same plugins.

use std::fmt;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::bytes;
#[cfg(feature = "tools")]
use crate::invented;
use crate::seeds::{Seed, Seeds};

/// How a mutant is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recipe {
    /// Bytes anywhere.
    Scrambled,
    /// Whole sections.
    Shuffled,
    /// Bytes of the component's wiring.
    Rewired,
    /// Bytes of the plugin's code and data.
    Retold,
    /// A core module, by wasm-mutate.
    #[cfg(feature = "tools")]
    Mutated,
    /// A core module, by wasm-smith.
    #[cfg(feature = "tools")]
    Invented,
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Recipe::Scrambled => "bytes anywhere",
            Recipe::Shuffled => "whole sections",
            Recipe::Rewired => "bytes of the wiring",
            Recipe::Retold => "bytes of code and data",
            #[cfg(feature = "tools")]
            Recipe::Mutated => "wasm-mutate",
            #[cfg(feature = "tools")]
            Recipe::Invented => "wasm-smith",
        })
    }
}

/// A component that nobody wrote.
#[derive(Debug, Clone)]
pub struct Mutant<'a> {
    pub(crate) seed: &'a Seed,
    /// How it was made.
    pub recipe: Recipe,
    /// The component.
    pub bytes: Vec<u8>,
}

impl Mutant<'_> {
    /// The plugin that it was made from.
    pub fn parent(&self) -> &'static str {
        self.seed.name
    }
}

/// Makes mutants.
#[derive(Debug, Clone)]
pub struct Breeder {
    seeds: Seeds,
    seed: u64,
}

impl Breeder {
    /// Of these parents, by this seed.
    pub fn new(seeds: Seeds, seed: u64) -> Self {
        Breeder { seeds, seed }
    }

    /// The seed that was given.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The n-th mutant. None if there are no parents.
    pub fn mutant(&self, n: u64) -> Option<Mutant<'_>> {
        let mut rng = StdRng::seed_from_u64(self.seed ^ n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let parent = self.parent(&mut rng)?;
        let other = self.parent(&mut rng)?;
        let mut bytes = parent.bytes.clone();
        let recipe = match rng.random_range(0..100) {
            0..10 => Recipe::Scrambled,
            10..18 => Recipe::Shuffled,
            18..35 => Recipe::Rewired,
            #[cfg(feature = "tools")]
            60..90 => Recipe::Mutated,
            #[cfg(feature = "tools")]
            90.. => Recipe::Invented,
            _ => Recipe::Retold,
        };
        let made = match recipe {
            Recipe::Scrambled => None,
            Recipe::Shuffled => bytes::shuffle(&mut bytes, &other.bytes, &mut rng),
            Recipe::Rewired => bytes::rewire(&mut bytes, &mut rng),
            Recipe::Retold => bytes::retell(&mut bytes, &mut rng),
            #[cfg(feature = "tools")]
            Recipe::Mutated => invented::mutated(&mut bytes, &mut rng),
            #[cfg(feature = "tools")]
            Recipe::Invented => invented::invented(&mut bytes, &mut rng),
        };
        let recipe = match made {
            Some(()) => recipe,
            // A tool that found nothing to do leaves the bytes as they were.
            None => {
                bytes::scramble(&mut bytes, &other.bytes, &mut rng);
                Recipe::Scrambled
            }
        };
        Some(Mutant {
            seed: parent,
            recipe,
            bytes,
        })
    }

    /// The parents as they are, which a test runs to see that they go all the way.
    pub fn parents(&self) -> impl Iterator<Item = Mutant<'_>> {
        self.seeds.0.iter().map(|seed| Mutant {
            seed,
            recipe: Recipe::Retold,
            bytes: seed.bytes.clone(),
        })
    }

    fn parent(&self, rng: &mut StdRng) -> Option<&Seed> {
        let seeds = &self.seeds.0;
        // Guests come last and are the smaller: the larger of two throws favours them.
        let throw = |rng: &mut StdRng| rng.random_range(0..seeds.len().max(1));
        seeds.get(throw(rng).max(throw(rng)))
    }
}
