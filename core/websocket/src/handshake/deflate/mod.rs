//! The two sides agree on permessage-deflate: RFC 7692, sections 5 and 7.1.
//!
//! A client sends an [`Offer`] and holds the answer against it. A server has a [`Policy`], which
//! takes the first offer that it can. Each comes to an [`Agreed`], in which only a window may differ
//! that a server narrows without saying so.
//!
//! ```
//! use switchboard_websocket::handshake::deflate::{Mode, Offer, Policy};
//!
//! let offer = Offer::default();
//! assert_eq!(offer.to_string(), "permessage-deflate; client_max_window_bits");
//!
//! let policy = Policy { mode: Mode::Dedicated, ..Policy::default() };
//! let accepted = policy.accept([offer.to_string().as_bytes()])?.expect("nothing speaks against it");
//! assert_eq!(accepted.answer, "permessage-deflate; client_max_window_bits=12");
//!
//! let agreed = offer.check([accepted.answer.as_bytes()]).expect("the answer fits the offer");
//! assert_eq!(agreed.map(|agreed| agreed.client_max_window_bits.get()), Some(12));
//! # Ok::<(), switchboard_websocket::handshake::MalformedExtensions>(())
//! ```

mod offer;
mod params;
mod policy;

pub use offer::{AnswerError, Offer, OfferError};
pub use policy::{Accepted, Mode, Policy};

pub use crate::deflate::{Agreed, NAME, WindowBits};
