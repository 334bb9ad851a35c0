//! One accepted socket as an HTTP connection, until it ends or becomes a WebSocket.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tower::ServiceExt;

use super::socket::{Plain, Socket, Stalled};
use super::{Front, Origin, router};
use crate::connection::{OnArrival, Shard};
use crate::shard::Arrival;
use crate::stream::{Secure, SecureError};
use crate::tls;

/// Headers of one request.
const HEADERS_MAX: usize = 128;
/// hyper reads with no smaller buffer.
const HEADER_BYTES_MIN: usize = 8 << 10;

/// What a shard does with each socket that comes from an acceptor.
pub fn on_arrival(front: Arc<Front>) -> OnArrival {
    Box::new(move |arrival| {
        // Counted by the acceptor, until this task is over.
        tokio::task::spawn_local(serve(Arc::clone(&front), arrival));
    })
}

/// Counts a socket off its shard when HTTP is done with it.
struct Counted;

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(shard) = Shard::current() {
            shard.unload();
        }
    }
}

async fn serve(front: Arc<Front>, arrival: Arrival) {
    let _counted = Counted;
    let (listener, peer, at) = (arrival.listener, arrival.peer, arrival.at);
    let plain = match Plain::new(arrival) {
        Ok(plain) => plain,
        Err(error) => return tracing::warn!("a socket could not be taken over: {error}"),
    };
    let tls = front.tls.get(listener).and_then(Option::as_ref);
    let origin = Origin { listener, peer, local: plain.local(), tls: tls.is_some() };
    // The clock of a new socket starts at accept and covers all up to the first request.
    let until = tokio::time::Instant::from(at + front.limits.handshake_timeout);
    let stalled = Stalled::new();
    let socket = match tls {
        None => Socket::plain(plain, Arc::clone(&stalled)),
        Some(server) => match secure(server, plain, until, &front, &origin).await {
            Some(secure) => Socket::secure(secure, Arc::clone(&stalled)),
            None => return,
        },
    };
    let asked = Rc::new(Cell::new(false));
    let service = {
        let asked = Rc::clone(&asked);
        let router = router(Arc::clone(&front));
        let origin = origin.clone();
        service_fn(move |mut request: Request<Incoming>| {
            asked.set(true);
            request.extensions_mut().insert(origin.clone());
            router.clone().oneshot(request.map(axum::body::Body::new))
        })
    };
    // Not hyper-util's `auto`: where upgrades are served it speaks HTTP/2 as well, whatever
    // `http1_only` says. HTTP/2 has limits in time of its own to be set, and comes with TLS.
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(front.limits.handshake_timeout)
        .max_buf_size(front.limits.header_bytes_max.max(HEADER_BYTES_MIN))
        .max_headers(HEADERS_MAX);
    let connection = builder.serve_connection(TokioIo::new(socket), service).with_upgrades();
    tokio::pin!(connection);
    let mut stop = front.stop.clone();
    let first_request = tokio::time::sleep_until(until);
    tokio::pin!(first_request);
    // A client that does not read what it asked for.
    let mut look = tokio::time::interval(front.limits.slow_timeout);
    let mut waiting = true;
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!("{}: HTTP ended: {error}", super::client(&origin));
                }
                return;
            }
            () = &mut first_request, if waiting => {
                waiting = false;
                if !asked.get() {
                    return tracing::debug!("{}: no request in time", super::client(&origin));
                }
            }
            _ = look.tick() => {
                if stalled.for_longer_than(front.limits.slow_timeout) {
                    return tracing::info!("{}: reads too slowly", super::client(&origin));
                }
            }
            _ = stop.wait_for(|stop| *stop), if !stopping => {
                stopping = true;
                if !asked.get() {
                    // Nothing is owed to half a request, and hyper would wait for the rest.
                    return;
                }
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// The handshake of TLS. `None`: there is none, and the log says why.
async fn secure(
    server: &tls::Server,
    plain: Plain,
    until: tokio::time::Instant,
    front: &Front,
    origin: &Origin,
) -> Option<Secure<Plain>> {
    let session = match server.session() {
        Ok(session) => session,
        Err(error) => {
            tracing::error!("no session of TLS: {error}");
            return None;
        }
    };
    let client = super::client(origin);
    let mut stop = front.stop.clone();
    tokio::select! {
        shaken = Secure::accept(plain, session) => match shaken {
            Ok(secure) => return Some(secure),
            Err(error @ SecureError::PlainHttp) => tracing::info!("{client}: {error}"),
            // Scanners and people who leave are no news.
            Err(error) => tracing::debug!("{client}: {error}"),
        },
        () = tokio::time::sleep_until(until) => {
            tracing::debug!("{client}: no TLS handshake in time");
        }
        // Nothing is owed to half a handshake.
        _ = stop.wait_for(|stop| *stop) => {}
    }
    None
}
