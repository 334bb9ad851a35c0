//! One line of text to what it is. Knows nothing of the lines around it.

use crate::error::ErrorKind;

/// A line, stripped of the white space around it. All texts are parts of that line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'t> {
    /// Nothing, or a comment.
    Blank,
    /// `key value`
    Key { key: &'t str, value: &'t str },
    /// `<type name>`, `<type name/>`
    Start { type_name: &'t str, name: Option<&'t str>, empty: bool },
    /// `</type>`
    End { type_name: &'t str },
    /// `%name argument`
    Directive { name: &'t str, argument: &'t str },
}

/// A line that is none of these.
#[derive(Debug)]
pub(crate) struct Malformed<'t> {
    pub(crate) kind: ErrorKind,
    /// What it seems to be meant as, so that the lines after it are not blamed too.
    pub(crate) meant: Meant<'t>,
}

/// What a malformed line does to the sections around it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Meant<'t> {
    Nothing,
    /// A section of this type begins.
    Start(&'t str),
    /// A section of this type ends.
    End(&'t str),
}

/// White space as Python sees it, and so ZConfig: also the four separators U+001C to U+001F.
#[must_use]
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// What `line` is, by its first characters after white space.
pub(crate) fn classify(line: &str) -> Result<Line<'_>, Malformed<'_>> {
    let text = line.trim_matches(is_space);
    match text.as_bytes() {
        [] | [b'#', ..] => Ok(Line::Blank),
        [b'<', b'/', ..] => match text[2..].strip_suffix('>') {
            Some(rest) => Ok(Line::End { type_name: rest.trim_end_matches(is_space) }),
            None => Err(Malformed {
                kind: ErrorKind::MalformedEnd,
                meant: meant(Meant::End, &text[2..]),
            }),
        },
        [b'<', ..] => match text[1..].strip_suffix('>') {
            Some(inner) => start(text, inner),
            None => Err(Malformed {
                kind: ErrorKind::MalformedStart,
                meant: meant(Meant::Start, &text[1..]),
            }),
        },
        [b'%', ..] => match split_word(&text[1..]) {
            Some((name, argument)) => Ok(Line::Directive { name, argument }),
            None => Err(Malformed { kind: ErrorKind::MissingDirective, meant: Meant::Nothing }),
        },
        _ => match split_word(text) {
            Some((key, value)) => Ok(Line::Key { key, value }),
            None => Err(Malformed { kind: ErrorKind::MalformedData, meant: Meant::Nothing }),
        },
    }
}

/// The column, from 1, at which `part` of `line` begins.
///
/// `part` is a slice of `line`; of any other text the column would mean nothing.
pub(crate) fn column(line: &str, part: &str) -> u32 {
    let offset = (part.as_ptr() as usize).saturating_sub(line.as_ptr() as usize);
    let before = line.get(..offset).unwrap_or(line);
    u32::try_from(before.chars().count()).map_or(u32::MAX, |n| n.saturating_add(1))
}

/// What is between `<` and `>`. A slash at its very end makes the section empty.
fn start<'t>(text: &str, inner: &'t str) -> Result<Line<'t>, Malformed<'t>> {
    let (rest, empty) = match inner.strip_suffix('/') {
        Some(rest) => (rest, true),
        None => (inner, false),
    };
    let rest = rest.trim_end_matches(is_space);
    match split_word(rest) {
        Some((type_name, "")) => Ok(Line::Start { type_name, name: None, empty }),
        Some((type_name, name)) if word(name) == Some(name) => {
            Ok(Line::Start { type_name, name: Some(name), empty })
        }
        _ => Err(Malformed {
            kind: ErrorKind::MalformedHeader(text.into()),
            meant: if empty { Meant::Nothing } else { meant(Meant::Start, inner) },
        }),
    }
}

/// The type that `text` begins with, if it has one.
fn meant<'t>(what: fn(&'t str) -> Meant<'t>, text: &'t str) -> Meant<'t> {
    let type_name = word(text).map(|word| word.trim_end_matches(['>', '/']));
    type_name.filter(|name| !name.is_empty()).map_or(Meant::Nothing, what)
}

/// The word at the beginning and what follows it after white space; none if there is no word.
fn split_word(text: &str) -> Option<(&str, &str)> {
    let word = word(text)?;
    Some((word, text[word.len()..].trim_start_matches(is_space)))
}

/// Keys, types and names: anything but white space and parentheses.
fn word(text: &str) -> Option<&str> {
    let end = text.find(|c| is_space(c) || c == '(' || c == ')').unwrap_or(text.len());
    (end > 0).then(|| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::{Line, Meant, classify, column};

    fn start<'t>(type_name: &'t str, name: Option<&'t str>, empty: bool) -> Line<'t> {
        Line::Start { type_name, name, empty }
    }

    #[test]
    fn lines_are_told_apart_by_their_first_characters() {
        let key = |key, value| Line::Key { key, value };
        let cases = [
            ("", Line::Blank),
            (" \t\u{a0}\u{3000}\u{1f}\u{85}", Line::Blank),
            ("  # a comment", Line::Blank),
            ("k", key("k", "")),
            ("k v", key("k", "v")),
            ("\u{2028}k\u{1c}v  w\u{a0}", key("k", "v  w")),
            ("k # no comment", key("k", "# no comment")),
            ("a=b", key("a=b", "")),
            ("a: b", key("a:", "b")),
            ("key(value)", key("key", "(value)")),
            ("ke)y v", key("ke", ")y v")),
            ("\\ \"v\"", key("\\", "\"v\"")),
            ("\u{200b} \u{feff}", key("\u{200b}", "\u{feff}")),
            ("k v\rk2 v2", key("k", "v\rk2 v2")),
            ("k v\r", key("k", "v")),
            ("<a>", start("a", None, false)),
            ("<A B>", start("A", Some("B"), false)),
            ("<a  b  >", start("a", Some("b"), false)),
            ("<a/>", start("a", None, true)),
            ("<a />", start("a", None, true)),
            ("<a /chat/>", start("a", Some("/chat"), true)),
            ("<a /chat/ >", start("a", Some("/chat/"), false)),
            ("<a / >", start("a", Some("/"), false)),
            ("<a //>", start("a", Some("/"), true)),
            ("<a [::1]:80>", start("a", Some("[::1]:80"), false)),
            ("<a>k</a>", start("a>k</a", None, false)),
            ("</a>", Line::End { type_name: "a" }),
            ("</a >", Line::End { type_name: "a" }),
            ("</ a>", Line::End { type_name: " a" }),
            ("</>", Line::End { type_name: "" }),
            ("%define a b", Line::Directive { name: "define", argument: "a b" }),
            ("%define(a)", Line::Directive { name: "define", argument: "(a)" }),
            ("%x", Line::Directive { name: "x", argument: "" }),
        ];
        for (text, expected) in cases {
            assert_eq!(classify(text).expect(text), expected, "{text:?}");
        }
    }

    #[test]
    fn malformed_lines_say_how() {
        let cases = [
            ("(k v", "malformed configuration data", Meant::Nothing),
            (")", "malformed configuration data", Meant::Nothing),
            ("<", "malformed section start", Meant::Nothing),
            ("<a", "malformed section start", Meant::Start("a")),
            ("<a> # x", "malformed section start", Meant::Start("a")),
            ("</", "malformed section end", Meant::Nothing),
            ("</a> x", "malformed section end", Meant::End("a")),
            ("<>", "malformed section header", Meant::Nothing),
            ("< a>", "malformed section header", Meant::Nothing),
            ("<a b c>", "malformed section header", Meant::Start("a")),
            ("<a b(c)>", "malformed section header", Meant::Start("a")),
            ("<a(b)>", "malformed section header", Meant::Start("a")),
            ("<a()/>", "malformed section header", Meant::Nothing),
            ("</ >x", "malformed section end", Meant::Nothing),
            ("%", "missing or unrecognized directive", Meant::Nothing),
            ("% define a", "missing or unrecognized directive", Meant::Nothing),
            ("%(a)", "missing or unrecognized directive", Meant::Nothing),
        ];
        for (text, message, meant) in cases {
            let malformed = classify(text).expect_err(text);
            assert!(malformed.kind.to_string().starts_with(message), "{text}: {}", malformed.kind);
            assert_eq!(malformed.meant, meant, "{text}");
        }
    }

    #[test]
    fn columns_count_characters() {
        let line = "  é key  value";
        assert_eq!(column(line, &line[4..]), 4);
        assert_eq!(column(line, line), 1);
    }
}
