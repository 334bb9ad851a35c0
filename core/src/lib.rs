//! Switchboard: a host for WebSocket applications.
//!
//! The modules stand in the order in which a message passes them; each uses only those below it, and
//! a test holds that. `ARCHITECTURE.md` tells the story.

pub mod server;

pub mod connection;
pub mod endpoint;
pub mod front;
pub mod handshake;
pub mod library;
pub mod listener;
pub mod route;
pub mod shard;
pub mod stream;
pub mod topics;

pub mod conf;
pub mod log;
