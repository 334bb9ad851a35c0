//! Unix sockets at which others should listen: programs that the host does not start, and servers
//! behind a forward.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use switchboard_websocket::Server;

use super::{Checked, header};
use crate::conf::{EndpointSettings, ExternalTarget, WebSocketSettings};
use crate::listener::is_left_behind;

/// Such a socket of a section, which may come later than the host.
pub(super) fn look(section: &WebSocketSettings, checked: &mut Checked) {
    let (at, socket) = match &section.endpoint {
        EndpointSettings::External(external) => match &external.target {
            ExternalTarget::Socket(socket) => (external.target_at.clone(), socket.clone()),
            ExternalTarget::Program { .. } => return,
        },
        EndpointSettings::Forward(forward) => match &forward.url.server {
            Server::Unix(path) => {
                (format!("{}: {} <forward> url", forward.at, header(section)), PathBuf::from(path))
            }
            _ => return,
        },
        EndpointSettings::Plugin(_) => return,
    };
    checked.warnings.extend(absence(&socket).map(|why| format!("{at}: {why}")));
}

/// Why nobody would answer there now.
fn absence(socket: &Path) -> Option<String> {
    let shown = socket.display();
    let directory = socket.parent().unwrap_or(Path::new("/"));
    match socket.metadata() {
        _ if !directory.is_dir() => Some(format!("there is no directory {}", directory.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Some(format!("there is no socket {shown} yet"))
        }
        Err(error) => Some(format!("{shown}: {error}")),
        Ok(about) if !about.file_type().is_socket() => Some(format!("{shown} is no socket")),
        Ok(_) => match access(socket, Access::WRITE_OK) {
            Err(errno) => Some(format!("{shown}: {}", std::io::Error::from(errno))),
            Ok(()) if is_listening(socket) => None,
            // Whoever listens in another network namespace is not in the table.
            Ok(()) => is_left_behind(socket)
                .is_ok_and(|left| left)
                .then(|| format!("nobody listens at {shown}")),
        },
    }
}

/// By the system's table of sockets, so that whoever listens does not notice. proc(5)
fn is_listening(socket: &Path) -> bool {
    let Ok(table) = fs::read_to_string("/proc/net/unix") else { return false };
    table.lines().filter_map(listening).any(|path| Path::new(path) == socket)
}

/// The path of a line, if its socket listens.
fn listening(line: &str) -> Option<&str> {
    const ACCEPTS: u32 = 0x1_0000;
    let (mut rest, mut flags) = (line, "");
    for field in 0..7 {
        let (word, behind) = rest.trim_start().split_once(' ')?;
        flags = if field == 3 { word } else { flags };
        rest = behind;
    }
    let flags = u32::from_str_radix(flags, 16).ok()?;
    (flags & ACCEPTS != 0).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::listening;

    #[test]
    fn a_path_stands_behind_seven_fields() {
        let at = |flags: &str, inode: &str, path: &str| {
            format!("0000000071a5c99c: 00000002 00000000 {flags} 0001 01 {inode}{path}")
        };
        let found = |line: &str| listening(line).map(ToOwned::to_owned);
        let listens = "00010000";
        assert_eq!(found(&at(listens, "19836461", " /run/a b.sock")), Some("/run/a b.sock".into()));
        assert_eq!(found(&at(listens, "   77", " /run/a.sock")), Some("/run/a.sock".into()));
        assert_eq!(found(&at("00000000", "19836461", " /run/a.sock")), None);
        assert_eq!(found(&at(listens, "19836461", "")), None);
        assert_eq!(found("Num       RefCount Protocol Flags    Type St Inode Path"), None);
    }
}
