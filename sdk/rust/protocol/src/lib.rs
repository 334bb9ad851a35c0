//! Frames of the endpoint protocol, without I/O: bytes go in, typed frames come out, and back.
//!
//! The protocol connects a host to a program that answers for it, in any language;
//! `sdk/spec/endpoint-protocol.md` says what each frame means. This package knows what frames look
//! like, which may follow which, how messages are split, and how credit is counted. It knows no
//! socket, no clock and no thread, so the same code serves both sides.
//!
//! A whole endpoint that sends every message back, over two byte buffers:
//!
//! ```
//! use std::collections::HashMap;
//! use switchboard_protocol::*;
//!
//! let mut out = Vec::new();
//! // Nothing is counted here: UNCOUNTED windows, and no CREDIT to send or to wait for.
//! Hello { name: "echo", uncounted: true, ..Hello::simple() }.encode(&mut out);
//! Ready { ready: true, text: "" }.encode(&mut out);
//!
//! # // What the host would send.
//! # let mut input = Vec::new();
//! # HelloOk { version: 1, ..HelloOk::simple() }.encode(&mut input);
//! # Open { stream: 1, conn_uid: 7, target: "/echo", ..Open::default() }.encode(&mut input);
//! # encode_message(&mut input, 1, 1, true, b"hello");
//! # Close { stream: 1, code: 1000, why: Why::CLIENT, reason: "" }.encode(&mut input);
//! # let hello_bytes = out.len();
//! let mut reader = Reader::new(Limits::new(Side::Host));
//! let mut streams: HashMap<u32, Assembly> = HashMap::new();
//! for bytes in input.chunks(10) {
//!     // This would be a read from fd 3.
//!     reader.feed(bytes);
//!     while let Some(frame) = reader.read()? {
//!         match frame {
//!             Frame::Open(open) => {
//!                 streams.insert(open.stream, Assembly::default());
//!                 Accept { stream: open.stream, ..Accept::default() }.encode(&mut out);
//!             }
//!             Frame::Data(data) => {
//!                 let Some(assembly) = streams.get_mut(&data.stream) else { continue };
//!                 if let Some(message) = assembly.push(&data, 1 << 20)? {
//!                     encode_message(&mut out, data.stream, 0, message.text, &message.payload);
//!                 }
//!             }
//!             Frame::Close(Close { stream, .. }) => {
//!                 streams.remove(&stream);
//!                 encode_frame(&mut out, &Frame::Closed { stream });
//!             }
//!             Frame::Reset(reset) => drop(streams.remove(&reset.stream)),
//!             Frame::Ping(opaque) => encode_frame(&mut out, &Frame::Pong(opaque)),
//!             _ => {}
//!         }
//!     }
//! }
//!
//! # let mut answers = Reader::new(Limits::new(Side::Endpoint));
//! # answers.feed(&out[hello_bytes..]);
//! # assert!(matches!(answers.read()?, Some(Frame::Accept(_))));
//! # assert!(matches!(answers.read()?, Some(Frame::Data(data)) if data.payload == b"hello"));
//! # assert!(matches!(answers.read()?, Some(Frame::Closed { stream: 1 })));
//! # assert_eq!(answers.read()?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limits
//!
//! Nothing is allocated on the other side's word: a frame borrows from the bytes that it was read
//! from, lists in it are iterators over them, and [`Assembly`] grows with the bytes that came.
//! Parsing takes time linear in the length of a frame, and an incomplete one costs a look at its
//! header.
#![forbid(unsafe_code)]

mod codes;
mod credit;
mod error;
mod frame;
mod header;
mod kind;
mod message;
mod pings;
mod reader;
mod state;
mod tlv;

pub use codes::{
    DrainReason, ErrorCode, LogLevel, SubscribeStatus, Why, is_close_code, is_reject_status,
};
pub use credit::{Grant, UNCOUNTED, Window};
pub use error::{Answer, FrameError, ParseError};
pub use frame::{
    Accept, Close, CreditFrame, Data, Drain, Frame, GoAway, Handoff, Hello, HelloOk, Limits, Log,
    Multicast, Open, Publish, Ready, Reject, Reset, Resumed, State, Streams, Subscribe, Subscribed,
    Topic, encode_frame, parse,
};
pub use header::{HEADER_BYTES, Header, SKIPPABLE_TYPE_MIN};
pub use kind::{FrameType, Place, Side, flags};
pub use message::{Assembly, FRAGMENT_BYTES, Whole, encode_message, fragments};
pub use pings::PingMeter;
pub use reader::Reader;
pub use state::{LinkState, StreamIds, StreamState, Take, common_version};
pub use tlv::{CRITICAL, Item, Items, Member, Message, Pair, Retained, TLV_HEADER_BYTES, Tag};

/// The version of this package; the oldest that it speaks is the same.
pub const VERSION: u16 = 1;
/// The longest body that a side takes if it has no reason to choose another limit.
pub const FRAME_BYTES_MAX_DEFAULT: u32 = 256 << 10;
/// A side takes at least bodies of this length.
pub const FRAME_BYTES_MAX_FLOOR: u32 = 64 << 10;
/// No side announces more than this.
pub const FRAME_BYTES_MAX_CEILING: u32 = 16 << 20;
/// The longest reason of a CLOSE.
pub const CLOSE_REASON_BYTES_MAX: usize = 123;
/// The longest name of a topic.
pub const TOPIC_BYTES_MAX: usize = 255;
