//! Whether a listener could be, found out without being one.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use rustix::fs::{Access, access};
use socket2::{Domain, Socket, Type};

use super::{BindError, is_left_behind};
use crate::conf::{Address, ListenerSettings};

/// Binds a socket for a moment and does not listen, so that no client comes; of a Unix socket it only
/// looks whether that would do. What a killed host has left there stays.
///
/// # Errors
/// As [`Listener::bind`](super::Listener::bind).
pub fn try_bind(settings: &ListenerSettings) -> Result<(), BindError> {
    let tried = match &settings.address {
        Address::Tcp(address) => try_tcp(*address),
        Address::Unix(path) => try_unix(path),
    };
    tried.map_err(|error| BindError::new(settings, &error))
}

fn try_tcp(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // With it only those that listen are in the way, and we in nobody's.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())
}

fn try_unix(path: &Path) -> io::Result<()> {
    is_left_behind(path)?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    Ok(access(directory, Access::WRITE_OK | Access::EXEC_OK)?)
}
