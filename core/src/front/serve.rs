//! One accepted socket as an HTTP connection, until it ends or becomes a WebSocket.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep_until, timeout};
use tower::Service;

use super::client::{Accepted, Client};
use super::socket::{Plain, Socket, Stalled};
use super::{Front, router};
use crate::connection::{OnArrival, Shard};
use crate::shard::Arrival;
use crate::stream::{Secure, SecureError, Transport};
use crate::tls;

/// Headers of one request.
const HEADERS_MAX: usize = 128;
/// hyper reads with no smaller buffer.
const HEADER_BYTES_MIN: usize = 8 << 10;

/// What a shard does with each socket that comes from an acceptor.
pub fn on_arrival(front: Arc<Front>) -> OnArrival {
    // Made once, and not for each socket: its layers are boxes in boxes.
    let router = router(Arc::clone(&front));
    Box::new(move |arrival| {
        // Counted by the acceptor, until this task is over.
        tokio::task::spawn_local(serve(Arc::clone(&front), router.clone(), arrival));
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

async fn serve(front: Arc<Front>, router: Router, arrival: Arrival) {
    let _counted = Counted;
    let (listener, peer, at) = (arrival.listener, arrival.peer, arrival.at);
    let plain = match Plain::new(arrival) {
        Ok(plain) => plain,
        Err(error) => return tracing::warn!("a socket could not be taken over: {error}"),
    };
    let tls = front.tls.get(listener).and_then(Option::as_ref);
    let client = Arc::new(Client::new(listener, peer, plain.local(), tls.is_some()));
    // The clock of a new socket starts at accept and covers all up to the first request.
    let until = Instant::from(at + front.limits.handshake_timeout);
    let stalled = Stalled::new();
    let socket = match tls {
        None => Socket::plain(plain, Arc::clone(&stalled)),
        Some(server) => match secure(server, plain, until, &front, &client).await {
            Some(secure) => Socket::secure(secure, Arc::clone(&stalled)),
            None => return,
        },
    };
    let done = talk(&front, router, &client, socket, &stalled, until).await;
    let Some((socket, behind)) = done else { return };
    let within = front.limits.slow_timeout;
    match client.take_accepted() {
        Some(accepted) => hand_over(accepted, &client, socket, behind, within).await,
        // Who does not read even now is owed nothing more.
        None => drop(timeout(within, shut(socket)).await),
    }
}

/// Speaks HTTP until hyper is done with the socket: it, and what came behind the last request.
/// `None`: it is of no more use, and the log says why.
async fn talk(
    front: &Front,
    router: Router,
    client: &Arc<Client>,
    socket: Socket,
    stalled: &Stalled,
    until: Instant,
) -> Option<(Socket, Vec<u8>)> {
    let service = service_fn(|request: Request<Incoming>| {
        client.ask();
        let mut request = request.map(body);
        request.extensions_mut().insert(Arc::clone(client));
        router.clone().call(request)
    });
    // Not hyper-util's `auto`: where upgrades are served it speaks HTTP/2 as well, whatever
    // `http1_only` says. HTTP/2 has limits in time of its own to be set, and comes with TLS.
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(front.limits.handshake_timeout)
        .max_buf_size(front.limits.header_bytes_max.max(HEADER_BYTES_MIN))
        .max_headers(HEADERS_MAX);
    let mut connection = builder.serve_connection(TokioIo::new(socket), service);
    let mut stop = front.stop.clone();
    let slow = front.limits.slow_timeout;
    // One timer for the first request and for a client that does not read what it asked for.
    let look = sleep_until(until.min(Instant::now() + slow));
    tokio::pin!(look);
    let mut stopping = false;
    loop {
        tokio::select! {
            biased;
            ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => {
                if let Err(error) = ended {
                    tracing::debug!("{client}: HTTP ended: {error}");
                    return None;
                }
                let parts = connection.into_parts();
                // hyper's buffer is not kept: a slice of it would hold all of its memory.
                return Some((parts.io.into_inner(), parts.read_buf.to_vec()));
            }
            () = &mut look => {
                let now = Instant::now();
                if !client.has_asked() && now >= until {
                    tracing::debug!("{client}: no request in time");
                    return None;
                }
                if stalled.for_longer_than(slow) {
                    tracing::info!("{client}: reads too slowly");
                    return None;
                }
                let next = now + slow;
                look.as_mut().reset(if client.has_asked() { next } else { next.min(until) });
            }
            _ = stop.wait_for(|stop| *stop), if !stopping => {
                stopping = true;
                if !client.has_asked() {
                    // Nothing is owed to half a request, and hyper would wait for the rest.
                    return None;
                }
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
        }
    }
}

/// Most requests have no body, and then no box either.
fn body(incoming: Incoming) -> Body {
    if incoming.is_end_stream() { Body::empty() } else { Body::new(incoming) }
}

async fn shut(mut socket: Socket) {
    // A client that has gone is no news.
    let _ = socket.shutdown().await;
}

/// Gives the raw socket to the shard, behind the 101.
async fn hand_over(
    mut accepted: Accepted,
    client: &Client,
    socket: Socket,
    behind: Vec<u8>,
    within: Duration,
) {
    let taken = async {
        accepted.written().await?;
        take(socket, behind).await.map_err(|error| error.to_string())
    };
    match (timeout(within, taken).await, Shard::current()) {
        (Ok(Ok((transport, early))), Some(shard)) => {
            if let Some(conn) = accepted.into_conn() {
                shard.attach(conn, transport, early);
            }
        }
        (Ok(Err(error)), _) => {
            tracing::debug!("{client}: left during the handshake: {error}");
        }
        (Err(_), _) => tracing::info!("{client}: reads too slowly"),
        (_, None) => {}
    }
}

/// The socket, and all that came behind the handshake.
async fn take(mut socket: Socket, mut behind: Vec<u8>) -> io::Result<(Transport, Vec<u8>)> {
    // Of the 101 nothing may wait: the row knows of no ciphertext but its own.
    socket.flush().await?;
    let (transport, decrypted) = socket.into_transport()?;
    behind.extend(decrypted);
    Ok((transport, behind))
}

/// The handshake of TLS. `None`: there is none, and the log says why.
async fn secure(
    server: &tls::Server,
    plain: Plain,
    until: Instant,
    front: &Front,
    client: &Client,
) -> Option<Secure<Plain>> {
    let session = match server.session() {
        Ok(session) => session,
        Err(error) => {
            tracing::error!("no session of TLS: {error}");
            return None;
        }
    };
    let mut stop = front.stop.clone();
    tokio::select! {
        shaken = Secure::accept(plain, session) => match shaken {
            Ok(secure) => return Some(secure),
            Err(error @ SecureError::PlainHttp) => tracing::info!("{client}: {error}"),
            // Scanners and people who leave are no news.
            Err(error) => tracing::debug!("{client}: {error}"),
        },
        () = sleep_until(until) => {
            tracing::debug!("{client}: no TLS handshake in time");
        }
        // Nothing is owed to half a handshake.
        _ = stop.wait_for(|stop| *stop) => {}
    }
    None
}
