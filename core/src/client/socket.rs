//! A socket to a server, connected in time.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use switchboard_websocket::Server;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep, timeout_at};

use super::{DialError, DialLimits};
use crate::stream::{Secure, SecureError, TlsSocket, Transport};
use crate::tls::{self, TlsError};

/// A connected socket, which the runtime polls.
#[derive(Debug)]
pub enum Socket {
    /// Over TCP.
    Tcp(TcpStream),
    /// A Unix stream socket.
    Unix(UnixStream),
    /// TLS over TCP.
    Tls(Box<Secure<TcpStream>>),
}

/// Bytes that are awaited in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// How long to wait for room in the queue of a Unix socket.
const UNIX_RETRY: Duration = Duration::from_millis(20);

/// Between two questions for life.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

impl Socket {
    pub(super) async fn connect(
        server: &Server,
        end: Instant,
        limits: DialLimits,
    ) -> Result<Self, DialError> {
        match server {
            Server::Tcp { host, port } => {
                let socket = connect_tcp(host, *port, end, limits).await?;
                prepare(&socket, limits.keepalive);
                Ok(Self::Tcp(socket))
            }
            Server::Unix(path) => {
                let socket = timeout_at(end, connect_unix(path)).await;
                Ok(Self::Unix(socket.unwrap_or(Err(DialError::Unconnected(limits.within)))?))
            }
        }
    }

    /// Makes the handshake of TLS, with `server` and nobody else. A Unix socket has no name to check.
    pub(super) async fn secure(
        self,
        server: &Server,
        tls: &tls::Client,
        end: Instant,
        limits: DialLimits,
    ) -> Result<Self, DialError> {
        let (Self::Tcp(socket), Server::Tcp { host, .. }) = (self, server) else {
            return Err(SecureError::Tls(TlsError::Closed).into());
        };
        let session = tls.session(host).map_err(SecureError::Tls)?;
        let shaken = timeout_at(end, Secure::connect(socket, session)).await;
        let secure = shaken.map_err(|_| DialError::Unanswered(limits.within))??;
        Ok(Self::Tls(Box::new(secure)))
    }

    /// For a shard: non-blocking, and in nobody's poll; and what has come on it already.
    ///
    /// # Errors
    /// The system's.
    pub fn into_transport(self) -> io::Result<(Transport, Vec<u8>)> {
        let transport = match self {
            Self::Tcp(socket) => Transport::Tcp(socket.into_std()?.into()),
            Self::Unix(socket) => Transport::Unix(socket.into_std()?.into()),
            Self::Tls(secure) => {
                let (socket, session, early, out) = secure.into_parts();
                let socket = TlsSocket::new(socket.into_std()?.into(), session, out);
                return Ok((Transport::Tls(Box::new(socket)), early));
            }
        };
        Ok((transport, Vec::new()))
    }

    /// For a task of the same runtime.
    pub fn into_stream(self) -> Box<dyn Stream> {
        match self {
            Self::Tcp(socket) => Box::new(socket),
            Self::Unix(socket) => Box::new(socket),
            Self::Tls(secure) => secure,
        }
    }
}

/// Tries each address that the name has. Each gets a fair share of the time that is left, so that
/// one that swallows packets does not stand before one that answers.
async fn connect_tcp(
    host: &str,
    port: u16,
    end: Instant,
    limits: DialLimits,
) -> Result<TcpStream, DialError> {
    let found = timeout_at(end, resolve(host, port)).await;
    let addresses = found.unwrap_or_else(|_| {
        let source = io::Error::new(io::ErrorKind::TimedOut, "nobody answers in time");
        Err(DialError::Unresolved { host: host.to_owned(), source })
    })?;
    let mut last = DialError::Unconnected(limits.within);
    for (tried, address) in addresses.iter().enumerate() {
        let left = end.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => return Ok(socket),
            Ok(Err(error)) => last = DialError::Unreachable(error),
            Err(_) => last = DialError::Unconnected(limits.within),
        }
    }
    Err(last)
}

/// The addresses of a name. The runtime looks it up on a thread of its own.
async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, DialError> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let unresolved = |source| DialError::Unresolved { host: host.to_owned(), source };
    let found: Vec<_> = tokio::net::lookup_host((host, port)).await.map_err(unresolved)?.collect();
    if found.is_empty() {
        return Err(unresolved(io::Error::other("it has no address")));
    }
    Ok(found)
}

async fn connect_unix(path: &str) -> Result<UnixStream, DialError> {
    loop {
        match UnixStream::connect(path).await {
            Ok(socket) => return Ok(socket),
            // connect(2): a Unix socket whose queue is full says so instead of waiting.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(UNIX_RETRY).await,
            Err(error) => return Err(DialError::Unreachable(error)),
        }
    }
}

/// Small messages leave at once; a server whose machine is gone is noticed. That neither can be had
/// is no reason to do without the connection.
fn prepare(socket: &TcpStream, keepalive: Option<Duration>) {
    let _ = socket.set_nodelay(true);
    if let Some(after) = keepalive {
        let keepalive = TcpKeepalive::new().with_time(after).with_interval(KEEPALIVE_INTERVAL);
        let _ = SockRef::from(socket).set_tcp_keepalive(&keepalive.with_retries(3));
    }
}
