//! Chance that can be repeated: every run has its own seed and prints it; `BILTEN_SEED` brings a run back.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::{io::Write, ops::Range};

#[derive(Debug)]
pub struct Random(StdRng);

impl Random {
    /// A new seed, told on standard error whether the test fails or not.
    pub fn announced(what: &str) -> Self {
        let given = std::env::var("BILTEN_SEED")
            .ok()
            .map(|seed| seed.parse().expect("BILTEN_SEED is a number"));
        let seed: u64 = given.unwrap_or_else(rand::random);
        // Not `eprintln!`: the test runner keeps that to itself while a test passes.
        let _ = writeln!(std::io::stderr(), "{what}: BILTEN_SEED={seed}");
        Self::from_seed(seed)
    }

    pub fn from_seed(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.within(0..end)
    }

    pub fn within(&mut self, range: Range<u64>) -> u64 {
        self.0.random_range(range)
    }
}
