//! What can be wrong with a conf text. Not with its meaning: that is for a schema to say.

use std::path::PathBuf;

use crate::source::Pos;

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {kind}")]
pub struct Error {
    /// The first character that is meant.
    pub at: Pos,
    /// How many characters are meant, at least 1.
    pub width: u32,
    /// What is wrong.
    pub kind: ErrorKind,
}

/// What is wrong. The texts begin with ZConfig's own words where it has some.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file could not be read: create it, or correct its name.
    #[error("cannot read {}: {why}", shown(&.path.to_string_lossy()))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// A byte that no UTF-8 text has there: save the file as UTF-8.
    #[error("not UTF-8: byte 0x{0:02X}; save the file as UTF-8")]
    BadUtf8(u8),
    /// A line that begins with a parenthesis.
    #[error("malformed configuration data: a key cannot begin with a parenthesis")]
    MalformedData,
    /// `<a` without its `>`, or something after it.
    #[error("malformed section start: the line must end with '>', without a comment behind it")]
    MalformedStart,
    /// `</a` without its `>`, or something after it.
    #[error("malformed section end: the line must end with '>', without a comment behind it")]
    MalformedEnd,
    /// The header as written.
    #[error(
        "malformed section header: write <type> or <type name>, without parentheses \
         and without a blank after '<'; found '{0}'"
    )]
    MalformedHeader(String),
    /// An end of another section than the innermost open one.
    #[error(
        "unbalanced section end: </{found}> stands where </{open}> of {opened} \
         is expected{}", .hint.as_deref().unwrap_or_default()
    )]
    UnbalancedEnd {
        /// The type that this line ends.
        found: String,
        /// The type that is open.
        open: String,
        /// Where that begins.
        opened: Pos,
        /// What probably went wrong.
        hint: Option<String>,
    },
    /// An end with no section open.
    #[error(
        "unexpected section end: no <{found}> is open here{}",
        .hint.as_deref().unwrap_or_default()
    )]
    UnexpectedEnd {
        /// The type that this line ends.
        found: String,
        /// What probably went wrong.
        hint: Option<String>,
    },
    /// The end of a file inside a section.
    #[error("unclosed sections not allowed: the file ends before </{open}> of {opened}")]
    Unclosed {
        /// The type that is open.
        open: String,
        /// Where it begins.
        opened: Pos,
    },
    /// `%` and then no word.
    #[error(
        "missing or unrecognized directive: after '%' follows define, include or import \
         without a blank between"
    )]
    MissingDirective,
    /// `%` and then another word.
    #[error("unknown directive: '%{0}'; there are %define, %include and %import, in lower case")]
    UnknownDirective(String),
    /// A directive alone.
    #[error("missing argument to %{} directive; write {}", .0, usage(.0))]
    MissingArgument(String),
    /// A second `%define` with another value.
    #[error("cannot redefine '{name}': it is '{}' since {since}; use another name", shown(.value))]
    Redefined {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
        /// Where it got it.
        since: Pos,
    },
    /// A `%define` of what `$` could never name.
    #[error("not a substitution legal name: '{0}'; use letters, digits and '_', not a digit first")]
    IllegalName(String),
    /// `$name` of what has not been defined on an earlier line.
    #[error("no replacement for '${0}': no %define of it before this line")]
    NoReplacement(String),
    /// `$(NAME)` of what the environment does not have.
    #[error(
        "no replacement for '$({0})': the environment has no such variable, or it is not UTF-8"
    )]
    NoVariable(String),
    /// `$` as the last character.
    #[error("illegal lone '$' at end of source; write '$$' for a plain '$'")]
    LoneDollar,
    /// `$` before something else than a name.
    #[error("'$' not followed by '$' or name; write '$$' for a plain '$'")]
    BadDollar,
    /// `${` or `$(` before something else than a name.
    #[error("'${0}' not followed by name; write '$$' for a plain '$'")]
    BadOpening(char),
    /// `${name` or `$(name` without its end.
    #[error("'${open}{name}' not followed by '{close}'; write '${open}{name}{close}'")]
    BadClosing {
        /// `{` or `(`.
        open: char,
        /// What follows it.
        name: String,
        /// What is missing.
        close: char,
    },
    /// `%include` of a file that is being read: the way from it to itself.
    #[error("%include cycle: {}; a file cannot include itself", chain(.0))]
    IncludeCycle(Vec<PathBuf>),
    /// `%include` inside `%include`, too often.
    #[error("%include goes deeper than {0} files")]
    IncludeDepth(usize),
    /// `%include` of something that is not a file of this machine.
    #[error("%include takes files of this machine only, not '{}'", shown(.0))]
    IncludeRemote(String),
    /// `%include file#part`
    #[error("fragment identifiers are not supported: write %23 for a '#' in a file name")]
    IncludeFragment,
    /// `%import` of what is no dotted name.
    #[error("illegal schema component name: '{}'", shown(.0))]
    IllegalImport(String),
    /// All that counts of [`TEXT_BYTES_MAX`](crate::TEXT_BYTES_MAX), as this is, comes to more: a
    /// `%define` that doubles another again and again, say.
    #[error(
        "the conf comes to more than {} MB, with all that is included, what '$' stands for, and 64 \
         bytes for each key and section", .0 >> 20
    )]
    TooLong(usize),
    /// The file has more errors; they are not looked for.
    #[error("too many errors; the rest of the conf is not looked at")]
    TooMany,
}

/// Of a text that stands in a message.
const SHOWN_CHARS_MAX: usize = 200;

/// `text`, or its beginning: what `$` stands for may be of any length.
fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into(),
    }
}

fn usage(directive: &str) -> &'static str {
    match directive {
        "define" => "%define NAME VALUE",
        "include" => "%include FILE",
        _ => "%import PACKAGE",
    }
}

fn chain(files: &[PathBuf]) -> String {
    let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    names.join(" -> ")
}
