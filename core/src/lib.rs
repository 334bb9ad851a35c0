//! Switchboard: a host for WebSocket applications.

pub mod library;

pub mod conf;
