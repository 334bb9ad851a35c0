//! `topics.h`, the extension "topics/1".

use core::ffi::CStr;

use crate::{Opaque, sb_bytes, sb_conn, sb_host, sb_plugin, sb_status};

pub const SB_TOPICS_ID: &CStr = c"topics/1";

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sb_topic_message {
    pub kind: u32,
    pub reserved: u32,
    pub data: sb_bytes,
}

impl sb_topic_message {
    /// No message.
    pub const NONE: Self = Self { kind: 0, reserved: 0, data: sb_bytes::EMPTY };
}

pub const SB_SUBSCRIBE_SNAPSHOT: u32 = 1;

#[repr(C)]
#[derive(Debug)]
pub struct sb_subscribe {
    pub size: u32,
    pub flags: u32,
    pub key: sb_bytes,
    pub metadata: sb_bytes,
    pub joined: sb_topic_message,
    pub left: sb_topic_message,
    pub history_messages: u32,
    pub reserved: u32,
}

pub const SB_PUBLISH_RETAIN: u32 = 1;

#[repr(C)]
#[derive(Debug)]
pub struct sb_publish {
    pub size: u32,
    pub flags: u32,
    pub message: sb_topic_message,
    pub except: sb_conn,
}

#[repr(C)]
pub struct sb_topics {
    pub size: u32,
    pub reserved: u32,
    pub subscribe: Option<
        unsafe extern "C" fn(
            host: *const sb_host,
            conn: sb_conn,
            topic: sb_bytes,
            how: *const sb_subscribe,
        ) -> sb_status,
    >,
    pub unsubscribe: Option<
        unsafe extern "C" fn(host: *const sb_host, conn: sb_conn, topic: sb_bytes) -> sb_status,
    >,
    pub publish: Option<
        unsafe extern "C" fn(
            host: *const sb_host,
            topic: sb_bytes,
            what: *const sb_publish,
        ) -> sb_status,
    >,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sb_topic_member {
    pub conn_uid: u64,
    pub key: sb_bytes,
    pub metadata: sb_bytes,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct sb_topic_retained {
    pub seq: u64,
    pub message: sb_topic_message,
}

#[repr(C)]
#[derive(Debug)]
pub struct sb_topic_snapshot {
    pub size: u32,
    pub status: sb_status,
    pub topic: sb_bytes,
    pub key: sb_bytes,
    pub seq: u64,
    pub members: *const sb_topic_member,
    pub n_members: usize,
    pub history: *const sb_topic_retained,
    pub n_history: usize,
}

#[repr(C)]
pub struct sb_topic_events {
    pub size: u32,
    pub reserved: u32,
    pub subscribed: Option<
        unsafe extern "C" fn(
            plugin: *mut sb_plugin,
            conn: sb_conn,
            session: Opaque,
            topic: *const sb_topic_snapshot,
        ),
    >,
}
