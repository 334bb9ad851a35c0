//! Which directives there are: the shape of the table, and how to ask it.
//!
//! The table itself is [`ROOT`]. Parsing, checking, defaults, `conf show`, `docs/conf-reference.md`
//! and the test of `zope.conf.example` all read it; no directive is known anywhere else but as a
//! field.

use super::datatype::{self, Wrong};
pub use super::directives::ROOT;

/// A section type: what may stand between `<name>` and `</name>`.
#[derive(Debug)]
pub struct SectionType {
    /// Its name in the header; empty for the text outside all sections.
    pub name: &'static str,
    /// What follows the type in the header.
    pub naming: Naming,
    /// Its keys, in the order in which documentation shows them.
    pub keys: &'static [Key],
    /// The sections inside it.
    pub sections: &'static [Child],
    /// Any key is taken, any number of times and with its case kept. It is the endpoint's own, so
    /// it takes a [`Reload::Generation`] to change it.
    pub free: bool,
    /// One sentence.
    pub doc: &'static str,
}

/// A section inside another.
#[derive(Debug)]
pub struct Child {
    /// Its type.
    pub section: &'static SectionType,
    /// How it stands there.
    pub role: Role,
}

/// What a section is to the one around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// At most one without a name, any number with different names.
    Part,
    /// At most one without a name. Without it something is off.
    Switch,
    /// Says who answers: exactly one of those with this role must be there.
    Endpoint,
    /// Its keys stand over those of the section of the same type at the top.
    Override,
}

/// What follows the type in the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// Nothing.
    None,
    /// A name without case.
    Name,
    /// A name with case.
    CasedName,
    /// A URL prefix, with case.
    UrlPrefix,
}

/// `name value`
#[derive(Debug)]
pub struct Key {
    /// Its name, in lower case.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// It may be given more than once.
    pub many: bool,
    /// It may stand only at the top, not in a section with [`Role::Override`].
    pub top_only: bool,
    /// What holds without it.
    pub fallback: Fallback,
    /// What it takes to change it.
    pub reload: Reload,
    /// Its values are never shown.
    pub secret: bool,
    /// It is still taken, with a warning that says what to write instead.
    pub deprecated: Option<&'static str>,
    /// One sentence.
    pub doc: &'static str,
}

/// What it takes until a changed value holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reload {
    /// A reload; what is running goes on with the new value.
    InPlace,
    /// A reload; the endpoint gets a new instance, and the clients of the old one follow its
    /// `on-upgrade`.
    Generation,
    /// A new start of the host.
    Restart,
}

/// What holds if a key is not given. The text of each is a valid value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This value.
    Default(&'static str),
    /// What follows from other keys; in a conf that does not touch those, this value.
    Computed(&'static str),
    /// Nothing: the feature is off. This is only what a value looks like.
    Off(&'static str),
    /// It must be given. This is only what a value looks like.
    Required(&'static str),
}

/// The datatype of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Path,
    Boolean,
    /// A whole number within these bounds, both included.
    Whole(u64, u64),
    ByteSize,
    ByteSizeOrZero,
    /// Of permessage-deflate: off, shared or dedicated.
    Compression,
    /// A power of two from 256 to 32KB.
    Window,
    Time,
    TimeOrZero,
    Mode,
    Level,
    Address,
    Host,
    Name,
    Origin,
    Subprotocol,
    HeaderValue,
    FileName,
    /// `ws://`, `wss://` or `ws+unix:`
    Url,
    /// Any text that is not empty.
    Words,
    /// Of a header that a forward may pass on.
    PassedHeader,
}

impl SectionType {
    /// The key of that name, in lower case.
    #[must_use]
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The section of that type inside this one.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&'static Child> {
        self.sections.iter().find(|child| child.section.name == name)
    }

    /// How its header begins, as `<limits>` or `<listener NAME>`.
    #[must_use]
    pub fn header(&self) -> String {
        match self.naming {
            Naming::None => format!("<{}>", self.name),
            Naming::Name | Naming::CasedName => format!("<{} NAME>", self.name),
            Naming::UrlPrefix => format!("<{} /PREFIX>", self.name),
        }
    }
}

impl Role {
    /// Whether `key` may be given in a section with this role.
    #[must_use]
    pub fn takes(self, key: &Key) -> bool {
        !(key.top_only && self == Self::Override)
    }
}

impl Key {
    /// A key that may be given once, changes in place and is no secret; the other fields by the
    /// methods below.
    pub(super) const fn new(name: &'static str, kind: Kind, fallback: Fallback) -> Self {
        Self {
            name,
            kind,
            many: false,
            top_only: false,
            fallback,
            reload: Reload::InPlace,
            secret: false,
            deprecated: None,
            doc: "",
        }
    }

    pub(super) const fn many(self) -> Self {
        Self { many: true, ..self }
    }

    pub(super) const fn top_only(self) -> Self {
        Self { top_only: true, ..self }
    }

    pub(super) const fn reload(self, reload: Reload) -> Self {
        Self { reload, ..self }
    }

    pub(super) const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    /// The same, deprecated: `instead` is what to write in its place, as a sentence has it. That it
    /// was given is a warning of the conf.
    #[must_use]
    pub const fn deprecated(self, instead: &'static str) -> Self {
        Self { deprecated: Some(instead), ..self }
    }

    pub(super) const fn doc(self, doc: &'static str) -> Self {
        Self { doc, ..self }
    }
}

impl Fallback {
    /// A valid value: the default if there is one, else an example.
    #[must_use]
    pub const fn shown(&self) -> &'static str {
        match self {
            Self::Default(text) | Self::Computed(text) | Self::Off(text) | Self::Required(text) => {
                text
            }
        }
    }
}

impl Kind {
    /// Whether `text` is a value of this type.
    ///
    /// # Errors
    ///
    /// What was expected instead.
    pub fn check(self, text: &str) -> Result<(), Wrong> {
        datatype::check(self, text)
    }
}
