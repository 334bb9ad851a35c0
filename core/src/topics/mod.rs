//! Subscribe, publish, presence, history: shared state that belongs to the host.
//!
//! Each topic has a home shard, chosen by its name. The [`Home`] there puts everything that happens
//! to the topic in one order; the [`Subscribers`] of each shard know who of its own gets what is
//! delivered. Both are plain state without I/O: what they want done is handed out as mail.

mod home;
mod subscribers;
mod topic;

pub use home::Home;
pub use subscribers::Subscribers;

/// Bytes of a topic's name, at most.
pub const NAME_BYTES_MAX: usize = 255;
/// Bytes of a member's key, at most.
pub const KEY_BYTES_MAX: usize = 255;
/// Bytes of a member's metadata, at most.
pub const METADATA_BYTES_MAX: usize = 4096;
/// Retained messages of one topic, at most.
pub const HISTORY_MESSAGES_MAX: usize = 1000;
