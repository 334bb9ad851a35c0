//! `<listener>` and its `<ssl>`: addresses that are known, and no two of which are in each other's way.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};

use figment::value::Tag;

use super::datatype::ListenAddress;
use super::raw::{Given, RawListener, RawSsl};
use super::settle::{SOCKET_PATH_BYTES_MAX, Settling, in_file_order, too_long, value};
use super::{Address, ListenerSettings, SslSettings};

impl Settling<'_> {
    /// All listeners, of which no two may have the same address; at least one.
    pub(super) fn listeners(
        &mut self,
        raw: BTreeMap<String, RawListener>,
    ) -> Vec<ListenerSettings> {
        let mut taken: HashMap<Address, Tag> = HashMap::new();
        let mut listeners = Vec::new();
        for raw in in_file_order(raw, |raw| raw.name.tag()) {
            let name = value(&raw.name).clone();
            let directive = format!("<listener {name}> address");
            let address = self.address(&raw.address, &directive);
            if let Some(message) = self.clash(&taken, &address) {
                self.faults.of(self.places, raw.address.tag(), &directive, message);
            }
            taken.entry(address.clone()).or_insert(raw.address.tag());
            let backlog = u32::try_from(value(&raw.backlog).0).unwrap_or(u32::MAX);
            let socket_mode = value(&raw.socket_mode).0;
            let at = self.at(raw.address.tag());
            let ssl = raw.ssl.as_ref().map(|ssl| self.ssl(ssl, &name));
            listeners.push(ListenerSettings { name, address, socket_mode, backlog, ssl, at });
        }
        if listeners.is_empty() {
            let message = "there is no <listener>; write '<listener main>', \
                           'address 127.0.0.1:8080' and '</listener>', each on its own line";
            self.faults.missing(&self.file, "", message);
        }
        listeners
    }

    /// Who has `address` already, or a part of it.
    fn clash(&self, taken: &HashMap<Address, Tag>, address: &Address) -> Option<String> {
        if matches!(address, Address::Tcp(address) if address.port() == 0) {
            return None;
        }
        if let Some(first) = taken.get(address) {
            return Some(format!("the address is taken by the listener at {}", self.at(*first)));
        }
        let overlapping = taken.iter().filter(|(other, _)| overlap(other, address));
        let (other, first) = overlapping.min_by_key(|(_, tag)| **tag)?;
        let first = self.at(*first);
        Some(match covers(other, address) {
            true => format!(
                "the listener at {first} has {other}, which is this one too; choose another port"
            ),
            false => format!(
                "the listener at {first} has {other}, which is one of these; choose another port"
            ),
        })
    }

    fn ssl(&self, raw: &RawSsl, listener: &str) -> SslSettings {
        let file =
            |given, key| self.named_file(given, &format!("<listener {listener}> <ssl> {key}"));
        SslSettings {
            certificate: file(&raw.certificate, "certificate"),
            key: file(&raw.key, "key"),
        }
    }

    /// Some address if this one cannot be used, which is a fault then.
    fn address(&mut self, given: &Given<ListenAddress>, directive: &str) -> Address {
        let result = match value(given) {
            ListenAddress::Ip(ip, port) => Ok(Address::Tcp(SocketAddr::new(*ip, *port))),
            ListenAddress::Named(name, port) => looked_up(name, *port),
            ListenAddress::Unix(path) => match self.path(path) {
                path if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX => Err(too_long(&path)),
                path => Ok(Address::Unix(path)),
            },
        };
        result.unwrap_or_else(|message| {
            self.faults.of(self.places, given.tag(), directive, message);
            Address::Tcp((Ipv4Addr::LOCALHOST, 0).into())
        })
    }
}

/// Whether one of two addresses is all that the other could be. Those of the other family are not
/// counted: whether `[::]` is them too is a setting of the system.
fn overlap(one: &Address, other: &Address) -> bool {
    covers(one, other) || covers(other, one)
}

/// Whether `one` is `other` too: it is all addresses of the family, or the same one, perhaps as IPv6
/// writes those of IPv4.
fn covers(one: &Address, other: &Address) -> bool {
    let (Address::Tcp(one), Address::Tcp(other)) = (one, other) else { return false };
    let (own, ip) = (one.ip().to_canonical(), other.ip().to_canonical());
    let same_port = one.port() == other.port() && own.is_ipv4() == ip.is_ipv4();
    same_port && (own == ip || own.is_unspecified())
}

fn looked_up(name: &str, port: u16) -> Result<Address, String> {
    let found = (name, port).to_socket_addrs().ok().and_then(|mut all| all.next());
    let unknown = || {
        format!(
            "no address is known for the host '{name}'; 0.0.0.0:{port} is all addresses of this \
             machine"
        )
    };
    found.map(Address::Tcp).ok_or_else(unknown)
}
