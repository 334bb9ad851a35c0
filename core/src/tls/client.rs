//! Whom we trust when we are the client.

use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};

use super::certificate::chain;
use super::{CertificateError, Session, TlsError, provider};
use crate::conf::NamedFile;

/// The client's side of TLS. The name of a server is always checked.
#[derive(Debug, Clone)]
pub struct Client(Arc<ClientConfig>);

/// There is nobody to be trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootsError {
    /// A file that was named.
    #[error(transparent)]
    File(#[from] CertificateError),
    /// One of its certificates.
    #[error("{at}: {path}: a certificate in it is not good: {source}")]
    Bad {
        /// `FILE:LINE: DIRECTIVE`
        at: String,
        /// The file.
        path: String,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// The system's.
    #[error(
        "this machine has no certificates of authorities (on Debian: apt install ca-certificates)"
    )]
    Nobody,
    /// No random numbers.
    #[error("{0}")]
    Tls(#[from] TlsError),
}

const HTTP_1_1: &[u8] = b"http/1.1";

impl Client {
    /// Trusts those in `ca`, or those that the system trusts.
    ///
    /// # Errors
    /// There is none.
    pub fn new(ca: Option<&NamedFile>) -> Result<Self, RootsError> {
        let roots = match ca {
            Some(file) => in_file(file)?,
            None => of_the_system()?,
        };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(rustls::DEFAULT_VERSIONS)
            .map_err(TlsError::from)?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![HTTP_1_1.to_vec()];
        Ok(Self(Arc::new(config)))
    }

    /// For a connection to the server of that name or address.
    ///
    /// # Errors
    /// It is no name that a certificate can have.
    pub fn session(&self, host: &str) -> Result<Session, TlsError> {
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|error| rustls::Error::General(format!("{host}: {error}")))?;
        Ok(Session::client(UnbufferedClientConnection::new(Arc::clone(&self.0), name)?))
    }
}

fn in_file(file: &NamedFile) -> Result<RootCertStore, RootsError> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(file)? {
        roots.add(certificate).map_err(|source| {
            let (at, path) = (file.at.clone(), file.path.display().to_string());
            RootsError::Bad { at, path, source }
        })?;
    }
    Ok(roots)
}

fn of_the_system() -> Result<RootCertStore, RootsError> {
    let mut roots = RootCertStore::empty();
    // One of some hundred that cannot be read is no reason to trust nobody.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(RootsError::Nobody) } else { Ok(roots) }
}
