//! What every directive says once all layers of a conf are together, and which layer says it.

mod computed;
mod json;
mod secret;
mod source;
mod text;

use figment::value::{Dict, Tag, Value};

use super::Settings;
use super::place::Places;
use super::provide::NAME;
use super::schema::{Child, Key, Naming, ROOT, Role, SectionType};

use computed::Computed;
use source::Source;

pub(crate) use secret::without_secrets;

/// For the command that shows it.
pub const HELP: &str = "\
The text is a conf: read again, it means the same, save for secrets, which are not shown, and for
what only the environment or -X can say, such as a key with a parenthesis. A line with a '#' right
before it is not set, and follows from other keys; a directive that is not there is off. In
<websocket> a <limits> has what differs from the one at the top.

With --json it is one line, a SECTION:
  SECTION  {\"type\":TYPE,\"name\":NAME,\"origin\":ORIGIN,\"keys\":[KEY..],\"sections\":[SECTION..]}
  KEY      {\"key\":KEY,\"value\":VALUE,\"hidden\":BOOLEAN,\"origin\":ORIGIN}
  ORIGIN   {\"file\":FILE,\"line\":LINE}, {\"environment\":NAME}, {\"override\":PATH}, \"default\" or
           \"computed\"
The conf as a whole has no type, name and origin, <limits> has no name, and a section that stands in
no file has no origin; these are null. The values of a key that is repeated stand one after another.
What is computed is not set, and follows from other keys. In a value with hidden true, (hidden)
stands in place of a secret.

Exit status: 0, or 78 if something is wrong with the conf, which is said as 'check' says it.";

/// A whole conf as the host understands it: each directive with its value and where that is from,
/// with the defaults, and without a secret.
///
/// A key that is off is not in it, nor is one of a `<limits>` inside an endpoint that says nothing
/// there, as that of the top holds.
#[derive(Debug)]
pub struct Effective {
    root: Section,
}

/// `<type name>` and what is in it.
#[derive(Debug)]
struct Section {
    kind: &'static SectionType,
    /// As the host has it: a prefix is decoded.
    name: Option<String>,
    /// Where the last file that has it begins it. None: only a default, or no file is the last.
    source: Option<Source>,
    /// In the order of the schema; in a `<config>` as they were given.
    lines: Vec<Line>,
    /// By the order of types in the schema, those of one type in the order of the files.
    sections: Vec<Section>,
}

/// `key value`
#[derive(Debug)]
struct Line {
    key: String,
    /// Without what is secret.
    value: String,
    source: Source,
    /// It is not set, and follows from others. `instancehome` is always set: it is what gives all
    /// relative paths their meaning, wherever the text is kept.
    follows: bool,
}

impl Effective {
    /// Of `values`, which are all layers in one, and the settings that they became.
    pub(super) fn new(values: &Dict, places: &Places, settings: &Settings) -> Self {
        let computed = Computed::new(settings, values);
        let root = Reading { places, computed }.section(&ROOT, Role::Part, values, Tag::Default);
        Self { root }
    }
}

/// Goes through the united values.
#[derive(Clone, Copy)]
struct Reading<'r> {
    places: &'r Places,
    /// What follows from other keys, in the section that is read.
    computed: Computed<'r>,
}

impl Reading<'_> {
    fn section(self, kind: &'static SectionType, role: Role, dict: &Dict, header: Tag) -> Section {
        let keys = kind.keys.iter().filter(|key| role.takes(key));
        let mut lines: Vec<Line> = keys.flat_map(|key| self.key(kind, role, key, dict)).collect();
        if kind.free {
            lines.extend(self.free(dict));
        }
        Section {
            kind,
            name: dict.get(NAME).and_then(Value::as_str).map(Into::into),
            source: self.places.place(header).map(Source::of).filter(Source::is_file),
            lines,
            sections: kind.sections.iter().flat_map(|child| self.child(child, dict)).collect(),
        }
    }

    /// The lines of one key: none if it is off.
    fn key(self, kind: &SectionType, role: Role, key: &Key, dict: &Dict) -> Vec<Line> {
        let given = dict.get(key.name).into_iter().flat_map(each);
        let lines: Vec<Line> =
            given.map(|(tag, text)| self.line(key.name, secret::of_key(key, text), tag)).collect();
        let Some(value) = self.computed.value(kind, role, key.name, dict) else {
            return lines;
        };
        let name = key.name.into();
        match lines.first() {
            given if kind.name.is_empty() && key.name == "instancehome" => {
                let source = given.map_or(Source::Computed, |line| line.source.clone());
                vec![Line { key: name, value, source, follows: false }]
            }
            None => vec![Line { key: name, value, source: Source::Computed, follows: true }],
            Some(_) => lines,
        }
    }

    /// Keys that only the endpoint knows, in the order in which they were given.
    fn free(self, dict: &Dict) -> Vec<Line> {
        let values = dict.iter().flat_map(|(key, value)| each(value).map(move |one| (key, one)));
        let mut values: Vec<_> = values.collect();
        values.sort_by_key(|(_, (tag, _))| *tag);
        let line = |(key, (tag, text)): (&String, (Tag, &str))| {
            self.line(key, secret::of_config(key, text), tag)
        };
        values.into_iter().map(line).collect()
    }

    fn line(self, key: &str, value: String, tag: Tag) -> Line {
        let source = self.places.place(tag).map_or(Source::Default, Source::of);
        Line { key: key.into(), value, source, follows: false }
    }

    /// The sections of one type.
    fn child(self, child: &Child, dict: &Dict) -> Vec<Section> {
        let (kind, role) = (child.section, child.role);
        let Some(Value::Dict(tag, inner)) = dict.get(kind.name) else {
            return Vec::new();
        };
        if kind.naming == Naming::None {
            return vec![self.section(kind, role, inner, *tag)];
        }
        // The order of the settings too: tags were given out in the order of the lines.
        let mut named: Vec<(Tag, &Dict)> = inner.values().filter_map(header).collect();
        named.sort_by_key(|(tag, _)| *tag);
        let read = |(index, (tag, dict)): (usize, (Tag, &Dict))| {
            let inside = Self { computed: self.computed.inside(kind, index), ..self };
            inside.section(kind, role, dict, tag)
        };
        named.into_iter().enumerate().map(read).collect()
    }
}

impl Line {
    /// Something secret is not shown.
    fn is_hidden(&self) -> bool {
        self.value.contains(secret::HIDDEN)
    }
}

impl Section {
    /// It says nothing: it has no name and nothing in it.
    fn is_idle(&self) -> bool {
        self.name.is_none() && self.lines.is_empty() && self.sections.iter().all(Self::is_idle)
    }
}

/// The texts of a value: one, or those of a key that is given several times.
fn each(value: &Value) -> impl Iterator<Item = (Tag, &str)> {
    let all = value.as_array().unwrap_or(std::slice::from_ref(value));
    all.iter().filter_map(|one| Some((one.tag(), one.as_str()?)))
}

/// A section with a name, and the tag of its header.
fn header(section: &Value) -> Option<(Tag, &Dict)> {
    let dict = section.as_dict()?;
    Some((dict.get(NAME)?.tag(), dict))
}
