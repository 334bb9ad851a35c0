//! TLS by rustls, without I/O: certificates, keys, and sessions that turn bytes into other bytes.
//!
//! [`Server`] and [`Client`] hold what all sessions of a listener or a forward share, [`Session`] is
//! one connection's. Whose sockets they are on is no question of this module: `stream` has them.

mod certificate;
mod client;
mod error;
mod server;
mod session;
mod validity;
mod workers;

#[cfg(test)]
pub(crate) mod testing;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

pub use certificate::{Certificate, CertificateError};
pub use client::{Client, RootsError};
pub use error::{TlsError, explain};
pub use server::Server;
pub use session::{Session, looks_like_http};
pub use workers::on_a_worker;

/// Where the mathematics comes from. `ring` builds with a C compiler alone, in a few seconds.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
