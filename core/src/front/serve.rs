//! One accepted socket as an HTTP connection, until it ends or becomes a WebSocket.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tower::ServiceExt;

use super::{Front, Origin, router};
use crate::connection::{OnArrival, Shard};
use crate::shard::Arrival;
use crate::stream::Transport;

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
    let stalled = Stalled::new();
    let socket = match Socket::new(arrival, Arc::clone(&stalled)) {
        Ok(socket) => socket,
        Err(error) => return tracing::warn!("a socket could not be taken over: {error}"),
    };
    let origin = Origin { listener, peer, local: socket.local() };
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
    // The clock of a new socket starts at accept and covers all up to the first request.
    let first_request = tokio::time::sleep_until((at + front.limits.handshake_timeout).into());
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

/// Since when a response waits for room in the socket. hyper wants its streams to be `Send`.
#[derive(Debug)]
struct Stalled {
    start: Instant,
    /// Milliseconds after `start`; `NOT` if nothing waits.
    since: AtomicU64,
}

const NOT: u64 = u64::MAX;

impl Stalled {
    fn new() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), since: AtomicU64::new(NOT) })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(NOT - 1)
    }

    /// Notes whether a write found room.
    fn note<T>(&self, written: &Poll<T>) {
        if written.is_ready() {
            self.since.store(NOT, Ordering::Relaxed);
        } else if self.since.load(Ordering::Relaxed) == NOT {
            self.since.store(self.now(), Ordering::Relaxed);
        }
    }

    fn for_longer_than(&self, limit: Duration) -> bool {
        let since = self.since.load(Ordering::Relaxed);
        since != NOT && u128::from(self.now().saturating_sub(since)) >= limit.as_millis()
    }
}

/// A socket while HTTP has it.
#[derive(Debug)]
pub(super) struct Socket {
    stream: Stream,
    stalled: Arc<Stalled>,
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    fn new(arrival: Arrival, stalled: Arc<Stalled>) -> io::Result<Self> {
        let stream = if arrival.peer.is_some() {
            Stream::Tcp(TcpStream::from_std(arrival.socket.into())?)
        } else {
            Stream::Unix(UnixStream::from_std(arrival.socket.into())?)
        };
        Ok(Self { stream, stalled })
    }

    fn local(&self) -> Option<std::net::SocketAddr> {
        match &self.stream {
            Stream::Tcp(stream) => stream.local_addr().ok(),
            Stream::Unix(_) => None,
        }
    }

    /// Takes the socket out of the runtime's poll.
    pub(super) fn into_transport(self) -> io::Result<Transport> {
        Ok(match self.stream {
            Stream::Tcp(stream) => Transport::Tcp(stream.into_std()?.into()),
            Stream::Unix(stream) => Transport::Unix(stream.into_std()?.into()),
        })
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = match &mut this.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        };
        this.stalled.note(&written);
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = match &mut this.stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Stream::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
        };
        this.stalled.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
