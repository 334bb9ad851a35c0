//! The feature "topics/1": a program's names for topics, subscriptions and publications.

use std::sync::Arc;

use bytes::Bytes;
use switchboard_protocol::{
    ErrorCode, FrameType, Member, Message, Publish, Retained, Side, Subscribe, SubscribeStatus,
    Subscribed, Topic,
};
use switchboard_websocket::Kind;

use super::incoming::Fault;
use super::link::{Inner, Link};
use crate::endpoint::Deliveries;
use crate::shard::{ConnId, JoinRefused, Joined, Published, Snapshot, Subscription};
use crate::topics::{HISTORY_MESSAGES_MAX, KEY_BYTES_MAX, METADATA_BYTES_MAX, NAME_BYTES_MAX};

/// Numbers of topics that one link may have.
const NUMBERS_MAX: usize = 65_536;
/// Bytes of one SUBSCRIBED that are filled before the next is begun.
const SNAPSHOT_BYTES: usize = 32 << 10;
/// Bytes of a retained message in one value.
const RETAINED_BYTES: usize = 16 << 10;

/// A publication that goes on in the next PUBLISH.
pub(super) struct Publishing {
    topic: u32,
    except: u32,
    text: bool,
    retain: bool,
    payload: Vec<u8>,
}

fn fault(text: impl Into<String>) -> Fault {
    Fault { code: ErrorCode::PROTOCOL, text: text.into() }
}

impl Inner {
    pub(super) fn name_topic(&mut self, topic: &Topic<'_>) -> Result<(), Fault> {
        if topic.name.is_empty() {
            self.topics.remove(&topic.topic);
            return Ok(());
        }
        if topic.name.len() > NAME_BYTES_MAX || self.topics.contains_key(&topic.topic) {
            return Err(fault(format!("the topic number {} has a name already", topic.topic)));
        }
        if self.topics.len() >= NUMBERS_MAX {
            let text = format!("more than {NUMBERS_MAX} topic numbers");
            return Err(Fault { code: ErrorCode::LIMIT, text });
        }
        self.topics.insert(topic.topic, topic.name.into());
        Ok(())
    }
}

impl Link {
    pub(super) fn subscribe(
        &self,
        subscribe: &Subscribe<'_>,
        inner: &mut Inner,
    ) -> Result<(), Fault> {
        let Some(name) = inner.topics.get(&subscribe.topic).cloned() else {
            let text = format!("the topic number {} has no name", subscribe.topic);
            self.reset_from_here(inner, subscribe.stream, ErrorCode::PROTOCOL, &text);
            return Ok(());
        };
        let Some(row) = inner.streams.get(&subscribe.stream) else { return Ok(()) };
        let conn = row.conn;
        let fits = subscribe.key.len() <= KEY_BYTES_MAX
            && subscribe.metadata.len() <= METADATA_BYTES_MAX
            && [subscribe.joined, subscribe.left].into_iter().flatten().all(|m| is_text(&m));
        if !fits {
            refuse(subscribe, SubscribeStatus::INVALID, &mut inner.out);
            return Ok(());
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
        Ok(())
    }

    pub(super) fn unsubscribe(&self, conn: ConnId, stream: u32, topic: u32, inner: &mut Inner) {
        let Some(name) = inner.topics.get(&topic).cloned() else {
            let text = format!("the topic number {topic} has no name");
            return self.reset_from_here(inner, stream, ErrorCode::PROTOCOL, &text);
        };
        let _ = self.about.shards.unsubscribe(conn, self.about.number, &name);
    }

    pub(super) fn publish(&self, publish: &Publish<'_>, inner: &mut Inner) -> Result<(), Fault> {
        let Publish { topic, except, text, retain, .. } = *publish;
        let same = |begun: &Publishing| {
            (begun.topic, begun.except, begun.text, begun.retain) == (topic, except, text, retain)
        };
        let mut whole = match inner.publishing.take() {
            Some(begun) if same(&begun) => begun,
            Some(_) => return Err(fault("a fragment of PUBLISH does not fit to the one before")),
            None => Publishing { topic, except, text, retain, payload: Vec::new() },
        };
        whole.payload.extend_from_slice(publish.payload);
        if whole.payload.len() > self.about.message_bytes_max {
            let text = format!("a publication over {} bytes", self.about.message_bytes_max);
            return Err(Fault { code: ErrorCode::TOO_BIG, text });
        }
        if publish.more {
            inner.publishing = Some(whole);
            return Ok(());
        }
        if text && simdutf8::basic::from_utf8(&whole.payload).is_err() {
            let text = "a text publication is no UTF-8".to_owned();
            return Err(Fault { code: ErrorCode::BAD_TEXT, text });
        }
        let Some(name) = inner.topics.get(&topic) else {
            return Err(fault(format!("the topic number {topic} has no name")));
        };
        let except = inner.streams.get(&except).map(|row| row.conn);
        let message = published(text, &whole.payload);
        let _ = self.about.shards.publish(Arc::clone(name), message, retain, except);
        Ok(())
    }

    /// What a subscription came to: SUBSCRIBED.
    pub(super) fn subscribed(&self, stream: u32, joined: &Joined) -> Deliveries {
        let mut state = self.lock();
        let inner = &mut state.inner;
        let number = inner.topics.iter().find(|(_, name)| **name == joined.name).map(|t| *t.0);
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
    !message.text || simdutf8::basic::from_utf8(message.payload).is_ok()
}
