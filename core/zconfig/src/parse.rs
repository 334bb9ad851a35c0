//! Files to trees: line by line, with all errors collected.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::define::{Defines, Fault};
use crate::error::{Error, ErrorKind};
use crate::line::{Line, Malformed, Meant, classify, column, is_space};
use crate::loader::Loader;
use crate::nesting::{Level, Nesting};
use crate::source::{Pos, Sources};
use crate::tree::{Entry, Import, Key, Section, Tree};

/// How many files an `%include` may be away from the file that was asked for.
pub const INCLUDE_DEPTH_MAX: usize = 64;

/// After so many errors the rest is not looked at.
const ERRORS_MAX: usize = 100;

/// What a file counts at least, of [`TEXT_BYTES_MAX`](crate::TEXT_BYTES_MAX): to open many takes time, whatever is in them.
const FILE_BYTES_MIN: usize = 4 << 10;

/// Reads one file with everything that it includes.
///
/// # Errors
///
/// Everything that is wrong with the text, in the order in which it stands there.
pub fn parse(file: &Path, loader: &dyn Loader) -> Result<Tree, Vec<Error>> {
    let mut reader = Reader::new(loader);
    let tree = reader.read(file);
    if reader.errors.is_empty() { Ok(tree) } else { Err(reader.errors) }
}

/// Reads several files one after another with one name space of `%define`.
pub struct Reader<'l> {
    pub(crate) loader: &'l dyn Loader,
    pub(crate) defines: Defines,
    pub(crate) imports: Vec<Import>,
    /// The files that are open, the innermost last.
    pub(crate) files: Vec<Arc<Path>>,
    nesting: Nesting,
    sources: Sources,
    errors: Vec<Error>,
    /// The last error was the last one that is looked for.
    stopped: bool,
}

/// What a key or a section counts besides its text: it takes memory too.
const ENTRY_BYTES: usize = 64;

/// The line that is being read.
pub(crate) struct At<'t> {
    pub(crate) file: &'t Arc<Path>,
    number: u32,
    line: &'t str,
}

impl<'l> Reader<'l> {
    /// A reader that has defined nothing yet.
    #[must_use]
    pub fn new(loader: &'l dyn Loader) -> Self {
        Self {
            loader,
            defines: Defines::default(),
            imports: Vec::new(),
            files: Vec::new(),
            nesting: Nesting::default(),
            sources: Sources::default(),
            errors: Vec::new(),
            stopped: false,
        }
    }

    /// Reads one file. If there are errors, the tree is what could be understood.
    pub fn read(&mut self, file: &Path) -> Tree {
        let path: Arc<Path> = file.into();
        let at = Pos { file: path.clone(), line: 0, column: 0 };
        let root = Section::open(String::new(), None, at.clone());
        self.nesting.open(root.clone(), false);
        match self.load(file) {
            Ok(bytes) => self.bytes(path, &bytes),
            Err(kind) => self.error(at, 1, kind),
        }
        let root = self.nesting.finish().unwrap_or(root);
        Tree { root, imports: std::mem::take(&mut self.imports) }
    }

    /// What was wrong in everything read so far.
    #[must_use]
    pub fn errors(&self) -> &[Error] {
        &self.errors
    }

    /// The texts read so far.
    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// What is in a file, and counts as text.
    pub(crate) fn load(&mut self, file: &Path) -> Result<Vec<u8>, ErrorKind> {
        let bytes = self.loader.read(file).map_err(|error| unreadable(file, &error))?;
        self.defines.spend(bytes.len().max(FILE_BYTES_MIN))?;
        Ok(bytes)
    }

    pub(crate) fn bytes(&mut self, path: Arc<Path>, bytes: &[u8]) {
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                let text: Arc<str> = text.into();
                self.sources.add(&path, &text);
                self.text(&path, &text);
            }
            Err(error) => {
                let (good, bad) = bytes.split_at(error.valid_up_to());
                let good = String::from_utf8_lossy(good);
                let last = good.rsplit('\n').next().unwrap_or_default();
                let line = count(good.matches('\n').count() + 1);
                let at = Pos { file: path, line, column: count(last.chars().count() + 1) };
                self.defines.incomplete = true;
                self.error(at, 1, ErrorKind::BadUtf8(bad.first().copied().unwrap_or_default()));
            }
        }
    }

    fn text(&mut self, path: &Arc<Path>, text: &str) {
        self.files.push(path.clone());
        let mut level = self.nesting.level();
        let mut at = At { file: path, number: 0, line: "" };
        for line in text.split_inclusive('\n') {
            if self.stopped {
                break;
            }
            at = At { file: path, number: at.number.saturating_add(1), line };
            self.line(&at, &mut level);
        }
        for kind in self.nesting.end_file(level, &at.begin()) {
            self.whole_line(&at, kind);
        }
        self.files.pop();
    }

    fn line(&mut self, at: &At<'_>, level: &mut Level) {
        let line = classify(at.line);
        if let Ok(Line::Key { .. } | Line::Start { .. }) = line
            && let Err(kind) = self.defines.spend(ENTRY_BYTES)
        {
            return self.whole_line(at, kind);
        }
        match line {
            Ok(Line::Blank) => {}
            Ok(Line::Key { key, value }) => self.key(at, key, value),
            Ok(Line::Start { type_name, name, empty }) => {
                let section = Section::open(type_name.to_lowercase(), name, at.begin());
                if empty {
                    self.nesting.add_empty(level, section);
                } else {
                    self.nesting.open(section, false);
                }
            }
            Ok(Line::End { type_name }) => {
                let end = self.nesting.end(level, type_name.to_lowercase(), &at.begin());
                if let Err(kind) = end {
                    self.whole_line(at, kind);
                }
            }
            Ok(Line::Directive { name, argument }) => self.directive(at, name, argument),
            Err(malformed) => self.malformed(at, level, malformed),
        }
    }

    fn malformed(&mut self, at: &At<'_>, level: &mut Level, malformed: Malformed<'_>) {
        self.whole_line(at, malformed.kind);
        match malformed.meant {
            Meant::Nothing => {}
            Meant::Start(type_name) => {
                let section = Section::open(type_name.to_lowercase(), None, at.begin());
                self.nesting.open(section, true);
            }
            // An end that fits no section is no second error of the same line.
            Meant::End(type_name) => {
                _ = self.nesting.end(level, type_name.to_lowercase(), &at.begin());
            }
        }
    }

    fn key(&mut self, at: &At<'_>, key: &str, raw: &str) {
        if let Some(value) = self.substituted(at, raw) {
            self.nesting.add(Entry::Key(Key {
                key: key.into(),
                value,
                raw: raw.into(),
                at: at.of(key),
                value_at: at.of(raw),
            }));
        }
    }

    /// `raw`, a part of the line, with its references replaced.
    pub(crate) fn substituted(&mut self, at: &At<'_>, raw: &str) -> Option<String> {
        let loader = self.loader;
        let environment = |name: &str| loader.variable(name);
        let whole = |kind| Fault { kind, range: 0..raw.len() };
        let value = self.defines.substitute(raw, &environment).and_then(|value| {
            self.defines.spend(value.len().saturating_sub(raw.len())).map_err(whole)?;
            Ok(value)
        });
        match value {
            Ok(value) => Some(value),
            Err(Fault { kind, range }) => {
                self.unless_expected(at, raw.get(range).unwrap_or(raw), kind);
                None
            }
        }
    }

    /// A name may be unknown only because the line that defines it was reported already.
    pub(crate) fn unless_expected(&mut self, at: &At<'_>, part: &str, kind: ErrorKind) {
        if !(self.defines.incomplete && matches!(kind, ErrorKind::NoReplacement(_))) {
            self.part(at, part, kind);
        }
    }

    pub(crate) fn whole_line(&mut self, at: &At<'_>, kind: ErrorKind) {
        self.part(at, at.line.trim_matches(is_space), kind);
    }

    pub(crate) fn part(&mut self, at: &At<'_>, part: &str, kind: ErrorKind) {
        self.error(at.of(part), count(part.chars().count().max(1)), kind);
    }

    fn error(&mut self, at: Pos, width: u32, kind: ErrorKind) {
        if self.stopped {
            return;
        }
        let is_last = self.errors.len() + 1 == ERRORS_MAX;
        let kind = if is_last { ErrorKind::TooMany } else { kind };
        self.stopped = is_last || matches!(kind, ErrorKind::TooLong(_));
        self.errors.push(Error { at, width, kind });
    }
}

impl At<'_> {
    /// Where the line's first character that is no white space stands.
    pub(crate) fn begin(&self) -> Pos {
        self.of(self.line.trim_start_matches(is_space))
    }

    /// Where `part`, a slice of the line, begins.
    fn of(&self, part: &str) -> Pos {
        let column = column(self.line, part);
        Pos { file: self.file.clone(), line: self.number, column }
    }
}

/// What the system says when a file cannot be read, for people.
fn unreadable(path: &Path, error: &io::Error) -> ErrorKind {
    let why = match error.kind() {
        io::ErrorKind::NotFound if path.as_os_str().as_encoded_bytes().contains(&b'*') => {
            "there is no such file, and a '*' is no pattern; include one file a line".into()
        }
        io::ErrorKind::NotFound => "there is no such file".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::IsADirectory => "it is a directory".into(),
        _ => error.to_string(),
    };
    ErrorKind::Unreadable { path: path.into(), why }
}

/// A number of lines or characters, for people.
fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
