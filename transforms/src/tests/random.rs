//! Chance that can be repeated: every run has its own seed and tells it; `BILTEN_SEED` brings a run back.

use std::{hash::BuildHasher, io::Write, ops::Range};

pub(super) struct Random(u64);

impl Random {
    /// A new seed, told on standard error whether the test fails or not.
    pub(super) fn announced(what: &str) -> Self {
        let given = std::env::var("BILTEN_SEED").ok().map(|seed| seed.parse().unwrap());
        let seed: u64 = given.unwrap_or_else(|| std::hash::RandomState::new().hash_one(what));
        // Not `eprintln!`: the test runner keeps that to itself while a test passes.
        let _ = writeln!(std::io::stderr(), "{what}: BILTEN_SEED={seed}");
        Self(seed)
    }

    /// SplitMix64: the next number below `end`.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    pub(super) fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.below(range.end - range.start)
    }
}
