//! Host names, and the origins that pages come from.

use std::net::{IpAddr, Ipv6Addr};

use super::{Datatype, Wrong};
use crate::conf::Origin;

/// `www.example.org`, `*.example.org`, an IP address; lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostPattern(pub(crate) String);

impl Datatype for HostPattern {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let lower = text.to_ascii_lowercase();
        match lower.strip_prefix("*.").unwrap_or(&lower) {
            host if is_host(host) && (host == lower || host.parse::<IpAddr>().is_err()) => {
                Ok(Self(lower))
            }
            _ => Err(Wrong::expected(
                "a host name without port, such as www.example.org or *.example.org",
            )),
        }
    }
}

impl Datatype for Origin {
    fn parse(text: &str) -> Result<Self, Wrong> {
        match text.to_ascii_lowercase().as_str() {
            "*" => Ok(Self::Any),
            "same" => Ok(Self::Same),
            lower => exactly(lower).ok_or(Wrong::expected(
                "same, *, or an origin such as https://www.example.org or https://*.example.org",
            )),
        }
    }
}

fn exactly(text: &str) -> Option<Origin> {
    let (scheme, authority) = text.split_once("://")?;
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port = match port {
        None => default_port(scheme),
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => port.parse().ok()?,
        Some(_) => return None,
    };
    let HostPattern(pattern) = HostPattern::parse(host).ok()?;
    let (host, below) = match pattern.strip_prefix("*.") {
        Some(host) => (host.into(), true),
        None => (pattern, false),
    };
    is_scheme.then(|| Origin::Exactly { scheme: scheme.into(), host, port, below })
}

/// 0 for a scheme that has none, as those of browser extensions.
fn default_port(scheme: &str) -> u16 {
    match scheme {
        "http" | "ws" => 80,
        "https" | "wss" => 443,
        _ => 0,
    }
}

/// A name of letters, digits, `-`, `_` and single dots, an IPv4 address, or `[IPv6]`.
pub(super) fn is_host(text: &str) -> bool {
    if let Some(rest) = text.strip_prefix('[') {
        return rest.strip_suffix(']').is_some_and(|rest| rest.parse::<Ipv6Addr>().is_ok());
    }
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
    use super::{Datatype, HostPattern, Origin};

    fn check(text: &str, expected: &str) {
        let shown = match Origin::parse(text) {
            Ok(Origin::Any) => "any".into(),
            Ok(Origin::Same) => "same".into(),
            Ok(Origin::Exactly { scheme, host, port, below }) => {
                format!("{scheme} {host} {port}{}", if below { " below" } else { "" })
            }
            Err(_) => "wrong".into(),
        };
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn origins() {
        check("*", "any");
        check("Same", "same");
        check("https://WWW.Example.org", "https www.example.org 443");
        check("http://localhost:8080", "http localhost 8080");
        check("https://*.example.org", "https example.org 443 below");
        check("http://[::1]:8080", "http [::1] 8080");
        check("http://[::1]", "http [::1] 80");
        check("http://10.0.0.1", "http 10.0.0.1 80");
        check("chrome-extension://abcdef", "chrome-extension abcdef 0");
    }

    #[test]
    fn what_is_no_origin() {
        for text in [
            "",
            "null",
            "www.example.org",
            "https://",
            "https://a/",
            "https://a/b",
            "https://a:x",
            "https://a:99999",
            "https://*",
            "https://a.*",
            "https://u@a",
            "https://a b",
            "https://é.org",
            "://a",
            "1s://a",
            "https://*.10.0.0.1",
            "https://a..b",
        ] {
            check(text, "wrong");
        }
    }

    #[test]
    fn hosts() {
        for text in ["www.example.org", "*.example.org", "localhost", "127.0.0.1", "[::1]", "a_b"] {
            assert!(HostPattern::parse(text).is_ok(), "{text}");
        }
        for text in ["", "*", "a:80", "[::1]:80", "::1", "a/b", "-a", "a-", "1.2.3", "*.*.a"] {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
    }
}
