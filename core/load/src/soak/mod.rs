//! A soak: connections that do all that clients do, well and badly, and hold every byte that comes
//! back against what they sent.
//!
//! There are as many connections at any time as the [`Soak`] says; one that ends is followed by
//! another in its slot. Each draws a [`Fate`] and everything else from the seed, its slot and its
//! number there, so a fault that is reported with these can be looked for again.
//!
//! Of a run's connections these things must hold, whatever they do: echoes come in order, each with
//! the kind and the bytes of its message; pongs come in order, with the bytes of their pings; a
//! Close is answered with its code, behind every echo, and the end of the stream follows; and
//! nobody is closed who has not asked for it, but with 1013 who reads nothing for longer than his
//! endpoint suffers.

mod worker;

mod client;
mod life;

mod content;
mod wire;

mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use rustls::ClientConfig;
use switchboard_websocket::Url;

use crate::worker::Error;

pub use life::Fate;
pub use report::Report;

/// What is to be done. [`Soak::new`] has sensible values for all but the targets.
#[derive(Debug, Clone)]
pub struct Soak {
    /// Endpoints that echo; the slots are spread over them.
    pub targets: Vec<Target>,
    /// How many connections there are at a time.
    pub connections: usize,
    /// Over how many threads they are spread.
    pub threads: usize,
    /// When no connection is followed by another any more. Those that are there finish.
    pub goal: Goal,
    /// Makes all choices.
    pub seed: u64,
    /// The longest message, in bytes.
    pub message_bytes_max: usize,
    /// How long anything may take that is owed.
    pub patience: Duration,
}

/// When a soak is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// So much time has passed.
    Duration(Duration),
    /// Each slot has had so many connections.
    Lives(u32),
}

/// An endpoint that echoes.
#[derive(Debug, Clone)]
pub struct Target {
    /// For reports.
    pub name: String,
    /// Where it is.
    pub url: Url,
    /// For `wss:`; the server's name is `localhost`.
    pub tls: Option<Arc<ClientConfig>>,
    /// Most connections offer compression, with parameters of all kinds.
    pub deflate: bool,
    /// How long it suffers a client that takes nothing of what waits for it.
    pub slow_timeout: Duration,
    /// That is so short that clients read nothing for longer, and any that a busy machine holds up
    /// may be closed for it.
    pub is_hasty: bool,
    /// How long an idle connection is silent, at most.
    pub idle_max: Duration,
}

/// A run as others see it: it may be watched, and its end be brought about.
#[derive(Debug, Default)]
pub struct Progress {
    /// Connections that are open now.
    pub open: AtomicUsize,
    /// No connection is followed by another any more.
    pub stop: AtomicBool,
}

impl Soak {
    /// A few connections for ten seconds.
    pub fn new(targets: Vec<Target>) -> Self {
        Self {
            targets,
            connections: 20,
            threads: 1,
            goal: Goal::Duration(Duration::from_secs(10)),
            seed: 1,
            message_bytes_max: 8 << 20,
            patience: Duration::from_secs(120),
        }
    }
}

impl Target {
    /// One without TLS and compression, that suffers slow clients for half a minute.
    pub fn new(name: &str, url: Url) -> Self {
        Self {
            name: name.to_owned(),
            url,
            tls: None,
            deflate: false,
            slow_timeout: Duration::from_secs(30),
            is_hasty: false,
            idle_max: Duration::from_secs(20),
        }
    }
}

/// Does what `soak` says, and returns when the last connection has ended.
///
/// Blocks, on as many threads as it says. Raises the process's limit on open files as far as it
/// may.
///
/// # Errors
/// What keeps the run from being made at all; what the server does wrong is in the [`Report`].
pub fn run(soak: &Soak, progress: &Progress) -> Result<Report, Error> {
    worker::run(soak, progress)
}
