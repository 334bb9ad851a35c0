//! Switchboard: a host for WebSocket applications.
//!
//! The modules stand in the order in which a message passes them; each uses only those below it, and
//! a test holds that. `ARCHITECTURE.md` tells the story.

// The blank lines keep rustfmt from sorting them.

pub mod check;

pub mod server;

pub mod admin;

pub mod connect;

pub mod bench;

pub mod tree;

pub mod explain;

pub mod listener;

pub mod front;

pub mod route;

pub mod handshake;

pub mod connection;

pub mod endpoint;

pub mod library;

pub mod topics;

pub mod client;

pub mod shard;

pub mod stream;

pub mod tls;

pub mod log;

pub mod conf;
