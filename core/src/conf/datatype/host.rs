//! Names of hosts and patterns of them: ZConfig's `ipaddr-or-hostname`, and more.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Datatype, Wrong};

/// `www.example.org`, `*.example.org`, `10.0.0.1`, `[::1]` or `::1`; without a port.
///
/// Held as a request names it: lower case, an IPv6 address in brackets and in its shortest form.
/// Unlike ZConfig's it may begin with a digit or have one letter; but each part of a name has to be
/// one: ZConfig takes `a..b` and `a-` too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostPattern(pub(crate) String);

impl HostPattern {
    /// A pattern as it stands in a URL, where an IPv6 address has brackets.
    pub(super) fn of_url(text: &str) -> Option<Self> {
        if let Some(address) = bracketed(text) {
            return Some(Self(format!("[{address}]")));
        }
        let lower = text.to_ascii_lowercase();
        let name = lower.strip_prefix("*.").unwrap_or(&lower);
        let is_pattern = name != lower;
        let is_good = is_name(name) && !(is_pattern && name.parse::<Ipv4Addr>().is_ok());
        is_good.then_some(Self(lower))
    }
}

impl Datatype for HostPattern {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let bare = text.parse().ok().map(|address: Ipv6Addr| Self(format!("[{address}]")));
        bare.or_else(|| Self::of_url(text)).ok_or(Wrong::expected(
            "a host name without port, such as www.example.org or *.example.org",
        ))
    }
}

/// The address in `[IPV6]`.
pub(super) fn bracketed(text: &str) -> Option<Ipv6Addr> {
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// A name of letters, digits, `-`, `_` and single dots, or an IPv4 address.
pub(super) fn is_name(text: &str) -> bool {
    let numeric = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    text.len() <= 253 && text.split('.').all(label) && (!numeric || text.parse::<IpAddr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::{Datatype, HostPattern};

    #[test]
    fn hosts() {
        for (text, host) in [
            ("www.Example.org", "www.example.org"),
            ("*.example.org", "*.example.org"),
            ("localhost", "localhost"),
            ("127.0.0.1", "127.0.0.1"),
            ("[::1]", "[::1]"),
            ("::1", "[::1]"),
            ("2001:DB8:0::0001", "[2001:db8::1]"),
            ("a_b", "a_b"),
            ("3.org", "3.org"),
        ] {
            assert_eq!(HostPattern::parse(text).expect(text).0, host, "{text}");
        }
        for text in ["", "*", "a:80", "[::1]:80", "[a]", "a/b", "-a", "a-", "a..b", "1.2.3"] {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
        for text in ["*.*.a", "*.10.0.0.1", "*.[::1]", "*.::1", "01.2.3.4", "é.org"] {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
    }
}
