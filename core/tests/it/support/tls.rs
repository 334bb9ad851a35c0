//! Certificates of a test, and clients that check them.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};

use super::{Client, Home, PATIENCE};

/// An authority, and what it has signed.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        // Two authorities with the same name are hard to tell apart.
        let key = KeyPair::generate().unwrap();
        let name = format!("authority {:x?}", &key.public_key_raw()[1..9]);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        Self { issuer }
    }

    /// The authority's own certificate, in PEM.
    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for `names` and its key, in PEM; `change` may spoil it.
    pub(crate) fn sign(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> (String, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// A home with `cert.pem` and `key.pem` for `localhost` and 127.0.0.1, and `ca.pem`.
    pub(crate) fn home(&self) -> Home {
        let home = Home::new();
        let (certificate, key) = self.sign(&["localhost", "127.0.0.1"], |_| {});
        home.write("cert.pem", certificate.as_bytes());
        write_key(&home, "key.pem", &key);
        home.write("ca.pem", self.pem().as_bytes());
        home
    }

    /// A client after the handshake of TLS.
    pub(crate) fn client(&self, addr: &str) -> Client {
        self.client_of(addr, rustls::ALL_VERSIONS)
    }

    pub(crate) fn client_of(
        &self,
        addr: &str,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Client {
        Client::over_tls(self.stream(addr, versions).unwrap())
    }

    /// The stream itself.
    pub(crate) fn stream(
        &self,
        addr: &str,
        versions: &[&'static SupportedProtocolVersion],
    ) -> io::Result<TlsStream> {
        let socket = TcpStream::connect(addr)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.issuer.der().to_vec())).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = "localhost".try_into().unwrap();
        let mut connection = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut socket = socket;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(TlsStream(Box::new(StreamOwned::new(connection, socket))))
    }
}

/// Nobody else may read it.
pub(crate) fn write_key(home: &Home, name: &str, key: &str) {
    let file = home.write(name, key.as_bytes());
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A client's stream.
pub(crate) struct TlsStream(Box<StreamOwned<ClientConnection, TcpStream>>);

impl TlsStream {
    pub(crate) fn connection(&mut self) -> &mut ClientConnection {
        &mut self.0.conn
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.0.sock
    }

    /// Says that nothing more comes, in the words of TLS.
    pub(crate) fn finish(&mut self) {
        self.0.conn.send_close_notify();
        while self.0.conn.wants_write() {
            self.0.conn.write_tls(&mut self.0.sock).unwrap();
        }
    }
}

impl Read for TlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
