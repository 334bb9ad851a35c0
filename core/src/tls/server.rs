//! What all sessions of a listener share.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::{NoServerSessionStorage, UnbufferedServerConnection};
use rustls::sign::SingleCertAndKey;

use super::{Certificate, Session, TlsError, provider};

/// The server's side of TLS, for one certificate.
#[derive(Debug, Clone)]
pub struct Server(Arc<ServerConfig>);

/// What HTTP is called where TLS asks for it. RFC 7301; HTTP/2 would be `h2`.
const HTTP_1_1: &[u8] = b"http/1.1";
/// A client that comes back opens mostly one connection.
const TICKETS: usize = 1;

impl Server {
    /// TLS 1.2 and 1.3 with the suites of the provider, all of which have forward secrecy.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new(certificate: &Certificate) -> Result<Self, TlsError> {
        // One certificate for every name. SNI would choose here.
        let resolver = SingleCertAndKey::from(Arc::clone(&certificate.certified));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(rustls::DEFAULT_VERSIONS)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        // A client that comes back shows its ticket, and nothing has to be signed: the host itself
        // remembers nothing.
        config.ticketer = rustls::crypto::ring::Ticketer::new()?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = TICKETS;
        Ok(Self(Arc::new(config)))
    }

    /// For a client that has just come.
    ///
    /// # Errors
    /// None that is known.
    pub fn session(&self) -> Result<Session, TlsError> {
        Ok(Session::server(UnbufferedServerConnection::new(Arc::clone(&self.0))?))
    }
}
