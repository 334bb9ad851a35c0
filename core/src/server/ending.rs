//! The end of a host: what asks for it, and in which order it goes.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::conf::Settings;
use crate::endpoint::Endpoint;

/// SIGTERM and SIGINT.
pub(super) struct Signals {
    term: tokio::signal::unix::Signal,
    int: tokio::signal::unix::Signal,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? })
    }

    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        }
    }
}

pub(super) async fn all_ended(ends: &mut mpsc::UnboundedReceiver<Result<(), String>>) {
    while let Some(how) = ends.recv().await {
        match how {
            Ok(()) => {}
            Err(how) => tracing::error!("{how}"),
        }
    }
}

/// Lets endpoints say their last words to clients. Each of them keeps a deadline of its own, so what
/// is here is for one that does not.
pub(super) async fn drain_endpoints(
    endpoints: &[Arc<Endpoint>],
    signals: &mut Signals,
    settings: &Settings,
) {
    let (done, mut all_done) = mpsc::channel(1);
    for endpoint in endpoints {
        endpoint.binding.drain(done.clone());
    }
    drop(done);
    tokio::select! {
        _ = all_done.recv() => {}
        () = tokio::time::sleep(settings.stop_timeout) => {}
        name = signals.next() => tracing::warn!("{name} again: clients are closed at once"),
    }
}

/// Ends the instances, beside the signals: a plugin may take its time.
pub(super) async fn stop_endpoints(
    endpoints: Vec<Arc<Endpoint>>,
    signals: &mut Signals,
    settings: &Settings,
) {
    let stopping = tokio::task::spawn_blocking(move || {
        // Programs end beside each other.
        for endpoint in &endpoints {
            endpoint.binding.begin_stop();
        }
        for endpoint in endpoints {
            endpoint.binding.stop();
        }
    });
    tokio::select! {
        _ = stopping => {}
        () = tokio::time::sleep(settings.stop_timeout) => {
            tracing::warn!("stop-timeout is over: a plugin's stop() has not returned");
            std::process::exit(1);
        }
        name = signals.next() => {
            tracing::warn!("{name} again: a plugin's stop() has not returned");
            std::process::exit(1);
        }
    }
}
