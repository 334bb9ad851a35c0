//! What can go wrong, and the exit status that says so.

use std::io;
use std::time::Duration;

use switchboard_websocket::ProtocolError;
use switchboard_websocket::handshake::{RequestError, ResponseError};

use crate::client::Refusal;
use crate::stream::SecureError;
use crate::tls::RootsError;

/// The end of a `connect` that did not go well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum Error {
    /// What the user asked for cannot be sent.
    #[error("{0}")]
    Request(#[from] RequestError),
    /// No address, nobody there, or no answer.
    #[error("cannot reach {url}: {error}")]
    Unreachable { url: String, error: io::Error },
    /// `--cacert`, or a system that trusts nobody.
    #[error(transparent)]
    Roots(#[from] RootsError),
    /// It cannot be spoken to in private.
    #[error("{url}: {error}")]
    Insecure { url: String, error: SecureError },
    /// The server answers, but not with a WebSocket.
    #[error("{0}")]
    Handshake(Refusal),
    /// The server ended the stream before its answer was whole.
    #[error("the server ended the connection before it answered the handshake")]
    NoAnswer,
    /// A line of the input.
    #[error("line {line} of the input: {reason}")]
    Input { line: u64, reason: String },
    /// The server broke a rule.
    #[error("the server broke the protocol: {0}")]
    Protocol(#[from] ProtocolError),
    /// The socket.
    #[error("the connection was cut: {0}")]
    Cut(#[from] io::Error),
    /// Code 1006.
    #[error("the server ended the connection without a close frame")]
    NoClose,
    /// A code that is not 1000 or 1001. That it came has been shown.
    #[error("the server closed with {0}")]
    ClosedWith(u16),
    /// `--expect`.
    #[error("{got} messages came instead of {expected}")]
    Expected { got: u64, expected: u64 },
    /// `--ping`.
    #[error("the server does not answer a ping")]
    NoPong,
    /// `--timeout`, after our Close frame.
    #[error("the server did not answer the close within {0:?}")]
    NoCloseAnswer(Duration),
    /// A second Ctrl-C.
    #[error("ended without waiting for the server's close")]
    Impatient,
    /// Nobody reads what we print.
    #[error("cannot print: {0}")]
    Output(io::Error),
}

impl Error {
    /// sysexits.h has the numbers above 1.
    pub(super) fn exit_status(&self) -> u8 {
        match self {
            Self::Request(_) | Self::Roots(_) => 64,
            Self::Input { .. } => 65,
            Self::Unreachable { .. } => 69,
            Self::Handshake(_) | Self::NoAnswer | Self::Insecure { .. } => 76,
            _ => 1,
        }
    }

    /// The status that came instead of 101.
    pub(super) fn http_status(&self) -> Option<u16> {
        match self {
            Self::Handshake(Refusal { error: ResponseError::Status(status), .. }) => Some(*status),
            _ => None,
        }
    }
}
