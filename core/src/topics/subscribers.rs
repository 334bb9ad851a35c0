//! Who on this shard gets what is delivered.

use std::collections::HashMap;

use crate::shard::ConnId;

/// The subscribers of one shard, by the topic's number.
#[derive(Debug, Default)]
pub struct Subscribers {
    topics: HashMap<u64, Local>,
}

#[derive(Debug, Default)]
struct Local {
    /// Dense, for the walk of a delivery.
    list: Vec<ConnId>,
    /// Place of each in `list`.
    places: HashMap<ConnId, usize>,
}

impl Subscribers {
    /// From now on `conn` gets what is delivered.
    pub fn add(&mut self, topic: u64, conn: ConnId) {
        let local = self.topics.entry(topic).or_default();
        if !local.places.contains_key(&conn) {
            local.places.insert(conn, local.list.len());
            local.list.push(conn);
        }
    }

    /// From now on it does not.
    pub fn remove(&mut self, topic: u64, conn: ConnId) {
        let Some(local) = self.topics.get_mut(&topic) else { return };
        let Some(place) = local.places.remove(&conn) else { return };
        local.list.swap_remove(place);
        if let Some(moved) = local.list.get(place) {
            local.places.insert(*moved, place);
        }
        if local.list.is_empty() {
            self.topics.remove(&topic);
        }
    }

    /// All of a topic.
    pub fn of(&self, topic: u64) -> &[ConnId] {
        self.topics.get(&topic).map_or(&[], |local| &local.list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removal_keeps_the_others() {
        let mut subscribers = Subscribers::default();
        let conns: Vec<_> = (0..5).map(|slot| ConnId::new(0, slot, 1)).collect();
        for conn in &conns {
            subscribers.add(9, *conn);
            subscribers.add(9, *conn);
        }
        for gone in [0, 4, 2] {
            subscribers.remove(9, conns[gone]);
            subscribers.remove(9, conns[gone]);
        }
        let mut left = subscribers.of(9).to_vec();
        left.sort_unstable();
        assert_eq!(left, [conns[1], conns[3]]);
        subscribers.remove(9, conns[1]);
        subscribers.remove(9, conns[3]);
        assert!(subscribers.topics.is_empty());
    }
}
