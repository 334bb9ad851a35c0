//! A conf as text in its own grammar.

use percent_encoding::percent_encode_byte;
use switchboard_zconfig::is_space;

use super::secret::HIDDEN;
use super::{Effective, Line, Section};
use crate::conf::schema::Naming;

/// Stands for what a terminal would obey.
const REPLACED: char = char::REPLACEMENT_CHARACTER;

impl Effective {
    /// The conf as text that is a conf: read again, it means the same and is printed as the same,
    /// save for secrets and control characters, which it has not. What is not set and follows from
    /// other keys stands behind a `#`. `with_origin` puts a comment before each line that says
    /// where it is from.
    #[must_use]
    pub fn text(&self, with_origin: bool) -> String {
        let mut page = Page { out: String::new(), depth: 0, with_origin };
        page.inside(&self.root);
        let mut notes = String::new();
        if self.root.any(&Line::is_hidden) {
            notes.push_str(&format!("# {HIDDEN}: a secret, which is not shown\n"));
        }
        if page.out.contains(REPLACED) {
            notes.push_str(&format!("# {REPLACED}: a character that is not shown\n"));
        }
        if !notes.is_empty() {
            notes.push('\n');
        }
        notes + &page.out
    }
}

/// The text so far.
struct Page {
    out: String,
    /// How many sections are open.
    depth: usize,
    with_origin: bool,
}

impl Page {
    fn inside(&mut self, section: &Section) {
        for line in &section.lines {
            self.source(Some(&line.source));
            self.put(&key_value(line));
        }
        for section in section.sections.iter().filter(|section| !section.is_idle()) {
            self.section(section);
        }
    }

    fn section(&mut self, section: &Section) {
        if self.depth == 0 && !self.out.is_empty() {
            self.out.push('\n');
        }
        self.source(section.source.as_ref());
        let header = header(section);
        if section.lines.is_empty() && section.sections.iter().all(Section::is_idle) {
            return self.put(&format!("<{header} />"));
        }
        // A slash right before the '>' would make it an empty section.
        let blank = if header.ends_with('/') { " " } else { "" };
        self.put(&format!("<{header}{blank}>"));
        self.depth += 1;
        self.inside(section);
        self.depth -= 1;
        self.put(&format!("</{}>", section.kind.name));
    }

    fn source(&mut self, source: Option<&super::Source>) {
        if let Some(source) = source.filter(|_| self.with_origin) {
            self.put(&format!("# {}", visible(&source.to_string())));
        }
    }

    fn put(&mut self, line: &str) {
        self.out.extend(std::iter::repeat_n("  ", self.depth));
        self.out.push_str(line);
        self.out.push('\n');
    }
}

fn key_value(line: &Line) -> String {
    let key = visible(&line.key);
    let off = if line.follows || !is_key(&key) { "#" } else { "" };
    let value = visible(&line.value).replace('$', "$$");
    format!("{off}{key} {}", value.trim_matches(is_space)).trim_end().into()
}

/// Whether the grammar reads `text` as a key. `-X` and the environment may name others in a
/// `<config>`.
fn is_key(text: &str) -> bool {
    let in_key = |c: char| !is_space(c) && c != '(' && c != ')';
    !text.starts_with(['#', '<', '%']) && !text.is_empty() && text.chars().all(in_key)
}

/// What stands between the brackets.
fn header(section: &Section) -> String {
    let kind = section.kind.name;
    match (&section.name, section.kind.naming) {
        (None, _) => kind.into(),
        (Some(prefix), Naming::UrlPrefix) => format!("{kind} {}", encoded(prefix)),
        (Some(name), _) => format!("{kind} {}", visible(name)),
    }
}

/// A prefix as a header may have it, which is decoded once when it is read.
fn encoded(prefix: &str) -> String {
    let mut out = String::new();
    for c in prefix.chars() {
        if "%?#()".contains(c) || is_space(c) || c.is_control() {
            let mut utf8 = [0; 4];
            out.extend(c.encode_utf8(&mut utf8).bytes().map(percent_encode_byte));
        } else {
            out.push(c);
        }
    }
    out
}

/// Text from a file must not drive the terminal. A tab does not.
fn visible(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\t', &REPLACED.to_string())
}

impl Section {
    /// Whether any line in it, however deep, is such.
    fn any(&self, is_such: &dyn Fn(&Line) -> bool) -> bool {
        self.lines.iter().any(is_such) || self.sections.iter().any(|inner| inner.any(is_such))
    }
}
