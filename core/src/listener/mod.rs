//! Binds, accepts, and places each socket on a shard.

mod acceptor;
mod trial;

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::Mode;
use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};

use crate::conf::{Address, ListenerSettings};

pub use acceptor::Acceptor;
pub use trial::try_bind;

/// A socket that listens.
#[derive(Debug)]
pub struct Listener {
    /// Name of its section.
    pub name: String,
    socket: OwnedFd,
    place: Place,
    /// `<ssl>`
    tls: bool,
}

/// Where it listens.
#[derive(Debug, Clone)]
enum Place {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// A listener that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{at}: <listener {name}> address {address}: {what}")]
pub struct BindError {
    /// Place in the conf.
    pub at: String,
    /// Name of its section.
    pub name: String,
    /// As in the conf.
    pub address: String,
    /// What the system says, and what may help.
    pub what: String,
    /// What kind of error that is.
    pub kind: io::ErrorKind,
}

impl BindError {
    fn new(settings: &ListenerSettings, error: &io::Error) -> Self {
        Self {
            at: settings.at.clone(),
            name: settings.name.clone(),
            address: settings.address.to_string(),
            what: explain(error, &settings.address),
            kind: error.kind(),
        }
    }
}

impl Listener {
    /// Binds and listens; nothing is accepted yet.
    ///
    /// # Errors
    /// The address is taken, not ours, or not allowed.
    pub fn bind(settings: &ListenerSettings) -> Result<Self, BindError> {
        let bound = match &settings.address {
            Address::Tcp(address) => bind_tcp(*address, settings.backlog),
            Address::Unix(path) => bind_unix(path, settings.socket_mode, settings.backlog)
                .map(|socket| (socket, Place::Unix(path.clone()))),
        };
        let bound = bound.map_err(|error| BindError::new(settings, &error));
        let (name, tls) = (settings.name.clone(), settings.ssl.is_some());
        bound.map(|(socket, place)| Self { name, socket, place, tls })
    }
}

impl Listener {
    /// Whether it has `<ssl>`.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// What a browser on this machine would ask for; none of a Unix socket.
    pub fn url(&self) -> Option<String> {
        match &self.place {
            Place::Tcp(address) if self.tls => Some(format!("https://{address}/")),
            Place::Tcp(address) => Some(format!("http://{address}/")),
            Place::Unix(_) => None,
        }
    }
}

impl std::fmt::Display for Listener {
    /// The address, with the port that the system chose if the conf left that open.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Place::Tcp(address) => address.fmt(f),
            Place::Unix(path) => path.display().fmt(f),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Place::Unix(path) = &self.place {
            // It may have been removed by hand.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// What the system takes for a client beyond what is on its way.
const UNSENT_BYTES_MAX: u32 = 128 << 10;

/// The system asks a silent peer for a sign of life. Where the host reads, its own pings are faster.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(60))
    .with_interval(Duration::from_secs(10))
    .with_retries(3);

fn bind_tcp(address: SocketAddr, backlog: u32) -> io::Result<(OwnedFd, Place)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), None)?;
    socket.set_reuse_address(true)?;
    // What is accepted inherits these. Without the first, small replies wait for acknowledgements;
    // without the second, a machine that vanishes while nothing is read from it is never missed;
    // without the third, the system takes megabytes for each client that does not read, until it is
    // short of memory for all of them. What waits is to wait here, where it is counted.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&KEEPALIVE)?;
    socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    let bound = socket.local_addr()?.as_socket().unwrap_or(address);
    Ok((socket.into(), Place::Tcp(bound)))
}

/// Listens at `path`, where the socket of a host that was killed may lie. The mode is the file's
/// before anybody can connect.
///
/// # Errors
/// The system's; [`io::ErrorKind::AddrInUse`] if somebody listens there.
pub(crate) fn bind_unix(path: &Path, mode: u32, backlog: u32) -> io::Result<OwnedFd> {
    sweep(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    // Before the name exists, so that nobody connects in between.
    rustix::fs::fchmod(&socket, Mode::from_raw_mode(mode))?;
    socket.bind(&SockAddr::unix(path)?)?;
    // The file got the mode less the umask.
    rustix::fs::chmod(path, Mode::from_raw_mode(mode))?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

/// Removes the socket of a host that was killed; never anything else.
fn sweep(path: &Path) -> io::Result<()> {
    if is_left_behind(path)? { std::fs::remove_file(path) } else { Ok(()) }
}

/// Whether a socket is there at which nobody listens; else nothing is there.
///
/// # Errors
/// Somebody listens, or there is something else.
pub(crate) fn is_left_behind(path: &Path) -> io::Result<bool> {
    let Ok(about) = path.symlink_metadata() else { return Ok(false) };
    if !about.file_type().is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "there is a file that is no socket",
        ));
    }
    // One that listens and is too busy to accept would else be waited for.
    let client = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    match client.connect(&SockAddr::unix(path)?) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(true),
        _ => Err(io::ErrorKind::AddrInUse.into()),
    }
}

fn explain(error: &io::Error, address: &Address) -> String {
    let hint = match (error.kind(), address) {
        (io::ErrorKind::AddrInUse, _) => "; another process listens there",
        (io::ErrorKind::AddrNotAvailable, _) => "; this machine has no such address",
        (io::ErrorKind::PermissionDenied, Address::Tcp(address)) if address.port() < 1024 => {
            "; a port below 1024 needs the capability CAP_NET_BIND_SERVICE"
        }
        (io::ErrorKind::NotFound, Address::Unix(_)) => "; its directory does not exist",
        _ => "",
    };
    format!("{error}{hint}")
}
