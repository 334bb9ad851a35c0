//! What nobody said: the layer of built-in defaults, and the things that have none.

use figment::value::{Dict, Tag, Value};

use super::error::Faults;
use super::place::{Place, Places};
use super::provide::NAME;
use super::schema::{Child, Fallback, Key, Naming, Role, SectionType};
use super::suggest::{header as headed, listed};

/// Looks through the united layers of the conf.
pub(super) struct Completion<'c> {
    pub(super) faults: &'c mut Faults,
    pub(super) places: &'c Places,
}

impl Completion<'_> {
    /// The defaults of `section` and everything in it, for what `dict` does not have.
    pub(super) fn defaults(
        &mut self,
        section: &SectionType,
        role: Role,
        dict: &Dict,
        path: &str,
        at: &Place,
    ) -> Dict {
        let mut defaults = Dict::new();
        for key in section.keys.iter().filter(|key| !dict.contains_key(key.name)) {
            match key.fallback {
                Fallback::Default(text) if role != Role::Override => {
                    defaults.insert(key.name.into(), value(key, text));
                }
                Fallback::Required(text) => {
                    let name = key.name;
                    let message = format!("'{name}' is missing; write for example '{name} {text}'");
                    self.faults.missing(at, path, message);
                    defaults.insert(name.into(), value(key, text));
                }
                _ => {}
            }
        }
        for child in section.sections {
            let inner = dict.get(child.section.name);
            if let Some(inner) = self.child(child, inner, path, at) {
                defaults.insert(child.section.name.into(), inner.into());
            }
        }
        if section.sections.iter().any(|child| child.role == Role::Endpoint) {
            self.one_endpoint(section, dict, path, at);
        }
        defaults
    }

    fn child(
        &mut self,
        child: &Child,
        inner: Option<&Value>,
        path: &str,
        at: &Place,
    ) -> Option<Dict> {
        let section = child.section;
        let around = if path.is_empty() { String::new() } else { format!("{path} ") };
        let Some(Value::Dict(tag, inner)) = inner else {
            let is_always_there = child.role == Role::Part && section.naming == Naming::None;
            return (is_always_there && !section.free)
                .then(|| self.defaults(section, child.role, &Dict::new(), path, at));
        };
        if section.naming == Naming::None {
            let path = format!("{around}<{}>", section.name);
            let at = self.places.place(*tag).unwrap_or(at).clone();
            return Some(self.defaults(section, child.role, inner, &path, &at));
        }
        let mut all = Dict::new();
        for (slot, value) in inner {
            let Some(inner) = value.as_dict() else { continue };
            let name = inner.get(NAME).and_then(Value::as_str).unwrap_or(slot);
            let path = format!("{around}{}", headed(section.name, name));
            let at = self.places.place(header(value)).unwrap_or(at).clone();
            let defaults = self.defaults(section, child.role, inner, &path, &at);
            all.insert(slot.clone(), defaults.into());
        }
        Some(all)
    }

    /// Exactly one section says who answers.
    fn one_endpoint(&mut self, section: &SectionType, dict: &Dict, path: &str, at: &Place) {
        let kinds = section.sections.iter().filter(|child| child.role == Role::Endpoint);
        let mut found: Vec<(Tag, String)> = Vec::new();
        let mut headers = Vec::new();
        for child in kinds {
            let kind = child.section;
            headers.push(kind.header());
            match dict.get(kind.name) {
                Some(Value::Dict(tag, _)) if kind.naming == Naming::None => {
                    found.push((*tag, format!("<{}>", kind.name)));
                }
                Some(Value::Dict(_, all)) => found.extend(
                    all.iter()
                        .map(|(slot, value)| (header(value), format!("<{} {slot}>", kind.name))),
                ),
                _ => {}
            }
        }
        found.sort();
        match &found[..] {
            [_] => {}
            [] => {
                let what = listed(&headers, "or");
                self.faults.missing(at, path, format!("nobody answers; write {what} inside it"));
            }
            [.., (tag, _)] => {
                let each: Vec<String> = found
                    .iter()
                    .filter_map(|(tag, header)| {
                        Some(format!("{header} at {}", self.places.place(*tag)?))
                    })
                    .collect();
                let message = format!(
                    "only one may answer, but there are {}; give each a <{}> of its own",
                    listed(&each, "and"),
                    section.name
                );
                let at = self.places.place(*tag).unwrap_or(at).clone();
                self.faults.at(&at, path, message);
            }
        }
    }
}

/// The tag of a section's header. Its own is that of the last layer that says something in it.
fn header(section: &Value) -> Tag {
    let name = section.as_dict().and_then(|dict| dict.get(NAME));
    name.unwrap_or(section).tag()
}

fn value(key: &Key, text: &str) -> Value {
    let text = Value::from(text);
    if key.many { Value::from(vec![text]) } else { text }
}
