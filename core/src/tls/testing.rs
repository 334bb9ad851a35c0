//! Two sessions that trust each other, for tests of whoever has sessions.

use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};

use super::{Certificate, Server, Session, provider};

/// A client and a server that have said nothing yet.
pub(crate) fn strangers() -> (Session, Session) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    let der = params.self_signed(&key).unwrap().der().clone();
    let private = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let certified = CertifiedKey::from_der(vec![der.clone()], private, &provider()).unwrap();
    let certificate = Certificate { certified: Arc::new(certified), warnings: Vec::new() };
    let server = Server::new(&certificate).unwrap().session().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(der).unwrap();
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let client = UnbufferedClientConnection::new(Arc::new(config), name).unwrap();
    (Session::client(client), server)
}

/// A client and a server after their handshake; what either says comes in pieces of `piece` bytes.
pub(crate) fn friends(piece: usize) -> (Session, Session) {
    let (mut client, mut server) = strangers();
    let mut to_server = Vec::new();
    client.begin(&mut to_server).unwrap();
    while !client.is_open() || !server.is_open() {
        let to_client = answer(&mut server, &mut to_server, piece);
        to_server = answer(&mut client, &mut to_client.clone(), piece);
    }
    // The ticket.
    answer(&mut client, &mut to_server, piece);
    (client, server)
}

fn answer(session: &mut Session, input: &mut [u8], piece: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut nothing = |plain: &[u8]| panic!("a handshake says {plain:?}");
    for piece in input.chunks_mut(piece) {
        session.receive(piece, &mut nothing, &mut out).unwrap();
    }
    out
}
