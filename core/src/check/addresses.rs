//! The addresses of listeners and of the control socket: free, or held by the host that runs with
//! this conf.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::Checked;
use super::holder::holder;
use crate::admin::{Running, Socket, SocketError};
use crate::conf::{Address, AdminSettings, ListenerSettings, Settings};
use crate::listener::try_bind;

/// Who listens at the control socket that the conf names.
pub(super) enum Neighbour {
    /// Nobody, or the conf names none.
    Nobody,
    /// The host that runs with this conf.
    Ours(Running),
    /// Somebody else: a sentence about it.
    Other(String),
}

impl Neighbour {
    pub(super) fn new(settings: &Settings, found: Option<Result<Option<Running>, String>>) -> Self {
        let own = settings.conf_files.first().map(|file| file.path.as_path());
        match found {
            None | Some(Ok(None)) => Self::Nobody,
            Some(Ok(Some(running))) if own.is_some_and(|own| is_same(own, &running.conf)) => {
                Self::Ours(running)
            }
            Some(Ok(Some(Running { pid, conf, .. }))) => Self::Other(format!(
                "another host listens there: process {pid}, whose conf is {}",
                conf.display()
            )),
            Some(Err(why)) => Self::Other(why),
        }
    }

    /// Whether the address is one of the host's, which a start in its place would take over.
    fn has(&self, address: &Address) -> bool {
        let Self::Ours(running) = self else { return false };
        running.listeners.iter().any(|theirs| match address {
            Address::Unix(path) => *path == Path::new(theirs),
            Address::Tcp(ours) => theirs.parse().is_ok_and(|theirs: SocketAddr| {
                let all = ours.ip().is_unspecified() || theirs.ip().is_unspecified();
                ours.port() == theirs.port() && (all || ours.ip() == theirs.ip())
            }),
        })
    }
}

/// The files may be reached by links.
fn is_same(own: &Path, theirs: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| PathBuf::from(path));
    own == theirs || real(own) == real(theirs)
}

/// Each address is bound for a moment, unless our host has it. Nobody can connect meanwhile.
pub(super) fn listeners(settings: &Settings, neighbour: &Neighbour, checked: &mut Checked) {
    let others = settings.listeners.iter().filter(|known| !neighbour.has(&known.address));
    for listener in others {
        let Err(error) = try_bind(listener) else { continue };
        let who = match error.kind {
            io::ErrorKind::AddrInUse => held_by(listener, settings),
            _ => String::new(),
        };
        checked.problems.push(format!("{error}{who}"));
    }
}

/// Listeners of this conf that are in each other's way though their families differ. Those of one
/// family are an error of the conf.
pub(super) fn mixed(settings: &Settings) -> Vec<String> {
    let setting = std::fs::read_to_string("/proc/sys/net/ipv6/bindv6only");
    // Without it `[::]` is all addresses of IPv4 too. ipv6(7)
    if setting.is_ok_and(|setting| setting.trim() == "1") {
        return Vec::new();
    }
    let tcp = |listener: &ListenerSettings| match listener.address {
        Address::Tcp(address) => Some(address),
        Address::Unix(_) => None,
    };
    let is_all = |address: &SocketAddr| address.is_ipv6() && address.ip().is_unspecified();
    let known = &settings.listeners;
    let all: Vec<_> = known.iter().filter(|known| tcp(known).is_some_and(|a| is_all(&a))).collect();
    let clash = |listener: &ListenerSettings| {
        let own = tcp(listener).filter(|own| own.is_ipv4() && own.port() != 0)?;
        let other = all.iter().find(|all| tcp(all).is_some_and(|all| all.port() == own.port()))?;
        Some(format!(
            "{}: <listener {}> address {own}: the listener at {} has {}, which is all addresses of \
             IPv4 too; choose another port",
            listener.at, listener.name, other.at, other.address
        ))
    };
    known.iter().filter_map(clash).collect()
}

fn held_by(listener: &ListenerSettings, settings: &Settings) -> String {
    let process = match &listener.address {
        Address::Tcp(address) => holder(*address),
        Address::Unix(_) => None,
    };
    let who = process.map(|process| format!(": {process}")).unwrap_or_default();
    let hint = match settings.admin {
        None => "; if it is the host of this conf, an <admin> lets a check see that",
        Some(_) => "",
    };
    format!("{who}{hint}")
}

/// Why the host could not have its control socket.
pub(super) fn admin(settings: &Settings, neighbour: &Neighbour) -> Option<String> {
    let admin = settings.admin.as_ref()?;
    let error = |what| SocketError { at: admin.at.clone(), path: admin.socket.clone(), what };
    let wrong = match neighbour {
        Neighbour::Other(what) => Some(error(what.clone())),
        _ => missing(settings, admin).map(error).or_else(|| Socket::check(admin).err()),
    };
    wrong.map(|error| error.to_string())
}

/// Its directory, if it is neither there nor one that the host makes.
fn missing(settings: &Settings, admin: &AdminSettings) -> Option<String> {
    let directory = admin.socket.parent()?;
    let is_made = settings.private_copies().starts_with(directory);
    (!directory.exists() && !is_made)
        .then(|| format!("there is no directory {}", directory.display()))
}
