//! Which key a path like `websocket[/chat]/origin` means, in the conf that the files gave.

use figment::value::{Dict, Value};

use super::provide::NAME;
use super::schema::{Child, Key, Naming, Role, SectionType};
use super::suggest::{header, listed, nearest, there_is};
use super::unknown::homes_of_key;

/// One step of a path: a section's type or name, or the key at its end.
pub(super) struct Step {
    pub(super) word: String,
    /// What stands in brackets after it.
    pub(super) name: Option<String>,
}

/// The key that a path leads to.
pub(super) struct Target {
    /// The keys of the dictionaries on the way.
    pub(super) path: Vec<String>,
    pub(super) name: String,
    /// None in a section that takes any key.
    pub(super) key: Option<&'static Key>,
    pub(super) directive: String,
}

/// How the words of a path are compared with those of the conf.
#[derive(Clone, Copy)]
pub(super) enum Spelling {
    /// As in the conf.
    Conf,
    /// As in the name of a variable: what is no letter or digit is `_` there.
    Variable,
}

/// A section with a name, in the conf so far.
#[derive(Clone, Copy)]
struct Instance<'c> {
    slot: &'c str,
    name: &'c str,
    dict: &'c Dict,
}

/// Goes down from `section`, whose values so far are `conf`.
pub(super) fn find(
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
    let headers: Vec<String> = all.iter().map(|one| header(kind, one.name)).collect();
    match (&found[..], &headers[..]) {
        ([one], _) => Ok((*one, rest)),
        (_, []) => Err(format!("the conf has no <{kind}>")),
        ([], _) => Err(format!("no such section; the conf has {}", listed(&headers, "and"))),
        _ => {
            let which = listed(&headers, "and");
            let how = match spelling {
                Spelling::Conf => format!("; write {kind}[{}] for one", all[0].name),
                // Brackets have no place in the name of a variable.
                Spelling::Variable => format!("; only -X can name one, as {kind}[{}]", all[0].name),
            };
            Err(format!("several sections may be meant: {which}{how}"))
        }
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
    let homes = homes_of_key(&word);
    Err(match nearest(&word, known.iter().copied()) {
        Some(near) => format!("unknown key '{word}'{place}; did you mean '{near}'?"),
        None if !homes.is_empty() => {
            format!("unknown key '{word}'{place}; it belongs {}", listed(&homes, "or"))
        }
        None => format!("unknown key '{word}'{place}; {}", there_is(&known)),
    })
}

impl Target {
    /// The same target, seen from the section around `child`.
    fn below(mut self, child: &Child, instance: Option<Instance<'_>>) -> Self {
        let kind = child.section.name;
        let (header, slot) = match instance {
            Some(Instance { name, slot, .. }) => (header(kind, name), Some(slot)),
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
