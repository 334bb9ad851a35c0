//! Where a value is from: what `--origin` says.

use std::fmt;

use switchboard_zconfig::Pos;

use crate::conf::place::Place;

/// The layer of a value, and where it stands there. What `-X` sets is left out: it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// A line of a file.
    File(Pos),
    /// This environment variable.
    Environment(String),
    /// `-X` with this path.
    Override(String),
    /// Nobody gave it.
    Default,
    /// Nobody gave it, and it follows from others.
    Computed,
}

impl Source {
    pub(super) fn of(place: &Place) -> Self {
        match place.without_value() {
            Place::File(at, _) => Self::File(at),
            Place::Environment(name) => Self::Environment(name),
            Place::Override(path) => Self::Override(path),
        }
    }

    pub(super) fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(at) => at.fmt(f),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Override(path) => write!(f, "-X {path}"),
            Self::Default => f.write_str("default"),
            Self::Computed => f.write_str("computed"),
        }
    }
}
