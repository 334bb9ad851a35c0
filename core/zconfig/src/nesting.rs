//! The sections that are open, and what to make of an end that does not fit.

use crate::error::ErrorKind;
use crate::source::Pos;
use crate::tree::{Entry, Section};

/// The root and the sections whose end has not come yet, the innermost last.
#[derive(Default)]
pub(crate) struct Nesting {
    open: Vec<Open>,
}

struct Open {
    section: Section,
    /// Its header was malformed: it is here only to be closed.
    broken: bool,
}

/// The part of the nesting that one file may close, since each file balances by itself.
pub(crate) struct Level {
    /// How many sections were open when the file began.
    floor: usize,
    traps: Vec<Trap>,
}

/// An empty section that may have been meant to go on: `<a /b/>`.
struct Trap {
    /// How many sections were open around it.
    depth: usize,
    /// Which entry of the innermost it is.
    index: usize,
}

impl Nesting {
    /// The level of a file that begins here.
    pub(crate) fn level(&self) -> Level {
        Level { floor: self.open.len(), traps: Vec::new() }
    }

    /// Opens a section; a broken one will not be in the tree.
    pub(crate) fn open(&mut self, section: Section, broken: bool) {
        self.open.push(Open { section, broken });
    }

    /// Takes the root out, after everything in it was closed.
    pub(crate) fn finish(&mut self) -> Option<Section> {
        self.open.pop().map(|open| open.section)
    }

    /// Adds to the innermost open section; says which entry of it this is.
    pub(crate) fn add(&mut self, entry: Entry) -> usize {
        let Some(open) = self.open.last_mut() else {
            return 0;
        };
        open.section.entries.push(entry);
        open.section.entries.len() - 1
    }

    /// Adds a section that has no end.
    pub(crate) fn add_empty(&mut self, level: &mut Level, mut section: Section) {
        section.empty = true;
        let index = self.add(Entry::Section(section));
        level.traps.push(Trap { depth: self.open.len(), index });
    }

    /// `</found>` at `at`. After an error the nesting is what was probably meant.
    pub(crate) fn end(
        &mut self,
        level: &mut Level,
        found: String,
        at: &Pos,
    ) -> Result<(), ErrorKind> {
        let mine = self.open.get(level.floor..).unwrap_or_default();
        let innermost = mine.last().map(|open| &open.section);
        if innermost.is_some_and(|section| section.type_name == found) {
            self.close(level, at);
            return Ok(());
        }
        let open = innermost.map(|section| (section.type_name.clone(), section.at.clone()));
        // `</a name>` and `</ a>` are wrong, but it is <a> that they mean.
        let meant = found.split_whitespace().next().unwrap_or_default();
        let outer = mine.iter().rposition(|open| open.section.type_name == meant);
        let depth = outer.map(|index| level.floor + index);
        let hint = self.spring(level, &found, at);
        if let Some(depth) = depth.filter(|_| hint.is_none()) {
            while self.open.len() > depth {
                self.close(level, at);
            }
        }
        Err(match open {
            Some((open, opened)) => ErrorKind::UnbalancedEnd { found, open, opened, hint },
            None => ErrorKind::UnexpectedEnd { found, hint },
        })
    }

    /// Closes what the file has left open: one error for each.
    pub(crate) fn end_file(&mut self, mut level: Level, at: &Pos) -> Vec<ErrorKind> {
        let mut unclosed = Vec::new();
        while self.open.len() > level.floor {
            if let Some(Open { section, .. }) = self.open.last() {
                let (open, opened) = (section.type_name.clone(), section.at.clone());
                unclosed.push(ErrorKind::Unclosed { open, opened });
            }
            self.close(&mut level, at);
        }
        unclosed
    }

    fn close(&mut self, level: &mut Level, at: &Pos) {
        let Some(Open { mut section, broken }) = self.open.pop() else {
            return;
        };
        section.end = at.clone();
        let depth = self.open.len();
        level.traps.retain(|trap| trap.depth <= depth);
        if !broken {
            self.add(Entry::Section(section));
        }
    }

    /// If an empty section of this type was meant to be closed here, says so, and puts what
    /// stands between into it, so that this is not reported as misplaced.
    fn spring(&mut self, level: &mut Level, type_name: &str, at: &Pos) -> Option<String> {
        let depth = self.open.len();
        let entries = &mut self.open.last_mut()?.section.entries;
        let is_it = |trap: &Trap| {
            let entry = entries.get(trap.index).filter(|_| trap.depth == depth);
            matches!(entry, Some(Entry::Section(section)) if section.type_name == type_name)
        };
        let found = level.traps.iter().rposition(is_it)?;
        let index = level.traps[found].index;
        level.traps.truncate(found);
        let rest = entries.split_off(index + 1);
        let Some(Entry::Section(section)) = entries.last_mut() else {
            return None;
        };
        section.entries = rest;
        section.end = at.clone();
        section.empty = false;
        Some(match &section.raw_name {
            None => format!("; '/>' makes a section empty; write <{type_name} / > for the name /"),
            Some(name) => format!("; '/>' makes a section empty; write <{type_name} {name}/ >"),
        })
    }
}
