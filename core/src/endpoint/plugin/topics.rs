//! The extension "topics/1": the functions of `sb_topics`, and snapshots on their way to a plugin.

use std::sync::Arc;

use bytes::Bytes;
use switchboard_abi as abi;
use switchboard_abi::{
    sb_bytes, sb_conn, sb_host, sb_publish, sb_status, sb_subscribe, sb_topic_member,
    sb_topic_message, sb_topic_retained, sb_topic_snapshot, sb_topics,
};
use switchboard_websocket::Kind;

use super::host::{message_kind, serve, status, utf8};
use super::{bytes, size};
use crate::shard::{Bound, ConnId, JoinRefused, Joined, Published, Subscription};
use crate::topics::{HISTORY_MESSAGES_MAX, KEY_BYTES_MAX, METADATA_BYTES_MAX, NAME_BYTES_MAX};

/// The table.
#[allow(clippy::cast_possible_truncation)]
pub(super) static TOPICS: sb_topics = sb_topics {
    size: size_of::<sb_topics>() as u32,
    reserved: 0,
    subscribe: Some(subscribe),
    unsubscribe: Some(unsubscribe),
    publish: Some(publish),
};

unsafe extern "C" fn subscribe(
    host: *const sb_host,
    conn: sb_conn,
    topic: sb_bytes,
    how: *const sb_subscribe,
) -> sb_status {
    // SAFETY: the plugin vouches for all that it passes.
    unsafe {
        serve(host, |context| {
            let conn = ConnId::from_raw(conn);
            // SAFETY: as above.
            let topic = name(topic)?;
            // SAFETY: as above.
            let how = subscription(how.as_ref())?;
            context.shards.subscribe(conn, context.owner.number, &topic, how).map_err(status)?;
            Ok(abi::SB_OK)
        })
    }
}

/// # Safety
/// The plugin ensures that what `how` borrows is valid for the call.
unsafe fn subscription(how: Option<&sb_subscribe>) -> Result<Subscription, sb_status> {
    let Some(how) = how else { return Ok(Subscription::default()) };
    if (how.size as usize) < size_of::<sb_subscribe>() {
        return Err(abi::SB_E_INVALID);
    }
    // SAFETY: by the contract above.
    let (key, metadata) = unsafe { (how.key.as_slice(), how.metadata.as_slice()) };
    if key.len() > KEY_BYTES_MAX || metadata.len() > METADATA_BYTES_MAX {
        return Err(abi::SB_E_TOO_BIG);
    }
    Ok(Subscription {
        key: Bytes::copy_from_slice(key),
        metadata: Bytes::copy_from_slice(metadata),
        // SAFETY: by the contract above.
        joined: unsafe { message(&how.joined) }?,
        // SAFETY: by the contract above.
        left: unsafe { message(&how.left) }?,
        history_messages: (how.history_messages as usize).min(HISTORY_MESSAGES_MAX),
        snapshot: how.flags & abi::SB_SUBSCRIBE_SNAPSHOT != 0,
    })
}

unsafe extern "C" fn unsubscribe(
    host: *const sb_host,
    conn: sb_conn,
    topic: sb_bytes,
) -> sb_status {
    // SAFETY: the plugin vouches for all that it passes.
    unsafe {
        serve(host, |context| {
            let conn = ConnId::from_raw(conn);
            // SAFETY: as above.
            let topic = name(topic)?;
            context.shards.unsubscribe(conn, context.owner.number, &topic).map_err(status)?;
            Ok(abi::SB_OK)
        })
    }
}

unsafe extern "C" fn publish(
    host: *const sb_host,
    topic: sb_bytes,
    what: *const sb_publish,
) -> sb_status {
    // SAFETY: the plugin vouches for all that it passes.
    unsafe {
        serve(host, |context| {
            // SAFETY: as above.
            let topic = name(topic)?;
            // SAFETY: as above.
            let what = what.as_ref().ok_or(abi::SB_E_INVALID)?;
            if (what.size as usize) < size_of::<sb_publish>() {
                return Err(abi::SB_E_INVALID);
            }
            // SAFETY: as above.
            let message = message(&what.message)?.ok_or(abi::SB_E_INVALID)?;
            let retain = what.flags & abi::SB_PUBLISH_RETAIN != 0;
            let except = (what.except != 0).then(|| ConnId::from_raw(what.except));
            context.shards.publish(topic, message, retain, except, Bound::Marks).map_err(status)?;
            Ok(abi::SB_OK)
        })
    }
}

/// # Safety
/// The plugin ensures that `topic` is valid for the call.
unsafe fn name(topic: sb_bytes) -> Result<Arc<str>, sb_status> {
    // SAFETY: by the contract above.
    let name = unsafe { utf8(topic) }?;
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(abi::SB_E_INVALID);
    }
    Ok(name.into())
}

/// # Safety
/// The plugin ensures that what `message` borrows is valid for the call.
unsafe fn message(message: &sb_topic_message) -> Result<Option<Arc<Published>>, sb_status> {
    if message.kind == 0 {
        return Ok(None);
    }
    // SAFETY: by the contract above.
    let data = unsafe { message.data.as_slice() };
    let kind = message_kind(message.kind, data)?;
    Ok(Some(Arc::new(Published { kind, payload: Bytes::copy_from_slice(data) })))
}

/// Lends what a subscription came to, in the ABI's form.
pub(super) fn with_snapshot(joined: &Joined, lend: impl FnOnce(*const sb_topic_snapshot)) {
    let nothing = crate::shard::Snapshot::default();
    let snapshot = joined.snapshot.as_ref().unwrap_or(&nothing);
    let members: Vec<_> = snapshot
        .members
        .iter()
        .map(|member| sb_topic_member {
            conn_uid: member.uid,
            key: bytes(&member.key),
            metadata: bytes(&member.metadata),
        })
        .collect();
    let history: Vec<_> = snapshot
        .history
        .iter()
        .map(|kept| sb_topic_retained {
            seq: kept.seq,
            message: sb_topic_message {
                kind: match kept.message.kind {
                    Kind::Text => abi::SB_TEXT,
                    Kind::Binary => abi::SB_BINARY,
                },
                reserved: 0,
                data: bytes(&kept.message.payload),
            },
        })
        .collect();
    let snapshot = sb_topic_snapshot {
        size: size::<sb_topic_snapshot>(),
        status: match joined.outcome {
            Ok(_) => abi::SB_OK,
            Err(JoinRefused::KeyTaken) => abi::SB_E_BUSY,
            Err(JoinRefused::TooManyTopics) => abi::SB_E_NOMEM,
        },
        topic: bytes(joined.name.as_bytes()),
        key: bytes(&joined.key),
        seq: snapshot.seq,
        members: members.as_ptr(),
        n_members: members.len(),
        history: history.as_ptr(),
        n_history: history.len(),
    };
    lend(&raw const snapshot);
}
