//! Connections as a client opens them: raw, as a WebSocket, and as one over TLS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use switchboard_websocket::deflate::Agreed;
use switchboard_websocket::handshake::deflate::Offer;
use switchboard_websocket::handshake::{Request, Response};

use crate::Outcome;
use crate::socket::Socket;

/// Nobody guesses it, but nobody needs to.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const HEAD_BYTES_MAX: usize = 4096;
/// How long a server has to start, and to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many shake hands at the same time.
const AT_ONCE: usize = 50;

/// Until it succeeds or a server that starts should have started.
pub(crate) fn patiently<T>(mut what: impl FnMut() -> Outcome<T>) -> Outcome<T> {
    let begun = Instant::now();
    loop {
        match what() {
            Err(_) if begun.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(5)),
            other => return other,
        }
    }
}

/// So many: WebSockets at `target`, or raw without.
pub(crate) fn open_many(
    address: SocketAddr,
    target: Option<&str>,
    count: usize,
) -> Outcome<Vec<Socket>> {
    let mut opened = Vec::with_capacity(count);
    while opened.len() < count {
        let begun = opened.len();
        for _ in begun..count.min(begun + AT_ONCE) {
            let mut socket = connect(address)?;
            if let Some(target) = target {
                socket.write_all(&request(address, target, None)?)?;
            }
            opened.push(socket);
        }
        if target.is_some() {
            for socket in &mut opened[begun..] {
                let head = response(socket)?;
                Response::parse(&head)?.check(KEY, &[])?;
            }
        }
    }
    Ok(opened.into_iter().map(Socket::Plain).collect())
}

/// A WebSocket that offers compression, and what was agreed on.
pub(crate) fn open_deflate(
    address: SocketAddr,
    target: &str,
) -> Outcome<(TcpStream, Option<Agreed>)> {
    let mut socket = connect(address)?;
    let offer = Offer::default();
    socket.write_all(&request(address, target, Some(offer))?)?;
    let head = response(&mut socket)?;
    let (_, agreed) = Response::parse(&head)?.check_deflate(KEY, &[], &offer)?;
    Ok((socket, agreed))
}

/// What clients of a server with this certificate, in DER, need for TLS.
pub(crate) fn trust(certificate: Vec<u8>) -> Outcome<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(certificate))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = config?.with_root_certificates(roots).with_no_client_auth();
    // Each connection is a stranger's.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// The same, for one client who comes again.
pub(crate) fn with_tickets(trust: &ClientConfig) -> ClientConfig {
    let mut config = trust.clone();
    config.resumption = Resumption::in_memory_sessions(1);
    config
}

/// One over TLS: a WebSocket at `target`, or raw without.
pub(crate) fn open_tls(
    address: SocketAddr,
    target: Option<&str>,
    config: &Arc<ClientConfig>,
) -> Outcome<Socket> {
    let name = ServerName::try_from("localhost")?;
    let connection = ClientConnection::new(Arc::clone(config), name)?;
    let mut stream = StreamOwned::new(connection, connect(address)?);
    match target {
        None => drop(stream.conn.complete_io(&mut stream.sock)?),
        Some(target) => {
            stream.write_all(&request(address, target, None)?)?;
            let head = response(&mut stream)?;
            Response::parse(&head)?.check(KEY, &[])?;
        }
    }
    Ok(Socket::Tls(Box::new(stream)))
}

fn connect(address: SocketAddr) -> Outcome<TcpStream> {
    let socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    // It ends with a reset, so that no port is kept for a minute.
    set_socket_linger(&socket, Some(Duration::ZERO))?;
    Ok(socket)
}

fn request(address: SocketAddr, target: &str, deflate: Option<Offer>) -> Outcome<Vec<u8>> {
    let host = address.to_string();
    let mut bytes = Vec::new();
    Request { deflate, ..Request::new(&host, target, KEY) }.write(&mut bytes)?;
    Ok(bytes)
}

/// The head of a response, behind which nothing comes unasked.
fn response(socket: &mut impl Read) -> Outcome<Vec<u8>> {
    let (mut head, mut used) = (vec![0; HEAD_BYTES_MAX], 0);
    while !head[..used].ends_with(b"\r\n\r\n") {
        match socket.read(&mut head[used..])? {
            0 => return Err("ended in the handshake".into()),
            count => used += count,
        }
    }
    head.truncate(used);
    Ok(head)
}
