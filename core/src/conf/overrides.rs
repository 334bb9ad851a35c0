//! Layers over the files: `SWITCHBOARD__SECTION__KEY` in the environment, `-X path/key=value`.

use std::collections::BTreeMap;

use figment::value::{Dict, Value};

use super::place::Place;
use super::provide::Walk;
use super::schema::{ROOT, Role};
use super::target::{Spelling, Step, Target, find};

/// What variables begin with that set directives.
pub(super) const VARIABLE_PREFIX: &str = "SWITCHBOARD__";

/// A value and who gave it.
type Given<'t> = (Place, &'t str);

impl Walk<'_> {
    /// The layer of one environment variable. Values of a multikey are separated by blanks.
    pub(super) fn variable(&mut self, name: &str, text: &str, conf: &Dict) -> Dict {
        let place = Place::Environment(name.into());
        let words = name.strip_prefix(VARIABLE_PREFIX).unwrap_or(name).split("__");
        let step = |word: &str| Step { word: word.to_lowercase(), name: None };
        let steps: Vec<Step> = words.map(step).collect();
        match find(&ROOT, Role::Part, conf, &steps, Spelling::Variable) {
            Ok(target) => {
                let is_many = target.key.is_some_and(|key| key.many);
                let mut texts =
                    if is_many { text.split_whitespace().collect() } else { vec![text] };
                if texts.is_empty() {
                    texts.push(text);
                }
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
                self.faults.at(&place, "", "given twice; leave one of them out");
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

/// What stands before the `=` of a text that was understood.
pub(super) fn path(text: &str) -> &str {
    let value = steps(text).map_or(0, |(_, value)| value.len() + 1);
    &text[..text.len() - value]
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
