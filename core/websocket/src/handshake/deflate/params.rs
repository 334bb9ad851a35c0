//! The four parameters, as an offer and an answer carry them.
//! What may stand in which of the two is decided by [`Offer`](super::Offer) and
//! [`Policy`](super::Policy).

use std::fmt;

use super::{AnswerError, NAME, WindowBits};
use crate::handshake::Extension;

/// What stands behind the name of the extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Params {
    pub(super) server_no_context_takeover: bool,
    pub(super) client_no_context_takeover: bool,
    pub(super) server_max_window_bits: Option<WindowBits>,
    /// The inner one is missing where the parameter has no value, as an offer may have it.
    pub(super) client_max_window_bits: Option<Option<WindowBits>>,
}

pub(super) const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
pub(super) const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
pub(super) const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
pub(super) const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

impl Params {
    /// RFC 7692, section 7.1: each parameter is known, there once, and has a value that it can
    /// have.
    pub(super) fn read(extension: &Extension<'_>) -> Result<Self, AnswerError> {
        let mut params = Self::default();
        for (at, (name, value)) in extension.params.iter().enumerate() {
            let is_it = |(other, _): &(&str, _)| other == name;
            let value = value.as_deref();
            let unfit =
                || AnswerError::Value((*name).to_owned(), value.unwrap_or_default().to_owned());
            let bits = || value.and_then(WindowBits::parse).ok_or_else(unfit);
            let nothing = || if value.is_none() { Ok(true) } else { Err(unfit()) };
            match *name {
                SERVER_NO_CONTEXT_TAKEOVER => params.server_no_context_takeover = nothing()?,
                CLIENT_NO_CONTEXT_TAKEOVER => params.client_no_context_takeover = nothing()?,
                SERVER_MAX_WINDOW_BITS => params.server_max_window_bits = Some(bits()?),
                CLIENT_MAX_WINDOW_BITS => {
                    let bits = if value.is_some() { Some(bits()?) } else { None };
                    params.client_max_window_bits = Some(bits);
                }
                other => return Err(AnswerError::Unknown(other.to_owned())),
            }
            if extension.params[..at].iter().any(is_it) {
                return Err(AnswerError::Repeated((*name).to_owned()));
            }
        }
        Ok(params)
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)?;
        if self.server_no_context_takeover {
            write!(f, "; {SERVER_NO_CONTEXT_TAKEOVER}")?;
        }
        if self.client_no_context_takeover {
            write!(f, "; {CLIENT_NO_CONTEXT_TAKEOVER}")?;
        }
        if let Some(bits) = self.server_max_window_bits {
            write!(f, "; {SERVER_MAX_WINDOW_BITS}={bits}")?;
        }
        match self.client_max_window_bits {
            Some(Some(bits)) => write!(f, "; {CLIENT_MAX_WINDOW_BITS}={bits}"),
            Some(None) => write!(f, "; {CLIENT_MAX_WINDOW_BITS}"),
            None => Ok(()),
        }
    }
}
