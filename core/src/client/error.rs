//! Why there is no connection to a server.

use std::fmt;
use std::io;
use std::time::Duration;

use switchboard_websocket::handshake::{RequestError, ResponseError};

use crate::stream::SecureError;

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
    /// It does not speak TLS, or is not whom it should be.
    #[error("{0}")]
    Insecure(#[from] SecureError),
    /// It answered something else.
    #[error("{0}")]
    Answer(#[from] Refusal),
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

/// An answer that opens no WebSocket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong with it.
    pub error: ResponseError,
    /// The first line of what the server said to it, if it was asked for and is plain text.
    pub said: String,
}

impl From<ResponseError> for Refusal {
    fn from(error: ResponseError) -> Self {
        Self { error, said: String::new() }
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.said.as_str() {
            "" => self.error.fmt(f),
            said => write!(f, "{}: {said}", self.error),
        }
    }
}
