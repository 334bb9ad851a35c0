//! Everything that is wrong with a conf, as a person reads it.

use std::fmt;
use std::path::{Path, PathBuf};

use figment::value::Tag;
use switchboard_zconfig::{ErrorKind, Pos, Reader, Sources};

use super::place::{Place, Places};

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfError {
    /// The file; or `environment NAME`, or `-X PATH=VALUE`.
    pub file: PathBuf,
    /// Line, from 1; 0 if it is no line that is wrong.
    pub line: u32,
    /// Column, from 1; 0 if it is no line that is wrong.
    pub column: u32,
    /// How many characters are meant.
    pub width: u32,
    /// Section and key, as `<websocket /chat> origin`; may be empty.
    pub directive: String,
    /// What is wrong, and what was expected.
    pub message: String,
    /// The line.
    pub text: Option<String>,
}

/// Everything that is wrong with a conf, in the order of the files and their lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfErrors {
    errors: Vec<ConfError>,
}

impl ConfErrors {
    /// Each error.
    pub fn iter(&self) -> std::slice::Iter<'_, ConfError> {
        self.errors.iter()
    }
}

impl IntoIterator for ConfErrors {
    type Item = ConfError;
    type IntoIter = std::vec::IntoIter<ConfError>;

    fn into_iter(self) -> Self::IntoIter {
        self.errors.into_iter()
    }
}

impl<'e> IntoIterator for &'e ConfErrors {
    type Item = &'e ConfError;
    type IntoIter = std::slice::Iter<'e, ConfError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for ConfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.directive.is_empty() {
            write!(f, ": {}", self.directive)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl fmt::Display for ConfErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&render(self, false))
    }
}

impl std::error::Error for ConfError {}
impl std::error::Error for ConfErrors {}

/// Each error on a line of its own, and under it the line that it is about, with what is meant
/// underlined.
#[must_use]
pub fn render(errors: &ConfErrors, colour: bool) -> String {
    let (strong, dim, off) =
        if colour { ("\x1b[1;31m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
    let mut out = String::new();
    for error in errors {
        out.push_str(&printable(&error.to_string()));
        out.push('\n');
        let Some(text) = &error.text else { continue };
        let number = format!("{}:{}", error.line, error.column);
        let before = error.column.saturating_sub(1) as usize;
        let rest = text.chars().count().saturating_sub(before).max(1);
        let marks = "^".repeat((error.width as usize).clamp(1, rest));
        out.push_str(&format!("{dim}{number:>8} |{off} {}\n", printable(text)));
        out.push_str(&format!("{dim}{:>8} |{off} {:before$}{strong}{marks}{off}\n", "", ""));
    }
    out
}

/// Text from a file must not drive the terminal; each character stays one column.
fn printable(text: &str) -> String {
    let visible = |c: char| match c {
        '\t' => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(visible).collect()
}

/// Collects what is wrong while the layers are read.
#[derive(Default)]
pub(super) struct Faults {
    errors: Vec<ConfError>,
    /// Something could not be understood at all; what is missing may be in there.
    pub(super) incomplete: bool,
}

/// A person is shown so many; the last one says that there may be more.
const ERRORS_MAX: usize = 100;
/// So many are noted, to show the first of them.
const NOTED_MAX: usize = 10 * ERRORS_MAX;

impl Faults {
    /// Something wrong at `place`.
    pub(super) fn at(&mut self, place: &Place, directive: &str, message: impl Into<String>) {
        let (file, line, column, width) = match place {
            Place::File(at, width) => (at.file.to_path_buf(), at.line, at.column, *width),
            other => (PathBuf::from(other.to_string()), 0, 0, 0),
        };
        if self.errors.len() >= NOTED_MAX {
            return;
        }
        self.errors.push(ConfError {
            file,
            line,
            column,
            width,
            directive: directive.into(),
            message: message.into(),
            text: None,
        });
    }

    /// Something wrong with the value of `tag`, found after all layers were put together. The
    /// first error of a line stands for those that follow from it.
    pub(super) fn of(
        &mut self,
        places: &Places,
        tag: Tag,
        directive: &str,
        message: impl Into<String>,
    ) {
        if self.known(places, tag) {
            return;
        }
        // Without a place it is a default that stands in for what was reported as missing.
        if let Some(place) = places.place(tag) {
            self.at(place, directive, message);
        }
    }

    /// Whether an error about the line of `tag` is among these.
    pub(super) fn known(&self, places: &Places, tag: Tag) -> bool {
        let Some(Place::File(at, _)) = places.place(tag) else {
            return false;
        };
        self.errors.iter().any(|e| e.line == at.line && e.file == *at.file)
    }

    /// Something is not there. Says nothing if it may be in what was not understood.
    pub(super) fn missing(&mut self, place: &Place, directive: &str, message: impl Into<String>) {
        if !self.incomplete {
            self.at(place, directive, message);
        }
    }

    /// Takes over what the parser found.
    pub(super) fn syntax(&mut self, main: &Path, reader: &Reader<'_>) {
        for error in reader.errors() {
            self.incomplete = true;
            let place = Place::File(error.at.clone(), error.width);
            let message = match &error.kind {
                ErrorKind::Unreadable { why, .. } if error.at.line == 0 => {
                    let is_absent = *error.at.file == *main && !main.exists();
                    let other = if is_absent { "; name another with -c FILE" } else { "" };
                    format!("cannot be read: {why}{other}")
                }
                kind => kind.to_string(),
            };
            self.at(&place, "", message);
        }
    }

    /// The settings if nothing is wrong, else the errors in the order of the files.
    pub(super) fn finish<T>(mut self, sources: &Sources, good: Option<T>) -> Result<T, ConfErrors> {
        if let Some(good) = good.filter(|_| self.errors.is_empty()) {
            return Ok(good);
        }
        let rank = |file: &Path| sources.files().position(|known| **known == *file);
        let order = |e: &ConfError| (rank(&e.file).unwrap_or(usize::MAX), e.line, e.column);
        self.errors.sort_by_cached_key(order);
        self.errors.truncate(ERRORS_MAX);
        if let Some(last) = self.errors.get_mut(ERRORS_MAX - 1) {
            last.directive.clear();
            last.message = ErrorKind::TooMany.to_string();
        }
        for error in &mut self.errors {
            let file = error.file.as_path().into();
            let at = Pos { file, line: error.line, column: error.column };
            error.text = sources.line(&at).map(Into::into);
        }
        Err(ConfErrors { errors: self.errors })
    }
}
