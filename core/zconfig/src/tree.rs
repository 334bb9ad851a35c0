//! What a conf text says, in the order in which it says it.

use crate::source::Pos;

/// One conf text with everything that it includes.
#[derive(Debug, Clone)]
pub struct Tree {
    /// The text outside all sections. Its type name is empty.
    pub root: Section,
    /// `%import` lines, each package once, in file order. Nothing is imported.
    pub imports: Vec<Import>,
}

/// `<type name> ... </type>`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The type, lower-cased.
    pub type_name: String,
    /// The name, lower-cased: what ZConfig compares.
    pub name: Option<String>,
    /// The name as written: what a URL prefix needs.
    pub raw_name: Option<String>,
    /// Written as `<type/>` or `<type name/>`.
    pub empty: bool,
    /// Where its header begins.
    pub at: Pos,
    /// Where its end begins; for an empty section, its header.
    pub end: Pos,
    /// Keys and sections, in file order.
    pub entries: Vec<Entry>,
}

/// What stands in a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// `key value`
    Key(Key),
    /// A section.
    Section(Section),
}

/// `key value`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The key as written; whether its case counts is for the schema to say.
    pub key: String,
    /// The value after substitution; empty if the line has none.
    pub value: String,
    /// The value as written.
    pub raw: String,
    /// Where the key begins.
    pub at: Pos,
    /// Where the value begins; the end of the key if there is none.
    pub value_at: Pos,
}

/// `%import package`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The package, after substitution.
    pub package: String,
    /// Where the line begins.
    pub at: Pos,
}

impl Section {
    /// An empty section that is still open.
    pub(crate) fn open(type_name: String, raw_name: Option<&str>, at: Pos) -> Self {
        Self {
            type_name,
            name: raw_name.map(str::to_lowercase),
            raw_name: raw_name.map(Into::into),
            empty: false,
            end: at.clone(),
            at,
            entries: Vec::new(),
        }
    }

    /// Its keys, in file order.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Key(key) => Some(key),
            Entry::Section(_) => None,
        })
    }

    /// Its sections, in file order.
    pub fn sections(&self) -> impl Iterator<Item = &Self> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Key(_) => None,
            Entry::Section(section) => Some(section),
        })
    }

    /// The header as one would write it: `<websocket /chat>`.
    #[must_use]
    pub fn header(&self) -> String {
        match &self.raw_name {
            // With `/>` at its end it would be an empty section.
            Some(name) if name.ends_with('/') => format!("<{} {name} >", self.type_name),
            Some(name) => format!("<{} {name}>", self.type_name),
            None => format!("<{}>", self.type_name),
        }
    }
}

// Sections nest without limit; taking them apart level by level keeps the stack flat.
impl Drop for Tree {
    fn drop(&mut self) {
        let mut rest = std::mem::take(&mut self.root.entries);
        while let Some(entry) = rest.pop() {
            if let Entry::Section(mut section) = entry {
                rest.append(&mut section.entries);
            }
        }
    }
}
