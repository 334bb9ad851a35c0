//! The socket itself: whose directory it may lie in, who has it already, and its end.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock, fstat};
use tokio::net::{UnixListener, UnixStream};

use crate::conf::AdminSettings;
use crate::library::{Distrust, Rights, check_rights};
use crate::listener;

/// A control socket that listens. Its file is removed when this is dropped.
#[derive(Debug)]
pub struct Socket {
    pub(super) listener: UnixListener,
    file: SocketFile,
}

/// A control socket that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{at}: <admin> socket-name {}: {what}", .path.display())]
pub struct SocketError {
    /// Place in the conf.
    pub at: String,
    /// The socket.
    pub path: PathBuf,
    /// What is wrong, and what may help.
    pub what: String,
}

/// What this host has put there, and nobody else.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

/// Only the host's user, and root, who may do anything.
const MODE: u32 = 0o600;
/// Clients that may wait to be accepted.
const BACKLOG: u32 = 64;
/// Of a directory in which nobody removes or renames what is not his, as /tmp.
const STICKY: u32 = 0o1000;
/// For its group, and for others.
const WRITE: u32 = 0o022;

impl Socket {
    /// Binds and listens; nobody is answered yet. Takes over what a killed host has left, and never
    /// the place of one that lives.
    ///
    /// # Errors
    /// A host that lives, a directory that others may write, or what the system says.
    pub async fn bind(settings: &AdminSettings) -> Result<Self, SocketError> {
        let path = &settings.socket;
        let error = |what| SocketError { at: settings.at.clone(), path: path.clone(), what };
        let directory = directory(path).map_err(error)?;
        // Two hosts that start at once would else each take the other for killed, between its bind
        // and its listen.
        flock(&directory, FlockOperation::LockExclusive)
            .map_err(|errno| error(io::Error::from(errno).to_string()))?;
        let socket = match listener::bind_unix(path, MODE, BACKLOG) {
            Ok(socket) => StdListener::from(socket),
            Err(cause) if cause.kind() == io::ErrorKind::AddrInUse => {
                return Err(error(owner_of(path).await));
            }
            Err(cause) => return Err(error(cause.to_string())),
        };
        let listener = UnixListener::from_std(socket);
        let bound = listener.and_then(|listener| Ok((listener, SocketFile::at(path)?)));
        let (listener, file) = bound.map_err(|cause| error(cause.to_string()))?;
        Ok(Self { listener, file })
    }

    /// Looks whether it could be, as far as that can be known without binding it. A directory that
    /// is not there is left to whoever makes it.
    ///
    /// # Errors
    /// It could not.
    pub fn check(settings: &AdminSettings) -> Result<(), SocketError> {
        let path = &settings.socket;
        let error = |what| SocketError { at: settings.at.clone(), path: path.clone(), what };
        if !path.parent().is_some_and(Path::exists) {
            return Ok(());
        }
        directory(path).map_err(error)?;
        match path.symlink_metadata() {
            Ok(about) if !about.file_type().is_socket() => {
                Err(error("there is a file that is no socket".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.file.path
    }
}

impl SocketFile {
    fn at(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(path)? })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Somebody may have removed it, and another host be there now.
        let is_ours = identity(&self.path).is_ok_and(|now| now == self.identity);
        if is_ours {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What tells a file from every other one, whatever its name: device and inode.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let about = path.symlink_metadata()?;
    Ok((about.dev(), about.ino()))
}

/// The directory of the socket, if nobody but its owner can put another socket there.
fn directory(path: &Path) -> Result<File, String> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let opened = File::open(directory).map_err(|cause| match cause.kind() {
        io::ErrorKind::NotFound => format!("there is no directory {}", directory.display()),
        _ => format!("{}: {cause}", directory.display()),
    })?;
    let stat = fstat(&opened).map_err(|errno| io::Error::from(errno).to_string())?;
    let mut rights = Rights::from(&stat);
    if rights.mode & STICKY != 0 {
        rights.mode &= !WRITE;
    }
    check_rights(directory, rights).map_err(|distrust| refusal(&distrust))?;
    Ok(opened)
}

fn refusal(distrust: &Distrust) -> String {
    match distrust {
        Distrust::Owner { path, owner, host } => {
            let path = path.display();
            format!(
                "{path} belongs to user {owner}, who is neither root nor the host's user {host}"
            )
        }
        Distrust::World { path, mode } => {
            format!("everybody may write {} (mode {mode:04o}); chmod o-w it", path.display())
        }
        Distrust::Group { path, group, mode } => {
            let path = path.display();
            format!("group {group} may write {path} (mode {mode:04o}); chmod g-w it")
        }
    }
}

/// Who listens there, as far as we may know.
async fn owner_of(path: &Path) -> String {
    let peer = match UnixStream::connect(path).await {
        Ok(stream) => stream.peer_cred(),
        Err(cause) => return format!("another process listens there ({cause})"),
    };
    match peer.map(|peer| (peer.pid(), peer.uid())) {
        Ok((Some(pid), uid)) if pid > 0 => {
            format!("another host listens there: process {pid} of user {uid}")
        }
        _ => "another process listens there".to_owned(),
    }
}
