//! What a forward is told: the address of another server, and headers that are passed on.

use switchboard_websocket::handshake::is_reserved;
use switchboard_websocket::{Url, UrlError};

use super::{Datatype, Wrong, is_token};

impl Datatype for Url {
    fn parse(text: &str) -> Result<Self, Wrong> {
        Self::parse(text).map_err(|error| match error {
            UrlError::Scheme => Wrong::expected(
                "ws://HOST:PORT/PATH, wss://HOST:PORT/PATH or ws+unix:/PATH/OF/SOCKET:/PATH",
            ),
            error => format!("a url such as ws://127.0.0.1:9000/app ({error})").into(),
        })
    }
}

/// Headers that the handshake or the forward itself decides about are none of these.
pub(super) fn passed_header(text: &str) -> Result<(), Wrong> {
    let lower = text.to_ascii_lowercase();
    let is_ours = lower == "origin" || lower.starts_with("x-forwarded-") || is_reserved(text);
    if is_ours {
        let what = "the name of another header, since the host itself sets or leaves out this one";
        return Err(Wrong::expected(what));
    }
    let is_name = !text.is_empty() && text.chars().all(is_token);
    if is_name { Ok(()) } else { Err(Wrong::expected("the name of a header, such as Cookie")) }
}

#[cfg(test)]
mod tests {
    use crate::conf::schema::Kind;

    #[test]
    fn a_header_is_passed_on_unless_the_host_decides_about_it() {
        for name in ["Cookie", "authorization", "X-Request-Id"] {
            assert_eq!(Kind::PassedHeader.check(name), Ok(()), "{name}");
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
            assert!(Kind::PassedHeader.check(name).is_err(), "{name}");
        }
    }
}
