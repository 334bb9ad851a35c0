//! The connections of a shard: a dense table, and handles that go stale.

use super::row::Row;
use crate::shard::{ConnId, SLOTS_MAX};

/// One slot after another; a slot is used again with the next epoch.
#[derive(Default)]
pub(super) struct Rows {
    slots: Vec<Slot>,
    free: Vec<u32>,
}

struct Slot {
    epoch: u32,
    row: Option<Row>,
}

impl Rows {
    /// Makes a row by its handle. `None`: there are [`SLOTS_MAX`].
    pub(super) fn insert(
        &mut self,
        shard: usize,
        row: impl FnOnce(ConnId) -> Row,
    ) -> Option<ConnId> {
        let slot = match self.free.pop() {
            Some(slot) => slot as usize,
            None if self.slots.len() < SLOTS_MAX => {
                self.slots.push(Slot { epoch: 0, row: None });
                self.slots.len() - 1
            }
            None => return None,
        };
        let entry = &mut self.slots[slot];
        entry.epoch = entry.epoch.wrapping_add(1).max(1);
        let conn = ConnId::new(shard, slot, entry.epoch);
        entry.row = Some(row(conn));
        Some(conn)
    }

    /// The row, unless the handle is stale.
    pub(super) fn get(&mut self, conn: ConnId) -> Option<&mut Row> {
        let entry = self.slots.get_mut(conn.slot())?;
        if entry.epoch == conn.epoch() { entry.row.as_mut() } else { None }
    }

    /// Takes a row out; its handle is stale from now on.
    pub(super) fn remove(&mut self, conn: ConnId) -> Option<Row> {
        let entry = self.slots.get_mut(conn.slot()).filter(|entry| entry.epoch == conn.epoch())?;
        let row = entry.row.take()?;
        self.free.push(u32::try_from(conn.slot()).unwrap_or(u32::MAX));
        Some(row)
    }

    /// True if there is no row.
    pub(super) fn is_empty(&self) -> bool {
        self.free.len() == self.slots.len()
    }

    /// How many slots there are, with and without a row.
    pub(super) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The rows in the slots from `first` to `end`, which is not among them.
    pub(super) fn between(
        &self,
        shard: usize,
        first: usize,
        end: usize,
    ) -> impl Iterator<Item = (ConnId, &Row)> {
        let slots = (first..).zip(self.slots.iter().take(end).skip(first));
        slots.filter_map(move |(slot, entry)| {
            Some((ConnId::new(shard, slot, entry.epoch), entry.row.as_ref()?))
        })
    }

    /// The handles of all rows.
    pub(super) fn conns(&self, shard: usize) -> Vec<ConnId> {
        let used = self.slots.iter().enumerate().filter(|(_, entry)| entry.row.is_some());
        used.map(|(slot, entry)| ConnId::new(shard, slot, entry.epoch)).collect()
    }
}
