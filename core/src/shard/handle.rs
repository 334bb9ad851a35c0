//! A connection as a value.

use std::fmt;

/// Names one connection: shard, slot in the shard, and the epoch of the slot. A handle whose
/// connection has ended names nothing, also after the slot is used again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(u64);

const SLOT_BITS: u32 = 24;
const EPOCH_BITS: u32 = 32;

/// Slots of one shard, and so connections of one shard.
pub const SLOTS_MAX: usize = 1 << SLOT_BITS;
/// Shards of one host.
pub const SHARDS_MAX: usize = 1 << (64 - SLOT_BITS - EPOCH_BITS);

impl ConnId {
    /// `shard` is less than [`SHARDS_MAX`], `slot` less than [`SLOTS_MAX`], `epoch` not 0.
    pub fn new(shard: usize, slot: usize, epoch: u32) -> Self {
        debug_assert!(shard < SHARDS_MAX && slot < SLOTS_MAX && epoch != 0);
        let place = ((shard as u64) << SLOT_BITS) | slot as u64;
        Self((place << EPOCH_BITS) | u64::from(epoch))
    }

    /// From the ABI's form. Any number is a handle; most name nothing.
    pub fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The ABI's form.
    pub fn raw(self) -> u64 {
        self.0
    }

    /// Index of the shard that owns it.
    #[allow(clippy::cast_possible_truncation)]
    pub fn shard(self) -> usize {
        (self.0 >> (SLOT_BITS + EPOCH_BITS)) as usize
    }

    /// Index of its row in the shard.
    #[allow(clippy::cast_possible_truncation)]
    pub fn slot(self) -> usize {
        ((self.0 >> EPOCH_BITS) as usize) & (SLOTS_MAX - 1)
    }

    /// Which of the connections that had this slot it is.
    #[allow(clippy::cast_possible_truncation)]
    pub fn epoch(self) -> u32 {
        self.0 as u32
    }
}

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.shard(), self.slot(), self.epoch())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_keeps_its_parts_at_their_limits() {
        for (shard, slot, epoch) in
            [(0, 0, 1), (SHARDS_MAX - 1, SLOTS_MAX - 1, u32::MAX), (3, 70_000, 9)]
        {
            let conn = ConnId::new(shard, slot, epoch);
            assert_eq!((conn.shard(), conn.slot(), conn.epoch()), (shard, slot, epoch));
            assert_eq!(ConnId::from_raw(conn.raw()), conn);
            assert_ne!(conn.raw(), 0);
        }
    }
}
