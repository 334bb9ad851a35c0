//! Compressed messages: permessage-deflate, RFC 7692.
//!
//! A message that is sent compressed has RSV1 set in its first frame. Its payload, of all its
//! frames together, is a sequence of deflate blocks (RFC 1951) whose last four bytes, always
//! `00 00 ff ff`, are left out. A sender decides for each message whether to compress it.
//!
//! What both sides may do is settled in the opening handshake and is an [`Agreed`]:
//! [`handshake::deflate`](crate::handshake::deflate) makes one. With it a
//! [`Decoder`](crate::Decoder::with_deflate) inflates what comes, and a [`Deflater`] deflates what
//! goes. The work itself is done by an [`Engine`], of which a thread needs only one.
//!
//! ```
//! use switchboard_websocket::deflate::{Agreed, Deflater, Engine};
//! use switchboard_websocket::{Decoder, Event, Kind, Limits, Role};
//!
//! let agreed = Agreed::default();
//! let mut engine = Engine::default();
//!
//! // A server sends the same text twice ...
//! let mut deflater = Deflater::new(Role::Server, &agreed, 0);
//! let mut bytes = Vec::new();
//! let text = "What has been said before, or much like it, takes little room.";
//! for _ in 0..2 {
//!     deflater.write_message(&mut engine, &mut bytes, Kind::Text, text.as_bytes(), None);
//! }
//! assert!(bytes.len() < text.len() + 20);
//!
//! // ... and a client reads it twice.
//! let limits = Limits { message_bytes_max: 1 << 20, frame_bytes_max: 1 << 20 };
//! let mut decoder = Decoder::with_deflate(Role::Client, &agreed);
//! let mut at = 0;
//! for _ in 0..2 {
//!     let event = decoder.next_in(&mut engine, &limits, &mut bytes, &mut at)?;
//!     assert_eq!(event, Some(Event::Message { kind: Kind::Text, payload: text.as_bytes() }));
//! }
//! # Ok::<(), switchboard_websocket::ProtocolError>(())
//! ```
//!
//! # Context takeover
//!
//! Deflate says "as 700 bytes ago". With *context takeover* that may reach back into the messages
//! before, as far as the *window*: 2^8 to 2^15 bytes. Without, each message begins with an empty
//! window. Each direction has its own setting.
//!
//! Takeover compresses small messages that are alike much better, and costs the memory of the
//! window for as long as the connection lives. Of each direction exactly these bytes are kept, and
//! no compressor with them: an engine is shown the window again for each message.

mod deflater;
mod engine;
mod history;
mod inflation;
mod short;

use std::fmt;

pub use deflater::Deflater;
pub use engine::{Counts, Engine};
pub(crate) use inflation::{Inflates, Inflation, Part, wire_bytes_max};

use crate::Role;

/// The name under which the extension is registered.
pub const NAME: &str = "permessage-deflate";

/// What the two sides agreed on. The default is what an offer and an answer without parameters
/// agree on: takeover and the widest window, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Agreed {
    /// The server begins each message with an empty window.
    pub server_no_context_takeover: bool,
    /// The client begins each message with an empty window.
    pub client_no_context_takeover: bool,
    /// How far back the server reaches.
    pub server_max_window_bits: WindowBits,
    /// How far back the client reaches.
    pub client_max_window_bits: WindowBits,
}

impl Agreed {
    /// How `sender` compresses: whether with takeover, and how far it reaches back.
    pub(crate) fn of(&self, sender: Role) -> (bool, WindowBits) {
        match sender {
            Role::Server => (!self.server_no_context_takeover, self.server_max_window_bits),
            Role::Client => (!self.client_no_context_takeover, self.client_max_window_bits),
        }
    }
}

/// The size of a window, as its base-2 logarithm: from 8 for 256 bytes to 15 for 32 KiB, which is
/// the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowBits(u8);

impl WindowBits {
    /// 256 bytes.
    pub const MIN: Self = Self(8);
    /// 32 KiB.
    pub const MAX: Self = Self(15);

    /// The window of 2^`bits` bytes, if the RFC knows it.
    pub const fn new(bits: u8) -> Option<Self> {
        match bits {
            8..=15 => Some(Self(bits)),
            _ => None,
        }
    }

    /// The window that a parameter's value names. RFC 7692, section 7.1.2.1: a number from 8 to 15
    /// without leading zeros.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        (8..=15).find(|bits: &u8| bits.to_string() == value).map(Self)
    }

    /// The logarithm.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// The size.
    pub const fn bytes(self) -> usize {
        1 << self.0
    }
}

impl Default for WindowBits {
    fn default() -> Self {
        Self::MAX
    }
}

impl fmt::Display for WindowBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
