//! Where each value came from: a tag of figment for every line of conf, and what it stands for.

use std::collections::HashMap;
use std::fmt;

use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};
use switchboard_zconfig::Pos;

use super::overrides;

/// Where something is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In a file; the number is that of the characters meant.
    File(Pos, u32),
    /// By an environment variable of this name.
    Environment(String),
    /// By `-X` with this text.
    Override(String),
}

/// A place for every tag that was given out.
#[derive(Default)]
pub(super) struct Places {
    places: HashMap<Tag, Place>,
    /// Carries the metadata of all tags to the figment that they are merged into.
    lines: Figment,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(at, _) => at.fmt(f),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Override(text) => write!(f, "-X {text}"),
        }
    }
}

impl Place {
    /// The same for eyes that may not see a secret: without what `-X` sets.
    pub(super) fn without_value(&self) -> Self {
        match self {
            Self::Override(text) => Self::Override(overrides::path(text).into()),
            place => place.clone(),
        }
    }
}

impl Places {
    /// A new tag for `place`. Tags of later calls compare as greater.
    pub(super) fn tag(&mut self, place: Place) -> Tag {
        let line = Figment::from(Line(place.to_string()));
        let tag = line.data().ok().and_then(|data| Some(data.values().next()?.get(LINE)?.tag()));
        let tag = tag.unwrap_or_default();
        self.lines = std::mem::take(&mut self.lines).merge(line.select(Profile::Default));
        self.places.insert(tag, place);
        tag
    }

    /// What `tag` was given out for; none for built-in defaults.
    pub(super) fn place(&self, tag: Tag) -> Option<&Place> {
        self.places.get(&tag)
    }

    /// A figment that knows all tags given out so far and says nothing else.
    pub(super) fn take_figment(&mut self) -> Figment {
        std::mem::take(&mut self.lines)
    }
}

/// A provider of one line. Figment gives a tag to each provider, so each line has one.
struct Line(String);

/// The dummy key of [`Line`], in a profile that nobody selects.
const LINE: &str = "line";

impl Provider for Line {
    fn metadata(&self) -> Metadata {
        Metadata::from("switchboard conf", Source::Custom(self.0.clone()))
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let dict = Dict::from([(LINE.to_string(), Value::from(true))]);
        Ok(Map::from([(Profile::new("conf-lines"), dict)]))
    }

    fn profile(&self) -> Option<Profile> {
        Some(Profile::new("conf-lines"))
    }
}
