//! Places in conf text, and the text itself for those who show a line again.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A place in a file. Lines and columns begin at 1; columns count characters.
///
/// Line 0 means the file as a whole, as when it cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pos {
    /// The file, as it was named or reached through `%include`.
    pub file: Arc<Path>,
    /// Line.
    pub line: u32,
    /// Column of the first character meant.
    pub column: u32,
}

impl fmt::Display for Pos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.file.display()),
            line => write!(f, "{}:{line}", self.file.display()),
        }
    }
}

/// The text of every file that was read, so that a message can show the line it is about.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    files: Vec<(Arc<Path>, Arc<str>)>,
}

impl Sources {
    /// The line at `at`, without its end.
    #[must_use]
    pub fn line(&self, at: &Pos) -> Option<&str> {
        let (_, text) = self.files.iter().find(|(file, _)| *file == at.file)?;
        let line = text.split('\n').nth(at.line.checked_sub(1)? as usize)?;
        Some(line.strip_suffix('\r').unwrap_or(line))
    }

    /// The files in the order in which they were first read.
    pub fn files(&self) -> impl Iterator<Item = &Arc<Path>> {
        self.files.iter().map(|(file, _)| file)
    }

    /// Keeps `text`; a file that is included twice is kept once.
    pub(crate) fn add(&mut self, file: &Arc<Path>, text: &Arc<str>) {
        if self.files.iter().all(|(known, _)| known != file) {
            self.files.push((file.clone(), text.clone()));
        }
    }
}
