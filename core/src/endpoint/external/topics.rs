//! The feature "topics/1": a program's names for topics, subscriptions and publications.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use switchboard_protocol::{
    FrameError, FrameType, Member, Message, Publish, Retained, Side, Subscribe, SubscribeStatus,
    Subscribed, Topic,
};
use switchboard_websocket::{Kind, is_utf8};

use super::About;
use super::answers::Refused;
use super::incoming::Fault;
use super::link::{Inner, Link};
use super::unfinished::To;
use crate::endpoint::Deliveries;
use crate::shard::{Bound, ConnId, JoinRefused, Joined, Mail, Published, Snapshot, Subscription};
use crate::topics::{HISTORY_MESSAGES_MAX, KEY_BYTES_MAX, METADATA_BYTES_MAX};

/// Numbers of topics that one link may have.
const NUMBERS_MAX: usize = 65_536;
/// Bytes of one SUBSCRIBED that are filled before the next is begun.
const SNAPSHOT_BYTES: usize = 32 << 10;
/// Bytes of a retained message in one value.
const RETAINED_BYTES: usize = 16 << 10;

/// The numbers that stand for topics on one link.
#[derive(Default)]
pub(super) struct Topics {
    names: HashMap<u32, Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl Topics {
    /// TOPIC: a number gets a name, or gives it up.
    pub(super) fn name(&mut self, topic: &Topic<'_>) -> Result<(), FrameError> {
        let number = topic.topic;
        if topic.name.is_empty() {
            if let Some(name) = self.names.remove(&number) {
                self.numbers.remove(&name);
            }
            return Ok(());
        }
        if self.names.contains_key(&number) || self.numbers.contains_key(topic.name) {
            return Err(FrameError::TopicTaken(number));
        }
        if self.names.len() >= NUMBERS_MAX {
            return Err(FrameError::TooMany(FrameType::Topic));
        }
        let name: Arc<str> = topic.name.into();
        self.names.insert(number, Arc::clone(&name));
        self.numbers.insert(name, number);
        Ok(())
    }

    /// The name of a number.
    pub(super) fn at(&self, number: u32) -> Result<Arc<str>, FrameError> {
        self.names.get(&number).cloned().ok_or(FrameError::TopicUnknown(number))
    }
}

impl Link {
    pub(super) fn subscribe(&self, subscribe: &Subscribe<'_>, inner: &mut Inner) {
        let name = match inner.topics.at(subscribe.topic) {
            Ok(name) => name,
            Err(error) => return self.refuse(subscribe.stream, error, inner),
        };
        let Some(row) = inner.streams.get(&subscribe.stream) else { return };
        let conn = row.conn;
        let fits = subscribe.key.len() <= KEY_BYTES_MAX
            && subscribe.metadata.len() <= METADATA_BYTES_MAX
            && [subscribe.joined, subscribe.left].into_iter().flatten().all(|m| is_text(&m));
        if !fits {
            return refuse(subscribe, SubscribeStatus::INVALID, &mut inner.out);
        }
        let how = Subscription {
            key: Bytes::copy_from_slice(subscribe.key),
            metadata: Bytes::copy_from_slice(subscribe.metadata),
            joined: subscribe.joined.map(|message| published(message.text, message.payload)),
            left: subscribe.left.map(|message| published(message.text, message.payload)),
            history_messages: (subscribe.history_messages as usize).min(HISTORY_MESSAGES_MAX),
            snapshot: subscribe.snapshot,
        };
        // A connection that has ended gets its CLOSE.
        let _ = self.about.shards.subscribe(conn, self.about.number, &name, how);
    }

    pub(super) fn unsubscribe(&self, conn: ConnId, stream: u32, topic: u32, inner: &mut Inner) {
        let name = match inner.topics.at(topic) {
            Ok(name) => name,
            Err(error) => return self.refuse(stream, error, inner),
        };
        let _ = self.about.shards.unsubscribe(conn, self.about.number, &name);
    }

    /// The snapshot was answered: DELIVER. One that nothing waits for does nothing.
    pub(super) fn deliver(&self, conn: ConnId, topic: u32, inner: &Inner) {
        if let Ok(name) = inner.topics.at(topic) {
            self.post(conn, Mail::Deliveries(conn, name));
        }
    }

    /// A fault that costs the stream.
    fn refuse(&self, stream: u32, error: FrameError, inner: &mut Inner) {
        let Refused(code, text) = error.into();
        self.reset_from_here(inner, stream, code, &text);
    }

    pub(super) fn publish(&self, publish: &Publish<'_>, inner: &mut Inner) -> Result<(), Fault> {
        let Publish { topic, except, text, more, retain, payload } = *publish;
        let name = inner.topics.at(topic)?;
        let to = To::Topic { topic, except, retain };
        let About { message_bytes_max, owner, .. } = &*self.about;
        let whole = inner.gather(to, text, more, payload, *message_bytes_max, owner)?;
        let Some(whole) = whole else { return Ok(()) };
        let except = inner.streams.get(&except).map(|row| row.conn);
        let message = published(text, &whole.payload);
        // Not refused: a link is not read while publishing must wait.
        let _ = self.about.shards.publish(name, message, retain, except, Bound::Sender);
        Ok(())
    }

    /// What a subscription came to: SUBSCRIBED.
    pub(super) fn subscribed(&self, stream: u32, joined: &Joined) -> Deliveries {
        let mut state = self.lock();
        let inner = &mut state.inner;
        // A number that was given up meanwhile has no answer.
        let number = inner.topics.numbers.get(&joined.name).copied();
        let Some(row) = inner.streams.get(&stream) else { return Deliveries::Now };
        let (Some(topic), Ok(_)) = (number, row.state.step(Side::Host, FrameType::Subscribed))
        else {
            return Deliveries::Now;
        };
        let status = match joined.outcome {
            Ok(_) => SubscribeStatus::OK,
            Err(JoinRefused::KeyTaken) => SubscribeStatus::BUSY,
            Err(JoinRefused::TooManyTopics) => SubscribeStatus::NO_ROOM,
        };
        let nothing = Snapshot::default();
        let snapshot = joined.snapshot.as_ref().unwrap_or(&nothing);
        let head = Subscribed {
            stream,
            topic,
            status,
            more: false,
            seq: snapshot.seq,
            key: &joined.key,
            members: Default::default(),
            history: Default::default(),
        };
        encode_snapshot(&head, snapshot, &mut inner.out);
        drop(state);
        self.flush_soon();
        if status == SubscribeStatus::OK { Deliveries::Later } else { Deliveries::Now }
    }
}

/// In as many frames as it takes.
fn encode_snapshot(head: &Subscribed<'_>, snapshot: &Snapshot, out: &mut Vec<u8>) {
    let members: Vec<_> = snapshot
        .members
        .iter()
        .map(|member| Member { conn_uid: member.uid, key: &member.key, metadata: &member.metadata })
        .collect();
    let mut history = Vec::new();
    for kept in &snapshot.history {
        let text = kept.message.kind == Kind::Text;
        let mut parts = kept.message.payload.chunks(RETAINED_BYTES).peekable();
        if parts.peek().is_none() {
            let message = Message { text, payload: &[] };
            history.push(Retained { seq: kept.seq, more: false, message });
        }
        while let Some(payload) = parts.next() {
            let more = parts.peek().is_some();
            history.push(Retained { seq: kept.seq, more, message: Message { text, payload } });
        }
    }
    let member_bytes = |member: &Member<'_>| member.key.len() + member.metadata.len() + 24;
    let retained_bytes = |kept: &Retained<'_>| kept.message.payload.len() + 24;
    let (mut members, mut history) = (members.as_slice(), history.as_slice());
    let mut key = head.key;
    loop {
        let (now_members, later_members) = fill(members, SNAPSHOT_BYTES, member_bytes);
        let room = if later_members.is_empty() { SNAPSHOT_BYTES } else { 0 };
        let (now_history, later_history) = fill(history, room, retained_bytes);
        let more = !later_members.is_empty() || !later_history.is_empty();
        let frame = Subscribed {
            more,
            key,
            members: now_members.into(),
            history: now_history.into(),
            ..*head
        };
        frame.encode(out);
        (members, history, key) = (later_members, later_history, &[]);
        if !more {
            return;
        }
    }
}

/// As many of the first items as fit into `room`, at least one if there is any room.
fn fill<T>(items: &[T], room: usize, bytes: impl Fn(&T) -> usize) -> (&[T], &[T]) {
    let mut filled = 0;
    let count = items.iter().take_while(|item| {
        let first = filled == 0 && room > 0;
        filled += bytes(item);
        first || filled <= room
    });
    items.split_at(count.count())
}

fn refuse(subscribe: &Subscribe<'_>, status: SubscribeStatus, out: &mut Vec<u8>) {
    let frame = Subscribed {
        stream: subscribe.stream,
        topic: subscribe.topic,
        status,
        more: false,
        seq: 0,
        key: subscribe.key,
        members: Default::default(),
        history: Default::default(),
    };
    frame.encode(out);
}

fn published(text: bool, payload: &[u8]) -> Arc<Published> {
    let kind = if text { Kind::Text } else { Kind::Binary };
    Arc::new(Published { kind, payload: Bytes::copy_from_slice(payload) })
}

fn is_text(message: &Message<'_>) -> bool {
    !message.text || is_utf8(message.payload)
}
