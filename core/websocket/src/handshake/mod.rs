//! The rules of the opening handshake, RFC 6455 section 4.
//!
//! For a server they are functions on header values and know no HTTP: which header is asked for, and
//! what is answered, is the caller's. A client has them whole: what it sends is a [`Request`], and
//! what comes back is measured by [`response_head_len`], parsed and held against the rules by
//! [`Response`].
//!
//! ```
//! use switchboard_websocket::handshake;
//!
//! assert!(handshake::has_token("keep-alive, Upgrade", "upgrade"));
//! assert!(handshake::is_key("dGhlIHNhbXBsZSBub25jZQ=="));
//! let accept = handshake::accept_key("dGhlIHNhbXBsZSBub25jZQ==");
//! assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
//! ```

pub mod deflate;
mod extensions;
mod request;
mod response;

use base64::{Engine, engine::general_purpose::STANDARD};
use sha1::{Digest, Sha1};

pub use extensions::{Extension, MalformedExtensions, extensions};
pub use request::{Request, RequestError, is_reserved};
pub use response::{Response, ResponseError, response_head_len};

/// The value of `Sec-WebSocket-Version` that this crate speaks.
pub const VERSION: &str = "13";

/// The `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key`. Section 4.2.2, item 5.4.
pub fn accept_key(key: &str) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

/// Whether `value` is a `Sec-WebSocket-Key`: base64 of exactly 16 bytes. Section 4.2.1, item 5.
///
/// The four bits that the last digit has too many may be anything: the example that the RFC gives
/// in section 4.1 sets one.
pub fn is_key(value: &str) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    value.as_bytes().split_last_chunk().is_some_and(|(digits, end)| {
        digits.len() == 22 && digits.iter().all(is_digit) && end == b"=="
    })
}

/// The `Sec-WebSocket-Key` a client makes of 16 random bytes. Section 4.1, item 7.
pub fn random_key_from(random: [u8; 16]) -> String {
    STANDARD.encode(random)
}

/// Whether a comma separated list, such as the value of `Connection`, names `token`, in capitals or
/// not.
pub fn has_token(value: &str, token: &str) -> bool {
    tokens(value).any(|element| element.eq_ignore_ascii_case(token))
}

/// The elements of a comma separated list, without the blanks round them; empty ones are left out,
/// as RFC 9110, section 5.6.1.2 says.
///
/// Not for lists whose elements may have quoted parameters, as in `Sec-WebSocket-Extensions`: see
/// [`extensions()`]. What
/// an element may contain is not looked at: see [`is_token`].
pub fn tokens(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(|element| element.trim_matches([' ', '\t'])).filter(|e| !e.is_empty())
}

/// Whether `value` is a token of RFC 9110, section 5.6.2, as names of subprotocols must be.
pub fn is_token(value: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !value.is_empty() && value.bytes().all(is_tchar)
}

/// What the key is hashed with, so that only a server that knows WebSocket can answer it.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_answered_as_there() {
        // Section 1.3.
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(random_key_from(*b"the sample nonce"), "dGhlIHNhbXBsZSBub25jZQ==");
    }

    #[test]
    fn a_key_is_16_bytes_in_base64() {
        #[rustfmt::skip]
        let table = [
            ("dGhlIHNhbXBsZSBub25jZQ==",  true),
            ("AQIDBAUGBwgJCgsMDQ4PEC==",  true), // section 4.1
            ("++++////++++////++++//==",  true),
            ("",                          false),
            ("==",                        false),
            ("dGhlIHNhbXBsZSBub25jZQ=",   false),
            ("dGhlIHNhbXBsZSBub25jZQ",    false),
            ("dGhlIHNhbXBsZSBub25jZQAA",  false), // 18 bytes
            ("dGhlIHNhbXBsZSBub25jZQA=",  false), // 17 bytes
            ("dGhlIHNhbXBsZSBub25=ZQ==",  false),
            ("dGhlIHNhbXBsZSBub25-ZQ==",  false),
            (" GhlIHNhbXBsZSBub25jZQ==",  false),
            ("dGhlIHNhbXBsZSBub2ä5jQ==",  false),
        ];
        for (key, expected) in table {
            assert_eq!(is_key(key), expected, "{key}");
        }
        assert!((0..=255).all(|byte| is_key(&random_key_from([byte; 16]))));
    }

    #[test]
    fn a_list_has_a_token_whole_and_in_any_case() {
        #[rustfmt::skip]
        let table = [
            ("Upgrade",               true),
            ("upgrade",               true),
            ("keep-alive, UPGRADE",   true),
            ("keep-alive,\tUpgrade ", true),
            (",,Upgrade,,",           true),
            ("",                      false),
            ("Upgraded",              false),
            ("no-Upgrade",            false),
            ("keep-alive Upgrade",    false),
            ("upgrade;q=1",           false),
        ];
        for (value, expected) in table {
            assert_eq!(has_token(value, "upgrade"), expected, "{value}");
        }
    }

    #[test]
    fn a_list_gives_its_elements_in_order() {
        let elements: Vec<&str> = tokens(" chat ,, superchat\t, v2.chat,").collect();
        assert_eq!(elements, ["chat", "superchat", "v2.chat"]);
        assert_eq!(tokens(" , ,").count(), 0);
    }

    #[test]
    fn a_token_has_no_blank_and_no_separator() {
        assert!(["chat", "v1.json", "a+b", "!#$%&'*+-.^_`|~09azAZ"].into_iter().all(is_token));
        for value in ["", " ", "a b", "a,b", "a/b", "a;b", "a\"b", "a@b", "ä", "a\0", "a=b", "(a)"]
        {
            assert!(!is_token(value), "{value}");
        }
    }
}
