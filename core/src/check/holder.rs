//! Which process listens at an address, as far as the system tells: of those of other users it tells
//! nothing but to root.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// The state of a socket that listens, in the tables of proc(5).
const LISTENING: &str = "0A";

/// `process 1234 (nginx)`
pub(super) fn holder(address: SocketAddr) -> Option<String> {
    let sockets: HashSet<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| {
            table.lines().filter_map(|line| socket(line, address)).collect::<Vec<_>>()
        })
        .collect();
    let entries = fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
    let is_process = |path: &PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str);
        name.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut processes = entries.filter(is_process);
    let found = processes.find(|path| {
        let files = fs::read_dir(path.join("fd")).into_iter().flatten().flatten();
        let mut targets = files.filter_map(|file| fs::read_link(file.path()).ok());
        targets.any(|target| target.to_str().is_some_and(|target| sockets.contains(target)))
    })?;
    let name = fs::read_to_string(found.join("comm")).ok()?;
    Some(format!("process {} ({})", found.file_name()?.to_str()?, name.trim()))
}

/// `socket:[INODE]`, if a line of the table is of one that listens at `address`.
fn socket(line: &str, address: SocketAddr) -> Option<String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    let (ip, port) = local.rsplit_once(':')?;
    let is_all = address.ip().is_unspecified() || ip.bytes().all(|digit| digit == b'0');
    let here = u16::from_str_radix(port, 16).ok()? == address.port();
    let at = here && (is_all || ip == hex(address.ip()));
    (at && *state == LISTENING).then(|| format!("socket:[{inode}]"))
}

/// As the table has it: words of 32 bits in the order of this machine.
fn hex(ip: IpAddr) -> String {
    let octets = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let words = octets.as_chunks::<4>().0.iter().map(|word| u32::from_ne_bytes(*word));
    words.map(|word| format!("{word:08X}")).collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::holder;

    #[test]
    fn the_one_that_listens_is_found() {
        for address in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0"] {
            // A machine may have no IPv6.
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let address = listener.local_addr().unwrap();
            let found = holder(address).expect("it is this process");
            let expected = format!("process {} (", std::process::id());
            assert!(found.starts_with(&expected), "{address}: {found}");
            drop(listener);
            assert_eq!(holder(address), None, "{address}");
        }
    }
}
