//! Write Switchboard endpoints in Rust.
//!
//! This is a whole plugin, which sends back what it gets:
//!
//! ```
//! use switchboard_sdk::*;
//!
//! struct Echo;
//!
//! impl Endpoint for Echo {
//!     type Session = ();
//!
//!     fn create(_setup: &Setup) -> Result<Self, Error> {
//!         Ok(Self)
//!     }
//!
//!     fn open(&self, _conn: &Conn, _request: &Request<'_>) -> Result<Opened<()>, Reject> {
//!         Ok(Opened::accept(()))
//!     }
//!
//!     fn message(&self, conn: &Conn, _: &mut (), message: Message<'_>) -> Result<Handled, Error> {
//!         conn.send(message)?;
//!         Ok(Handled::Done)
//!     }
//! }
//!
//! export!(Echo, id = "com.example.echo", never_blocks = true);
//! # fn main() {}
//! ```
//!
//! Its package is a `cdylib` that depends on this crate:
//!
//! ```toml
//! [lib]
//! crate-type = ["cdylib"]
//!
//! [dependencies]
//! switchboard-sdk = { path = "../switchboard/sdk/rust/sdk" }
//! ```
//!
//! Its profiles must not say `panic = "abort"`: a panic could not be caught, and would end the host.
//!
//! If the package is named `echo`, `cargo build --release` makes `target/release/libecho.so`. Put it
//! into a directory of the host's `plugin-path`, add to its conf
//!
//! ```text
//! <websocket /echo>
//!   <plugin echo />
//! </websocket>
//! ```
//!
//! and start the host again.
//!
//! What each callback may do stands at [`Endpoint`]. This crate is not the contract between host
//! and plugin: that is `plugin.h`, and what is said there about threads and ownership holds here
//! too.

mod conn;
mod endpoint;
mod error;
mod export;
#[allow(unsafe_code)]
mod ffi;
mod message;
mod panics;
mod request;
mod setup;
mod topics;

pub use conn::Conn;
pub use endpoint::{Drain, Endpoint, Handled};
pub use error::{Error, SendError, Sent};
#[doc(hidden)]
pub use export::__private;
pub use message::{Body, Kept, Message};
pub use request::{Accept, Closed, Opened, Reject, Request, Why};
pub use setup::{Host, Level, Setup};
pub use topics::{Member, Publication, Retained, Snapshot, Subscription};
