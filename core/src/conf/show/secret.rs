//! What is not shown: values that are secret, and what looks like a secret in those that are not.
//!
//! The schema says of each key whether its values are secret. Where a text is the endpoint's own
//! (`<config>`, a command line, the query of a url) a name has to say it: too much is hidden
//! rather than too little.

use crate::conf::schema::{Key, Kind};

/// What stands in place of a secret.
pub(super) const HIDDEN: &str = "(hidden)";

/// A name with one of these in it, in any case, names a secret.
const PARTS: [&str; 9] = [
    "authorization",
    "credential",
    "key",
    "passphrase",
    "passwd",
    "password",
    "pwd",
    "secret",
    "token",
];

/// What may be shown of a value of `key`.
pub(super) fn of_key(key: &Key, value: &str) -> String {
    match key.kind {
        _ if key.secret => HIDDEN.into(),
        Kind::Words | Kind::Url => without_secrets(value),
        _ => value.into(),
    }
}

/// What may be shown of a line of a `<config>`.
pub(super) fn of_config(key: &str, value: &str) -> String {
    if is_secret(key) && !value.is_empty() { HIDDEN.into() } else { without_secrets(value) }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase();
    name.ends_with("pass") || PARTS.iter().any(|part| name.contains(part))
}

/// `text` without the passwords of its URLs, and up to the first name of a secret that has a value.
pub(crate) fn without_secrets(text: &str) -> String {
    let text = without_passwords(text);
    match named(&text) {
        Some(end) => format!("{}{HIDDEN}", &text[..end]),
        None => text,
    }
}

/// Where the value begins of the first name of a secret: behind `token=`, `token: `, `"token":` or
/// `--token `.
fn named(text: &str) -> Option<usize> {
    let in_name = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let mut begin = 0;
    while let Some(start) = text[begin..].find(in_name) {
        let name = &text[begin + start..];
        let name = &name[..name.find(|c| !in_name(c)).unwrap_or(name.len())];
        let end = begin + start + name.len();
        if let Some(separator) = separator(name, &text[end..]).filter(|_| is_secret(name)) {
            return Some(end + separator).filter(|value| *value < text.len());
        }
        begin = end;
    }
    None
}

/// The length of what stands between `name` and its value, at the beginning of `rest`.
fn separator(name: &str, rest: &str) -> Option<usize> {
    let blanks = |rest: &str| rest.len() - rest.trim_start().len();
    let behind = rest.trim_start_matches(['"', '\'']);
    let quotes = rest.len() - behind.len();
    let sign = behind.trim_start();
    let is_set =
        sign.starts_with('=') || (sign.starts_with(':') && (quotes > 0 || blanks(&sign[1..]) > 0));
    if is_set {
        let sign_at = rest.len() - sign.len();
        return Some(sign_at + 1 + blanks(&sign[1..]));
    }
    (name.starts_with('-') && blanks(rest) > 0).then(|| blanks(rest))
}

/// `text` with [`HIDDEN`] for the password in `scheme://user:password@host`, or for the user if
/// there is no password.
fn without_passwords(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "/?#".contains(c));
        rest = after;
        if let Some((user, _)) = after[..end.unwrap_or(after.len())].rsplit_once('@') {
            let name = user.find(':').map_or("", |colon| &user[..=colon]);
            out.push_str(&format!("{name}{HIDDEN}"));
            rest = &after[user.len()..];
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::{PARTS, of_config, without_secrets};

    #[test]
    fn what_follows_the_name_of_a_secret_is_hidden() {
        let cases = [
            ("bin/feed --quiet", "bin/feed --quiet"),
            ("bin/feed --token abc --quiet", "bin/feed --token (hidden)"),
            ("bin/feed --api-key=abc", "bin/feed --api-key=(hidden)"),
            ("bin/feed --key", "bin/feed --key"),
            ("bin/keyboard -v", "bin/keyboard -v"),
            ("a PASSWORD = x y", "a PASSWORD = (hidden)"),
            ("{\"user\":1,\"dbPass\":\"x\"}", "{\"user\":1,\"dbPass\":(hidden)"),
            ("Authorization: Bearer x", "Authorization: (hidden)"),
            (
                "ws://monkey:80/app?a=b&access_token=x",
                "ws://monkey:80/app?a=b&access_token=(hidden)",
            ),
            ("ws+unix:/run/token.sock:/app", "ws+unix:/run/token.sock:/app"),
            ("token=", "token="),
            ("é=1 schlüssel=2 tokené=3", "é=1 schlüssel=2 tokené=(hidden)"),
        ];
        for (text, shown) in cases {
            assert_eq!(without_secrets(text), shown, "{text}");
        }
    }

    #[test]
    fn the_passwords_of_urls_are_hidden() {
        let cases = [
            ("amqp://zope:p@ss:w@h1:1/v?x#y", "amqp://zope:(hidden)@h1:1/v?x#y"),
            ("redis://:pw@h", "redis://:(hidden)@h"),
            ("https://abcdef@git.example.org/x", "https://(hidden)@git.example.org/x"),
            ("http://a/@b http://c:d@e f@g", "http://a/@b http://c:(hidden)@e f@g"),
            ("://", "://"),
            ("a://b://c:d@e", "a://b://c:(hidden)@e"),
        ];
        for (text, shown) in cases {
            assert_eq!(without_secrets(text), shown, "{text}");
        }
    }

    #[test]
    fn what_is_shown_of_a_secret_hides_nothing_more() {
        for text in ["x --token abc", "a://b:c@d", "password=x", "\"token\": 1"] {
            let shown = without_secrets(text);
            assert_eq!(without_secrets(&shown), shown, "{text}");
        }
    }

    #[test]
    fn the_names_of_secrets_are_documented() {
        let grammar = include_str!("../../../../docs/conf-grammar.md");
        for part in PARTS {
            assert!(grammar.contains(&format!("`{part}`")), "{part}");
        }
    }

    #[test]
    fn a_setting_is_hidden_if_its_name_says_so() {
        let names =
            ["password", "Db_Password", "api-key", "ACCESS.TOKEN", "dbPass", "clientSecret"];
        for name in names {
            assert_eq!(of_config(name, "x"), "(hidden)", "{name}");
        }
        for name in ["history", "motd", "passive", "kept"] {
            assert_eq!(of_config(name, "x"), "x", "{name}");
        }
        assert_eq!(of_config("password", ""), "");
    }
}
