//! URL prefixes: what `<websocket /chat>` is named by.

use super::{Datatype, Wrong};

/// `/`, or segments each with a `/` before it; decoded once, with its case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prefix(pub(crate) String);

impl Datatype for Prefix {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let Some(path) = text.strip_prefix('/') else {
            return Err(Wrong::expected("a prefix that begins with '/'"));
        };
        let path = path.strip_suffix('/').unwrap_or(path);
        if path.is_empty() {
            return match text {
                "/" => Ok(Self(text.into())),
                _ => Err(Wrong::expected("a prefix without '//'")),
            };
        }
        let segments: Vec<String> = path.split('/').map(segment).collect::<Result<_, _>>()?;
        Ok(Self(format!("/{}", segments.join("/"))))
    }
}

fn segment(text: &str) -> Result<String, Wrong> {
    let decoded = decoded(text)
        .ok_or(Wrong::expected("a prefix in which '%' is followed by two digits, as in URLs"))?;
    let expected = match decoded.as_str() {
        "" => "a prefix without '//'",
        "." | ".." => "a prefix without '.' and '..'",
        other if other.contains('/') => "a prefix without an encoded '/'",
        other if other.contains(char::is_control) => "a prefix without control characters",
        _ if text.contains(['?', '#']) => "a path without '?' and '#'",
        _ => return Ok(decoded),
    };
    Err(Wrong::expected(expected))
}

/// Percent-decoded; none for a `%` without two digits and for what is not UTF-8 then.
fn decoded(text: &str) -> Option<String> {
    let mut escapes = text.split('%').skip(1);
    let digits = |escape: &str| {
        escape.get(..2).is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    if !escapes.all(digits) {
        return None;
    }
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::{Datatype, Prefix};

    #[test]
    fn prefixes() {
        let good = [
            ("/", "/"),
            ("/Chat", "/Chat"),
            ("/chat/", "/chat"),
            ("/a/b.c/~d", "/a/b.c/~d"),
            ("/a%20b", "/a b"),
            ("/%C3%A9", "/é"),
            ("/é", "/é"),
            ("/a%2525", "/a%25"),
            ("/a...", "/a..."),
        ];
        for (text, prefix) in good {
            assert_eq!(Prefix::parse(text).expect(text).0, prefix, "{text}");
        }
    }

    #[test]
    fn what_is_no_prefix() {
        for text in [
            "",
            "chat",
            "//",
            "/a//b",
            "/a//",
            "/.",
            "/a/..",
            "/%2e%2E/b",
            "/a%2Fb",
            "/a%00",
            "/a%",
            "/a%2",
            "/a%zz",
            "/%ff",
            "/a?b",
            "/a#b",
            "/a%0a",
        ] {
            assert!(Prefix::parse(text).is_err(), "{text}");
        }
    }
}
