//! Where a listener listens, as text. Names are looked up later.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::origin::is_host;
use super::{Datatype, Wrong};

/// What `address` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListenAddress {
    /// An address of this machine.
    Ip(IpAddr, u16),
    /// A name that has to be looked up.
    Named(String, u16),
    /// The path of a Unix socket.
    Unix(String),
}

impl Datatype for ListenAddress {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let parsed = if text.contains('/') { unix(text) } else { inet(text) };
        parsed.ok_or(Wrong::expected(
            "a port, HOST:PORT, [IPV6]:PORT, or the path of a Unix socket with a '/' in it",
        ))
    }
}

/// A path; `unix:/x` and `tcp://x` are the ways of other programs to write an address.
fn unix(text: &str) -> Option<ListenAddress> {
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    let is_url = !scheme.contains('/') && rest.starts_with('/');
    (!is_url && !text.contains('\0') && !text.ends_with('/'))
        .then(|| ListenAddress::Unix(text.into()))
}

fn inet(text: &str) -> Option<ListenAddress> {
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let port: u16 = port.parse().ok().filter(|_| digits)?;
    if let Some(host) = host.strip_prefix('[') {
        let host: Ipv6Addr = host.strip_suffix(']')?.parse().ok()?;
        return Some(ListenAddress::Ip(host.into(), port));
    }
    if let Ok(host) = host.parse::<Ipv4Addr>() {
        return Some(ListenAddress::Ip(host.into(), port));
    }
    match host.to_ascii_lowercase() {
        host if host.is_empty() || host == "localhost" => {
            Some(ListenAddress::Ip(Ipv4Addr::LOCALHOST.into(), port))
        }
        host => is_host(&host).then_some(ListenAddress::Named(host, port)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Datatype, ListenAddress};

    fn check(text: &str, expected: Option<&str>) {
        let shown = ListenAddress::parse(text).ok().map(|address| match address {
            ListenAddress::Ip(ip, port) => format!("{ip} {port}"),
            ListenAddress::Named(name, port) => format!("name {name} {port}"),
            ListenAddress::Unix(path) => format!("unix {path}"),
        });
        assert_eq!(shown.as_deref(), expected, "{text}");
    }

    #[test]
    fn addresses() {
        check("8080", Some("127.0.0.1 8080"));
        check(":0", Some("127.0.0.1 0"));
        check("localhost:8080", Some("127.0.0.1 8080"));
        check("0.0.0.0:80", Some("0.0.0.0 80"));
        check("[::1]:8080", Some("::1 8080"));
        check("[::]:8080", Some(":: 8080"));
        check("WWW.example.org:80", Some("name www.example.org 80"));
        check("/run/sb.sock", Some("unix /run/sb.sock"));
        check("var/sb.sock", Some("unix var/sb.sock"));
        check("./a:1", Some("unix ./a:1"));
    }

    #[test]
    fn what_is_no_address() {
        for text in [
            "",
            "65536",
            "host",
            "host:",
            "::1",
            "[::1]",
            "[::1]:",
            "[x]:1",
            "1.2.3.4",
            "1.2.3.999:80",
            "a b:80",
            "*:80",
            "+80",
            "-1",
            "unix:/x",
            "tcp://h:1",
            "/run/",
            "@a",
        ] {
            check(text, None);
        }
    }
}
