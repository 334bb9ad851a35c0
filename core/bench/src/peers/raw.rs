//! The base line: bytes come back, whatever they mean; in plain, or under TLS by tokio-rustls.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::Outcome;

pub(crate) async fn echo(mut socket: impl AsyncRead + AsyncWrite + Unpin) -> Outcome<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = socket.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        socket.write_all(&buffer[..count]).await?;
        socket.flush().await?;
    }
}

/// The files hold a certificate and its key, in PEM.
pub(crate) async fn serve_tls(listener: TcpListener, certificate: &str, key: &str) -> Outcome<()> {
    let certificate = CertificateDer::from_pem_file(certificate)?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config?.with_no_client_auth().with_single_cert(vec![certificate], key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        tokio::spawn(shake_and_echo(acceptor.clone(), socket));
    }
}

async fn shake_and_echo(acceptor: TlsAcceptor, socket: TcpStream) -> Outcome<()> {
    echo(acceptor.accept(socket).await?).await
}
