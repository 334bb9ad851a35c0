//! Sockets that connect without being waited for, from as many addresses as it takes.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use mio::event::Source;
use mio::{Interest, Registry, Token};
use rustix::io::Errno;
use socket2::{Domain, SockAddr, SockRef, Type};
use switchboard_websocket::{Server, Url};

/// A socket of either kind.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(mio::net::TcpStream),
    Unix(mio::net::UnixStream),
}

/// Whom to dial, resolved once.
#[derive(Debug)]
pub(crate) struct Dialler {
    peer: Peer,
    receive_buffer_bytes: Option<usize>,
}

#[derive(Debug)]
enum Peer {
    Ip(SocketAddr),
    Unix(PathBuf),
}

/// One address has some 28,000 ports for connections to the same server.
pub(crate) const CONNECTIONS_PER_ADDRESS: u32 = 20_000;

impl Dialler {
    pub(crate) fn new(url: &Url, receive_buffer_bytes: Option<usize>) -> io::Result<Self> {
        let peer = match &url.server {
            Server::Tcp { host, port } => {
                let found = (host.as_str(), *port).to_socket_addrs()?.next();
                Peer::Ip(found.ok_or_else(|| io::Error::other("the name has no address"))?)
            }
            Server::Unix(path) => Peer::Unix(path.into()),
        };
        Ok(Self { peer, receive_buffer_bytes })
    }

    /// Begins to connect. The socket becomes writable when that is over, well or badly.
    pub(crate) fn dial(&self, sender: u32) -> io::Result<Socket> {
        match &self.peer {
            Peer::Ip(addr) => {
                let kind = Type::STREAM.nonblocking();
                let socket = socket2::Socket::new(Domain::for_address(*addr), kind, None)?;
                if let Some(source) = source(*addr, sender) {
                    socket.bind(&SocketAddr::from((source, 0)).into())?;
                }
                socket.set_tcp_nodelay(true)?;
                // Before the handshake, which tells the peer of the window.
                self.receive_buffer_bytes
                    .map_or(Ok(()), |bytes| socket.set_recv_buffer_size(bytes))?;
                begin(&socket, &(*addr).into())?;
                Ok(Socket::Tcp(mio::net::TcpStream::from_std(socket.into())))
            }
            Peer::Unix(path) => {
                let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
                self.receive_buffer_bytes
                    .map_or(Ok(()), |bytes| socket.set_recv_buffer_size(bytes))?;
                begin(&socket, &SockAddr::unix(path)?)?;
                Ok(Socket::Unix(mio::net::UnixStream::from_std(socket.into())))
            }
        }
    }
}

/// `WouldBlock` only if a Unix socket has too many waiting already.
fn begin(socket: &socket2::Socket, addr: &SockAddr) -> io::Result<()> {
    match socket.connect(addr) {
        Err(error) if error.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => Ok(()),
        other => other,
    }
}

/// All of 127.0.0.0/8 is this machine: each address has ports of its own.
fn source(peer: SocketAddr, sender: u32) -> Option<Ipv4Addr> {
    let IpAddr::V4(peer) = peer.ip() else { return None };
    let number = sender / CONNECTIONS_PER_ADDRESS;
    if !peer.is_loopback() || number == 0 {
        return None;
    }
    let [_, high, low, last] = (number + 1).to_be_bytes();
    Some(Ipv4Addr::new(127, high, low, last))
}

impl Socket {
    /// What became of the connecting.
    pub(crate) fn outcome(&self) -> io::Result<()> {
        let error = match self {
            Self::Tcp(socket) => socket.take_error()?,
            Self::Unix(socket) => socket.take_error()?,
        };
        error.map_or(Ok(()), Err)
    }

    /// Ends a TCP connection with a reset.
    pub(crate) fn abort(self) {
        if let Self::Tcp(socket) = &self {
            // If it cannot be reset, it is at least ended.
            let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.read(buffer),
            Self::Unix(socket) => socket.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => socket.write(bytes),
            Self::Unix(socket) => socket.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Source for Socket {
    fn register(&mut self, registry: &Registry, token: Token, how: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.register(registry, token, how),
            Self::Unix(socket) => socket.register(registry, token, how),
        }
    }

    fn reregister(&mut self, registry: &Registry, token: Token, how: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.reregister(registry, token, how),
            Self::Unix(socket) => socket.reregister(registry, token, how),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.deregister(registry),
            Self::Unix(socket) => socket.deregister(registry),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_20000_connections_have_an_address_of_their_own() {
        let local = "127.0.0.1:80".parse().unwrap();
        for (sender, expected) in [
            (0, None),
            (19_999, None),
            (20_000, Some([127, 0, 0, 2])),
            (39_999, Some([127, 0, 0, 2])),
            (40_000, Some([127, 0, 0, 3])),
            (20_000 * 255, Some([127, 0, 1, 0])),
        ] {
            assert_eq!(source(local, sender), expected.map(Ipv4Addr::from), "{sender}");
        }
        assert_eq!(source("192.0.2.1:80".parse().unwrap(), 50_000), None);
        assert_eq!(source("[::1]:80".parse().unwrap(), 50_000), None);
    }
    #[test]
    fn a_connection_comes_from_its_address() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let dialler = Dialler::new(&Url::parse(&url).unwrap(), None).unwrap();
        for (sender, expected) in [(0, [127, 0, 0, 1]), (20_000, [127, 0, 0, 2])] {
            let _socket = dialler.dial(sender).unwrap();
            let (_, from) = listener.accept().unwrap();
            assert_eq!(from.ip(), IpAddr::from(expected));
        }
    }
}
