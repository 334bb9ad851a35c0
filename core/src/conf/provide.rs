//! A tree and the schema to one layer of figment: every value with its line.

use std::collections::HashMap;

use figment::value::{Dict, Tag, Value};
use switchboard_zconfig::{Entry, Key as Line, Pos, Section, Tree};

use super::datatype::{Datatype, Prefix};
use super::error::Faults;
use super::place::{Place, Places};
use super::schema::{Child, Key, Naming, ROOT, Role, SectionType};
use super::unknown;

/// In the dictionary of a section with a name: that name, with the place of its header.
pub(super) const NAME: &str = "%name";

/// Turns the trees of one conf into dictionaries.
pub(super) struct Walk<'w> {
    pub(super) faults: &'w mut Faults,
    pub(super) places: &'w mut Places,
    /// What is well, and somebody should see to it.
    pub(super) warnings: &'w mut Vec<String>,
}

/// The section that is being walked.
struct Here<'t> {
    section: &'static SectionType,
    role: Role,
    /// The headers on the way here, as messages show them.
    path: String,
    dict: Dict,
    /// Where each key and section was first given in this file.
    seen: HashMap<String, &'t Pos>,
}

impl Walk<'_> {
    /// The values of one file.
    pub(super) fn layer(&mut self, tree: &Tree) -> Dict {
        for import in &tree.imports {
            let message = "is not supported: every section that switchboard knows is known \
                           without it; remove the line";
            self.faults.at(&Place::File(import.at.clone(), 7), "%import", message);
        }
        self.inside(&tree.root, &ROOT, Role::Part, String::new())
    }

    fn inside(
        &mut self,
        tree: &Section,
        section: &'static SectionType,
        role: Role,
        path: String,
    ) -> Dict {
        let seen = HashMap::new();
        let mut here = Here { section, role, path, dict: Dict::new(), seen };
        for entry in &tree.entries {
            match entry {
                Entry::Key(line) if section.free => self.free(&mut here, line),
                Entry::Key(line) => self.key(&mut here, line),
                Entry::Section(section) => self.section(&mut here, section),
            }
        }
        here.dict
    }

    /// A key of a section that takes any.
    fn free(&mut self, here: &mut Here<'_>, line: &Line) {
        let tag = self.places.tag(value_place(line));
        push(&mut here.dict, &line.key, Value::String(tag, line.value.clone()));
    }

    fn key<'t>(&mut self, here: &mut Here<'t>, line: &'t Line) {
        let name = line.key.to_ascii_lowercase();
        let directive = here.directive(&line.key);
        let place = Place::File(line.at.clone(), width(&line.key));
        let key = here.section.key(&name);
        let Some(key) = key.filter(|key| here.role.takes(key)) else {
            self.faults.incomplete = true;
            return self.faults.at(
                &place,
                &directive,
                unknown::key(here.section, here.role, &name),
            );
        };
        if let Some(first) = here.seen.get(&name).filter(|_| !key.many) {
            let message = format!("given twice; the first is at {first}");
            return self.faults.at(&place, &directive, message);
        }
        here.seen.entry(name.clone()).or_insert(&line.at);
        let value = self.value(key, &line.value, value_place(line), &directive);
        if key.many {
            push(&mut here.dict, &name, value);
        } else {
            here.dict.insert(name, value);
        }
    }

    /// A value of `key`; in place of a wrong one, which is reported, one that does no harm.
    pub(super) fn value(&mut self, key: &Key, text: &str, place: Place, directive: &str) -> Value {
        if let Some(instead) = key.deprecated {
            let at = place.without_value();
            self.warnings
                .push(format!("{at}: {directive}: is deprecated; write {instead} instead"));
        }
        let good = match key.kind.check(text) {
            Ok(()) => text,
            Err(wrong) => {
                self.faults.at(&place, directive, wrong.about(text));
                key.fallback.shown()
            }
        };
        Value::String(self.places.tag(place), good.into())
    }

    fn section<'t>(&mut self, here: &mut Here<'t>, tree: &'t Section) {
        let place = Place::File(tree.at.clone(), width(&tree.header()));
        let directive = here.directive(&tree.header());
        let Some(child) = here.section.child(&tree.type_name) else {
            self.faults.incomplete = true;
            return self.faults.at(
                &place,
                &directive,
                unknown::section(here.section, &tree.type_name),
            );
        };
        let name = match name(child.section, tree) {
            Ok(name) => name,
            Err(message) => {
                self.faults.incomplete = true;
                self.faults.at(&place, &directive, message);
                // What stands inside can still be looked at.
                self.inside(tree, child.section, child.role, directive);
                return;
            }
        };
        let dict = self.inside(tree, child.section, child.role, directive.clone());
        let tag = self.places.tag(place.clone());
        let Some(name) = name else {
            let seen = here.seen.insert(tree.type_name.clone(), &tree.at);
            match seen {
                None => _ = here.dict.insert(tree.type_name.clone(), Value::Dict(tag, dict)),
                Some(first) => {
                    let message = format!("given twice; the first is at {first}");
                    self.faults.at(&place, &directive, message);
                }
            }
            return;
        };
        let mut slot = slot(child, &name, &dict);
        if let Some(first) = here.seen.get(&format!("{} {slot}", tree.type_name)) {
            if child.section.naming != Naming::UrlPrefix {
                let message = format!("the name is taken by the section at {first}; write another");
                return self.faults.at(&place, &directive, message);
            }
            // Kept apart, so that both places can be named once all layers are together.
            slot = format!("{slot} at {}", tree.at);
        }
        here.seen.insert(format!("{} {slot}", tree.type_name), &tree.at);
        here.insert_named(tree, tag, slot, name, dict);
    }
}

impl Here<'_> {
    /// `what` with the headers before it.
    fn directive(&self, what: &str) -> String {
        if self.path.is_empty() { what.into() } else { format!("{} {what}", self.path) }
    }

    fn insert_named(&mut self, tree: &Section, tag: Tag, slot: String, name: String, dict: Dict) {
        let mut dict = dict;
        dict.insert(NAME.into(), Value::String(tag, name));
        let all = self.dict.entry(tree.type_name.clone());
        let all = all.or_insert_with(|| Value::Dict(tag, Dict::new()));
        if let Value::Dict(_, all) = all {
            all.insert(slot, Value::Dict(tag, dict));
        }
    }
}

/// What a section is known by in its layer, so that a later layer finds it: the name, and for a
/// prefix also the hosts and listeners, since each of them may have the same prefix.
fn slot(child: &Child, name: &str, dict: &Dict) -> String {
    let mut slot = name.to_owned();
    if child.section.naming == Naming::UrlPrefix {
        for key in ["host", "listener"] {
            let mut values: Vec<String> = texts(dict.get(key)).map(str::to_lowercase).collect();
            values.sort();
            if !values.is_empty() {
                slot.push_str(&format!(" {key} {}", values.join(" ")));
            }
        }
    }
    slot
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value.and_then(Value::as_array).unwrap_or_default().iter().filter_map(Value::as_str)
}

/// Appends to the array at `key`.
fn push(dict: &mut Dict, key: &str, value: Value) {
    let tag = value.tag();
    let array = dict.entry(key.into()).or_insert_with(|| Value::Array(tag, Vec::new()));
    if let Value::Array(_, values) = array {
        values.push(value);
    }
}

/// The name that the header gives, as the type wants it.
fn name(section: &SectionType, tree: &Section) -> Result<Option<String>, String> {
    let kind = section.name;
    match (section.naming, &tree.name, &tree.raw_name) {
        (Naming::None, None, _) => Ok(None),
        (Naming::None, Some(_), _) => Err(format!("takes no name; write <{kind}>")),
        (Naming::Name, Some(name), _) => Ok(Some(name.clone())),
        (Naming::CasedName, _, Some(name)) => Ok(Some(name.clone())),
        (Naming::UrlPrefix, _, Some(name)) => match Prefix::parse(name) {
            Ok(Prefix(prefix)) => Ok(Some(prefix)),
            Err(wrong) => Err(wrong.about(name)),
        },
        (Naming::UrlPrefix, ..) if tree.empty => Err(format!(
            "is empty and has no prefix, because it ends in '/>'; write <{kind} / > for the \
             prefix /"
        )),
        (Naming::UrlPrefix, ..) => {
            Err(format!("the prefix is missing; write <{kind} /PREFIX>, or <{kind} / > for all"))
        }
        _ => Err(format!("the name is missing; write <{kind} NAME>")),
    }
}

/// The value, or the key if there is none.
fn value_place(line: &Line) -> Place {
    match line.raw.as_str() {
        "" => Place::File(line.at.clone(), width(&line.key)),
        raw => Place::File(line.value_at.clone(), width(raw)),
    }
}

fn width(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use switchboard_zconfig::{FsLoader, Reader};

    use super::*;
    use crate::conf::schema::{Fallback, Kind};

    static OWN: SectionType = SectionType {
        name: "",
        naming: Naming::None,
        keys: &[
            Key::new("size", Kind::ByteSize, Fallback::Default("1MB")),
            Key::new("old-size", Kind::ByteSize, Fallback::Off("1MB")).deprecated("'size'"),
        ],
        sections: &[],
        free: false,
        doc: "A table of the test's own.",
    };

    #[test]
    fn a_deprecated_key_is_taken_with_a_warning() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("zope.conf");
        std::fs::write(&file, "size 1KB\nOLD-size 2KB\n").unwrap();
        let loader = FsLoader::default();
        let tree = Reader::new(&loader).read(&file);
        let (mut faults, mut places, mut warnings) = Default::default();
        let mut walk = Walk { faults: &mut faults, places: &mut places, warnings: &mut warnings };
        let values = walk.inside(&tree.root, &OWN, Role::Part, String::new());
        let place = Place::Override("old-size=3KB".into());
        walk.value(&OWN.keys[1], "3KB", place, "old-size");
        assert_eq!(values["old-size"].as_str(), Some("2KB"));
        let instead = "is deprecated; write 'size' instead";
        let expected = [
            format!("{}:2: OLD-size: {instead}", file.display()),
            format!("-X old-size: old-size: {instead}"),
        ];
        assert_eq!(warnings, expected);
        let nothing = faults.finish(&Default::default(), Some(()));
        assert_eq!(nothing, Ok(()));
    }
}
