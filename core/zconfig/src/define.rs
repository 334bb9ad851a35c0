//! `%define` and substitution. One name space for everything that is read together.

use std::collections::HashMap;

use crate::error::ErrorKind;
use crate::source::Pos;

/// How much text a conf may come to: its files, each time that they are included (4 KB for each at
/// least), what its references stand for, and 64 bytes for each key and section.
pub const TEXT_BYTES_MAX: usize = 64 << 20;

/// What `$name` stands for.
#[derive(Debug)]
pub(crate) struct Defines {
    names: HashMap<String, Define>,
    /// A definition was wrong or a file is missing, so that a name may be absent for that reason.
    pub(crate) incomplete: bool,
    /// Bytes of text that may still come.
    room: usize,
}

#[derive(Debug)]
struct Define {
    value: String,
    at: Pos,
}

/// What is wrong in a text, and which bytes of it.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) kind: ErrorKind,
    pub(crate) range: std::ops::Range<usize>,
}

/// Looks up an environment variable.
pub(crate) type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

impl Default for Defines {
    fn default() -> Self {
        Self { names: HashMap::new(), incomplete: false, room: TEXT_BYTES_MAX }
    }
}

impl Defines {
    /// Counts `bytes` of text.
    ///
    /// # Errors
    ///
    /// They are too many.
    pub(crate) fn spend(&mut self, bytes: usize) -> Result<(), ErrorKind> {
        self.room = self.room.checked_sub(bytes).ok_or(ErrorKind::TooLong(TEXT_BYTES_MAX))?;
        Ok(())
    }

    /// `%define name raw`. The checks come in ZConfig's order, and like ZConfig the first
    /// compares the text as written with the value that the name already has.
    pub(crate) fn define(
        &mut self,
        name: &str,
        raw: &str,
        at: Pos,
        environment: Environment<'_>,
    ) -> Result<(), ErrorKind> {
        let name = name.to_lowercase();
        if let Some(known) = self.names.get(&name).filter(|known| known.value != raw) {
            let (value, since) = (known.value.clone(), known.at.clone());
            return Err(ErrorKind::Redefined { name, value, since });
        }
        if legal_name(&name) != name {
            return Err(ErrorKind::IllegalName(name));
        }
        let value = self.substitute(raw, environment).map_err(|fault| fault.kind)?;
        self.spend(value.len())?;
        self.names
            .entry(name)
            .and_modify(|known| known.value.clone_from(&value))
            .or_insert(Define { value, at });
        Ok(())
    }

    /// `text` with every `$name`, `${name}`, `$(NAME)` and `$$` replaced, once, left to right. What
    /// it comes to is the caller's to [`spend`](Self::spend).
    pub(crate) fn substitute(
        &self,
        text: &str,
        environment: Environment<'_>,
    ) -> Result<String, Fault> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            let start = text.len() - after.len() - 1;
            let (reference, length) =
                Reference::read(after).map_err(|kind| Fault { kind, range: start..start + 1 })?;
            let range = start..start + 1 + length;
            match reference {
                Reference::Dollar => out.push('$'),
                Reference::Name(name) => match self.names.get(&name.to_ascii_lowercase()) {
                    Some(define) if define.value.len() > self.room.saturating_sub(out.len()) => {
                        return Err(Fault { kind: ErrorKind::TooLong(TEXT_BYTES_MAX), range });
                    }
                    Some(define) => out.push_str(&define.value),
                    None => {
                        return Err(Fault { kind: ErrorKind::NoReplacement(name.into()), range });
                    }
                },
                Reference::Variable(name) => match environment(name) {
                    Some(value) if value.len() > self.room.saturating_sub(out.len()) => {
                        return Err(Fault { kind: ErrorKind::TooLong(TEXT_BYTES_MAX), range });
                    }
                    Some(value) => out.push_str(&value),
                    None => return Err(Fault { kind: ErrorKind::NoVariable(name.into()), range }),
                },
            }
            rest = &after[length..];
        }
        out.push_str(rest);
        Ok(out)
    }
}

/// What follows a `$`.
enum Reference<'t> {
    Dollar,
    Name(&'t str),
    Variable(&'t str),
}

impl<'t> Reference<'t> {
    /// The reference at the beginning of `after`, and its length in bytes.
    fn read(after: &'t str) -> Result<(Self, usize), ErrorKind> {
        match after.as_bytes() {
            [] => Err(ErrorKind::LoneDollar),
            [b'$', ..] => Ok((Self::Dollar, 1)),
            [b'{', ..] => enclosed(&after[1..], '{', '}').map(|n| (Self::Name(n), n.len() + 2)),
            [b'(', ..] => enclosed(&after[1..], '(', ')').map(|n| (Self::Variable(n), n.len() + 2)),
            _ => match legal_name(after) {
                "" => Err(ErrorKind::BadDollar),
                name => Ok((Self::Name(name), name.len())),
            },
        }
    }
}

fn enclosed(text: &str, open: char, close: char) -> Result<&str, ErrorKind> {
    match legal_name(text) {
        "" => Err(ErrorKind::BadOpening(open)),
        name if text[name.len()..].starts_with(close) => Ok(name),
        name => Err(ErrorKind::BadClosing { open, name: name.into(), close }),
    }
}

/// The longest name at the beginning of `text`: ASCII letters, digits, `_`, not a digit first.
fn legal_name(text: &str) -> &str {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return "";
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Defines;
    use crate::source::Pos;

    fn at(line: u32) -> Pos {
        Pos { file: Path::new("t.conf").into(), line, column: 1 }
    }

    fn environment(name: &str) -> Option<String> {
        match name {
            "HOME" => Some("/home/me".into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn defines() -> Defines {
        let mut defines = Defines::default();
        for (name, value) in [("a", "1"), ("Long_Name2", "two"), ("e", ""), ("d", "$$a")] {
            defines.define(name, value, at(1), &environment).expect(name);
        }
        defines
    }

    #[test]
    fn references_are_replaced_once() {
        let cases = [
            ("plain", "plain"),
            ("$$", "$"),
            ("$$a", "$a"),
            ("$a", "1"),
            ("$A-${A}x$a", "1-1x1"),
            ("$long_name2$LONG_NAME2.", "twotwo."),
            ("[$e]", "[]"),
            ("$d", "$a"),
            ("$(HOME)/x", "/home/me/x"),
            ("$(EMPTY)", ""),
            ("é$a日", "é1日"),
            ("%(message)s", "%(message)s"),
        ];
        for (text, expected) in cases {
            assert_eq!(defines().substitute(text, &environment).expect(text), expected);
        }
    }

    #[test]
    fn bad_references_say_which_and_where() {
        let cases = [
            ("x $Nope y", "no replacement for '$Nope'", 2..7),
            ("${nope}", "no replacement for '$nope'", 0..7),
            ("$(home)", "no replacement for '$(home)'", 0..7),
            ("$ab", "no replacement for '$ab'", 0..3),
            ("a$", "illegal lone '$' at end of source", 1..2),
            ("$1", "'$' not followed by '$' or name", 0..1),
            ("$-", "'$' not followed by '$' or name", 0..1),
            ("$é", "'$' not followed by '$' or name", 0..1),
            ("${", "'${' not followed by name", 0..1),
            ("${1}", "'${' not followed by name", 0..1),
            ("${ a}", "'${' not followed by name", 0..1),
            ("${a", "'${a' not followed by '}'", 0..1),
            ("${a }", "'${a' not followed by '}'", 0..1),
            ("${a:-b}", "'${a' not followed by '}'", 0..1),
            ("$(", "'$(' not followed by name", 0..1),
            ("$(1)", "'$(' not followed by name", 0..1),
            ("$(A", "'$(A' not followed by ')'", 0..1),
        ];
        for (text, message, range) in cases {
            let fault = defines().substitute(text, &environment).expect_err(text);
            assert!(fault.kind.to_string().starts_with(message), "{text}: {}", fault.kind);
            assert_eq!(fault.range, range, "{text}");
        }
    }

    #[test]
    fn a_name_is_defined_once_or_again_with_the_same_text() {
        let cases = [
            ("A", "1", Ok(())),
            ("a", "2", Err("cannot redefine 'a': it is '1' since t.conf:1")),
            (
                "long",
                "2",
                Err(&format!("cannot redefine 'long': it is '{}...' since", "é".repeat(200))),
            ),
            ("e", "", Ok(())),
            // The text as written is compared with the value it once gave.
            ("d", "$$a", Err("cannot redefine 'd': it is '$a' since t.conf:1")),
            ("a-b", "", Err("not a substitution legal name: 'a-b'")),
            ("1a", "", Err("not a substitution legal name: '1a'")),
            ("é", "", Err("not a substitution legal name: 'é'")),
            ("self", "$self", Err("no replacement for '$self'")),
            // The Kelvin sign is a k in lower case.
            ("\u{212a}", "", Ok(())),
        ];
        for (name, raw, expected) in cases {
            let mut defines = defines();
            defines.define("long", &"é".repeat(300), at(1), &environment).expect("a new name");
            let result = defines.define(name, raw, at(2), &environment);
            match (result, expected) {
                (Ok(()), Ok(())) => {}
                (Err(kind), Err(message)) => {
                    assert!(kind.to_string().starts_with(message), "{name}: {kind}");
                }
                (result, expected) => panic!("{name}: {result:?}, not {expected:?}"),
            }
        }
    }
}
