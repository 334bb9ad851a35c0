//! The parts of a framed stream, whichever side of it we are: a transport that moves bytes, the
//! queue of what could not leave at once, and the timers of a shard.
//!
//! The codec is `switchboard_websocket`; `connection` puts the parts together.

mod outbox;
mod readiness;
mod secure;
mod source;
mod tls_socket;
mod transport;
mod wheel;

pub use outbox::Outbox;
pub use readiness::readiness;
pub use secure::{Secure, SecureError};
pub use source::{Ready, Source, SourceId};
pub use tls_socket::TlsSocket;
pub use transport::{Received, Transport};
pub use wheel::{Clock, NEVER, Tick, Wheel};
