//! Layers over the files: `SWITCHBOARD__SECTION__KEY` in the environment, `-X path/key=value`.

use std::collections::BTreeMap;

use figment::value::{Dict, Value};

use super::place::Place;
use super::provide::{NAME, Walk};
use super::schema::{Child, Key, Naming, ROOT, Role, SectionType};
use super::suggest::{listed, nearest, there_is};

/// What variables begin with that set directives.
pub(super) const VARIABLE_PREFIX: &str = "SWITCHBOARD__";

/// One step of a path: a section's type or name, or the key at its end.
struct Step {
    word: String,
    /// What stands in brackets after it.
    name: Option<String>,
}

/// The key that a path leads to.
struct Target {
    /// The keys of the dictionaries on the way.
    path: Vec<String>,
    name: String,
    /// None in a section that takes any key.
    key: Option<&'static Key>,
    directive: String,
}

/// A value and who gave it.
type Given<'t> = (Place, &'t str);

/// How the words of a path are compared with those of the conf.
#[derive(Clone, Copy)]
enum Spelling {
    /// As in the conf.
    Conf,
    /// As in the name of a variable: what is no letter or digit is `_` there.
    Variable,
}

impl Walk<'_> {
    /// The layer of one environment variable. Values of a multikey are separated by blanks.
    pub(super) fn variable(&mut self, name: &str, text: &str, conf: &Dict) -> Dict {
        let place = Place::Environment(name.into());
        let words = name.strip_prefix(VARIABLE_PREFIX).unwrap_or(name).split("__");
        let step = |word: &str| Step { word: word.to_lowercase(), name: None };
        let steps: Vec<Step> = words.map(step).collect();
        match find(&ROOT, Role::Part, conf, &steps, Spelling::Variable) {
            Ok(target) => {
                let is_many = target.key.is_none_or(|key| key.many);
                let texts = if is_many { text.split_whitespace().collect() } else { vec![text] };
                let values = texts.into_iter().map(|text| (place.clone(), text)).collect();
                self.layer_of(&target, values)
            }
            Err(message) => {
                self.faults.at(&place, "", message);
                Dict::new()
            }
        }
    }

    /// The layer of all `-X`. Several for one multikey add up, and together replace what it was.
    pub(super) fn overrides(&mut self, overrides: &[String], conf: &Dict) -> Vec<Dict> {
        let mut found: BTreeMap<Vec<String>, (Target, Vec<Given<'_>>)> = BTreeMap::new();
        for text in overrides {
            let place = Place::Override(text.clone());
            let target = steps(text).and_then(|(steps, value)| {
                Ok((find(&ROOT, Role::Part, conf, &steps, Spelling::Conf)?, value))
            });
            let (target, value) = match target {
                Ok(found) => found,
                Err(message) => {
                    self.faults.at(&place, "", message);
                    continue;
                }
            };
            let mut path = target.path.clone();
            path.push(target.name.clone());
            let is_single = target.key.is_some_and(|key| !key.many);
            let (_, values) = found.entry(path).or_insert((target, Vec::new()));
            if is_single && !values.is_empty() {
                self.faults.at(&place, "", "given twice");
            }
            values.push((place, value));
        }
        found.into_values().map(|(target, values)| self.layer_of(&target, values)).collect()
    }

    fn layer_of(&mut self, target: &Target, values: Vec<Given<'_>>) -> Dict {
        let mut array = Vec::new();
        for (place, text) in values {
            array.push(match target.key {
                Some(key) => self.value(key, text, place, &target.directive),
                None => Value::String(self.places.tag(place), text.into()),
            });
        }
        let tag = array.first().map(Value::tag).unwrap_or_default();
        let value = match target.key.is_none_or(|key| key.many) {
            true => Value::Array(tag, array),
            false => array.pop().unwrap_or_else(|| Value::String(tag, String::new())),
        };
        let mut dict = Dict::from([(target.name.clone(), value)]);
        for step in target.path.iter().rev() {
            dict = Dict::from([(step.clone(), Value::Dict(tag, dict))]);
        }
        dict
    }
}

/// Splits `a/b[/name]/key=value`; what is in brackets is one word.
fn steps(text: &str) -> Result<(Vec<Step>, &str), String> {
    let usage = || "expected PATH/KEY=VALUE, such as limits/max-message-size=2MB".to_string();
    let mut depth = 0_u32;
    let mut begin = 0;
    let mut words = Vec::new();
    for (index, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            '/' | '=' if depth == 0 => {
                words.push(&text[begin..index]);
                begin = index + 1;
                if c == '=' {
                    let steps = words.into_iter().map(step).collect::<Option<Vec<_>>>();
                    return Ok((steps.ok_or_else(usage)?, &text[begin..]));
                }
            }
            _ => {}
        }
    }
    Err(usage())
}

fn step(word: &str) -> Option<Step> {
    let (word, name) = match word.split_once('[') {
        Some((word, name)) => (word, Some(name.strip_suffix(']')?.to_string())),
        None => (word, None),
    };
    (!word.is_empty()).then(|| Step { word: word.into(), name })
}

/// A section with a name, in the conf so far.
#[derive(Clone, Copy)]
struct Instance<'c> {
    slot: &'c str,
    name: &'c str,
    dict: &'c Dict,
}

/// Goes down from `section`, whose values so far are `conf`.
fn find(
    section: &'static SectionType,
    role: Role,
    conf: &Dict,
    steps: &[Step],
    spelling: Spelling,
) -> Result<Target, String> {
    let (first, rest) = match steps {
        [] => return Err("names no key".into()),
        [last_step] => return last(section, role, conf, last_step, spelling),
        [first, rest @ ..] => (first, rest),
    };
    let Some(child) = section.child(&spelling.word(&first.word)) else {
        return named(section, conf, first, rest, spelling);
    };
    if child.section.naming == Naming::None {
        let nothing = Dict::new();
        let inner = conf.get(child.section.name).and_then(Value::as_dict).unwrap_or(&nothing);
        let target = find(child.section, child.role, inner, rest, spelling)?;
        return Ok(target.below(child, None));
    }
    let (instance, rest) = chosen(child, &instances(child, conf), first, rest, spelling)?;
    let target = find(child.section, child.role, instance.dict, rest, spelling)?;
    Ok(target.below(child, Some(instance)))
}

fn instances<'c>(child: &Child, conf: &'c Dict) -> Vec<Instance<'c>> {
    let all = conf.get(child.section.name).and_then(Value::as_dict).into_iter().flatten();
    all.filter_map(|(slot, value)| {
        let dict = value.as_dict()?;
        Some(Instance { slot, name: dict.get(NAME)?.as_str()?, dict })
    })
    .collect()
}

/// The section that is meant, and the steps inside it: the one named in brackets, or by the next
/// step, or the only one.
fn chosen<'c, 's>(
    child: &Child,
    all: &[Instance<'c>],
    first: &Step,
    rest: &'s [Step],
    spelling: Spelling,
) -> Result<(Instance<'c>, &'s [Step]), String> {
    let by_name = |name: &str| -> Vec<Instance<'c>> {
        all.iter().filter(|one| spelling.is(child, one.name, name)).copied().collect()
    };
    let (found, rest) = match (&first.name, rest) {
        (Some(name), rest) => (by_name(name), rest),
        (None, [next, inside @ ..]) if !inside.is_empty() && !by_name(&next.word).is_empty() => {
            (by_name(&next.word), inside)
        }
        (None, rest) => (all.to_vec(), rest),
    };
    let kind = child.section.name;
    let headers: Vec<String> = all.iter().map(|one| format!("<{kind} {}>", one.name)).collect();
    match (&found[..], &headers[..]) {
        ([one], _) => Ok((*one, rest)),
        (_, []) => Err(format!("the conf has no <{kind}>")),
        ([], _) => Err(format!("no such section; the conf has {}", listed(&headers, "and"))),
        _ => Err(format!("several sections may be meant: {}", listed(&headers, "and"))),
    }
}

/// As ZConfig has it, a step may also be the name of a section alone.
fn named(
    section: &'static SectionType,
    conf: &Dict,
    first: &Step,
    rest: &[Step],
    spelling: Spelling,
) -> Result<Target, String> {
    for child in section.sections.iter().filter(|child| child.section.naming != Naming::None) {
        for instance in instances(child, conf) {
            if first.name.is_none() && spelling.is(child, instance.name, &first.word) {
                let target = find(child.section, child.role, instance.dict, rest, spelling)?;
                return Ok(target.below(child, Some(instance)));
            }
        }
    }
    let known: Vec<&str> = section.sections.iter().map(|child| child.section.name).collect();
    let word = spelling.word(&first.word);
    Err(match nearest(&word, known.iter().copied()) {
        Some(near) => format!("unknown section '{word}'; did you mean '{near}'?"),
        None if known.is_empty() => format!("unknown section '{word}'"),
        None => format!("unknown section '{word}'; {}", there_is(&known)),
    })
}

fn last(
    section: &'static SectionType,
    role: Role,
    conf: &Dict,
    step: &Step,
    spelling: Spelling,
) -> Result<Target, String> {
    let target =
        |name: String, key| Ok(Target { path: Vec::new(), directive: name.clone(), name, key });
    if section.free {
        let known = conf.keys().find(|key| spelling.folded(key) == spelling.folded(&step.word));
        return target(known.unwrap_or(&step.word).clone(), None);
    }
    let word = spelling.word(&step.word);
    let takes = |key: &&Key| role.takes(key);
    if let Some(key) = section.key(&word).filter(takes).filter(|_| step.name.is_none()) {
        return target(word, Some(key));
    }
    let known: Vec<&str> = section.keys.iter().filter(takes).map(|key| key.name).collect();
    let place = if section.name.is_empty() { "" } else { &*format!(" in {}", section.header()) };
    Err(match nearest(&word, known.iter().copied()) {
        Some(near) => format!("unknown key '{word}'{place}; did you mean '{near}'?"),
        None => format!("unknown key '{word}'{place}; {}", there_is(&known)),
    })
}

impl Target {
    /// The same target, seen from the section around `child`.
    fn below(mut self, child: &Child, instance: Option<Instance<'_>>) -> Self {
        let kind = child.section.name;
        let (header, slot) = match instance {
            Some(Instance { name, slot, .. }) => (format!("<{kind} {name}>"), Some(slot)),
            None => (format!("<{kind}>"), None),
        };
        self.directive = format!("{header} {}", self.directive);
        self.path.splice(0..0, [kind].into_iter().chain(slot).map(Into::into));
        self
    }
}

impl Spelling {
    /// A type or key as the schema has it.
    fn word(self, word: &str) -> String {
        match self {
            Self::Conf => word.to_ascii_lowercase(),
            Self::Variable => word.to_ascii_lowercase().replace('_', "-"),
        }
    }

    fn is(self, child: &Child, name: &str, wanted: &str) -> bool {
        match (self, child.section.naming) {
            (Self::Conf, Naming::Name) => name == wanted.to_lowercase(),
            (Self::Conf, Naming::UrlPrefix) => {
                name == wanted || name == wanted.strip_suffix('/').unwrap_or(wanted)
            }
            (Self::Conf, _) => name == wanted,
            (Self::Variable, _) => self.folded(name) == self.folded(wanted),
        }
    }

    fn folded(self, text: &str) -> String {
        match self {
            Self::Conf => text.into(),
            Self::Variable => {
                let text = text.trim_start_matches('/').to_lowercase();
                text.replace(|c: char| !c.is_alphanumeric(), "_")
            }
        }
    }
}
