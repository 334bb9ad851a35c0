//! The host as a process, by raw bytes on real sockets.

#![allow(clippy::unwrap_used)] // clippy.toml allows it in tests, but not in what they share

mod admin;
mod answers;
mod bench;
mod check;
mod compression;
mod connect;
mod explain;
mod external;
mod faults;
mod files;
mod fixtures;
mod forward;
mod frames;
mod handshake;
mod layering;
mod memory;
mod offers;
mod order;
mod plugins;
mod promises;
mod show;
mod soak;
mod stop;
mod support;
mod time;
mod tls;
mod topics;
mod tree;
