//! What can go wrong, for the author and for the host. Not what the client is told.

use std::any::Any;
use std::fmt;

use switchboard_abi::*;

/// The host has taken a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// Go on.
    Taken,
    /// Taken, but more waits for this client than its soft mark: send less until `writable`.
    Pressure,
}

/// Why the host has not taken what it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The queue is full. For a connection `writable` follows, for a topic try later.
    Again,
    /// The connection has ended. Let it go: `closed` comes or has come.
    Closed,
    /// Longer than a limit allows. Send less in one message.
    TooBig,
    /// An argument breaks the rules, such as a close code that nobody may send.
    Invalid,
    /// Not now: the handshake is answered already, or not yet.
    Denied,
    /// No memory, or a budget is used up.
    NoMemory,
    /// This host does not know how.
    Unsupported,
    /// The key is taken by another member of the topic.
    Busy,
    /// Any other failure.
    Failed,
}

impl SendError {
    /// `status` as a result; what is not known counts by its sign.
    pub(crate) fn check(status: sb_status) -> Result<Sent, Self> {
        match status {
            SB_PRESSURE => Ok(Sent::Pressure),
            0.. => Ok(Sent::Taken),
            SB_E_AGAIN => Err(Self::Again),
            SB_E_CLOSED => Err(Self::Closed),
            SB_E_TOO_BIG => Err(Self::TooBig),
            SB_E_INVALID => Err(Self::Invalid),
            SB_E_DENIED => Err(Self::Denied),
            SB_E_NOMEM => Err(Self::NoMemory),
            SB_E_UNSUPPORTED => Err(Self::Unsupported),
            SB_E_BUSY => Err(Self::Busy),
            _ => Err(Self::Failed),
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Again => "the queue is full",
            Self::Closed => "the connection has ended",
            Self::TooBig => "longer than a limit allows",
            Self::Invalid => "an argument breaks the rules",
            Self::Denied => "not allowed in this state",
            Self::NoMemory => "no memory, or a budget is used up",
            Self::Unsupported => "this host does not know how",
            Self::Busy => "taken by another one",
            Self::Failed => "the host failed",
        })
    }
}

impl std::error::Error for SendError {}

/// Why an endpoint could not do its work, as a sentence for the log.
///
/// Every error of the standard library's kind becomes one by `?`.
pub struct Error {
    text: String,
    status: sb_status,
}

impl Error {
    /// An error that says `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), status: SB_E_FAILED }
    }

    pub(crate) fn status(&self) -> sb_status {
        self.status
    }
}

impl<E: std::error::Error + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        // A client that left while it was being answered is no fault of anybody.
        let gone = (&error as &dyn Any).downcast_ref() == Some(&SendError::Closed);
        Self { text: error.to_string(), status: if gone { SB_E_CLOSED } else { SB_E_FAILED } }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_status_counts_by_its_sign() {
        assert_eq!(SendError::check(77), Ok(Sent::Taken));
        assert_eq!(SendError::check(-77), Err(SendError::Failed));
    }

    #[test]
    fn each_known_status_has_its_word() {
        let table = [
            (SB_OK, Ok(Sent::Taken)),
            (SB_PRESSURE, Ok(Sent::Pressure)),
            (SB_E_AGAIN, Err(SendError::Again)),
            (SB_E_CLOSED, Err(SendError::Closed)),
            (SB_E_TOO_BIG, Err(SendError::TooBig)),
            (SB_E_INVALID, Err(SendError::Invalid)),
            (SB_E_DENIED, Err(SendError::Denied)),
            (SB_E_NOMEM, Err(SendError::NoMemory)),
            (SB_E_UNSUPPORTED, Err(SendError::Unsupported)),
            (SB_E_BUSY, Err(SendError::Busy)),
            (SB_E_PANIC, Err(SendError::Failed)),
        ];
        for (status, expected) in table {
            assert_eq!(SendError::check(status), expected, "status {status}");
        }
    }

    #[test]
    fn a_client_that_has_gone_is_told_apart() {
        assert_eq!(Error::from(SendError::Closed).status(), SB_E_CLOSED);
        assert_eq!(Error::from(SendError::Again).status(), SB_E_FAILED);
        assert_eq!(Error::new("no").to_string(), "no");
    }
}
