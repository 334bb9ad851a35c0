//! What all topics need: a host that runs, and clients that say exactly what a test wants said.
//!
//! Nothing in here sleeps: a wait ends with the event that is waited for, or fails the test.

// Each topic uses what it needs, and not every one is there from the first day.
#![allow(dead_code)]

mod client;
mod handshake;
mod host;
mod plugins;
pub(crate) mod room;
mod server;
mod tls;
mod ws;

use std::time::Duration;

pub(crate) use client::{Client, EXTENSIONS, Got, Response};
pub(crate) use handshake::{ACCEPT, Handshake, KEY};
pub(crate) use host::{Home, Host};
pub(crate) use plugins::{built, directory};
pub(crate) use server::{Server, accept, switching};
pub(crate) use tls::{Authority, write_key};
pub(crate) use ws::{Event, Ws, frame};

/// How long something may take that should be there soon. Only a test that fails waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A conf with one listener on a free port and the sections of a test.
pub(crate) fn conf(sections: &str) -> String {
    format!(
        "plugin-path @PLUGINS@\n\
         debug-mode on\n\
         <listener main>\n  address 127.0.0.1:0\n</listener>\n\
         {sections}\n"
    )
}

/// A conf whose `/echo` echoes; `inside` stands in its section.
pub(crate) fn echo_conf(inside: &str) -> String {
    conf(&format!("<websocket /echo>\n{inside}\n<plugin echo/>\n</websocket>"))
}
