//! One topic: members, history, and the number of its last event.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use crate::shard::{ConnId, Published, Snapshot, SnapshotMember, SnapshotMessage, Subscription};
use crate::stream::Tick;

/// The state that a home keeps.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) id: u64,
    /// Number of the last event.
    pub(super) seq: u64,
    pub(super) members: HashMap<ConnId, Member>,
    keys: HashMap<Bytes, ConnId>,
    /// Members on each shard.
    pub(super) members_by_shard: Vec<u32>,
    history: VecDeque<SnapshotMessage>,
    history_bytes: usize,
    history_messages_max: usize,
    joins: u64,
    /// When it was left by its last member, plus the time that it is kept.
    pub(super) empty_until: Tick,
    /// The home looks at it when that time is over.
    pub(super) in_emptied: bool,
}

#[derive(Debug)]
pub(super) struct Member {
    uid: u64,
    key: Bytes,
    metadata: Bytes,
    pub(super) left: Option<Arc<Published>>,
    /// Place in the order of joining.
    joined: u64,
}

impl Topic {
    pub(super) fn new(id: u64, shards: usize) -> Self {
        Self {
            id,
            seq: 0,
            members: HashMap::new(),
            keys: HashMap::new(),
            members_by_shard: vec![0; shards],
            history: VecDeque::new(),
            history_bytes: 0,
            history_messages_max: 0,
            joins: 0,
            empty_until: 0,
            in_emptied: false,
        }
    }

    /// Makes `conn` a member, or replaces what is known of it; true if it is new. `None`: its key is
    /// another's, and nothing has changed.
    pub(super) fn join(&mut self, conn: ConnId, uid: u64, how: &Subscription) -> Option<bool> {
        let taken = self.keys.get(&how.key).is_some_and(|holder| *holder != conn);
        if taken && !how.key.is_empty() {
            return None;
        }
        let before = self.members.remove(&conn);
        let new = before.is_none();
        let joined = before.map_or_else(
            || {
                self.joins += 1;
                self.members_by_shard[conn.shard()] += 1;
                self.joins
            },
            |member| {
                self.keys.remove(&member.key);
                member.joined
            },
        );
        if !how.key.is_empty() {
            self.keys.insert(how.key.clone(), conn);
        }
        self.history_messages_max = self.history_messages_max.max(how.history_messages);
        let (key, metadata, left) = (how.key.clone(), how.metadata.clone(), how.left.clone());
        self.members.insert(conn, Member { uid, key, metadata, left, joined });
        Some(new)
    }

    pub(super) fn part(&mut self, conn: ConnId) -> Option<Member> {
        let member = self.members.remove(&conn)?;
        self.keys.remove(&member.key);
        self.members_by_shard[conn.shard()] -= 1;
        Some(member)
    }

    /// Keeps a message as event `self.seq`.
    pub(super) fn retain(&mut self, message: Arc<Published>, bytes_max: usize) {
        if self.history_messages_max == 0 || message.payload.len() > bytes_max {
            return;
        }
        self.history_bytes += message.payload.len();
        self.history.push_back(SnapshotMessage { seq: self.seq, message });
        while self.history.len() > self.history_messages_max || self.history_bytes > bytes_max {
            let Some(oldest) = self.history.pop_front() else { break };
            self.history_bytes -= oldest.message.payload.len();
        }
    }

    pub(super) fn has_history(&self) -> bool {
        !self.history.is_empty()
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let mut members: Vec<_> = self.members.values().collect();
        members.sort_unstable_by_key(|member| member.joined);
        let member = |member: &Member| SnapshotMember {
            uid: member.uid,
            key: member.key.clone(),
            metadata: member.metadata.clone(),
        };
        let retained = |kept: &SnapshotMessage| SnapshotMessage {
            seq: kept.seq,
            message: Arc::clone(&kept.message),
        };
        Snapshot {
            seq: self.seq,
            members: members.into_iter().map(member).collect(),
            history: self.history.iter().map(retained).collect(),
        }
    }
}
