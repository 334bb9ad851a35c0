//! Our WebSocket client: dials, makes the handshake, and hands over the socket.
//!
//! What is said on the socket afterwards is whose it is: `endpoint::forward`, and `connect`. Async on
//! the runtime of the calling thread; names are looked up beside it.

mod error;
mod random;
mod shaking;
mod socket;

use std::time::Duration;

use switchboard_websocket::Server;
use switchboard_websocket::handshake::deflate::{Agreed, Offer};
use tokio::time::Instant;

use crate::tls;

pub use error::{DialError, Refusal};
pub use random::mask;
pub use socket::{Socket, Stream};

use shaking::Asked;

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
    /// Compression, if it is offered. A server that answers what does not fit it is refused.
    pub deflate: Option<Offer>,
    /// More headers.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// A connection whose server has accepted.
#[derive(Debug)]
pub struct Dialled {
    /// Registered with the runtime of the calling thread.
    pub socket: Socket,
    /// Bytes that came behind the handshake.
    pub early: Vec<u8>,
    /// The server's choice.
    pub subprotocol: Option<String>,
    /// How both sides compress; none if it was not offered, or the server declined.
    pub deflate: Option<Agreed>,
    /// All headers of the 101.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// How long and how much.
#[derive(Debug, Clone, Copy)]
pub struct DialLimits {
    /// From the beginning to the 101.
    pub within: Duration,
    /// The longest head of an answer.
    pub head_bytes_max: usize,
    /// Of what a server says to its refusal, so much is waited for and read.
    pub said_bytes_max: usize,
    /// A TCP connection on which nothing comes is asked for life after so long, if at all.
    pub keepalive: Option<Duration>,
}

/// Connects to `server` and makes the handshake; with `tls` that of TLS before it.
///
/// # Errors
/// There is no connection, and nothing is left of it. What cannot be asked is said before anything
/// is dialled.
pub async fn dial(
    server: &Server,
    tls: Option<&tls::Client>,
    ask: &Ask,
    limits: DialLimits,
) -> Result<Dialled, DialError> {
    let asked = Asked::new(ask)?;
    let end = Instant::now() + limits.within;
    let mut socket = Socket::connect(server, end, limits).await?;
    if let Some(tls) = tls {
        socket = socket.secure(server, tls, end, limits).await?;
    }
    let answer = match &mut socket {
        Socket::Tcp(socket) => asked.shake(socket, end, limits).await?,
        Socket::Unix(socket) => asked.shake(socket, end, limits).await?,
        Socket::Tls(secure) => asked.shake(&mut **secure, end, limits).await?,
    };
    let shaking::Answer { early, subprotocol, deflate, headers } = answer;
    Ok(Dialled { socket, early, subprotocol, deflate, headers })
}
