//! Where a listener listens, as text: ZConfig's `socket-binding-address`. Names are looked up
//! later.

use std::net::{IpAddr, Ipv4Addr};

use super::host::{bracketed, is_name};
use super::number::number;
use super::{Datatype, FilePath, Port, Wrong};

const EXPECTED: Wrong = Wrong::expected(
    "a port, HOST:PORT, [IPV6]:PORT, or the path of a Unix socket with a '/' in it",
);

/// What `address` says: `PORT`, `HOST:PORT`, `[IPV6]:PORT`, or a path, which has a `/` in it.
///
/// Without a host it is 127.0.0.1, where ZConfig's is all addresses: those are `0.0.0.0:8080` or
/// `[::]:8080` here. What ZConfig takes and is refused: no port, what is no host (`65536`, `*`,
/// `a b`), and the `unix:/x` and `tcp://x` of other programs, which would be paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListenAddress {
    /// An address of this machine.
    Ip(IpAddr, u16),
    /// A name that has to be looked up, in lower case.
    Named(String, u16),
    /// The path of a Unix socket.
    Unix(FilePath),
}

impl Datatype for ListenAddress {
    fn parse(text: &str) -> Result<Self, Wrong> {
        if text.contains('/') { unix(text) } else { inet(text) }
    }
}

/// A path; `unix:/x` and `tcp://x` are the ways of other programs to write an address.
fn unix(text: &str) -> Result<ListenAddress, Wrong> {
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    let is_url = !scheme.contains('/') && rest.starts_with('/');
    if is_url || text.ends_with('/') {
        return Err(EXPECTED);
    }
    FilePath::parse(text).map(ListenAddress::Unix)
}

fn inet(text: &str) -> Result<ListenAddress, Wrong> {
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    if host.contains(':') && bracketed(host).is_none() && text.chars().all(is_of_ipv6) {
        return Err(Wrong::expected("an IPv6 address in brackets and a port, such as [::1]:8080"));
    }
    let Port(port) = Port::parse(port).map_err(|wrong| without_port(text, port, wrong))?;
    if host == "*" {
        let all = format!("an address, such as 0.0.0.0:{port} or [::]:{port} for all of them");
        return Err(all.into());
    }
    at(host, port).ok_or(EXPECTED)
}

fn at(host: &str, port: u16) -> Option<ListenAddress> {
    if let Some(address) = bracketed(host) {
        return Some(ListenAddress::Ip(address.into(), port));
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Some(ListenAddress::Ip(address.into(), port));
    }
    match host.to_ascii_lowercase() {
        host if host.is_empty() || host == "localhost" => {
            Some(ListenAddress::Ip(Ipv4Addr::LOCALHOST.into(), port))
        }
        host => is_name(&host).then_some(ListenAddress::Named(host, port)),
    }
}

/// What to say if `port`, at the end of `text`, is none: one that is too large, or a host alone?
fn without_port(text: &str, port: &str, wrong: Wrong) -> Wrong {
    let host = text.strip_suffix(':').unwrap_or(text);
    if number(port).is_some() {
        return wrong;
    }
    if is_name(host) || bracketed(host).is_some() {
        return format!("a host and a port, such as {host}:8080").into();
    }
    EXPECTED
}

fn is_of_ipv6(c: char) -> bool {
    c.is_ascii_hexdigit() || ":.[]".contains(c)
}

#[cfg(test)]
mod tests {
    use super::{Datatype, ListenAddress};

    fn check(text: &str, expected: &str) {
        let shown = match ListenAddress::parse(text).expect(text) {
            ListenAddress::Ip(ip, port) => format!("{ip} {port}"),
            ListenAddress::Named(name, port) => format!("name {name} {port}"),
            ListenAddress::Unix(path) => format!("unix {}", path.0),
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn addresses() {
        check("8080", "127.0.0.1 8080");
        check("+80", "127.0.0.1 80");
        check(":0", "127.0.0.1 0");
        check("localhost:8080", "127.0.0.1 8080");
        check("0.0.0.0:80", "0.0.0.0 80");
        check("[::1]:8080", "::1 8080");
        check("[::]:8080", ":: 8080");
        check("WWW.example.org:80", "name www.example.org 80");
        check("/run/sb.sock", "unix /run/sb.sock");
        check("var/sb.sock", "unix var/sb.sock");
        check("~/sb.sock", "unix ~/sb.sock");
        check("./a:1", "unix ./a:1");
    }

    #[test]
    fn what_is_no_address() {
        let cases = [
            ("a port from 0 to 65535, such as 8080", "65536 h:65536 [::1]:99999"),
            ("a host and a port, such as h:8080", "h h:"),
            ("a host and a port, such as 1.2.3.4:8080", "1.2.3.4"),
            ("a host and a port, such as [::1]:8080", "[::1]:"),
            ("an IPv6 address in brackets and a port, such as [::1]:8080", "::1 [::1] fe80::1:80"),
            ("an address, such as 0.0.0.0:80 or [::]:80 for all of them", "*:80"),
            (
                "a port, HOST:PORT, [IPV6]:PORT, or the path of a Unix socket with a '/' in it",
                "-1  [x]:1 1.2.3.999:80 a_b-:80 [fe80::1%1]:80 unix:/x tcp://h:1 /run/ @a h:x *",
            ),
        ];
        for (expected, texts) in cases {
            for text in texts.split(' ') {
                let wrong = ListenAddress::parse(text).expect_err(text).about("x");
                assert_eq!(wrong, format!("expected {expected}, found 'x'"), "{text}");
            }
        }
    }
}
