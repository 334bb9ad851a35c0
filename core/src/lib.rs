//! Switchboard: a host for WebSocket applications.

pub mod conf;
