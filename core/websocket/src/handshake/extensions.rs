//! The grammar of `Sec-WebSocket-Extensions`: RFC 6455, section 9.1.
//! What an extension's name and parameters mean is not known here.

use std::borrow::Cow;

use thiserror::Error;

use super::is_token;

/// One extension of a list: offered by a client, or chosen by a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension<'a> {
    /// Its registered name.
    pub name: &'a str,
    /// Its parameters, in their order; the values without quotes.
    pub params: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

/// The value is no list of extensions. RFC 6455, section 9.1: whoever receives one fails the
/// connection, which for a server means that it answers 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("this is no list of extensions")]
pub struct MalformedExtensions;

/// Reads the value of one header; a list may be spread over several, in their order.
///
/// ```
/// use switchboard_websocket::handshake::extensions;
///
/// let list = extensions(b"foo; a=1; b=\"two\", bar")?;
/// assert_eq!((list[0].name, list[1].name), ("foo", "bar"));
/// assert_eq!(list[0].params[1], ("b", Some("two".into())));
/// # Ok::<(), switchboard_websocket::handshake::MalformedExtensions>(())
/// ```
pub fn extensions(value: &[u8]) -> Result<Vec<Extension<'_>>, MalformedExtensions> {
    let mut rest = Rest(std::str::from_utf8(value).map_err(|_| MalformedExtensions)?);
    let mut list = Vec::new();
    loop {
        // RFC 9110, section 5.6.1.2: empty elements of a list mean nothing.
        while rest.take(',') {}
        if rest.is_empty() {
            return Ok(list);
        }
        list.push(rest.extension()?);
        if !rest.is_empty() && !rest.take(',') {
            return Err(MalformedExtensions);
        }
    }
}

/// What has not been read.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn extension(&mut self) -> Result<Extension<'a>, MalformedExtensions> {
        let name = self.token()?;
        let mut params = Vec::new();
        while self.take(';') {
            let param = self.token()?;
            let value = if self.take('=') { Some(self.value()?) } else { None };
            params.push((param, value));
        }
        Ok(Extension { name, params })
    }

    fn token(&mut self) -> Result<&'a str, MalformedExtensions> {
        self.skip_blanks();
        let ends = |c: char| matches!(c, ',' | ';' | '=' | '"' | ' ' | '\t');
        let (token, rest) = self.0.split_at(self.0.find(ends).unwrap_or(self.0.len()));
        self.0 = rest;
        if is_token(token) { Ok(token) } else { Err(MalformedExtensions) }
    }

    /// A token, or one in quotes: what is quoted must be a token too.
    fn value(&mut self) -> Result<Cow<'a, str>, MalformedExtensions> {
        if !self.take('"') {
            return self.token().map(Cow::Borrowed);
        }
        let mut value = String::new();
        let mut chars = self.0.char_indices();
        while let Some((at, char)) = chars.next() {
            match char {
                '"' => {
                    self.0 = &self.0[at + 1..];
                    let value = Some(value).filter(|value| is_token(value));
                    return value.map(Cow::Owned).ok_or(MalformedExtensions);
                }
                '\\' => value.push(chars.next().ok_or(MalformedExtensions)?.1),
                char => value.push(char),
            }
        }
        Err(MalformedExtensions)
    }

    /// Takes a separator, and the blanks before it.
    fn take(&mut self, separator: char) -> bool {
        self.skip_blanks();
        let behind = self.0.strip_prefix(separator);
        self.0 = behind.unwrap_or(self.0);
        behind.is_some()
    }

    fn is_empty(&mut self) -> bool {
        self.skip_blanks();
        self.0.is_empty()
    }

    fn skip_blanks(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list, written in one form: `name;param=value,...`.
    fn check(value: &str, expected: Option<&str>) {
        let shown = extensions(value.as_bytes()).ok().map(|list| {
            let extension = |extension: &Extension<'_>| {
                let param = |(name, value): &(&str, Option<Cow<'_, str>>)| match value {
                    Some(value) => format!(";{name}={value}"),
                    None => format!(";{name}"),
                };
                let params: String = extension.params.iter().map(param).collect();
                format!("{}{params}", extension.name)
            };
            list.iter().map(extension).collect::<Vec<_>>().join(",")
        });
        assert_eq!(shown.as_deref(), expected, "{value}");
    }

    #[test]
    fn a_list_has_names_parameters_and_values() {
        #[rustfmt::skip]
        let table = [
            ("",                                        ""),
            (" , ,",                                    ""),
            ("a",                                       "a"),
            ("a, b ,c",                                 "a,b,c"),
            (",a,,b,",                                  "a,b"),
            ("a;b",                                     "a;b"),
            ("a ; b = 1 ;\tc",                          "a;b=1;c"),
            ("a;b=1;b=2, a",                            "a;b=1;b=2,a"),
            ("a;b=\"1\"",                               "a;b=1"),
            ("a;b=\"\\1\\x\" , c",                      "a;b=1x,c"),
            ("permessage-deflate; client_max_window_bits; server_max_window_bits=10",
             "permessage-deflate;client_max_window_bits;server_max_window_bits=10"),
        ];
        for (value, expected) in table {
            check(value, Some(expected));
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for value in [
            ";",
            "a;",
            "a;;b",
            "a b",
            "a=1",
            "a;=1",
            "a;b=",
            "a;b=,c",
            "a;b=\"",
            "a;b=\"1",
            "a;b=\"\"",
            "a;b=\"1 2\"",
            "a;b=\"1,2\"",
            "a;b=\"1\"2",
            "a;b=\"\\",
            "a;b=1 2",
            "a/b",
            "ä",
            "a;b=ä",
            "\"a\"",
            "a;b==1",
            "a\0",
            "a;b=\"\\\"\"",
        ] {
            check(value, None);
        }
        assert_eq!(extensions(b"a\xff"), Err(MalformedExtensions));
    }
}
