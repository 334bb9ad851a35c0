//! A socket while HTTP has it: in plain or under TLS, and watched for a client that does not read.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::shard::Arrival;
use crate::stream::{Secure, TlsSocket, Transport};

/// What hyper reads from and writes to.
#[derive(Debug)]
pub(super) struct Socket {
    stream: Stream,
    stalled: Arc<Stalled>,
}

#[derive(Debug)]
enum Stream {
    Plain(Plain),
    Tls(Box<Secure<Plain>>),
}

/// A socket of the runtime.
#[derive(Debug)]
pub(super) enum Plain {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Whatever bytes pass through.
trait Bytes: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Bytes for T {}

impl Plain {
    pub(super) fn new(arrival: Arrival) -> io::Result<Self> {
        Ok(if arrival.peer.is_some() {
            Self::Tcp(TcpStream::from_std(arrival.socket.into())?)
        } else {
            Self::Unix(UnixStream::from_std(arrival.socket.into())?)
        })
    }

    pub(super) fn local(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    fn bytes(self: Pin<&mut Self>) -> Pin<&mut dyn Bytes> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream),
            Self::Unix(stream) => Pin::new(stream),
        }
    }

    /// Takes the socket out of the runtime's poll.
    fn into_transport(self) -> io::Result<Transport> {
        Ok(match self {
            Self::Tcp(stream) => Transport::Tcp(stream.into_std()?.into()),
            Self::Unix(stream) => Transport::Unix(stream.into_std()?.into()),
        })
    }

    fn into_fd(self) -> io::Result<OwnedFd> {
        Ok(match self {
            Self::Tcp(stream) => stream.into_std()?.into(),
            Self::Unix(stream) => stream.into_std()?.into(),
        })
    }
}

impl Socket {
    pub(super) fn plain(plain: Plain, stalled: Arc<Stalled>) -> Self {
        Self { stream: Stream::Plain(plain), stalled }
    }

    pub(super) fn secure(secure: Secure<Plain>, stalled: Arc<Stalled>) -> Self {
        Self { stream: Stream::Tls(Box::new(secure)), stalled }
    }

    /// Takes the socket out of the runtime's poll: it, and what has come on it and was decrypted.
    pub(super) fn into_transport(self) -> io::Result<(Transport, Vec<u8>)> {
        let secure = match self.stream {
            Stream::Plain(plain) => return Ok((plain.into_transport()?, Vec::new())),
            Stream::Tls(secure) => secure,
        };
        let (plain, session, early, out) = secure.into_parts();
        let socket = TlsSocket::new(plain.into_fd()?, session, out);
        Ok((Transport::Tls(Box::new(socket)), early))
    }

    fn bytes(&mut self) -> Pin<&mut dyn Bytes> {
        match &mut self.stream {
            Stream::Plain(plain) => Pin::new(plain).bytes(),
            Stream::Tls(secure) => Pin::new(&mut **secure),
        }
    }
}

/// Since when a response waits for room in the socket. hyper wants its streams to be `Send`.
#[derive(Debug)]
pub(super) struct Stalled {
    start: Instant,
    /// Milliseconds after `start`; `NOT` if nothing waits.
    since: AtomicU64,
}

const NOT: u64 = u64::MAX;

impl Stalled {
    pub(super) fn new() -> Arc<Self> {
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

    pub(super) fn for_longer_than(&self, limit: Duration) -> bool {
        let since = self.since.load(Ordering::Relaxed);
        since != NOT && u128::from(self.now().saturating_sub(since)) >= limit.as_millis()
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().bytes().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = this.bytes().poll_write(cx, bytes);
        this.stalled.note(&written);
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = this.bytes().poll_write_vectored(cx, pieces);
        this.stalled.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        // TLS takes one piece after the other: hyper had better gather them.
        matches!(self.stream, Stream::Plain(_))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = this.bytes().poll_flush(cx);
        if let Stream::Tls(_) = this.stream {
            // It takes what it is given, and has a buffer that may not leave.
            this.stalled.note(&flushed);
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().bytes().poll_shutdown(cx)
    }
}

impl AsyncRead for Plain {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.bytes().poll_read(cx, buffer)
    }
}

impl AsyncWrite for Plain {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.bytes().poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.bytes().poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.bytes().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.bytes().poll_shutdown(cx)
    }
}
