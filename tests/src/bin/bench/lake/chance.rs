//! Chance that costs nanoseconds, and ids that follow from a number: a lake of hundreds of millions of rows is made of
//! both, and made again in the same way by the same seed.

use std::fmt;

/// SplitMix64.
#[derive(Clone)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn of(seed: u64, what: u64) -> Self {
        Self(mix(seed, what))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scatter(self.0)
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        // The high half of a product is uneven by less than anybody could see here.
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// From 0 to 1.
    pub(super) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(super) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A place below `end`, the first ones far more often.
    pub(super) fn skewed(&mut self, end: usize, exponent: f64) -> usize {
        let place = end as f64 * self.share().powf(exponent);
        (place as usize).min(end.saturating_sub(1))
    }

    pub(super) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}

pub(super) fn mix(one: u64, other: u64) -> u64 {
    scatter(one.wrapping_mul(0xff51_afd7_ed55_8ccd) ^ scatter(other.wrapping_add(0x9e37_79b9_7f4a_7c15)))
}

fn scatter(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A UUIDv7 as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id([u8; 36]);

impl Id {
    pub(super) fn at(micros: i64, number: u64) -> Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let time = (micros / 1_000).unsigned_abs() as u128;
        let random = (u128::from(mix(number, 7)) << 64) | u128::from(scatter(number));
        let bits = (time << 80) | (random & 0xffff_ffff_ffff_ffff_ffff);
        let bits = bits & !(0xf << 76) & !(0x3 << 62) | (0x7 << 76) | (0x2 << 62);
        let mut text = [b'-'; 36];
        let mut place = 0;
        for digit in 0..32 {
            if [8, 12, 16, 20].contains(&digit) {
                place += 1;
            }
            text[place] = HEX[(bits >> (124 - 4 * digit)) as usize & 0xf];
            place += 1;
        }
        Self(text)
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
