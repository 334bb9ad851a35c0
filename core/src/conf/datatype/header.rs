//! What stands in headers of HTTP: names, values, subprotocols.

use switchboard_websocket::handshake::is_reserved;

use super::text::filled;
use super::{Datatype, Wrong};

/// What a `Sec-WebSocket-Protocol` header lists, RFC 6455, section 4.1: one of them.
#[derive(Debug, Clone)]
pub(crate) struct Subprotocol(pub(crate) String);

/// The value of a header: ASCII, without line ends.
#[derive(Debug, Clone)]
pub(crate) struct HeaderValue(pub(crate) String);

/// The name of a header that a forward may pass on: none that the handshake or the forward itself
/// decides about.
#[derive(Debug, Clone)]
pub(crate) struct PassedHeader(pub(crate) String);

impl Datatype for Subprotocol {
    fn parse(text: &str) -> Result<Self, Wrong> {
        filled(text, "one subprotocol, such as chat.v1", |c| !is_token(c)).map(Self)
    }
}

impl Datatype for HeaderValue {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let what = "the value of a header, in ASCII, such as max-age=3600";
        filled(text, what, |c| !matches!(c, ' '..='~' | '\t')).map(Self)
    }
}

impl Datatype for PassedHeader {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let lower = text.to_ascii_lowercase();
        if lower == "origin" || lower.starts_with("x-forwarded-") || is_reserved(text) {
            return Err(Wrong::expected(
                "the name of another header, since the host itself sets or leaves out this one",
            ));
        }
        filled(text, "the name of a header, such as Cookie", |c| !is_token(c)).map(Self)
    }
}

/// What RFC 9110, 5.6.2 calls a token: what names in headers are made of.
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::{Datatype, HeaderValue, PassedHeader, Subprotocol};

    #[test]
    fn a_header_is_passed_on_unless_the_host_decides_about_it() {
        for name in ["Cookie", "authorization", "X-Request-Id"] {
            assert_eq!(PassedHeader::parse(name).expect(name).0, name);
        }
        for name in [
            "",
            "a b",
            "X:",
            "Host",
            "origin",
            "Connection",
            "Upgrade",
            "Sec-WebSocket-Key",
            "Content-Length",
            "X-Forwarded-For",
        ] {
            assert!(PassedHeader::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_subprotocol_is_one_token_and_a_value_one_line() {
        assert!(Subprotocol::parse("chat.v1").is_ok());
        assert!(Subprotocol::parse("chat.v1, chat.v2").is_err());
        assert!(HeaderValue::parse("public, max-age=3600").is_ok());
        assert!(HeaderValue::parse("a\rb").is_err());
    }
}
