//! Our WebSocket client: dials, makes the handshake, and hands over the socket.
//!
//! What is said on the socket afterwards is whose it is: `endpoint::forward`, and the commands that
//! test a server. Async on the runtime of the calling thread; names are looked up beside it.

mod random;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use switchboard_websocket::Server;
use switchboard_websocket::handshake::{
    Request, RequestError, Response, ResponseError, random_key_from, response_head_len,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep, timeout_at};

use crate::stream::Transport;

pub use random::{key, mask};

/// What a server is asked for. The key is made for each handshake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ask {
    /// Value of `Host`.
    pub host: String,
    /// Path and query.
    pub target: String,
    /// Value of `Origin`.
    pub origin: Option<String>,
    /// The best first.
    pub subprotocols: Vec<String>,
    /// More headers.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// A connection whose server has accepted.
#[derive(Debug)]
pub struct Dialled {
    /// Non-blocking, and in nobody's poll.
    pub transport: Transport,
    /// Bytes that came behind the handshake.
    pub early: Vec<u8>,
    /// The server's choice.
    pub subprotocol: Option<String>,
    /// All headers of the 101.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// Why there is no connection. Each is a sentence on the server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialError {
    /// The name is not known, or nobody says.
    #[error("the name {host:?} cannot be resolved: {source}")]
    Unresolved {
        /// The name.
        host: String,
        /// What the system said.
        source: io::Error,
    },
    /// It takes no connection.
    #[error("it cannot be connected to: {0}")]
    Unreachable(io::Error),
    /// It did not take the connection in time.
    #[error("it did not take the connection within {0:?}")]
    Unconnected(Duration),
    /// It took the connection, and did not answer in time.
    #[error("it did not answer the handshake within {0:?}")]
    Unanswered(Duration),
    /// It took the connection, and ended it.
    #[error("it ended the connection before it answered the handshake")]
    Ended,
    /// The connection broke.
    #[error("the connection broke before it answered the handshake: {0}")]
    Broken(io::Error),
    /// It answered something else.
    #[error("{0}")]
    Answer(#[from] ResponseError),
    /// It cannot be asked that.
    #[error("{0}")]
    Ask(#[from] RequestError),
}

impl DialError {
    /// What a client is told whom a gateway could not connect. RFC 9110, sections 15.6.3 and 15.6.5.
    pub fn status(&self) -> u16 {
        match self {
            Self::Unconnected(_) | Self::Unanswered(_) => 504,
            _ => 502,
        }
    }
}

/// How long and how much.
#[derive(Debug, Clone, Copy)]
pub struct DialLimits {
    /// From the beginning to the 101.
    pub within: Duration,
    /// The longest head of an answer.
    pub head_bytes_max: usize,
    /// A TCP connection on which nothing comes is asked for life after so long, if at all.
    pub keepalive: Option<Duration>,
}

/// How long to wait for room in the queue of a Unix socket.
const UNIX_RETRY: Duration = Duration::from_millis(20);

/// Between two questions for life.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// Most heads are shorter.
const HEAD_BYTES: usize = 512;

/// Connects to `server` and makes the handshake.
///
/// # Errors
/// There is no connection, and nothing is left of it.
pub async fn dial(server: &Server, ask: &Ask, limits: DialLimits) -> Result<Dialled, DialError> {
    let end = Instant::now() + limits.within;
    match server {
        Server::Tcp { host, port } => {
            let mut socket = connect(host, *port, end, limits).await?;
            prepare(&socket, limits.keepalive);
            let answer = shake(&mut socket, ask, end, limits).await?;
            let socket = socket.into_std().map_err(DialError::Broken)?;
            Ok(answer.on(Transport::Tcp(socket.into())))
        }
        Server::Unix(path) => {
            let socket = timeout_at(end, connect_unix(path)).await;
            let mut socket = socket.unwrap_or(Err(DialError::Unconnected(limits.within)))?;
            let answer = shake(&mut socket, ask, end, limits).await?;
            let socket = socket.into_std().map_err(DialError::Broken)?;
            Ok(answer.on(Transport::Unix(socket.into())))
        }
    }
}

/// Tries each address that the name has. Each gets a fair share of the time that is left, so that
/// one that swallows packets does not stand before one that answers.
async fn connect(
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

/// A good answer, without its socket.
struct Answer {
    early: Vec<u8>,
    subprotocol: Option<String>,
    headers: Vec<(String, Vec<u8>)>,
}

impl Answer {
    fn on(self, transport: Transport) -> Dialled {
        let Self { early, subprotocol, headers } = self;
        Dialled { transport, early, subprotocol, headers }
    }
}

async fn shake(
    socket: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ask: &Ask,
    end: Instant,
    limits: DialLimits,
) -> Result<Answer, DialError> {
    let nonce = random_key_from(key());
    let offered: Vec<&str> = ask.subprotocols.iter().map(String::as_str).collect();
    let headers: Vec<_> =
        ask.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    let request = Request {
        origin: ask.origin.as_deref(),
        subprotocols: &offered,
        headers: &headers,
        ..Request::new(&ask.host, &ask.target, &nonce)
    };
    let mut bytes = Vec::new();
    request.write(&mut bytes)?;
    let exchanged = async {
        socket.write_all(&bytes).await.map_err(DialError::Broken)?;
        read_head(socket, limits.head_bytes_max).await
    };
    let answered = timeout_at(end, exchanged).await;
    let (mut head, len) = answered.unwrap_or(Err(DialError::Unanswered(limits.within)))?;
    let early = head.split_off(len);
    let response = Response::parse(&head)?;
    let subprotocol = response.check(&nonce, &offered)?.map(str::to_owned);
    let headers = response.headers().map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(Answer { early, subprotocol, headers: headers.collect() })
}

/// The head of the answer, what came behind it, and where it ends.
async fn read_head(
    socket: &mut (impl AsyncRead + Unpin),
    head_bytes_max: usize,
) -> Result<(Vec<u8>, usize), DialError> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    loop {
        match socket.read_buf(&mut head).await {
            Ok(0) => return Err(DialError::Ended),
            Ok(_) => {}
            Err(error) => return Err(DialError::Broken(error)),
        }
        if let Some(len) = response_head_len(&head, head_bytes_max)? {
            return Ok((head, len));
        }
    }
}
