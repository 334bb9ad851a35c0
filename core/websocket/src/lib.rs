//! RFC 6455 frames and messages, compressed by RFC 7692 if both sides wish, without I/O.
//!
//! Bytes go in, events come out: the caller owns the socket, the clock, and the randomness. So the
//! same code serves a server and a client, blocking or not, and a test needs no network.
//!
//! ```
//! use switchboard_websocket::{Decoder, Event, Kind, Limits, Role, write_message};
//!
//! // What a client would send: a text message, masked.
//! let mut bytes = Vec::new();
//! write_message(&mut bytes, Kind::Text, b"Hello", Some([0x37, 0xfa, 0x21, 0x3d]));
//! assert_eq!(bytes, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
//!
//! // The server's side. The bytes may come in pieces of any size.
//! let limits = Limits { message_bytes_max: 1 << 20, frame_bytes_max: 1 << 20 };
//! let mut decoder = Decoder::new(Role::Server);
//! let mut at = 0;
//! while let Some(event) = decoder.next(&limits, &mut bytes, &mut at)? {
//!     match event {
//!         Event::Message { kind, payload } => {
//!             assert_eq!((kind, payload), (Kind::Text, b"Hello".as_slice()));
//!         }
//!         Event::Ping(_payload) => { /* write_pong */ }
//!         Event::Pong(_) => {}
//!         Event::Close(_close) => { /* write_close, and no more */ }
//!     }
//! }
//! assert!(decoder.is_idle());
//! # Ok::<(), switchboard_websocket::ProtocolError>(())
//! ```
//!
//! # What a frame looks like
//!
//! RFC 6455, section 5.2. A connection is a sequence of frames in each direction, and a frame is a
//! header of 2 to 14 bytes, a [`FrameHeader`], and a payload:
//!
//! ```text
//!  byte 0            byte 1            2 or 8 bytes,    4 bytes,     payload length
//!                                      if length says   if MASK
//! +-+-+-+-+-------+ +-+-------------+ +--------------+ +----------+ +---------- - -
//! |F|R|R|R| opcode| |M|   length    | | the real     | | masking  | | payload
//! |I|S|S|S|       | |A|             | | length, big  | | key      | |
//! |N|V|V|V|       | |S| 0-125, or   | | endian       | |          | |
//! | |1|2|3|       | |K| 126, or 127 | |              | |          | |
//! +-+-+-+-+-------+ +-+-------------+ +--------------+ +----------+ +---------- - -
//!  7 6 5 4 3     0   7 6           0
//! ```
//!
//! * **FIN** is set in the last frame of a message, which may be its only one. A sender that does
//!   not know yet how long a message becomes sends it in *fragments*: the first has the opcode of
//!   the message, each further one opcode 0, and only the last has FIN.
//! * **RSV1** to **RSV3** are zero unless both sides agreed on an extension that uses them.
//! * The **opcode** says what the payload is: 0 continuation, 1 text, 2 binary; and, with its top
//!   bit set, the *control frames*: 8 Close, 9 Ping, 10 Pong. A control frame is never fragmented,
//!   carries at most 125 bytes, and may come between the fragments of a message.
//! * **MASK** is set in every frame from a client and in none from a server.
//! * The **length** of the payload, if below 126; 126 means that it follows in 16 bits, 127 that it
//!   follows in 64, of which the top one is zero. The shortest form that fits is the only right
//!   one.
//! * The **masking key** is new and random for each frame. Byte *i* of the payload is sent XOR byte
//!   *i* modulo 4 of the key: see [`apply_mask`].
//!
//! The `Hello` above, byte by byte:
//!
//! ```
//! use switchboard_websocket::{FrameHeader, OpCode, apply_mask};
//!
//! let mut frame = *b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
//! // 0x81 is FIN and opcode 1; 0x85 is MASK and length 5; then come the key and the payload.
//! let Some((header, header_len)) = FrameHeader::parse(&frame)? else { panic!("all is there") };
//! assert!(header.fin);
//! assert_eq!(header.opcode, OpCode::Text);
//! assert_eq!(header.payload_len, 5);
//! assert_eq!(header.mask, Some([0x37, 0xfa, 0x21, 0x3d]));
//! assert_eq!(header_len, 6);
//!
//! let payload = &mut frame[header_len..];
//! apply_mask(payload, [0x37, 0xfa, 0x21, 0x3d], 0);
//! assert_eq!(payload, b"Hello");
//! # Ok::<(), switchboard_websocket::ProtocolError>(())
//! ```
//!
//! # Compression
//!
//! Both sides may agree to compress messages, by permessage-deflate of RFC 7692: see [`deflate`],
//! and [`handshake::deflate`] for how they agree.
//!
//! # What holds
//!
//! * Nothing is reserved on the peer's word: what a header declares is held against [`Limits`], and
//!   memory grows with the bytes that came, to at most twice of them. What is compressed is held
//!   against them while it is inflated, not afterwards.
//! * Time is linear in the bytes, whatever the fragments: no byte of a text is validated twice,
//!   except those of a character that was cut through.
//! * What comes out does not depend on how the bytes were cut when they came in.
//! * A text that goes wrong is refused at its first wrong byte, also in an unfinished frame.

#![forbid(unsafe_code)]

// A module uses only those below it; but an error knows the close code that answers it.
pub mod handshake;

mod url;

mod decoder;

pub mod deflate;

mod encode;

mod phase;

mod message;

mod close;
mod mask;
mod utf8;

mod frame;

mod error;

pub use close::{CloseCode, CloseFrame};
pub use decoder::{Decoder, Event, Limits, Role};
pub use encode::{encode_header, write_close, write_message, write_ping, write_pong};
pub use error::ProtocolError;
pub use frame::{CONTROL_BYTES_MAX, FrameHeader, HEADER_BYTES_MAX, OpCode};
pub use mask::apply_mask;
pub use message::Kind;
pub use url::{Server, Url, UrlError};
pub use utf8::is_utf8;
