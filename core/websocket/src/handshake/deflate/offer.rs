//! What a client offers, and what it makes of the answer.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::params::{
    CLIENT_MAX_WINDOW_BITS, Params, SERVER_MAX_WINDOW_BITS, SERVER_NO_CONTEXT_TAKEOVER,
};
use super::{Agreed, NAME, WindowBits};
use crate::handshake::extensions;

/// What a client offers. Shown, it is the value of `Sec-WebSocket-Extensions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// The server shall begin each message with an empty window.
    pub server_no_context_takeover: bool,
    /// The client will begin each message with an empty window, whatever the server says.
    pub client_no_context_takeover: bool,
    /// The widest window that the server may use.
    pub server_max_window_bits: Option<WindowBits>,
    /// The server may ask the client for a window, of at most this size; 15 is no bound. Without
    /// it, it may not ask.
    pub client_max_window_bits: Option<WindowBits>,
}

impl Default for Offer {
    /// Everything is left to the server.
    fn default() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: None,
            client_max_window_bits: Some(WindowBits::MAX),
        }
    }
}

impl Offer {
    /// Holds the values of all headers `Sec-WebSocket-Extensions` of a response against the offer;
    /// `None` if the server declined it.
    ///
    /// # Errors
    /// The answer does not fit. RFC 7692, section 7.1: the client fails the connection.
    pub fn check<'a>(
        &self,
        values: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Option<Agreed>, AnswerError> {
        let mut answer = None;
        for value in values {
            for chosen in extensions(value).map_err(|_| AnswerError::Malformed)? {
                if chosen.name != NAME {
                    return Err(AnswerError::NotOffered(chosen.name.to_owned()));
                }
                if answer.is_some() {
                    return Err(AnswerError::Twice);
                }
                answer = Some(Params::read(&chosen)?);
            }
        }
        answer.map(|answer| self.agree(&answer)).transpose()
    }

    fn agree(&self, answer: &Params) -> Result<Agreed, AnswerError> {
        if self.server_no_context_takeover && !answer.server_no_context_takeover {
            return Err(AnswerError::Missing(SERVER_NO_CONTEXT_TAKEOVER));
        }
        match (self.server_max_window_bits, answer.server_max_window_bits) {
            (Some(_), None) => return Err(AnswerError::Missing(SERVER_MAX_WINDOW_BITS)),
            (Some(offered), Some(chosen)) if chosen > offered => {
                return Err(AnswerError::Window { name: SERVER_MAX_WINDOW_BITS, offered, chosen });
            }
            _ => {}
        }
        let client_max_window_bits =
            match (self.client_max_window_bits, answer.client_max_window_bits) {
                (offered, None) => offered.unwrap_or_default(),
                (None, Some(_)) => {
                    return Err(AnswerError::NotOffered(CLIENT_MAX_WINDOW_BITS.to_owned()));
                }
                (Some(_), Some(None)) => {
                    let name = CLIENT_MAX_WINDOW_BITS.to_owned();
                    return Err(AnswerError::Value(name, String::new()));
                }
                (Some(offered), Some(Some(chosen))) if chosen > offered => {
                    let name = CLIENT_MAX_WINDOW_BITS;
                    return Err(AnswerError::Window { name, offered, chosen });
                }
                (Some(_), Some(Some(chosen))) => chosen,
            };
        Ok(Agreed {
            server_no_context_takeover: answer.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover
                || answer.client_no_context_takeover,
            server_max_window_bits: answer.server_max_window_bits.unwrap_or_default(),
            client_max_window_bits,
        })
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every client can use the widest window, so there is no value that says so.
        let below_max = |bits| Some(bits).filter(|bits| *bits < WindowBits::MAX);
        Params {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: self.server_max_window_bits,
            client_max_window_bits: self.client_max_window_bits.map(below_max),
        }
        .fmt(f)
    }
}

/// Reads the parameters as they stand behind the name of the extension, divided by semicolons; none
/// is the bare name, which is not the [`Default`].
///
/// ```
/// use switchboard_websocket::handshake::deflate::Offer;
///
/// let offer: Offer = "client_no_context_takeover; server_max_window_bits=10".parse()?;
/// assert!(offer.client_no_context_takeover && offer.client_max_window_bits.is_none());
/// # Ok::<(), switchboard_websocket::handshake::deflate::OfferError>(())
/// ```
impl FromStr for Offer {
    type Err = OfferError;

    fn from_str(text: &str) -> Result<Self, OfferError> {
        let divider = if text.trim().is_empty() { "" } else { ";" };
        let whole = format!("{NAME}{divider}{text}");
        let list = extensions(whole.as_bytes()).map_err(|_| OfferError::Malformed)?;
        // A comma begins another extension.
        let [extension] = &list[..] else { return Err(OfferError::Malformed) };
        let params = Params::read(extension)?;
        Ok(Self {
            server_no_context_takeover: params.server_no_context_takeover,
            client_no_context_takeover: params.client_no_context_takeover,
            server_max_window_bits: params.server_max_window_bits,
            client_max_window_bits: params.client_max_window_bits.map(Option::unwrap_or_default),
        })
    }
}

/// Why a text is not the parameters of an [`Offer`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OfferError {
    /// RFC 6455, section 9.1.
    #[error("expected parameters of permessage-deflate, divided by ';'")]
    Malformed,
    /// RFC 7692, section 7.1 has four.
    #[error("permessage-deflate has no parameter {0:?}")]
    Unknown(String),
    /// RFC 7692, section 7.
    #[error("the parameter {0} is there twice")]
    Repeated(String),
    /// A switch has no value; a window has one from 8 to 15.
    #[error("the parameter {0} cannot have the value {1:?}")]
    Value(String, String),
}

impl From<AnswerError> for OfferError {
    /// The parameters of an answer are read in the same way.
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Unknown(name) => Self::Unknown(name),
            AnswerError::Repeated(name) => Self::Repeated(name),
            AnswerError::Value(name, value) => Self::Value(name, value),
            _ => Self::Malformed,
        }
    }
}

/// Why an answer does not fit the offer. All are faults of the server.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// RFC 6455, section 9.1.
    #[error("the answer in Sec-WebSocket-Extensions is no list of extensions")]
    Malformed,
    /// RFC 6455, section 9.1: an extension, or a parameter that must be offered first.
    #[error("the server chose {0:?}, which was not offered")]
    NotOffered(String),
    /// RFC 7692, section 5.2: one offer is accepted.
    #[error("the server chose permessage-deflate twice")]
    Twice,
    /// RFC 7692, section 7: a parameter that the RFC does not define.
    #[error("the server's answer has the unknown parameter {0:?}")]
    Unknown(String),
    /// RFC 7692, section 7: a parameter that is there twice.
    #[error("the server's answer has the parameter {0} twice")]
    Repeated(String),
    /// RFC 7692, section 7: a value that this parameter cannot have, or that is missing.
    #[error("the server's answer has the parameter {0} with the value {1:?}")]
    Value(String, String),
    /// RFC 7692, sections 7.1.1.1 and 7.1.2.1: accepting an offer with this parameter takes the
    /// parameter in the answer.
    #[error("the server accepted the offer without its parameter {0}")]
    Missing(&'static str),
    /// RFC 7692, sections 7.1.2.1 and 7.1.2.2: a window is as wide as offered, or narrower.
    #[error("the server chose {name}={chosen}, which is more than the {offered} offered")]
    Window {
        /// The parameter.
        name: &'static str,
        /// The widest window that was offered.
        offered: WindowBits,
        /// The one chosen.
        chosen: WindowBits,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Offer = Offer {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        server_max_window_bits: None,
        client_max_window_bits: None,
    };

    fn bits(bits: u8) -> WindowBits {
        WindowBits::new(bits).unwrap()
    }

    fn check(offer: &Offer, answer: &str) -> Result<Option<Agreed>, AnswerError> {
        offer.check([answer.replace("pd", NAME).as_bytes()])
    }

    #[test]
    fn an_offer_reads_as_a_header() {
        let full = Offer {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: Some(bits(15)),
            client_max_window_bits: Some(bits(9)),
        };
        assert_eq!(PLAIN.to_string(), "permessage-deflate");
        assert_eq!(
            full.to_string(),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=15; client_max_window_bits=9"
        );
    }

    #[test]
    fn an_offer_is_read_as_it_is_shown() {
        for text in [
            "",
            "server_no_context_takeover",
            "client_no_context_takeover; client_max_window_bits",
            "server_max_window_bits=15; client_max_window_bits=9",
            "server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=8; client_max_window_bits=8",
        ] {
            let offer: Offer = text.parse().unwrap();
            let divider = if text.is_empty() { "" } else { "; " };
            assert_eq!(offer.to_string(), format!("{NAME}{divider}{text}"));
        }
        assert_eq!("client_max_window_bits".parse(), Ok(Offer::default()));
        // The widest window is no bound, so it is not said.
        assert_eq!("client_max_window_bits=15".parse(), Ok(Offer::default()));
        assert_eq!(" ".parse(), Ok(PLAIN));
    }

    #[test]
    fn what_is_no_offer_says_why() {
        use OfferError::*;
        let value = |name: &str, value: &str| Value(name.to_owned(), value.to_owned());
        #[rustfmt::skip]
        let table = [
            (";",                               Malformed),
            ("client_max_window_bits;",         Malformed),
            ("client_max_window_bits, other",   Malformed),
            ("client_max_window_bits 9",        Malformed),
            ("takeover",                        Unknown("takeover".to_owned())),
            ("permessage-deflate",              Unknown("permessage-deflate".to_owned())),
            ("server_no_context_takeover; server_no_context_takeover",
                Repeated("server_no_context_takeover".to_owned())),
            ("client_no_context_takeover=on",   value("client_no_context_takeover", "on")),
            ("server_max_window_bits",          value("server_max_window_bits", "")),
            ("server_max_window_bits=7",        value("server_max_window_bits", "7")),
            ("client_max_window_bits=016",      value("client_max_window_bits", "016")),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<Offer>(), Err(expected), "{text}");
        }
    }

    #[test]
    fn an_answer_that_fits_is_agreed_on() {
        let agreed = |offer: &Offer, answer| check(offer, answer).unwrap().unwrap();
        assert_eq!(check(&PLAIN, ""), Ok(None));
        assert_eq!(PLAIN.check([]), Ok(None));
        assert_eq!(agreed(&PLAIN, "pd"), Agreed::default());
        let narrow = Agreed {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: bits(8),
            client_max_window_bits: bits(9),
        };
        assert_eq!(
            agreed(
                &Offer::default(),
                "pd; client_max_window_bits=9; server_max_window_bits=\"8\"; \
                 client_no_context_takeover; server_no_context_takeover",
            ),
            narrow
        );
        // A client keeps what it said of itself.
        let offer = Offer {
            client_no_context_takeover: true,
            client_max_window_bits: Some(bits(10)),
            ..PLAIN
        };
        let expected = Agreed {
            client_no_context_takeover: true,
            client_max_window_bits: bits(10),
            ..Agreed::default()
        };
        assert_eq!(agreed(&offer, "pd"), expected);
    }

    #[test]
    fn an_answer_that_was_not_offered_says_why() {
        use AnswerError::*;
        let value = |name: &str, value: &str| Value(name.to_owned(), value.to_owned());
        let strict = Offer {
            server_no_context_takeover: true,
            server_max_window_bits: Some(bits(10)),
            ..PLAIN
        };
        let bounded = Offer { client_max_window_bits: Some(bits(10)), ..PLAIN };
        #[rustfmt::skip]
        let table = [
            (PLAIN,   "pd;",            Malformed),
            (PLAIN,   "other",          NotOffered("other".to_owned())),
            (PLAIN,   "pd, other",      NotOffered("other".to_owned())),
            (PLAIN,   "pd, pd",         Twice),
            (PLAIN,   "pd; x=1",        Unknown("x".to_owned())),
            (PLAIN,   "pd; server_no_context_takeover; server_no_context_takeover",
                Repeated("server_no_context_takeover".to_owned())),
            (PLAIN,   "pd; server_no_context_takeover=1", value("server_no_context_takeover", "1")),
            (PLAIN,   "pd; server_max_window_bits",       value("server_max_window_bits", "")),
            (PLAIN,   "pd; server_max_window_bits=16",    value("server_max_window_bits", "16")),
            (PLAIN,   "pd; client_max_window_bits=9",
                NotOffered("client_max_window_bits".to_owned())),
            (bounded, "pd; client_max_window_bits",       value("client_max_window_bits", "")),
            (bounded, "pd; client_max_window_bits=7",     value("client_max_window_bits", "7")),
            (bounded, "pd; client_max_window_bits=11",    Window {
                name: "client_max_window_bits", offered: bits(10), chosen: bits(11) }),
            (strict,  "pd",             Missing("server_no_context_takeover")),
            (strict,  "pd; server_no_context_takeover",   Missing("server_max_window_bits")),
            (strict,  "pd; server_no_context_takeover; server_max_window_bits=11", Window {
                name: "server_max_window_bits", offered: bits(10), chosen: bits(11) }),
        ];
        for (offer, answer, expected) in table {
            assert_eq!(check(&offer, answer), Err(expected), "{offer} answered {answer}");
        }
    }
}
