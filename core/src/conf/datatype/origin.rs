//! The origins that pages come from.

use super::{Datatype, HostPattern, Port, Wrong};
use crate::conf::Origin;

/// `same`, `*`, or `SCHEME://HOST` as a browser sends it, with a port unless it is the scheme's
/// own; the host may begin with `*.`.
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
        // As browsers write it: nothing but digits.
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => Port::parse(port).ok()?.0,
        Some(_) => return None,
    };
    let HostPattern(pattern) = HostPattern::of_url(host)?;
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

#[cfg(test)]
mod tests {
    use super::{Datatype, Origin};

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
        check("http://[0:0::0001]", "http [::1] 80");
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
            "https://a:+80",
            "https://::1",
            "https://fe80::1:80",
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
}
