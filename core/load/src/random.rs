//! Numbers that look random and come again with the same seed. Nothing here keeps a secret.

/// SplitMix64, by Steele, Lea and Flood.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A state that depends on all of `parts`.
    pub(crate) fn of(parts: &[u64]) -> Self {
        let mix = |state, part: &u64| Self(state ^ *part).next();
        Self(parts.iter().fold(0x5bd1_e995, mix))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `end`, without it.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// From `min` to `max`, evenly spread over the orders of magnitude.
    pub(crate) fn spread(&mut self, min: usize, max: usize) -> usize {
        let share = self.below(1 << 20) as f64 / f64::from((1 << 20) - 1);
        let value = min as f64 * (max as f64 / min as f64).powf(share);
        (value.round() as usize).clamp(min, max)
    }

    pub(crate) fn percent(&mut self, share: u8) -> bool {
        self.below(100) < u64::from(share)
    }

    /// RFC 6455, section 5.3 wants masks that a server cannot foretell, which protects proxies from
    /// scripts; a load generator has none.
    pub(crate) fn mask(&mut self) -> [u8; 4] {
        ((self.next() >> 32) as u32).to_ne_bytes()
    }
}
