//! The address of a WebSocket server: RFC 6455, section 3, and a form for Unix sockets.

use std::fmt;
use std::net::Ipv6Addr;

use thiserror::Error;

/// Where a server is, and what it is asked for.
///
/// `ws://HOST[:PORT][/PATH][?QUERY]`, the same with `wss:` for TLS, or, as the npm package `ws` writes it too,
/// `ws+unix:/PATH/OF/SOCKET[:/PATH][?QUERY]`: the path of the socket ends at the first `:/`.
///
/// ```
/// use switchboard_websocket::{Server, Url};
///
/// let url = Url::parse("ws://[::1]:9000/app?x=1")?;
/// assert_eq!(url.server, Server::Tcp { host: "::1".to_owned(), port: 9000 });
/// assert_eq!((url.authority().as_str(), url.target.as_str()), ("[::1]:9000", "/app?x=1"));
///
/// let url = Url::parse("ws+unix:/run/app.sock:/feed")?;
/// assert_eq!(url.server, Server::Unix("/run/app.sock".to_owned()));
/// assert_eq!((url.authority().as_str(), url.target.as_str()), ("localhost", "/feed"));
/// # Ok::<(), switchboard_websocket::UrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// `wss:`, the connection is secured by TLS.
    pub tls: bool,
    /// Where to connect.
    pub server: Server,
    /// Path and query, percent-encoded, beginning with a slash.
    pub target: String,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// On a TCP port.
    Tcp {
        /// A name in lower case, or an address; of IPv6 without its brackets.
        host: String,
        /// If the url says none, 80, and 443 of `wss:`.
        port: u16,
    },
    /// On a Unix stream socket, by its path.
    Unix(String),
}

/// Why a text is no [`Url`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Not one of the three schemes.
    #[error("it begins neither with ws:// nor with wss:// nor with ws+unix:")]
    Scheme,
    /// No name and no address; or with a user, which ws:// has no place for.
    #[error("its host is no name and no address")]
    Host,
    /// Not a number from 1 to 65535.
    #[error("its port is no number from 1 to 65535")]
    Port,
    /// A Unix socket without a path.
    #[error("it has no path of a socket")]
    Socket,
    /// A fragment, or a character that must be percent-encoded.
    #[error("its path is not percent-encoded, or has a fragment")]
    Target,
}

const PORT: u16 = 80;
const TLS_PORT: u16 = 443;

impl Url {
    /// Reads a url.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once(':').ok_or(UrlError::Scheme)?;
        let scheme = scheme.to_ascii_lowercase();
        let tls = scheme == "wss";
        let (server, target) = match scheme.as_str() {
            "ws" | "wss" => tcp(rest.strip_prefix("//").ok_or(UrlError::Scheme)?, usual_port(tls))?,
            "ws+unix" => unix(rest)?,
            _ => return Err(UrlError::Scheme),
        };
        let target = if target.starts_with('/') { target.into() } else { format!("/{target}") };
        let is_encoded = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        if target.bytes().all(is_encoded) {
            Ok(Self { tls, server, target })
        } else {
            Err(UrlError::Target)
        }
    }

    /// What the request's `Host` header says. RFC 6455, section 4.1: the port only if it is not the
    /// scheme's own. A Unix socket has no name, so it is `localhost`.
    #[must_use]
    pub fn authority(&self) -> String {
        match &self.server {
            Server::Tcp { host, port } if *port == usual_port(self.tls) => bracketed(host),
            Server::Tcp { host, port } => format!("{}:{port}", bracketed(host)),
            Server::Unix(_) => "localhost".to_owned(),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.server {
            Server::Tcp { .. } => {
                let scheme = if self.tls { "wss" } else { "ws" };
                write!(f, "{scheme}://{}{}", self.authority(), self.target)
            }
            Server::Unix(path) => write!(f, "ws+unix:{path}:{}", self.target),
        }
    }
}

/// RFC 6455, section 3.
fn usual_port(tls: bool) -> u16 {
    if tls { TLS_PORT } else { PORT }
}

fn tcp(rest: &str, usual_port: u16) -> Result<(Server, &str), UrlError> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, self::port(port)?),
        _ => (authority, usual_port),
    };
    let host = name(host).ok_or(UrlError::Host)?;
    Ok((Server::Tcp { host, port }, target))
}

fn name(host: &str) -> Option<String> {
    if let Some(rest) = host.strip_prefix('[') {
        let address = rest.strip_suffix(']')?;
        return address.parse::<Ipv6Addr>().is_ok().then(|| address.to_ascii_lowercase());
    }
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_name = !host.is_empty() && host.len() <= 253 && host.bytes().all(in_name);
    is_name.then(|| host.to_ascii_lowercase())
}

fn port(text: &str) -> Result<u16, UrlError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0).ok_or(UrlError::Port)
}

fn unix(rest: &str) -> Result<(Server, &str), UrlError> {
    let (path, target) = match rest.find(":/") {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => match rest.find('?') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        },
    };
    if path.is_empty() || path.ends_with('/') || path.contains('\0') {
        return Err(UrlError::Socket);
    }
    Ok((Server::Unix(path.to_owned()), target))
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_where_and_what() {
        for (text, shown) in [
            ("ws://example.org", "ws://example.org/"),
            ("WS://Example.ORG:80/A", "ws://example.org/A"),
            ("ws://h:9000?x=1", "ws://h:9000/?x=1"),
            ("ws://127.0.0.1:9000/a/b?c=/d", "ws://127.0.0.1:9000/a/b?c=/d"),
            ("ws://[::1]", "ws://[::1]/"),
            ("ws://[2001:DB8::1]:81/", "ws://[2001:db8::1]:81/"),
            ("wss://Example.org", "wss://example.org/"),
            ("wss://h:443/a", "wss://h/a"),
            ("wss://h:80/a", "wss://h:80/a"),
            ("ws://h:443/a", "ws://h:443/a"),
            ("wss://[::1]", "wss://[::1]/"),
            ("ws+unix:/run/a.sock", "ws+unix:/run/a.sock:/"),
            ("ws+unix:/run/a.sock?x", "ws+unix:/run/a.sock:/?x"),
            ("ws+unix:run/a:b.sock:/p:/q?x", "ws+unix:run/a:b.sock:/p:/q?x"),
        ] {
            let url = Url::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(url.to_string(), shown);
            assert_eq!(Url::parse(shown).as_ref(), Ok(&url), "what is shown is read as the same");
        }
    }

    #[test]
    fn what_is_no_url_is_refused_with_its_reason() {
        for (text, expected) in [
            ("", UrlError::Scheme),
            ("h:9000", UrlError::Scheme),
            ("ws:h", UrlError::Scheme),
            ("http://h", UrlError::Scheme),
            ("wss:h", UrlError::Scheme),
            ("wss+unix:/run/a.sock", UrlError::Scheme),
            ("ws://", UrlError::Host),
            ("ws:///path", UrlError::Host),
            ("ws://a b", UrlError::Host),
            ("ws://user@h", UrlError::Host),
            ("ws://user:1@h", UrlError::Port),
            ("ws://::1", UrlError::Host),
            ("ws://[::1", UrlError::Host),
            ("ws://[x]", UrlError::Host),
            ("ws://h:", UrlError::Port),
            ("ws://h:0", UrlError::Port),
            ("ws://h:65536", UrlError::Port),
            ("ws://h:+1", UrlError::Port),
            ("ws://h/a b", UrlError::Target),
            ("ws://h/ä", UrlError::Target),
            ("ws://h/#x", UrlError::Target),
            ("ws://h/a\r\nX: y", UrlError::Target),
            ("ws+unix:", UrlError::Socket),
            ("ws+unix:/run/", UrlError::Socket),
            ("ws+unix::/x", UrlError::Socket),
        ] {
            assert_eq!(Url::parse(text), Err(expected), "{text}");
        }
    }
}
