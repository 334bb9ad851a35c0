//! Texts that are taken as they are, if nothing in them is out of place.

use switchboard_zconfig::is_space;

use super::{Datatype, Wrong};

/// Any text that is not empty, without NUL.
#[derive(Debug, Clone)]
pub(crate) struct Words(pub(crate) String);

/// One word: the name of a section.
#[derive(Debug, Clone)]
pub(crate) struct Name(pub(crate) String);

/// The name of a file in some directory, so without `/`.
#[derive(Debug, Clone)]
pub(crate) struct FileName(pub(crate) String);

impl Datatype for Words {
    fn parse(text: &str) -> Result<Self, Wrong> {
        filled(text, "some text, such as bin/feed --quiet", |c| c == '\0').map(Self)
    }
}

impl Datatype for Name {
    fn parse(text: &str) -> Result<Self, Wrong> {
        filled(text, "a name without blanks, such as main", is_space).map(Self)
    }
}

impl Datatype for FileName {
    fn parse(text: &str) -> Result<Self, Wrong> {
        let what = "the name of a file, without '/', such as index.html";
        filled(text, what, |c| c == '/' || c == '\0').map(Self)
    }
}

/// Whatever it is: what a plugin or a program gets of its `<config>`.
impl Datatype for String {
    fn parse(text: &str) -> Result<Self, Wrong> {
        Ok(text.into())
    }
}

/// The text, unless there is none or it has a bad character.
pub(super) fn filled(
    text: &str,
    what: &'static str,
    bad: fn(char) -> bool,
) -> Result<String, Wrong> {
    let is_good = !text.trim_matches(is_space).is_empty() && !text.contains(bad);
    if is_good { Ok(text.into()) } else { Err(Wrong::expected(what)) }
}
